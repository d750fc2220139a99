/** The editor's two bars above the canvas: tools and history, and what the next track will be like. */

import { element, setPressed, setText } from "../shared/elements.js";
import { CAMERA_PRESETS } from "./cameras.js";
import { button, icon, setIcon } from "./icons.js";
import { shownInterpolation } from "./keys.js";
import { menuButton } from "./menu.js";
import { INTERPOLATIONS } from "./read_track.js";
import { selectedTrack } from "./state.js";
import { word } from "./vocabulary.js";

/** @import {EditorState, Option, Tool} from "./types.js" */
/** @import {EditorStore} from "./store.js" */
/** @import {Section} from "./menu.js" */

/** @typedef {{root: HTMLElement, update: (state: EditorState) => void}} Panel */
/** @typedef {{help: () => void, large: (() => void) | null, menu: () => Section[]}} Actions */

/** @type {Tool[]} */
const TOOLS = ["select", "draw", "path", "line", "pin", "grid", "region"];

/** @param {EditorStore} store @param {Actions} actions @returns {Panel} */
export function toolbar(store, actions) {
  const tools = TOOLS.map((tool) => ({
    tool,
    made: button(tool, word(`tool_${tool}`), () => store.dispatch({ type: "tool", tool })),
  }));
  const undo = button("undo", word("undo"), () => store.dispatch({ type: "undo" }));
  const redo = button("redo", word("redo"), () => store.dispatch({ type: "redo" }));
  const clear = button("clear", word("clear"), () => store.dispatch({ type: "clear" }));
  clear.classList.add("ms-danger");
  const menu = menuButton("menu", word("menu"), actions.menu, "right");
  const help = button("help", word("help"), actions.help);
  const last = actions.large
    ? [menu.root, help, button("expand", word("large"), actions.large)]
    : [menu.root, help];
  const root = element("div", "ms-bar", [
    element(
      "div",
      "ms-group",
      tools.map(({ made }) => made),
    ),
    element("div", "ms-group", [undo, redo, clear]),
    element("div", "ms-group ms-push", last),
  ]);
  const update = (/** @type {EditorState} */ state) => {
    for (const { tool, made } of tools) setPressed(made, state.tool === tool);
    undo.disabled = !state.past.length;
    redo.disabled = !state.future.length;
    clear.disabled = !state.doc.tracks.length && !state.doc.pin_border;
  };
  return { root, update };
}

/** @param {EditorStore} store @param {(text: string) => void} notify  the person @returns {Panel} */
export function optionsBar(store, notify) {
  const curve = menuButton("spline", word("curve"), () => curveMenu(store));
  const tension = slider(word("tension"), 0, 100, (value) =>
    store.dispatch({ type: "edit-selected", changes: { tension: value / 100 }, key: "tension" }),
  );
  const camera = menuButton("camera", word("camera"), () => cameraMenu(store, notify));
  const border = button("border", word("border"), () =>
    store.dispatch({ type: "pin-border", on: !store.state.doc.pin_border }),
  );
  const options = /** @type {Option[]} */ (["snap", "onion", "numbers"]).map((option) => ({
    option,
    made: button(option, word(option), () =>
      store.dispatch({ type: "option", option, on: !store.state.options[option] }),
    ),
  }));
  const brush = brushSlider(store);
  const root = element("div", "ms-bar", [
    element("div", "ms-group", [curve.root]),
    tension.root,
    brush.root,
    element("div", "ms-group", [border, camera.root]),
    element(
      "div",
      "ms-group ms-push",
      options.map(({ made }) => made),
    ),
  ]);
  const update = (/** @type {EditorState} */ state) => {
    const kind = shownInterpolation(state);
    const track = selectedTrack(state);
    setIcon(curve.made, kind);
    tension.root.hidden = !(track && kind === "cardinal" && track.interpolation === "cardinal");
    tension.show(Math.round((track?.tension ?? 0) * 100), `${Math.round((track?.tension ?? 0) * 100)} %`);
    setPressed(border, state.doc.pin_border);
    for (const { option, made } of options) setPressed(made, state.options[option]);
    brush.update(state);
  };
  return { root, update };
}

/** @param {EditorStore} store @returns {Section[]} */
function curveMenu(store) {
  const now = shownInterpolation(store.state);
  return [
    {
      entries: INTERPOLATIONS.map((name) => ({
        icon: name,
        text: word(`curve_${name}`),
        on: name === now,
        action: () => store.dispatch({ type: "interpolation", interpolation: name }),
      })),
    },
  ];
}

/** @param {EditorStore} store @param {(text: string) => void} notify @returns {Section[]} */
function cameraMenu(store, notify) {
  const add = (/** @type {string} */ preset) => {
    const pinned = store.state.doc.pin_border;
    store.dispatch({ type: "camera", preset });
    if (pinned && !store.state.doc.pin_border) notify(word("border_off"));
  };
  return [
    {
      title: word("camera"),
      entries: Object.keys(CAMERA_PRESETS).map((preset) => ({
        icon: "camera",
        text: word(preset),
        action: () => add(preset),
      })),
    },
  ];
}

/** @param {string} title @param {number} least @param {number} most @param {(value: number) => void} change */
function slider(title, least, most, change) {
  const range = element("input");
  Object.assign(range, { type: "range", min: String(least), max: String(most), title });
  range.setAttribute("aria-label", title);
  range.addEventListener("input", () => change(Number(range.value)));
  const shown = element("output");
  const root = element("label", "ms-slider", [range, shown]);
  const show = (/** @type {number} */ value, /** @type {string} */ text) => {
    range.value = String(value);
    setText(shown, text);
  };
  return { root, range, show };
}

/** @param {EditorStore} store @returns {Panel} */
function brushSlider(store) {
  const made = slider(word("brush_label"), 0, 100, (radius) => store.dispatch({ type: "brush", radius }));
  made.root.prepend(icon("brush"));
  made.root.title = word("brush");
  const update = (/** @type {EditorState} */ state) => {
    made.range.max = String(Math.round(Math.min(state.doc.width, state.doc.height) / 3));
    const track = selectedTrack(state);
    const own = track && !track.grid && !track.region;
    const radius = Math.round(own ? (track.brush?.radius ?? 0) : state.brush);
    made.show(radius, `${radius} px`);
  };
  return { root: made.root, update };
}
