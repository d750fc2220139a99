/** The editor's two bars above the canvas: tools and history, and what the next track will be like. */

import { element, group, setText } from "../shared/elements.js";
import { CAMERA_PRESETS } from "./cameras.js";
import { commandButton, commandGroup } from "./command_button.js";
import { BORDER, CLEAR, HELP, LARGE, OPTIONS, REDO, TOOLS, UNDO } from "./commands.js";
import { shownInterpolation } from "./history.js";
import { icon, setIcon } from "./icons.js";
import { menuButton } from "./menu.js";
import { INTERPOLATIONS } from "./read_track.js";
import { selectedTrack } from "./state.js";
import { word } from "./vocabulary.js";

/** @import {Run} from "./command_button.js" */
/** @import {EditorState} from "./types.js" */
/** @import {EditorStore} from "./store.js" */
/** @import {Section} from "./menu.js" */

/** @typedef {{root: HTMLElement, update: (state: EditorState) => void}} Panel */
/**
 * @param {EditorStore} store
 * @param {Run} run
 * @param {() => Section[]} sections of the menu
 * @param {boolean} canGrow there is a large editor to go to
 * @returns {Panel}
 */
export function toolbar(store, run, sections, canGrow) {
  const menu = menuButton("menu", word("menu"), sections, "right");
  const clear = commandButton(store, CLEAR, run);
  clear.root.classList.add("ms-danger");
  const undo = commandButton(store, UNDO, run);
  const redo = commandButton(store, REDO, run);
  const tools = commandGroup(store, "", TOOLS, run);
  const last = commandGroup(store, "ms-push", canGrow ? [HELP, LARGE] : [HELP], run, menu.root);
  const root = element("div", "ms-bar", [tools.root, group("", undo.root, redo.root, clear.root), last.root]);
  const update = (/** @type {EditorState} */ state) => {
    for (const part of [tools, undo, redo, clear, last]) part.update(state);
  };
  return { root, update };
}

/**
 * @param {EditorStore} store
 * @param {Run} run
 * @param {(text: string) => void} notify the person
 * @returns {Panel}
 */
export function optionsBar(store, run, notify) {
  const curve = menuButton("spline", word("curve"), () => curveMenu(store));
  const tension = slider(word("tension"), 0, 100, (value) =>
    store.dispatch({ type: "edit-selected", changes: { tension: value / 100 }, key: "tension" }),
  );
  const camera = menuButton("camera", word("camera"), () => cameraMenu(store, notify));
  const border = commandButton(store, BORDER, run);
  const options = commandGroup(store, "ms-push", OPTIONS, run);
  const brush = brushSlider(store);
  const root = element("div", "ms-bar", [
    group("", curve.root),
    tension.root,
    brush.root,
    group("", border.root, camera.root),
    options.root,
  ]);
  const update = (/** @type {EditorState} */ state) => {
    const kind = shownInterpolation(state);
    const track = selectedTrack(state);
    setIcon(curve.made, kind);
    tension.root.hidden = !(track && kind === "cardinal" && track.interpolation === "cardinal");
    tension.show(Math.round((track?.tension ?? 0) * 100), `${Math.round((track?.tension ?? 0) * 100)} %`);
    for (const part of [border, options, brush]) part.update(state);
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

/**
 * @param {EditorStore} store
 * @param {(text: string) => void} notify
 * @returns {Section[]}
 */
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

/**
 * @param {string} title
 * @param {number} least
 * @param {number} most
 * @param {(value: number) => void} change
 */
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
    const own = track && !track.grid && !track.region && !track.object;
    const radius = Math.round(own ? (track.brush?.radius ?? 0) : state.brush);
    made.show(radius, `${radius} px`);
  };
  return { root: made.root, update };
}
