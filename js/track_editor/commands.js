/**
 * What a person can do in the editor by a key or a button, each in one place: its key, what it is called and
 * what it does. The bars, the keyboard and the help are made from this list. Pure.
 */

import { stepRadius } from "../shared/geometry.js";
import { selectedTrack, shownInterpolation } from "./history.js";
import { INTERPOLATIONS } from "./read_track.js";
import { word } from "./vocabulary.js";

/** @import {EditorEvent, EditorState, Interpolation, Option, Tool} from "./types.js" */

/**
 * @typedef {{type: "help"} | {type: "large"} | {type: "zoom", factor: number}} ViewEvent what happens to one
 *   view of the document; factor 0 = the whole picture
 *
 * @typedef {object} Command
 * @property {string} name
 * @property {string[]} keys  as KeyboardEvent says them, letters small, after Ctrl+ and Shift+; the help
 *   shows the first
 * @property {(state: EditorState) => string} label  the title of its button
 * @property {(state: EditorState, shift: boolean) => EditorEvent | ViewEvent | null} perform null = there is
 *   nothing to do, and the key is the host's; shift: held with the key
 * @property {string} [icon]  of its button, where that is not its name
 * @property {(state: EditorState) => boolean} [isOn]  its button is pressed
 * @property {(state: EditorState) => boolean} [isAble]  its button can be used
 * @property {string} [help]  the word of the help's row that it stands in
 *
 * @typedef {{gesture: string[], help: string}} Gesture  what is no command, but stands in the help
 *
 * @typedef {{key: string, ctrlKey: boolean, metaKey: boolean, shiftKey: boolean, altKey: boolean}} Key
 */

const ZOOM = 1.4;
const FAR = 10; // pixels or frames, with Shift

/** @param {EditorState} state */
const hasTrack = (state) => selectedTrack(state) !== null;

/**
 * @param {Tool} tool
 * @param {string} key
 * @returns {Command}
 */
const toolCommand = (tool, key) => ({
  name: tool,
  keys: [key],
  help: "key_tools",
  label: () => word(`tool_${tool}`),
  isOn: (state) => state.tool === tool,
  perform: () => ({ type: "tool", tool }),
});

/**
 * @param {Option} option
 * @param {string[]} keys
 * @returns {Command}
 */
const optionCommand = (option, keys) => ({
  name: option,
  keys,
  ...(keys.length && { help: "key_toggles" }),
  label: () => word(option),
  isOn: (state) => state.options[option],
  perform: (state) => ({ type: "option", option, on: !state.options[option] }),
});

/**
 * A command that is known by its keys alone.
 * @param {string} name
 * @param {string[]} keys
 * @param {string} text the word that says what it does
 * @param {Command["perform"]} perform
 * @returns {Command}
 */
const keyCommand = (name, keys, text, perform) => ({ name, keys, label: () => word(text), perform });

/**
 * One of those, with a place in the help.
 * @param {string} name
 * @param {string[]} keys
 * @param {string} help
 * @param {Command["perform"]} perform
 * @returns {Command}
 */
const helpedCommand = (name, keys, help, perform) => ({ ...keyCommand(name, keys, help, perform), help });

/**
 * @param {string} key
 * @param {number} dx
 * @param {number} dy
 * @returns {Command}
 */
const arrowCommand = (key, dx, dy) =>
  keyCommand(key, [key], "key_arrows", (state, shift) => {
    const step = shift ? FAR : 1;
    if (state.selection.track !== null) return { type: "nudge", dx: dx * step, dy: dy * step };
    return { type: "seek", frame: state.frame + (dx - dy) * step };
  });

/**
 * @param {"smaller" | "larger"} name
 * @param {string} key
 * @param {1 | -1} direction
 */
const brushCommand = (name, key, direction) =>
  helpedCommand(name, [key], "key_brush", (state) => ({
    type: "brush",
    radius: stepRadius(state.brush, direction),
  }));

/**
 * @param {string} name
 * @param {string[]} keys
 * @param {1 | -1} by
 */
const frameCommand = (name, keys, by) =>
  helpedCommand(name, keys, "key_time", (state) => ({ type: "seek", frame: Math.round(state.frame) + by }));

export const TOOLS = [
  toolCommand("select", "v"),
  toolCommand("draw", "d"),
  toolCommand("path", "p"),
  toolCommand("line", "l"),
  toolCommand("pin", "i"),
  toolCommand("grid", "g"),
  toolCommand("region", "r"),
  toolCommand("object", "c"),
];

/** @type {Command} */
export const UNDO = {
  name: "undo",
  keys: ["Ctrl+z"],
  help: "key_undo",
  label: () => word("undo"),
  isAble: (state) => state.past.length > 0,
  perform: () => ({ type: "undo" }),
};

/** @type {Command} */
export const REDO = {
  name: "redo",
  keys: ["Ctrl+y", "Ctrl+Shift+z"],
  help: "key_undo",
  label: () => word("redo"),
  isAble: (state) => state.future.length > 0,
  perform: () => ({ type: "redo" }),
};

/** @type {Command} */
export const CLEAR = {
  name: "clear",
  keys: [],
  label: () => word("clear"),
  isAble: ({ doc }) => doc.tracks.length > 0 || doc.pin_border,
  perform: () => ({ type: "clear" }),
};

/** @type {Command} */
export const DUPLICATE = {
  name: "duplicate",
  keys: ["Ctrl+d"],
  help: "key_duplicate",
  icon: "copy",
  label: () => word("duplicate"),
  isAble: hasTrack,
  perform: () => ({ type: "duplicate" }),
};

/** @type {Command} */
export const MIRROR_X = {
  name: "mirror_x",
  keys: ["Shift+h"],
  help: "key_mirror",
  label: () => word("mirror_x"),
  isAble: hasTrack,
  perform: () => ({ type: "mirror", axis: "x" }),
};

/** @type {Command} */
export const MIRROR_Y = {
  name: "mirror_y",
  keys: ["Shift+v"],
  help: "key_mirror",
  label: () => word("mirror_y"),
  isAble: hasTrack,
  perform: () => ({ type: "mirror", axis: "y" }),
};

/** @type {Command} */
export const ROTATE = {
  name: "rotate",
  keys: ["Shift+r"],
  help: "key_mirror",
  label: () => word("rotate"),
  isAble: hasTrack,
  perform: () => ({ type: "rotate", degrees: 90 }),
};

const LOCK = helpedCommand("lock", ["k"], "key_lock", (state) => {
  const track = selectedTrack(state);
  return track && { type: "edit-selected", changes: { locked: !track.locked } };
});

/** @type {Command} */
export const HIDE = {
  name: "hide",
  keys: ["h"],
  help: "key_lock",
  icon: "ghost",
  label: (state) => word(selectedTrack(state)?.hidden ? "unhide" : "hide"),
  isOn: (state) => selectedTrack(state)?.hidden === true,
  isAble: hasTrack,
  perform: (state) => {
    const track = selectedTrack(state);
    return track && { type: "edit-selected", changes: { hidden: !track.hidden } };
  },
};

/** @type {Command} */
const CURVE = {
  name: "curve",
  keys: ["s"],
  help: "key_curve",
  label: () => word("curve"),
  perform: (state) => ({
    type: "interpolation",
    interpolation: nextInterpolation(shownInterpolation(state)),
  }),
};

/** @param {Interpolation} now @returns {Interpolation} */
const nextInterpolation = (now) => INTERPOLATIONS[(INTERPOLATIONS.indexOf(now) + 1) % INTERPOLATIONS.length];

/** @type {Command} */
export const BORDER = {
  name: "border",
  keys: ["b"],
  help: "key_toggles",
  label: () => word("border"),
  isOn: (state) => state.doc.pin_border,
  perform: (state) => ({ type: "pin-border", on: !state.doc.pin_border }),
};

const SNAP = optionCommand("snap", ["n"]);
const ONION = optionCommand("onion", ["o"]);
const NUMBERS = optionCommand("numbers", []);
export const OPTIONS = [SNAP, ONION, NUMBERS];

/** @type {Command} */
export const LARGE = {
  name: "large",
  keys: ["f"],
  help: "key_large",
  icon: "expand",
  label: () => word("large"),
  perform: () => ({ type: "large" }),
};

/** @type {Command} */
export const HELP = {
  name: "help",
  keys: ["?"],
  label: () => word("help"),
  perform: () => ({ type: "help" }),
};

/** What is half done first, then the selection. */
const ESCAPE = helpedCommand("escape", ["Escape"], "key_escape", (state) => {
  if (state.drag) return { type: "drag-cancel" };
  if (state.stroke) return { type: "stroke-cancel" };
  if (state.open) return { type: "path-finish" };
  return state.selection.track === null ? null : { type: "select", track: null };
});

/** Commands, and what else stands in the help, in its order. @type {(Command | Gesture)[]} */
const ALL = [
  ...TOOLS,
  { gesture: ["Click, then Enter"], help: "key_path" },
  keyCommand("finish", ["Enter"], "key_path", () => ({ type: "path-finish" })),
  { gesture: ["Double-click"], help: "key_double" },
  { gesture: ["Right-click"], help: "key_right" },
  { gesture: ["Shift click"], help: "key_shift_click" },
  { gesture: ["Shift"], help: "key_shift" },
  { gesture: ["Drag the runner"], help: "key_runner" },
  { gesture: ["Shift", "Alt"], help: "key_object" },
  helpedCommand("delete", ["Delete", "Backspace"], "key_delete", () => ({ type: "delete" })),
  { gesture: ["Arrows"], help: "key_arrows" },
  arrowCommand("ArrowLeft", -1, 0),
  arrowCommand("ArrowRight", 1, 0),
  arrowCommand("ArrowUp", 0, -1),
  arrowCommand("ArrowDown", 0, 1),
  UNDO,
  REDO,
  CLEAR,
  { gesture: ["Ctrl C", "Ctrl X", "Ctrl V"], help: "key_clip" },
  helpedCommand("select-all", ["Ctrl+a"], "key_all", () => ({ type: "select-all" })),
  DUPLICATE,
  MIRROR_X,
  MIRROR_Y,
  ROTATE,
  helpedCommand("layer-up", ["PageUp"], "key_layer", () => ({ type: "shift-order", by: -1 })),
  helpedCommand("layer-down", ["PageDown"], "key_layer", () => ({ type: "shift-order", by: 1 })),
  LOCK,
  HIDE,
  helpedCommand("shown", ["x"], "key_lock", (state) => (hasTrack(state) ? { type: "toggle-shown" } : null)),
  brushCommand("smaller", "[", -1),
  brushCommand("larger", "]", 1),
  CURVE,
  BORDER,
  ...OPTIONS,
  { gesture: ["Space"], help: "key_space" },
  frameCommand("frame-back", [","], -1),
  frameCommand("frame-on", ["."], 1),
  helpedCommand("first-frame", ["Home"], "key_time", () => ({ type: "seek", frame: 0 })),
  helpedCommand("last-frame", ["End"], "key_time", ({ doc }) => ({ type: "seek", frame: doc.frames - 1 })),
  helpedCommand("zoom-in", ["+", "="], "key_zoom", () => ({ type: "zoom", factor: ZOOM })),
  helpedCommand("zoom-out", ["−", "-"], "key_zoom", () => ({ type: "zoom", factor: 1 / ZOOM })),
  helpedCommand("zoom-whole", ["0"], "key_zoom", () => ({ type: "zoom", factor: 0 })),
  LARGE,
  HELP,
  ESCAPE,
];

/** @type {Command[]} */
export const COMMANDS = ALL.flatMap((each) => ("perform" in each ? [each] : []));

/** @type {Map<string, Command>} */
const BY_KEY = new Map(COMMANDS.flatMap((command) => command.keys.map((key) => [key, command])));

/**
 * Shift alone makes no other command of a key, but where one says so.
 * @param {Key} key
 * @returns {Command | null} null = not ours
 */
export function commandFor({ key, ctrlKey, metaKey, shiftKey, altKey }) {
  if (altKey) return null;
  const name = key.length === 1 ? key.toLowerCase() : key;
  const control = ctrlKey || metaKey ? "Ctrl+" : "";
  const shifted = shiftKey ? BY_KEY.get(`${control}Shift+${name}`) : undefined;
  return shifted ?? BY_KEY.get(control + name) ?? null;
}

/** Keys that the help calls otherwise. @type {Record<string, string>} */
const KEY_NAMES = { Delete: "Del", Escape: "Esc", PageUp: "Page Up", PageDown: "Page Down" };

/**
 * @param {string} key
 * @returns {string} as the help shows it
 */
const keyName = (key) =>
  key
    .split(/\+(?=.)/)
    .map((part) => KEY_NAMES[part] ?? (part.length === 1 ? part.toUpperCase() : part))
    .join(" ");

/**
 * The rows of the help: the keys of each, and the word that says what they do.
 * @returns {{keys: string[], help: string}[]}
 */
export function helpRows() {
  /** @type {Map<string, string[]>} */
  const rows = new Map();
  for (const each of ALL) {
    if (!each.help) continue;
    const keys = "gesture" in each ? each.gesture : [keyName(each.keys[0])];
    rows.set(each.help, [...(rows.get(each.help) ?? []), ...keys]);
  }
  return [...rows].map(([help, keys]) => ({ help, keys }));
}
