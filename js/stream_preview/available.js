/** Buttons and fields that cannot be used now, and say why. */

import { setTitle } from "../shared/elements.js";
import { word } from "./vocabulary.js";

/**
 * @param {HTMLButtonElement | HTMLInputElement | HTMLSelectElement} made
 * @param {string} title
 * @param {string} obstacle why it cannot be used, which then is in the title; "" = it can
 */
export function setAvailable(made, title, obstacle) {
  const able = !obstacle;
  if (made.disabled === able) made.disabled = !able;
  setTitle(made, able ? title : word("because", { what: title, why: obstacle }));
}
