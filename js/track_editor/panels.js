/** The editor's panels round the canvas: tools, time, list of tracks, properties, help. Each builds its DOM once and updates from a state. */

import { button, element, press, say, setIcon } from "./elements.js";
import { icon } from "./icons.js";
import { SHORTCUTS } from "./keys.js";
import { selectedTrack } from "./state.js";

/** @import {EditorState, Tool, Track} from "./types.js" */
/** @import {EditorStore} from "./store.js" */

/** @typedef {{root: HTMLElement, update: (state: EditorState) => void}} Panel */

/** @type {[Tool, string][]} */
const TOOLS = [
  ["select", "Select and move (V)"],
  ["draw", "Draw freehand (D)"],
  ["path", "Path, point by point (P)"],
  ["pin", "Pin: a point that stays where it is (I)"],
];

/** @param {EditorStore} store @param {{help: () => void, large: (() => void) | null}} actions @returns {Panel} */
export function toolbar(store, actions) {
  const tools = TOOLS.map(([tool, title]) => ({ tool, made: button(tool, title, () => store.dispatch({ type: "tool", tool })) }));
  const smooth = button("spline", "", () => store.dispatch({ type: "interpolation", interpolation: shownInterpolation(store.state) === "spline" ? "linear" : "spline" }));
  const undo = button("undo", "Undo (Ctrl+Z)", () => store.dispatch({ type: "undo" }));
  const redo = button("redo", "Redo (Ctrl+Y)", () => store.dispatch({ type: "redo" }));
  const border = button("border", "Pin the border of the picture, so that the background stays (B)", () => store.dispatch({ type: "pin-border", on: !store.state.doc.pin_border }));
  const clear = button("clear", "Remove every track", () => store.dispatch({ type: "clear" }));
  clear.classList.add("ms-danger");
  const help = button("help", "Keyboard shortcuts (?)", actions.help);
  const last = actions.large ? [help, button("expand", "Large editor (F)", actions.large)] : [help];
  const brush = brushSlider(store);
  const root = element("div", "ms-bar", [
    element("div", "ms-group", tools.map(({ made }) => made)),
    element("div", "ms-group", [smooth, border]),
    brush.root,
    element("div", "ms-group", [undo, redo, clear]),
    element("div", "ms-group ms-push", last),
  ]);
  const update = (/** @type {EditorState} */ state) => {
    for (const { tool, made } of tools) press(made, state.tool === tool);
    const kind = shownInterpolation(state);
    setIcon(smooth, kind, kind === "spline" ? "Paths are smooth: click for straight lines (S)" : "Paths are straight: click for smooth curves (S)");
    press(border, state.doc.pin_border);
    undo.disabled = !state.past.length;
    redo.disabled = !state.future.length;
    clear.disabled = !state.doc.tracks.length && !state.doc.pin_border;
    brush.update(state);
  };
  return { root, update };
}

/** @param {EditorState} state */
function shownInterpolation(state) {
  const track = selectedTrack(state);
  return track?.kind === "path" ? track.interpolation : state.interpolation;
}

/** @param {EditorStore} store @returns {Panel} */
function brushSlider(store) {
  const range = element("input");
  range.type = "range";
  range.min = "0";
  range.setAttribute("aria-label", "Brush radius");
  range.addEventListener("input", () => store.dispatch({ type: "brush", radius: Number(range.value) }));
  const shown = element("output");
  const root = element("label", "ms-slider", [icon("brush"), range, shown]);
  root.title = "Brush: radius of the disc of points that moves with the track ([ and ]). 0 = a single point. Make it about as large as the object.";
  const update = (/** @type {EditorState} */ state) => {
    range.max = String(Math.round(Math.min(state.doc.width, state.doc.height) / 3));
    const track = selectedTrack(state);
    const radius = Math.round(track ? (track.brush?.radius ?? 0) : state.brush);
    range.value = String(radius);
    say(shown, `${radius} px`);
  };
  return { root, update };
}

/** @param {EditorStore} store @param {() => void} play @returns {Panel & {playing: (on: boolean) => void}} */
export function timeline(store, play) {
  const toggle = button("play", "Play the motion (Space)", play);
  const range = element("input");
  range.type = "range";
  range.min = "0";
  range.title = "Frame shown";
  range.setAttribute("aria-label", "Frame shown");
  range.addEventListener("input", () => store.dispatch({ type: "seek", frame: Number(range.value) }));
  const shown = element("output");
  const update = (/** @type {EditorState} */ state) => {
    const last = state.doc.frames - 1;
    range.max = String(last);
    range.value = String(state.frame);
    const track = selectedTrack(state);
    range.style.setProperty("--ms-track", track && track.kind !== "pin" ? band(track, last) : "");
    say(shown, `${Math.round(state.frame)} / ${last} · ${(state.frame / state.doc.fps).toFixed(2)} s`);
  };
  const playing = (/** @type {boolean} */ on) => setIcon(toggle, on ? "pause" : "play", on ? "Pause (Space)" : "Play the motion (Space)");
  return { root: element("div", "ms-time", [element("div", "ms-group", [toggle]), range, shown]), update, playing };
}

/** The share of the time in which the track moves, in its colour. @param {Track} track @param {number} last */
function band(track, last) {
  const [from, to] = share(track, last);
  const rest = "color-mix(in srgb, var(--ms-text) 22%, transparent)";
  return `linear-gradient(90deg, ${rest} ${from}%, ${track.color} ${from}%, ${track.color} ${to}%, ${rest} ${to}%)`;
}

/** @param {Track} track @param {number} last @returns {[number, number]} per cent */
function share(track, last) {
  const percent = (/** @type {number} */ frame) => Math.min(100, Math.max(0, (100 * frame) / Math.max(1, last)));
  return [percent(track.start), percent(track.end ?? last)];
}

/** @param {EditorStore} store @returns {Panel} */
export function trackList(store) {
  const root = element("div", "ms-tracks");
  root.dataset.captureWheel = "true";
  /** @type {Map<string, ReturnType<typeof trackRow>>} */
  const rows = new Map();
  const update = (/** @type {EditorState} */ state) => {
    const ids = new Set(state.doc.tracks.map((track) => track.id));
    for (const [id, row] of rows) {
      if (ids.has(id)) continue;
      row.root.remove();
      rows.delete(id);
    }
    state.doc.tracks.forEach((track, i) => {
      const row = rows.get(track.id) ?? trackRow(store, track.id);
      rows.set(track.id, row);
      if (root.children[i] !== row.root) root.insertBefore(row.root, root.children[i] ?? null);
      row.update(track, state);
    });
  };
  return { root, update };
}

/** @param {EditorStore} store @param {string} id */
function trackRow(store, id) {
  const color = element("input");
  color.type = "color";
  color.title = "Colour";
  color.addEventListener("input", () => store.dispatch({ type: "edit", track: id, changes: { color: color.value }, key: `color ${id}` }));
  const name = element("input", "ms-name");
  name.title = "Name";
  name.addEventListener("change", () => store.dispatch({ type: "edit", track: id, changes: { name: name.value.trim() || id } }));
  const kind = element("span", "ms-kind");
  const span = element("span", "ms-span", [element("i")]);
  const eye = button("eye", "", () => {
    const track = store.state.doc.tracks.find((candidate) => candidate.id === id);
    if (track) store.dispatch({ type: "edit", track: id, changes: { visible: !track.visible } });
  });
  const remove = button("clear", "Delete this track", () => store.dispatch({ type: "delete-track", track: id }));
  remove.classList.add("ms-danger");
  const root = element("div", "ms-track", [color, name, kind, span, eye, remove]);
  root.addEventListener("click", (event) => {
    if (!(event.target instanceof Element && event.target.closest("button"))) store.dispatch({ type: "select", track: id });
  });
  let shownKind = "";
  let scrolled = false;
  const update = (/** @type {Track} */ track, /** @type {EditorState} */ state) => {
    const chosen = state.selection.track === id;
    root.style.setProperty("--ms-color", track.color);
    root.classList.toggle("ms-chosen", chosen);
    root.classList.toggle("ms-muted", !track.visible);
    if (chosen && !scrolled && root.parentElement) root.parentElement.scrollTop = root.offsetTop - root.parentElement.offsetTop - 30;
    scrolled = chosen;
    if (color.value !== track.color) color.value = track.color;
    if (document.activeElement !== name && name.value !== track.name) name.value = track.name;
    const shape = track.kind === "freehand" ? "draw" : track.kind === "pin" ? "pin" : track.interpolation;
    if (shape !== shownKind) kind.replaceChildren(icon(shape));
    shownKind = shape;
    const [from, to] = track.kind === "pin" ? [0, 100] : share(track, state.doc.frames - 1);
    span.style.setProperty("--ms-from", `${from}%`);
    span.style.setProperty("--ms-to", `${100 - to}%`);
    span.title = track.kind === "pin" ? "Rests" : `Moves from frame ${track.start} to ${track.end ?? state.doc.frames - 1}`;
    setIcon(eye, track.visible ? "eye" : "hidden", track.visible ? "Leave this track out" : "Use this track again");
  };
  return { root, update };
}

/** @param {EditorStore} store @returns {Panel} the selected track's times */
export function properties(store) {
  const start = numberField((value) => edit({ start: value }));
  const end = numberField((value) => edit({ end: value }));
  const edit = (/** @type {{start?: number, end?: number}} */ changes) => {
    const track = selectedTrack(store.state);
    if (track) store.dispatch({ type: "edit", track: track.id, changes });
    update(store.state);
  };
  const copy = button("copy", "Duplicate this track (Ctrl+D)", () => store.dispatch({ type: "duplicate" }), "Duplicate");
  const times = element("span", "", [element("label", "", ["Moves from frame", start]), " ", element("label", "", ["to", end])]);
  const about = element("span");
  const buttons = element("div", "ms-group ms-push", [copy]);
  const root = element("div", "ms-props", [times, about, buttons]);
  times.title = "The point rests before and after.";
  const update = (/** @type {EditorState} */ state) => {
    const track = selectedTrack(state);
    const rests = !track || track.kind === "pin" || track.points.length < 2;
    times.hidden = rests;
    buttons.hidden = !track;
    say(about, !track ? "Select a track to set when it moves." : rests ? "Stays where it is." : "");
    if (!track) return;
    const last = state.doc.frames - 1;
    for (const [field, value] of /** @type {const} */ ([[start, track.start], [end, track.end ?? last]])) {
      field.max = String(last);
      if (document.activeElement !== field) field.value = String(value);
    }
  };
  return { root, update };
}

/** @param {(value: number) => void} change */
function numberField(change) {
  const field = element("input");
  field.type = "number";
  field.min = "0";
  field.step = "1";
  field.addEventListener("change", () => {
    if (Number.isFinite(field.valueAsNumber)) change(field.valueAsNumber);
  });
  return field;
}

/** @returns {HTMLElement} */
export function helpPanel() {
  const rows = SHORTCUTS.flatMap(([keys, text]) => [
    element("dt", "", keys.split(/\s{2,}/).flatMap((key) => [element("kbd", "", [key]), " "])),
    element("dd", "", [text]),
  ]);
  const root = element("div", "ms-help", [element("h4", "", ["Keys, while the editor has the focus"]), element("dl", "", rows)]);
  root.hidden = true;
  return root;
}
