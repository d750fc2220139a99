/**
 * What the running sampler tells the browser. Pure: parses and checks messages. Opens nothing. What the
 * browser tells it is in controls.js. docs/live.md has all of it. A field that an older server does not send
 * gets its default. A field of another type is refused.
 *
 *     binary frame   u32 little-endian length of the header · header as JSON · JPEG
 *     text from the server   {"type": "state", …}          text to it   {"type": "ack", "frame": i}
 *
 * @typedef {object} Run
 * @property {string} token
 * @property {string} prompt_id
 * @property {string} node_id
 * @property {number} width
 * @property {number} height
 * @property {number} fps
 * @property {number} frames  0 = endless
 * @property {number} chunk_frames  0 = not told
 * @property {number} first_frames  of chunk 0; 1 = the start image
 * @property {string[]} controls
 * @property {string} recording  the name of the file that is written; "" = none
 * @property {string[]} vocabulary  the words that a prompt may have; [] = any
 *
 * @typedef {"done" | "stopped" | "interrupted" | "error"} Ending
 * @typedef {[id: number, x: number, y: number, kind: number]} Handle  pixels of the video; kind as in KINDS
 *
 * @typedef {object} FrameHeader
 * @property {number} frame
 * @property {number} chunk
 * @property {number} fps
 * @property {number} t_made
 * @property {number} latency_ms
 * @property {number} queued
 * @property {number} epoch
 * @property {Handle[]} handles
 *
 * @typedef {{header: FrameHeader, jpeg: Uint8Array<ArrayBuffer>}} FrameMessage
 *
 * @typedef {object} Speeds  px/s, octaves/s, degrees/s
 * @property {[number, number]} pan
 * @property {number} zoom
 * @property {number} roll
 * @property {number} orbit
 *
 * @typedef {object} RunState
 * @property {"running" | "paused" | "stopping" | Ending} status
 * @property {number} chunk  in work
 * @property {number} epoch
 * @property {string | null} prompt  null = not told
 * @property {Speeds} camera
 * @property {number | null} strength  of the source video, 0..1; null = not told
 * @property {number | null} oldest_chunk  the first one a rewind can reach; null = not told
 * @property {number} cache_bytes
 * @property {number} kept_bytes
 * @property {string | null} control  what makes the video follow the tracks: "track head", "guided" or
 *   "none"; null = not told
 * @property {string | null} speed  the path of the transformer: "plain", "warming up", "compiling", "fast",
 *   or words that begin with "plain: "; null = not told
 *
 * @typedef {object} LiveObject  what was cut out, and is one handle
 * @property {number} handle
 * @property {VideoPoint[][]} outlines  offsets from the handle
 *
 * @typedef {{type: string, code: string, reason: string, id: string | null}} IgnoredControl
 *
 * @typedef {{type: "state", state: RunState} | {type: "objects", objects: LiveObject[]}
 *   | {type: "ignored", controls: IgnoredControl[]} | CutOff} News
 *
 * @typedef {{type: "take", performance: string, seed: string, frames: number}} CutOff  what a rewind cut off
 */

import { maskOfRuns, traceMask } from "../shared/masks.js";

/** @import {VideoPoint} from "../shared/types.js" */

const HEADER_LIMIT = 64 * 1024;
const MOST_CELLS = 2 ** 26; // of an object's mask
const HEADER_KEYS = /** @type {const} */ (["frame", "chunk", "fps", "t_made", "latency_ms", "queued"]);
export const ENDINGS = ["done", "stopped", "interrupted", "error"];
const STATUSES = ["running", "paused", "stopping", ...ENDINGS];
/** @type {string[]} */
const NO_WORDS = [];
const FIRST_CONTROLS = ["pause", "resume", "stop"];

/** What a handle is. The place in the list is the number in a frame's header. */
export const KINDS = /** @type {const} */ (["predrawn", "static", "online", "hidden"]);

/** @type {Readonly<Speeds>} */
export const STILL = Object.freeze({
  pan: /** @type {[number, number]} */ ([0, 0]),
  zoom: 0,
  roll: 0,
  orbit: 0,
});

/** @type {Handle[]} */
const NO_HANDLES = [];

/** A message that is not what the protocol says. */
export class ProtocolError extends Error {}

/**
 * @param {ArrayBuffer} buffer
 * @returns {FrameMessage}
 * @throws {ProtocolError}
 */
export function parseFrame(buffer) {
  if (buffer.byteLength < 4)
    throw new ProtocolError(`Expected a frame of at least 4 bytes, got ${buffer.byteLength}.`);
  const length = new DataView(buffer).getUint32(0, true);
  if (length > HEADER_LIMIT || 4 + length >= buffer.byteLength) {
    throw new ProtocolError(
      `Expected a header and a picture in ${buffer.byteLength} bytes, got a header of ${length} bytes.`,
    );
  }
  const header = parseObject(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  for (const key of HEADER_KEYS) {
    if (!Number.isFinite(header[key]))
      throw new ProtocolError(
        `Expected a number for ${key} in a frame's header, got ${JSON.stringify(header[key])}.`,
      );
  }
  const epoch = optional(header, "epoch", 0, isWhole, "a whole number");
  const handles = optional(header, "handles", NO_HANDLES, isHandles, "a list of [id, x, y, kind]");
  const jpeg = new Uint8Array(buffer, 4 + length);
  if (jpeg[0] !== 0xff || jpeg[1] !== 0xd8) throw new ProtocolError("Expected a JPEG after the header.");
  return { header: /** @type {FrameHeader} */ ({ ...header, epoch, handles }), jpeg };
}

/**
 * @param {string} text
 * @returns {News | null} null = a message of a kind we do not know
 * @throws {ProtocolError}
 */
export function parseText(text) {
  const message = parseObject(text);
  if (message.type === "state") return { type: "state", state: parseState(message) };
  if (message.type === "objects")
    return { type: "objects", objects: listIn(message, "objects").map(parseLiveObject) };
  if (message.type === "ignored")
    return { type: "ignored", controls: listIn(message, "controls").map(parseIgnored) };
  if (message.type === "take") return parseCutOff(message);
  return null;
}

/**
 * @param {Record<string, any>} message
 * @returns {CutOff}
 * @throws {ProtocolError}
 */
function parseCutOff({ performance, seed, frames }) {
  if (!isText(performance) || !isText(seed) || !isWhole(frames))
    throw new ProtocolError("Expected a take with its performance, its seed and its frames.");
  return { type: "take", performance, seed, frames };
}

/** @param {Record<string, any>} message @param {string} key @returns {unknown[]} */
function listIn(message, key) {
  if (!Array.isArray(message[key])) throw new ProtocolError(`Expected a list of ${key}.`);
  return message[key];
}

/**
 * @param {unknown} value
 * @returns {LiveObject}
 * @throws {ProtocolError}
 */
function parseLiveObject(value) {
  const { handle, width, height, runs, at } = /** @type {Record<string, any>} */ (
    isObject(value) ? value : {}
  );
  const sized = isWhole(handle) && isWhole(width) && isWhole(height) && width * height <= MOST_CELLS;
  if (!sized || !Array.isArray(runs) || !runs.every(isWhole) || !isPlace(at))
    throw new ProtocolError(`Expected an object with a mask, got ${JSON.stringify(value).slice(0, 60)}.`);
  if (runs.reduce((sum, run) => sum + run, 0) !== width * height)
    throw new ProtocolError(`Expected runs of ${width}x${height} cells.`);
  const outlines = traceMask(maskOfRuns({ width, height, runs })).map((line) =>
    line.map(({ x, y }) => ({ x: x - 0.5 - at[0], y: y - 0.5 - at[1] })),
  );
  return { handle, outlines };
}

/** @param {unknown} value @returns {IgnoredControl} @throws {ProtocolError} */
function parseIgnored(value) {
  const control = /** @type {Record<string, any>} */ (isObject(value) ? value : {});
  return {
    type: optional(control, "type", "", isText, "a text"),
    id: optional(control, "id", null, isText, "a text"),
    code: optional(control, "code", "", isText, "a text"),
    reason: optional(control, "reason", "", isText, "a text"),
  };
}

/**
 * @param {Record<string, any>} message
 * @returns {RunState}
 * @throws {ProtocolError}
 */
function parseState(message) {
  const status = message.status ?? (message.paused ? "paused" : "running");
  if (!STATUSES.includes(status))
    throw new ProtocolError(
      `Expected a status out of ${STATUSES.join(", ")}, got ${JSON.stringify(status)}.`,
    );
  const camera = optional(message, "camera", STILL, isObject, "an object");
  return {
    status,
    chunk: optional(message, "chunk", 0, isWhole, "a whole number"),
    epoch: optional(message, "epoch", 0, isWhole, "a whole number"),
    prompt: optional(message, "prompt", null, isText, "a text"),
    camera: parseSpeeds(camera),
    strength: optional(message, "strength", null, isShare, "a number of 0..1"),
    oldest_chunk: optional(message, "oldest_chunk", null, isWhole, "a whole number"),
    cache_bytes: optional(message, "cache_bytes", 0, isAmount, "a number of bytes"),
    kept_bytes: optional(message, "kept_bytes", 0, isAmount, "a number of bytes"),
    control: optional(message, "control", null, isText, "a text"),
    speed: optional(message, "speed", null, isText, "a text"),
  };
}

/**
 * What an OSC program has said.
 * @param {string} text
 * @returns {Record<string, number[]> | null} null = another message
 */
export function parseOsc(text) {
  const message = parseObject(text);
  return message.type === "osc" && isObject(message.values) ? message.values : null;
}

/** @param {Record<string, any>} camera @returns {Speeds} */
function parseSpeeds(camera) {
  const speed = (/** @type {"zoom" | "roll" | "orbit"} */ axis) =>
    optional(camera, axis, 0, Number.isFinite, "a number");
  return {
    pan: optional(camera, "pan", [0, 0], isPlace, "[x, y]"),
    zoom: speed("zoom"),
    roll: speed("roll"),
    orbit: speed("orbit"),
  };
}

/**
 * @param {unknown} value the event motionstream.run, or one of the list of runs
 * @returns {Run}
 * @throws {ProtocolError}
 */
export function parseRun(value) {
  const run = /** @type {Record<string, any>} */ (isObject(value) ? value : {});
  if (typeof run.token !== "string" || !run.token) throw new ProtocolError("Expected a run with a token.");
  for (const key of ["width", "height", "fps", "frames"]) {
    if (!isAmount(run[key]))
      throw new ProtocolError(`Expected a number for ${key} of a run, got ${JSON.stringify(run[key])}.`);
  }
  const chunk_frames = optional(run, "chunk_frames", 0, isWhole, "a whole number");
  const first_frames = optional(run, "first_frames", 1, isWhole, "a whole number");
  const vocabulary = optional(run, "vocabulary", NO_WORDS, isTexts, "a list of texts");
  const controls = optional(run, "controls", FIRST_CONTROLS, isTexts, "a list of texts");
  return /** @type {Run} */ ({
    ...run,
    node_id: String(run.node_id ?? ""),
    prompt_id: String(run.prompt_id ?? ""),
    chunk_frames,
    first_frames,
    controls,
    vocabulary,
    recording: optional(run, "recording", "", isText, "a text"),
  });
}

/**
 * @param {unknown} value the event motionstream.end
 * @returns {{token: string, status: Ending}}
 * @throws {ProtocolError}
 */
export function parseEnd(value) {
  const end = /** @type {Record<string, any>} */ (isObject(value) ? value : {});
  if (typeof end.token !== "string" || !ENDINGS.includes(end.status))
    throw new ProtocolError(`Expected the end of a run, got ${JSON.stringify(value)}.`);
  return { token: end.token, status: end.status };
}

/** @param {unknown} value the answer to GET /motionstream/runs @returns {Run[]} */
export function parseRuns(value) {
  const runs = /** @type {Record<string, any> | null} */ (value)?.runs;
  if (!Array.isArray(runs)) throw new ProtocolError("Expected a list of runs.");
  return runs.map(parseRun);
}

/** @param {string} text @returns {Record<string, any>} */
function parseObject(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ProtocolError(`Expected JSON, got ${JSON.stringify(text.slice(0, 60))}.`);
  }
  if (!isObject(value))
    throw new ProtocolError(`Expected a JSON object, got ${JSON.stringify(value).slice(0, 60)}.`);
  return value;
}

/**
 * @template T
 * @param {Record<string, any>} message
 * @param {string} key
 * @param {T} absent what stands for a field that is not sent
 * @param {(value: any) => boolean} fits
 * @param {string} expected
 * @returns {T}
 */
function optional(message, key, absent, fits, expected) {
  const value = message[key];
  if (value === undefined || value === null) return absent;
  if (!fits(value))
    throw new ProtocolError(
      `Expected ${expected} for ${key}, got ${(JSON.stringify(value) ?? "").slice(0, 60)}.`,
    );
  return value;
}

const isObject = (/** @type {unknown} */ value) =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isText = (/** @type {unknown} */ value) => typeof value === "string";
const isTexts = (/** @type {unknown} */ value) => Array.isArray(value) && value.every(isText);
const isAmount = (/** @type {any} */ value) => Number.isFinite(value) && value >= 0;
const isShare = (/** @type {any} */ value) => isAmount(value) && value <= 1;
const isWhole = (/** @type {any} */ value) => Number.isInteger(value) && value >= 0;
const isPlace = (/** @type {any} */ value) =>
  Array.isArray(value) && value.length === 2 && value.every(Number.isFinite);
const isHandle = (/** @type {any} */ value) =>
  Array.isArray(value) &&
  value.length === 4 &&
  isWhole(value[0]) &&
  value.every(Number.isFinite) &&
  value[3] in KINDS;
const isHandles = (/** @type {unknown} */ value) => Array.isArray(value) && value.every(isHandle);

/** @param {number} frame */
export const ackMessage = (frame) => JSON.stringify({ type: "ack", frame });

/**
 * @param {{protocol: string, host: string}} place of the page
 * @param {string} path
 * @param {string} token
 * @returns {string}
 */
export const streamUrl = (place, path, token) =>
  `${place.protocol === "https:" ? "wss:" : "ws:"}//${place.host}${path}?token=${encodeURIComponent(token)}`;
