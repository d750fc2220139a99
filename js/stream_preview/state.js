/**
 * What the preview knows, and what follows from it. How it changes is in reduce.js. Pure.
 */

import { createRig } from "./camera.js";
import { HANDS } from "./controls.js";
import { NO_LATENCY } from "./latency.js";
import { obstacleOf } from "./obstacles.js";
import { STILL } from "./protocol.js";
import { createSteering, handleAt } from "./steering.js";
import { insideOutlines } from "../shared/masks.js";
import { word } from "./vocabulary.js";

/** @import {Axis, Push, Rig} from "./camera.js" */
/** @import {Answer, Control} from "./controls.js" */
/** @import {Latency} from "./latency.js" */
/** @import {Status} from "./obstacles.js" */
/** @import {Ending, FrameHeader, Handle, LiveObject, News, Run, RunState} from "./protocol.js" */
/** @import {Place} from "./pointers.js" */
/** @import {Steering} from "./steering.js" */
/** @import {VideoPoint} from "../shared/types.js" */

/**
 * @typedef {object} PreviewState
 * @property {Run | null} run
 * @property {Status} status
 * @property {RunState} sampler  what the sampler said last
 * @property {LiveObject[]} objects  what was cut out
 * @property {number} epoch  the newest heard of
 * @property {FrameHeader | null} shown  of the frame on the screen, once this run has shown one
 * @property {Steering} steering
 * @property {Rig} rig
 * @property {{control: Control, epoch: number} | null} cameraSent  until the sampler says that it has it
 * @property {string} prompt  the newest text that the sampler told; "" = none yet
 * @property {string | null} promptSent  until the sampler says that it has it
 * @property {{control: Control, epoch: number}[]} ghosts  what was added and cannot be seen yet
 * @property {Latency} latency
 * @property {string} problem  shown over the picture for a while; "" = none
 * @property {string} note  shown over the picture while a slider is held; "" = none
 * @property {number} began  ms: when the run began
 * @property {{width: number, height: number} | null} recalled  of a picture that was not seen being made
 * @property {{chunk: number, until: number} | null} scrub  the chunk whose picture is shown in place of the
 *   newest, until a frame of a later epoch is
 * @property {Saved} saved  what the last run left
 * @property {Take[]} takes  of this preview, the newest first
 * @property {string} watch  the address for those who watch; "" = there is none
 * @property {{known: string[], on: string[]}} devices  of the host's machine that can show the run, and do
 * @property {boolean} poppedOut  the picture has a window of its own
 * @property {number[]} acts  of the person in this run, each by the chunk in work when it was begun
 * @property {boolean} touched  the person has sent something in this run
 * @property {boolean} handlesVisible
 * @property {boolean} cameraOpen
 * @property {boolean} helpOpen
 * @property {boolean} handsOpen  gamepads, MIDI and OSC drive the run, and what drives what is shown
 * @property {number} oscPort  that the run listens on; 0 = none
 * @property {{cameraWasOpen: boolean} | null} large  the large view; null = it is not open
 *
 * @typedef {{filename: string, subfolder: string, type: string}} HostFile
 * @typedef {{file: HostFile | null, take: Take | null}} Saved
 *
 * @typedef {object} Take  what makes the same video again
 * @property {string} token  of its run
 * @property {string} node  the execution id of its sampler
 * @property {string} performance
 * @property {string} seed
 * @property {number} frames
 * @property {number} seconds
 * @property {string} picture  a data URL of its last frame; "" = none was seen
 *
 * @typedef {Place & {places: VideoPoint[]}} PlaceDragged  places: passed since the last one, oldest first
 *
 * @typedef {{type: "took-over", state: PreviewState, ending: Ending | null}
 *   | {type: "scrub", chunk: number | null, held: boolean}
 *   | {type: "saved", file: HostFile | null, take: Take | null}
 *   | {type: "cut-off", take: Take}
 *   | {type: "recalled", width: number, height: number}
 *   | {type: "run-start", run: Run} | {type: "run-end", status: Ending}
 *   | {type: "link", link: "open" | "away" | "gone", problem: string}
 *   | {type: "news", news: News}
 *   | {type: "frame-received", epoch: number} | {type: "frame-shown", header: FrameHeader}
 *   | {type: "send", control: Control} | {type: "prompt", text: string}
 *   | {type: "taken", control: Control} | {type: "refused", control: Control, answer: Answer}
 *   | {type: "problem-over"}
 *   | {type: "press", place: Place} | {type: "drag", place: PlaceDragged} | {type: "lift", place: Place}
 *   | {type: "remove-at", place: Place} | {type: "release-all"}
 *   | {type: "steer", changes: Partial<Steering>} | {type: "radius", direction: 1 | -1}
 *   | {type: "camera-push", push: Partial<Push>} | {type: "camera-key", axis: Axis, direction: 1 | -1}
 *   | {type: "camera-release", axes: Axis[]} | {type: "camera-hold", hold: boolean} | {type: "camera-rest"}
 *   | {type: "show", part: "handlesVisible" | "cameraOpen" | "handsOpen" | "helpOpen", on: boolean}
 *   | {type: "note", text: string}
 *   | {type: "watch-asked", on: boolean} | {type: "watch", address: string} | {type: "watch-failed"}
 *   | {type: "device-asked", device: string, on: boolean}
 *   | {type: "devices", known: string[], on: string[]} | {type: "device-failed", detail: string}
 *   | {type: "osc-asked", port: number} | {type: "osc", port: number} | {type: "toggle-pause"}
 *   | {type: "full-screen"} | {type: "pop-out", on: boolean} | {type: "popped-out", on: boolean}
 *   | {type: "large", on: boolean} | {type: "large-closed"}
 *   | {type: "disconnect"}} PreviewEvent
 */

/** @type {{known: string[], on: string[]}} */
export const NO_DEVICES = { known: [], on: [] };
const HINT_MS = 8000;
export const MOST_TAKES = 8;

/** @type {Saved} */
export const NOTHING_SAVED = Object.freeze({ file: null, take: null });

/** What a run is taken for until its sampler has said something. @type {RunState} */
export const NOTHING_TOLD = {
  status: "running",
  chunk: 0,
  epoch: 0,
  prompt: null,
  strength: null,
  camera: STILL,
  oldest_chunk: null,
  cache_bytes: 0,
  kept_bytes: 0,
  control: null,
  speed: null,
};

/**
 * @param {number} [base] the first hand of this view, so that two views of a run rarely share one
 * @returns {PreviewState}
 */
export const initialState = (base = Math.floor(Math.random() * HANDS)) => ({
  run: null,
  status: "idle",
  sampler: NOTHING_TOLD,
  objects: [],
  epoch: 0,
  shown: null,
  steering: createSteering(base),
  rig: createRig(),
  cameraSent: null,
  prompt: "",
  promptSent: null,
  ghosts: [],
  latency: NO_LATENCY,
  problem: "",
  note: "",
  began: 0,
  recalled: null,
  scrub: null,
  saved: NOTHING_SAVED,
  takes: [],
  watch: "",
  devices: NO_DEVICES,
  poppedOut: false,
  acts: [],
  touched: false,
  handlesVisible: true,
  cameraOpen: false,
  helpOpen: false,
  handsOpen: false,
  oscPort: 0,
  large: null,
});

/** @type {Handle[]} */
const NO_HANDLES = [];

/**
 * The handles of the frame shown.
 * @param {PreviewState} state
 */
export const handlesOf = ({ shown }) => shown?.handles ?? NO_HANDLES;

/**
 * The handles that can be taken. Those that are not shown are not in the way.
 * @param {PreviewState} state
 */
export const grabbableHandles = (state) => (state.handlesVisible ? handlesOf(state) : NO_HANDLES);

/**
 * The handle that a hand at this place takes: the nearest within reach, else that of the object it is on.
 * @param {PreviewState} state
 * @param {VideoPoint} at
 * @param {number} reach
 * @returns {Handle | null}
 */
export function takenAt(state, at, reach) {
  const handles = grabbableHandles(state);
  const near = handleAt(handles, at, reach);
  if (near || !state.handlesVisible) return near;
  const on = [...state.objects].reverse().find(({ handle, outlines }) => {
    const shown = handles.find(([id]) => id === handle);
    return shown && insideOutlines(outlines, { x: at.x - shown[1], y: at.y - shown[2] });
  });
  return handles.find(([id]) => id === on?.handle) ?? null;
}

/** The control that each tool sends first. @type {Record<Steering["tool"], string>} */
export const TOOL_CONTROLS = {
  grab: "grab",
  pin: "add",
  path: "add",
  grid: "add",
  object: "add",
  erase: "remove",
};

/**
 * The tool in hand can be used now.
 * @param {PreviewState} state
 */
export const isSteerable = (state) => !obstacleOf(state, TOOL_CONTROLS[state.steering.tool]);

/**
 * A hand holds something, or something is half drawn.
 * @param {PreviewState} state
 */
export const isBusy = ({ steering }) => Boolean(steering.hands.length || steering.draft);

/**
 * The first chunk that a rewind can reach.
 * @param {PreviewState} state
 */
export const oldestChunk = ({ sampler }) => Math.max(1, sampler.oldest_chunk ?? sampler.chunk);

/**
 * The chunk to go back to for the last act not to have happened; null = there is none, or it is too long ago.
 * @param {PreviewState} state
 * @returns {number | null}
 */
export function undoChunk(state) {
  const last = state.acts.at(-1);
  return last === undefined || last < oldestChunk(state) ? null : last;
}

const SLOW = 0.9; // of real time
const WARM = 3; // chunks, before a figure says anything

/**
 * How fast a stream is made that is not made as fast as it plays, as a share of real time; null = it is, or
 * nobody can say yet.
 * @param {PreviewState} state
 * @returns {number | null}
 */
export function speedOf({ status, run, shown }) {
  if (status !== "live" || !run || !shown || shown.chunk < WARM) return null;
  const speed = shown.fps / run.fps;
  return speed < SLOW ? speed : null;
}

/**
 * What is said over the picture; "" = nothing.
 * @param {PreviewState} state
 * @param {number} now ms
 * @returns {string}
 */
export function adviceOf(state, now) {
  if (state.note) return state.note;
  if (state.status === "idle") return word("hint_run");
  const fresh = state.status === "live" && !state.touched && now - state.began < HINT_MS;
  return fresh && state.shown && !obstacleOf(state, "grab") ? word("hint_drag") : "";
}
