/** The strength of video to video: how much of the source goes. Shown for runs that have a source video. */

import { element, setText } from "../shared/elements.js";
import { setAvailable } from "./available.js";
import { strength } from "./controls.js";
import { obstacleOf } from "./obstacles.js";
import { word } from "./vocabulary.js";

/** @import {Panel} from "./panels.js" */
/** @import {PreviewState} from "./state.js" */
/** @import {PreviewStore} from "./store.js" */

/**
 * @param {PreviewStore} store
 * @returns {Panel}
 */
export function strengthSlider(store) {
  const range = element("input");
  Object.assign(range, { type: "range", min: "0", max: "1", step: "0.01" });
  const shown = element("output");
  const caption = element("span", "ms-caption", [word("strength")]);
  const root = element("label", "ms-slider ms-strength", [caption, range, shown]);
  let dragged = false;
  const describe = () => setText(shown, Number(range.value).toFixed(2));
  range.addEventListener("input", () => {
    dragged = true;
    describe();
  });
  range.addEventListener("change", () => {
    dragged = false;
    store.dispatch({ type: "send", control: strength(Number(range.value)) });
  });
  const update = (/** @type {PreviewState} */ state) => {
    root.hidden = !state.run?.controls.includes("strength");
    if (root.hidden) return;
    if (!dragged && state.sampler.strength !== null) range.value = String(state.sampler.strength);
    setAvailable(range, word("strength_help"), obstacleOf(state, "strength"));
    describe();
  };
  return { root, update };
}
