/**
 * The large view: the panel of a preview, taken out of its node into a dialog that fills the window, and put
 * back when that is closed.
 */

import { element } from "../shared/elements.js";
import { word } from "./vocabulary.js";

/**
 * @param {HTMLElement} home where the panel belongs
 * @param {HTMLElement} panel
 * @param {() => void} closed
 * @returns {{close: () => void}}
 */
export function openLarge(home, panel, closed) {
  const dialog = element("dialog", "ms-dialog ms-live-dialog");
  const shell = element("div", "ms-root ms-view ms-large", [panel]);
  const note = element("div", "ms-elsewhere", [word("elsewhere")]);
  home.append(note);
  dialog.append(shell);
  dialog.addEventListener("keydown", (event) => event.stopPropagation());
  const listeners = new AbortController();
  const leave = () => {
    listeners.abort();
    note.remove();
    home.append(panel);
    dialog.remove();
    closed();
  };
  dialog.addEventListener("close", leave, { signal: listeners.signal });
  document.body.append(dialog);
  dialog.showModal();
  return { close: () => (dialog.open ? dialog.close() : undefined) };
}
