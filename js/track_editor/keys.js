/** The keyboard of the editor: which key means what. Pure; the editor runs what comes back. */

/** @import {EditorEvent, EditorState, Tool} from "./types.js" */

/**
 * @typedef {{do: "event", event: EditorEvent} | {do: "play"} | {do: "help"} | {do: "large"}} Command
 * @typedef {{key: string, ctrlKey: boolean, metaKey: boolean, shiftKey: boolean, altKey: boolean}} Key
 */

/** @type {Record<string, Tool>} */
const TOOLS = { v: "select", d: "draw", p: "path", i: "pin" };
/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** For the help panel: keys and what they do. */
export const SHORTCUTS = [
  ["V  D  P  I", "Select, Draw, Path, Pin"],
  ["Click, then Enter", "Path: add points, then finish (or click the last point again)"],
  ["Double-click", "Select: add a point to a line"],
  ["Right-click", "Remove a point"],
  ["Del", "Delete the selected point or track"],
  ["Arrows", "Move the selection by 1 px, with Shift by 10"],
  ["Ctrl Z   Ctrl Y", "Undo, redo"],
  ["Ctrl D", "Duplicate the selected track"],
  ["[   ]", "Smaller, larger brush"],
  ["S", "Smooth or straight path"],
  ["B", "Pin the border of the picture"],
  ["Space", "Play; hold and drag to move the canvas"],
  ["F", "Large editor"],
  ["Esc", "Finish, or select nothing"],
];

/** @param {EditorEvent} event @returns {Command} */
const run = (event) => ({ do: "event", event });

/** @param {Key} key @param {EditorState} state @returns {Command | null} null = not ours */
export function commandFor(key, state) {
  if (key.altKey) return null;
  return key.ctrlKey || key.metaKey ? withControl(key) : plain(key, state);
}

/** @param {Key} key @returns {Command | null} */
function withControl(key) {
  const name = key.key.toLowerCase();
  if (name === "z") return run({ type: key.shiftKey ? "redo" : "undo" });
  if (name === "y") return run({ type: "redo" });
  if (name === "d") return run({ type: "duplicate" });
  return null;
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
    case "s":
      return run({ type: "interpolation", interpolation: state.interpolation === "spline" ? "linear" : "spline" });
    case "b":
      return run({ type: "pin-border", on: !state.doc.pin_border });
    case "Home":
      return run({ type: "seek", frame: 0 });
    case "End":
      return run({ type: "seek", frame: state.doc.frames - 1 });
    case "f":
      return { do: "large" };
    case "?":
      return { do: "help" };
    default:
      return null;
  }
}

/** @param {[number, number]} way @param {boolean} far @param {EditorState} state @returns {Command} */
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

/** @param {number} radius @param {1 | -1} way */
export const stepBrush = (radius, way) => Math.max(0, Math.round(radius + way * Math.max(1, radius * 0.15)));
