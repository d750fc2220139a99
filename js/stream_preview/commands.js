/**
 * What a person can do to a running stream by a button or a key, each in one place: its key, what it is
 * called, when it cannot be done, and what it does. The bars, the keyboard and the help are made from this
 * list. Pure.
 */

import * as controls from "./controls.js";
import { isActive, obstacleOf } from "./obstacles.js";
import { pictureWindows } from "./pop_out.js";
import { isBusy, oldestChunk, TOOL_CONTROLS, undoChunk } from "./state.js";
import { word } from "./vocabulary.js";

/** @import {Control, ReleaseMode} from "./controls.js" */
/** @import {PreviewEvent, PreviewState} from "./state.js" */
/** @import {Tool} from "./steering.js" */

/**
 * @typedef {object} Command
 * @property {string} name
 * @property {string[]} keys  as KeyboardEvent says them, letters small
 * @property {(state: PreviewState) => string} label  the title of its button
 * @property {(state: PreviewState) => PreviewEvent | null} perform  null = there is nothing to do
 * @property {(state: PreviewState) => string} [obstacle]  why its button cannot be used; "" = it can
 * @property {(state: PreviewState) => string} [icon]  of its button, where that is not its name
 * @property {(state: PreviewState) => string} [text]  beside the icon, where there is room
 * @property {(state: PreviewState) => boolean} [isOn]  its button is pressed
 * @property {boolean} [repeats]  while the key is held
 * @property {boolean} [yields]  the key is the host's where there is nothing to do
 * @property {string} [help]  the word of the help's row that it stands in
 *
 * @typedef {{gesture: string[], help: string}} Gesture  what is no command, but stands in the help
 */

/** @param {Control} control @returns {PreviewEvent} */
const send = (control) => ({ type: "send", control });

/** @param {string} type of the control @returns {(state: PreviewState) => string} */
const needs = (type) => (state) => obstacleOf(state, type);

/** @param {PreviewState} state */
const isPaused = (state) => state.status === "paused";

/**
 * A command that sends a control without fields.
 * @param {"step" | "stop" | "scene" | "pin_border"} type
 * @param {Partial<Command> & Pick<Command, "name" | "label">} more
 * @returns {Command}
 */
const plain = (type, more) => ({
  keys: [],
  obstacle: needs(type),
  perform: () => send(controls.plain(type)),
  ...more,
});

/**
 * @param {Tool} tool
 * @param {string} key
 * @returns {Command}
 */
const tool = (tool, key) => ({
  name: tool,
  keys: [key],
  help: "key_tools",
  label: () => word(`tool_${tool}`),
  obstacle: needs(TOOL_CONTROLS[tool]),
  isOn: (state) => state.steering.tool === tool,
  perform: () => ({ type: "steer", changes: { tool } }),
});

/**
 * @param {ReleaseMode} mode
 * @param {string} key
 * @returns {Command}
 */
const release = (mode, key) => ({
  name: `release-${mode}`,
  keys: [key],
  help: "key_release",
  icon: () => mode,
  label: () => word(`release_${mode}`),
  obstacle: needs("release"),
  isOn: (state) => state.steering.mode === mode,
  perform: () => ({ type: "steer", changes: { mode } }),
});

/**
 * @param {string} name
 * @param {string} key
 * @param {1 | -1} direction
 * @returns {Command}
 */
const radius = (name, key, direction) => ({
  name,
  keys: [key],
  help: "key_radius",
  repeats: true,
  label: () => word("radius"),
  perform: () => ({ type: "radius", direction }),
});

export const TOOLS = [
  tool("grab", "g"),
  tool("pin", "i"),
  tool("path", "d"),
  tool("grid", "r"),
  tool("object", "o"),
  tool("erase", "e"),
];

export const RELEASES = [release("keep", "1"), release("pin", "2"), release("fade", "3")];

/** @type {Command} */
export const PAUSE = {
  name: "pause",
  keys: [" "],
  help: "key_space",
  icon: (state) => (isPaused(state) ? "play" : "pause"),
  text: (state) => word(isPaused(state) ? "resume" : "pause"),
  label: (state) => word(isPaused(state) ? "resume_key" : "pause_key"),
  obstacle: (state) => obstacleOf(state, isPaused(state) ? "resume" : "pause"),
  perform: (state) => send(controls.plain(isPaused(state) ? "resume" : "pause")),
};

export const STEP = plain("step", { name: "step", keys: ["."], help: "key_step", label: () => word("step") });

export const STOP = plain("stop", {
  name: "stop",
  text: () => word("stop"),
  label: () => word("stop_help"),
});

export const SCENE = plain("scene", { name: "scene", label: () => word("scene") });

/** @type {Command} */
export const BACK = {
  name: "back",
  keys: [","],
  help: "key_step",
  label: () => word("back"),
  obstacle: rewindObstacle,
  perform: (state) =>
    state.sampler.chunk > oldestChunk(state) ? send(controls.rewind(state.sampler.chunk - 1)) : null,
};

/** @type {Command} */
export const UNDO = {
  name: "undo",
  keys: ["Ctrl+z"],
  help: "key_undo",
  yields: true,
  label: () => word("undo"),
  obstacle: (state) => obstacleOf(state, "rewind") || (undoChunk(state) === null ? word("undo_none") : ""),
  perform: (state) => {
    if (isBusy(state)) return { type: "release-all" };
    const chunk = undoChunk(state);
    return chunk === null ? null : send(controls.rewind(chunk));
  },
};

export const BORDER = plain("pin_border", {
  name: "border",
  keys: ["b"],
  help: "key_border",
  label: () => word("border"),
});

/** @type {Command} */
export const CAMERA = {
  name: "camera",
  keys: ["c"],
  help: "key_views",
  label: () => word("camera"),
  obstacle: needs("camera"),
  isOn: (state) => state.cameraOpen,
  perform: (state) => ({ type: "show", part: "cameraOpen", on: !state.cameraOpen }),
};

/** @type {Command} */
export const HOLD = {
  name: "hold",
  keys: [],
  label: (state) => word(state.rig.hold ? "spring" : "hold"),
  obstacle: needs("camera"),
  isOn: (state) => state.rig.hold,
  perform: (state) => ({ type: "camera-hold", hold: !state.rig.hold }),
};

/** @type {Command} */
export const REST = {
  name: "rest",
  keys: ["0"],
  help: "key_rest",
  label: () => word("rest"),
  obstacle: needs("camera"),
  perform: () => ({ type: "camera-rest" }),
};

/** @type {Command} */
export const HANDLES = {
  name: "handles",
  keys: ["h"],
  help: "key_views",
  icon: () => "eye",
  label: (state) => word(state.handlesVisible ? "handles_hide" : "handles_show"),
  isOn: (state) => state.handlesVisible,
  perform: (state) => ({ type: "show", part: "handlesVisible", on: !state.handlesVisible }),
};

/** @type {Command} */
export const LARGE = {
  name: "large",
  keys: ["f"],
  help: "key_views",
  icon: (state) => (state.large ? "close" : "expand"),
  label: (state) => word(state.large ? "large_close" : "large"),
  perform: (state) => ({ type: "large", on: !state.large }),
};

/**
 * Why there is nobody to watch; "" = the run goes on.
 * @param {PreviewState} state
 */
const needsRun = ({ status }) => (isActive(status) ? "" : word("no_run"));

/** @type {Command} */
export const LINK = {
  name: "link",
  keys: ["w"],
  help: "key_out",
  label: () => word("watch"),
  obstacle: needsRun,
  isOn: (state) => state.watch !== "",
  perform: (state) => (needsRun(state) ? null : { type: "watch-asked", on: true }),
};

/** @type {Command} */
export const UNLINK = {
  name: "unlink",
  keys: [],
  icon: () => "close",
  label: () => word("watch_end"),
  obstacle: needsRun,
  perform: (state) => (state.watch ? { type: "watch-asked", on: false } : null),
};

/** @type {Command} */
export const INPUTS = {
  name: "inputs",
  keys: ["u"],
  help: "key_views",
  label: () => word("inputs"),
  isOn: (state) => state.handsOpen,
  perform: (state) => ({ type: "show", part: "handsOpen", on: !state.handsOpen }),
};

/** @type {Command} */
export const FULL = {
  name: "full",
  keys: ["x"],
  help: "key_out",
  label: () => word("full"),
  perform: () => ({ type: "full-screen" }),
};

/** @type {Command} */
export const POP = {
  name: "pop",
  keys: ["p"],
  help: "key_out",
  label: (state) => word(state.poppedOut ? "pop_back" : "pop"),
  obstacle: () => (pictureWindows() ? "" : word("pop_none")),
  isOn: (state) => state.poppedOut,
  perform: (state) => (pictureWindows() ? { type: "pop-out", on: !state.poppedOut } : null),
};

/** @type {Command} */
export const HELP = {
  name: "help",
  keys: ["?"],
  label: () => word("help"),
  perform: (state) => ({ type: "show", part: "helpOpen", on: !state.helpOpen }),
};

/** @type {Command} */
export const ESCAPE = {
  name: "escape",
  keys: ["Escape"],
  help: "key_escape",
  yields: true,
  label: () => word("key_escape"),
  perform: (state) => {
    if (isBusy(state)) return { type: "release-all" };
    return state.helpOpen ? { type: "show", part: "helpOpen", on: false } : null;
  },
};

/** Commands, and what else stands in the help, in its order. @type {(Command | Gesture)[]} */
const ALL = [
  PAUSE,
  STEP,
  BACK,
  UNDO,
  STOP,
  SCENE,
  ...TOOLS,
  ...RELEASES,
  { gesture: ["wheel"], help: "key_radius" },
  radius("smaller", "<", -1),
  radius("larger", ">", 1),
  { gesture: ["right_click"], help: "key_right" },
  BORDER,
  { gesture: ["arrows"], help: "key_arrows" },
  { gesture: ["+", "-", "[", "]"], help: "key_zoom" },
  REST,
  CAMERA,
  HANDLES,
  INPUTS,
  LARGE,
  LINK,
  FULL,
  POP,
  HELP,
  HOLD,
  UNLINK,
  ESCAPE,
];

/** @type {Command[]} */
export const COMMANDS = ALL.flatMap((each) => ("perform" in each ? [each] : []));

/**
 * Why nothing can be gone back to; "" = something can.
 * @param {PreviewState} state
 * @returns {string}
 */
export function rewindObstacle(state) {
  const obstacle = obstacleOf(state, "rewind");
  return obstacle || (state.sampler.chunk > oldestChunk(state) ? "" : word("rewind_none"));
}

/**
 * @param {{key: string, ctrlKey: boolean, metaKey: boolean, altKey: boolean}} event
 * @returns {Command | null} null = the key is not ours
 */
export function commandFor({ key, ctrlKey, metaKey, altKey }) {
  if (altKey) return null;
  const letter = key.length === 1 ? key.toLowerCase() : key;
  const name = ctrlKey || metaKey ? `Ctrl+${letter}` : letter;
  return COMMANDS.find(({ keys }) => keys.includes(name)) ?? null;
}

/** Keys that the help calls otherwise, by a word where there is one. @type {Record<string, string>} */
const KEY_NAMES = { " ": "space", Escape: "Esc", "Ctrl+z": "Ctrl+Z" };

/** @param {string} key */
const keyName = (key) => KEY_NAMES[key] ?? key.toUpperCase();

/**
 * The rows of the help: the keys of each, and the word that says what they do.
 * @returns {{keys: string[], help: string}[]}
 */
export function helpRows() {
  /** @type {Map<string, string[]>} */
  const rows = new Map();
  for (const each of ALL) {
    if (!each.help) continue;
    const keys = "gesture" in each ? each.gesture : each.keys.map(keyName);
    rows.set(each.help, [...(rows.get(each.help) ?? []), ...keys]);
  }
  return [...rows].map(([help, keys]) => ({ help, keys }));
}
