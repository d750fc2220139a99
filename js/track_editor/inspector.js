/**
 * What can be said of the selected tracks in numbers: when they move and are seen, their speed curve, their
 * turn, growth, grid and camera.
 */

import { element, setPressed, setText } from "../shared/elements.js";
import { panOf, withPan } from "./cameras.js";
import { commandGroup } from "./command_button.js";
import { DUPLICATE, HIDE, MIRROR_X, MIRROR_Y, ROTATE } from "./commands.js";
import { button, setIcon } from "./icons.js";
import { isShown } from "./sampling.js";
import { readRanges, writeRanges } from "./shown.js";
import { speedPanel } from "./speed_panel.js";
import { selectedTrack } from "./state.js";
import { word } from "./vocabulary.js";

/** @import {EditorEvent, EditorState, TrackChanges} from "./types.js" */
/** @import {EditorStore} from "./store.js" */
/** @import {Panel} from "./toolbar.js" */

const TABS = ["time", "speed", "shape"];

/** @param {EditorStore} store @returns {Panel} */
export function inspector(store) {
  const panels = { time: timePanel(store), speed: speedPanel(store), shape: shapePanel(store) };
  const tabs = TABS.map((name) => ({ name, made: tabButton(name, () => show(name)) }));
  const actions = actionButtons(store);
  const about = element("span", "ms-about");
  const head = element("div", "ms-head", [
    element(
      "div",
      "ms-group ms-tabs",
      tabs.map(({ made }) => made),
    ),
    about,
    actions.root,
  ]);
  const pages = TABS.map((name) => {
    const { root } = panels[/** @type {keyof typeof panels} */ (name)];
    root.classList.add("ms-page");
    root.dataset.title = word(`tab_${name}`);
    return root;
  });
  const body = element("div", "ms-pages", pages);
  body.dataset.nothing = word("nothing");
  const root = element("div", "ms-props", [head, body]);
  let open = "time";
  const show = (/** @type {string} */ name) => {
    open = name;
    update(store.state);
    update(store.state); // a curve is drawn once it has a size
  };
  const update = (/** @type {EditorState} */ state) => {
    const track = selectedTrack(state);
    const count = state.selection.tracks.length;
    body.classList.toggle("ms-nothing", !track);
    root.dataset.open = open;
    for (const { name, made } of tabs) setPressed(made, name === open);
    setText(about, !track ? "" : count > 1 ? word("selected", { count }) : track.name);
    actions.update(state);
    for (const panel of Object.values(panels)) panel.update(state);
  };
  return { root, update };
}

/** @param {string} name @param {() => void} action */
function tabButton(name, action) {
  const made = element("button", "ms-button ms-tab", [word(`tab_${name}`)]);
  made.type = "button";
  made.addEventListener("click", action);
  return made;
}

/** @param {EditorStore} store @returns {Panel} */
function actionButtons(store) {
  const run = (/** @type {import("./commands.js").ViewEvent | EditorEvent} */ event) =>
    store.dispatch(/** @type {EditorEvent} */ (event));
  return commandGroup(store, "ms-push", [DUPLICATE, MIRROR_X, MIRROR_Y, ROTATE, HIDE], run);
}

/** @param {EditorStore} store @returns {Panel} */
function timePanel(store) {
  const edit = (/** @type {TrackChanges} */ changes) => {
    store.dispatch({ type: "edit-selected", changes });
    update(store.state);
  };
  const start = numberField((value) => edit({ start: value }));
  const end = numberField((value) => edit({ end: value }));
  const here = (/** @type {"start" | "end"} */ name) =>
    button("here", word("here"), () => edit({ [name]: Math.round(store.state.frame) }));
  const times = element("div", "ms-row", [
    element("label", "", [word("moves_from"), start]),
    here("start"),
    element("label", "", [word("to"), end]),
    here("end"),
  ]);
  times.title = word("time_help");
  const ranges = element("input", "ms-ranges");
  Object.assign(ranges, { type: "text", placeholder: word("shown_all"), title: word("shown_help") });
  ranges.addEventListener("change", () => {
    const shown = readRanges(ranges.value, store.state.doc.frames);
    if (shown !== undefined) edit({ shown });
    update(store.state);
  });
  const toggle = button("hidden", "", () => store.dispatch({ type: "toggle-shown" }));
  const seen = element("div", "ms-row", [element("label", "ms-wide", [word("shown"), ranges]), toggle]);
  const root = element("div", "", [times, seen]);
  const update = (/** @type {EditorState} */ state) => {
    const track = selectedTrack(state);
    if (!track) return;
    times.hidden = track.kind === "pin";
    const last = state.doc.frames - 1;
    for (const [field, value] of /** @type {const} */ ([
      [start, track.start],
      [end, track.end ?? last],
    ])) {
      field.max = String(last);
      if (document.activeElement !== field) field.value = String(value);
    }
    if (document.activeElement !== ranges) ranges.value = writeRanges(track.shown);
    const sees = isShown(track, Math.round(state.frame));
    setIcon(toggle, sees ? "hidden" : "eye", word(sees ? "hide_from" : "show_from"));
  };
  return { root, update };
}

/** @param {EditorStore} store @returns {Panel} */
function shapePanel(store) {
  const edit = (/** @type {TrackChanges} */ changes) => {
    store.dispatch({ type: "edit-selected", changes });
    update(store.state);
  };
  const one = () => selectedTrack(store.state);
  const turn = numberField((value) => edit({ turn: Math.min(36000, Math.max(-36000, value)) }), "any");
  const scale = numberField((value) => edit({ scale: Math.min(100, Math.max(0.01, value / 100)) }), "any");
  const columns = numberField((value) => gridEdit({ columns: value }));
  const rows = numberField((value) => gridEdit({ rows: value }));
  const panX = numberField((value) => panEdit({ x: value }), "any");
  const panY = numberField((value) => panEdit({ y: value }), "any");
  const carries = element("input");
  carries.type = "checkbox";
  carries.addEventListener("change", () => edit({ carries: carries.checked }));
  const gridEdit = (/** @type {{columns?: number, rows?: number}} */ changes) => {
    const grid = one()?.grid;
    const made = grid && { ...grid, ...changes };
    if (made && made.columns >= 1 && made.rows >= 1 && made.columns * made.rows <= 2500)
      edit({ grid: { ...made, columns: Math.round(made.columns), rows: Math.round(made.rows) } });
    update(store.state);
  };
  const panEdit = (/** @type {{x?: number, y?: number}} */ changes) => {
    const track = one();
    if (track?.kind === "camera")
      store.dispatch({
        type: "edit",
        track: track.id,
        changes: { points: withPan(track, { ...panOf(track), ...changes }).points },
      });
    update(store.state);
  };
  const turnWord = element("span");
  const scaleWord = element("span");
  const bodily = element("div", "ms-row", [
    element("label", "", [turnWord, turn, "°"]),
    element("label", "", [scaleWord, scale, "%"]),
  ]);
  const panRow = element("div", "ms-row", [
    element("label", "", [word("pan"), panX]),
    element("label", "", [panY, "px"]),
    element("label", "ms-check", [carries, word("carries")]),
  ]);
  const gridRow = element("div", "ms-row", [element("label", "", [word("grid"), columns, "×"]), rows]);
  const pin = element("div", "ms-row", [word("shape_pin")]);
  const root = element("div", "", [bodily, panRow, gridRow, pin]);
  const update = (/** @type {EditorState} */ state) => {
    const track = selectedTrack(state);
    if (!track) return;
    const camera = track.kind === "camera";
    pin.hidden = track.kind !== "pin";
    bodily.hidden = !pin.hidden;
    panRow.hidden = !camera;
    gridRow.hidden = !track.grid;
    setText(turnWord, word(camera ? "roll" : "turn"));
    setText(scaleWord, word(camera ? "zoom" : "grows"));
    carries.checked = track.carries === true;
    const pan = camera ? panOf(track) : { x: 0, y: 0 };
    const percent = Math.round((track.scale ?? 1) * 1000) / 10;
    for (const [field, value] of /** @type {const} */ ([
      [turn, track.turn ?? 0],
      [scale, percent],
      [columns, track.grid?.columns ?? 0],
      [rows, track.grid?.rows ?? 0],
      [panX, pan.x],
      [panY, pan.y],
    ])) {
      if (document.activeElement !== field) field.value = String(value);
    }
  };
  return { root, update };
}

/** @param {(value: number) => void} change @param {string} [step] "any" = also below nought and in parts */
function numberField(change, step = "1") {
  const field = element("input");
  Object.assign(field, { type: "number", step, ...(step === "1" && { min: "0" }) });
  field.addEventListener("change", () => {
    if (Number.isFinite(field.valueAsNumber)) change(field.valueAsNumber);
  });
  return field;
}
