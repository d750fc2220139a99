/** The keyboard of the editor: which key means what. Pure; the editor runs what comes back. */

import { selectedTrack } from "./history.js";
import { INTERPOLATIONS } from "./read_track.js";

/** @import {EditorEvent, EditorState, Interpolation, Tool} from "./types.js" */

/**
 * @typedef {{do: "event", event: EditorEvent} | {do: "play"} | {do: "help"} | {do: "large"} | {do: "zoom", factor: number}} Command  factor 0 = whole picture
 * @typedef {{key: string, ctrlKey: boolean, metaKey: boolean, shiftKey: boolean, altKey: boolean}} Key
 */

/** @type {Record<string, Tool>} */
const TOOLS = { v: "select", d: "draw", p: "path", l: "line", i: "pin", g: "grid", r: "region" };
/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** For the help panel: keys and the word that says what they do. */
export const SHORTCUTS = [
  ["V  D  P  L  I  G  R", "key_tools"],
  ["Click, then Enter", "key_path"],
  ["Double-click", "key_double"],
  ["Right-click", "key_right"],
  ["Shift click", "key_shift_click"],
  ["Shift", "key_shift"],
  ["Drag the runner", "key_runner"],
  ["Del", "key_delete"],
  ["Arrows", "key_arrows"],
  ["Ctrl Z   Ctrl Y", "key_undo"],
  ["Ctrl C   Ctrl X   Ctrl V", "key_clip"],
  ["Ctrl A", "key_all"],
  ["Ctrl D", "key_duplicate"],
  ["Shift H   Shift V   Shift R", "key_mirror"],
  ["Page Up   Page Down", "key_layer"],
  ["K  H  X", "key_lock"],
  ["[   ]", "key_brush"],
  ["S", "key_curve"],
  ["B  N  O", "key_toggles"],
  ["Space", "key_space"],
  [",   .   Home   End", "key_time"],
  ["+   −   0", "key_zoom"],
  ["F", "key_large"],
  ["Esc", "key_escape"],
];

/** @param {EditorEvent} event @returns {Command} */
const run = (event) => ({ do: "event", event });

/** @param {Key} key @param {EditorState} state @returns {Command | null} null = not ours */
export function commandFor(key, state) {
  if (key.altKey) return null;
  if (key.ctrlKey || key.metaKey) return withControl(key);
  return (key.shiftKey && withShift(key)) || plain(key, state);
}

/** @param {Key} key @returns {Command | null} */
function withControl(key) {
  const name = key.key.toLowerCase();
  if (name === "z") return run({ type: key.shiftKey ? "redo" : "undo" });
  if (name === "y") return run({ type: "redo" });
  if (name === "d") return run({ type: "duplicate" });
  if (name === "a") return run({ type: "select-all" });
  return null;
}

/** @param {Key} key @returns {Command | null} */
function withShift(key) {
  const name = key.key.toLowerCase();
  if (name === "h") return run({ type: "mirror", axis: "x" });
  if (name === "v") return run({ type: "mirror", axis: "y" });
  return name === "r" ? run({ type: "rotate", degrees: 90 }) : null;
}

/** @param {Key} key @param {EditorState} state @returns {Command | null} */
function plain(key, state) {
  const name = key.key.length === 1 ? key.key.toLowerCase() : key.key;
  if (TOOLS[name]) return run({ type: "tool", tool: TOOLS[name] });
  if (ARROWS[name]) return arrow(ARROWS[name], key.shiftKey, state);
  switch (name) {
    case "Delete":
    case "Backspace":
      return run({ type: "delete" });
    case "Enter":
      return run({ type: "path-finish" });
    case "Escape":
      return escape(state);
    case "[":
    case "]":
      return run({ type: "brush", radius: stepBrush(state.brush, name === "]" ? 1 : -1) });
    case "PageUp":
    case "PageDown":
      return run({ type: "shift-order", by: name === "PageUp" ? -1 : 1 });
    case "Home":
      return run({ type: "seek", frame: 0 });
    case "End":
      return run({ type: "seek", frame: state.doc.frames - 1 });
    case ",":
    case ".":
      return run({ type: "seek", frame: Math.round(state.frame) + (name === "." ? 1 : -1) });
    case "+":
    case "=":
      return { do: "zoom", factor: 1.4 };
    case "-":
    case "−":
      return { do: "zoom", factor: 1 / 1.4 };
    case "0":
      return { do: "zoom", factor: 0 };
    case "f":
      return { do: "large" };
    case "?":
      return { do: "help" };
    default:
      return toggle(name, state);
  }
}

/** @param {string} name @param {EditorState} state @returns {Command | null} */
function toggle(name, state) {
  const track = selectedTrack(state);
  switch (name) {
    case "s":
      return run({ type: "interpolation", interpolation: nextInterpolation(shownInterpolation(state)) });
    case "b":
      return run({ type: "pin-border", on: !state.doc.pin_border });
    case "n":
      return run({ type: "option", option: "snap", on: !state.options.snap });
    case "o":
      return run({ type: "option", option: "onion", on: !state.options.onion });
    case "k":
      return track && run({ type: "edit-selected", changes: { locked: !track.locked } });
    case "h":
      return track && run({ type: "edit-selected", changes: { hidden: !track.hidden } });
    case "x":
      return track && run({ type: "toggle-shown" });
    default:
      return null;
  }
}

/** The kind of curve that the toolbar shows: the selected track's, else that of the next one. @param {EditorState} state @returns {Interpolation} */
export function shownInterpolation(state) {
  const track = selectedTrack(state);
  return track && !["freehand", "pin", "line"].includes(track.kind)
    ? track.interpolation
    : state.interpolation;
}

/** @param {Interpolation} now @returns {Interpolation} */
const nextInterpolation = (now) => INTERPOLATIONS[(INTERPOLATIONS.indexOf(now) + 1) % INTERPOLATIONS.length];

/** @param {[number, number]} direction @param {boolean} far @param {EditorState} state @returns {Command} */
function arrow([dx, dy], far, state) {
  const step = far ? 10 : 1;
  if (state.selection.track !== null) return run({ type: "nudge", dx: dx * step, dy: dy * step });
  return run({ type: "seek", frame: state.frame + (dx - dy) * step });
}

/** @param {EditorState} state @returns {Command | null} what is half done first, then the selection; null = nothing left, the key is the host's */
function escape(state) {
  if (state.drag) return run({ type: "drag-cancel" });
  if (state.stroke) return run({ type: "stroke-cancel" });
  if (state.open) return run({ type: "path-finish" });
  return state.selection.track === null ? null : run({ type: "select", track: null });
}

/** @param {number} radius @param {1 | -1} direction */
export const stepBrush = (radius, direction) =>
  Math.max(0, Math.round(radius + direction * Math.max(1, radius * 0.15)));
