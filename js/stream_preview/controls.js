/**
 * What the browser tells a running sampler: one maker for every control of docs/live.md, and what its
 * refusals mean. Pure. Numbers are rounded to hundredths of a pixel and kept within what the sampler takes.
 */

import { word } from "./vocabulary.js";

/** @import {Brush, VideoPoint} from "../shared/types.js" */
/** @import {Speeds} from "./protocol.js" */

/**
 * @typedef {{type: string, [field: string]: any}} Control
 * @typedef {"keep" | "pin" | "fade"} ReleaseMode
 */

export const HANDS = 10;
export const MAX_PLACES = 64;
const MAX_POINTS = 1024;
const MAX_TEXT = 2000;
const FARTHEST = 1e5;
/**
 * The server's answer to a control.
 * @typedef {object} Answer
 * @property {string} code  "" = taken; UNREACHED = none came; else why it was refused, as in docs/live.md
 * @property {string} error  the server's own words, for a person alone
 */

export const UNREACHED = "unreached";
export const ID_TAKEN = "id_taken";
export const TOO_MANY = "too_many";
/** Nothing that is sent after one of these would be taken. */
export const FINAL_CODES = ["unknown_run", "run_ended"];
/** What a code means, by its word. @type {Record<string, string>} */
const REFUSALS = {
  [UNREACHED]: "refused_unreached",
  [TOO_MANY]: "refused_many",
  foreign_origin: "refused_origin",
  unknown_run: "refused_unknown",
  run_ended: "refused_late",
  [ID_TAKEN]: "refused_late",
  too_slow: "refused_unreached",
  too_large: "refused_large",
  not_json: "refused_type",
};
/** Codes of answers that something between here and the pack gave. @type {Record<number, string>} */
const CODES = { 403: "foreign_origin", 404: "unknown_run", 413: "too_large", 415: "not_json", 429: TOO_MANY };
const CAMERA_LIMITS = { zoom: 8, roll: 720, orbit: 360 };

const round = (/** @type {number} */ value) => Math.round(value * 100) / 100 + 0; // + 0: no minus zero
const within = (/** @type {number} */ value, /** @type {number} */ low, /** @type {number} */ high) =>
  Math.min(high, Math.max(low, value));
const place = (/** @type {VideoPoint} */ { x, y }) => [
  round(within(x, -FARTHEST, FARTHEST)),
  round(within(y, -FARTHEST, FARTHEST)),
];

/**
 * Every so many of a list that is too long, the first and the last always.
 * @template T
 * @param {T[]} list
 * @param {number} most
 * @returns {T[]}
 */
export function thinOut(list, most) {
  if (list.length <= most) return list;
  return Array.from({ length: most }, (_, i) => list[Math.round((i * (list.length - 1)) / (most - 1))]);
}

/** @param {"pause" | "resume" | "stop" | "step" | "scene" | "pin_border"} type @returns {Control} */
export const plain = (type) => ({ type });

/** @param {number} chunk @returns {Control} */
export const rewind = (chunk) => ({ type: "rewind", chunk: Math.max(1, Math.round(chunk)) });

/** @param {string} text @returns {Control} */
export const prompt = (text) => ({ type: "prompt", text: text.slice(0, MAX_TEXT) });

/** @param {number} value 0..1 @returns {Control} */
export const strength = (value) => ({ type: "strength", value: round(within(value, 0, 1)) });

/** @param {Speeds} speeds @returns {Control} */
export function camera({ pan, ...turns }) {
  const [x, y] = place({ x: pan[0], y: pan[1] });
  const speed = (/** @type {keyof typeof CAMERA_LIMITS} */ axis) =>
    round(within(turns[axis], -CAMERA_LIMITS[axis], CAMERA_LIMITS[axis]));
  return { type: "camera", pan: [x, y], zoom: speed("zoom"), roll: speed("roll"), orbit: speed("orbit") };
}

/**
 * Two settings of the camera are the same.
 * @param {Control} a
 * @param {Control} b
 */
export const sameCamera = (a, b) =>
  a.pan[0] === b.pan[0] &&
  a.pan[1] === b.pan[1] &&
  a.zoom === b.zoom &&
  a.roll === b.roll &&
  a.orbit === b.orbit;

/**
 * @param {number} hand
 * @param {number} handle
 * @returns {Control}
 */
export const grabHandle = (hand, handle) => ({ type: "grab", hand, handle });

/**
 * @param {number} hand
 * @param {VideoPoint} at
 * @param {number} radius
 * @returns {Control}
 */
export const grabPlace = (hand, at, radius) => ({
  type: "grab",
  hand,
  at: place(at),
  radius: round(Math.max(0.5, radius)),
});

/**
 * @param {number} hand
 * @param {VideoPoint[]} to oldest first
 * @returns {Control}
 */
export const move = (hand, to) => ({ type: "move", hand, to: thinOut(to, MAX_PLACES).map(place) });

/**
 * @param {number} hand
 * @param {ReleaseMode} mode
 * @returns {Control}
 */
export const release = (hand, mode) => ({ type: "release", hand, mode });

/**
 * @param {"pin" | "grid"} kind
 * @param {VideoPoint[]} points
 * @param {Brush | null} [brush]
 * @returns {Control}
 */
export const addResting = (kind, points, brush = null) => ({
  type: "add",
  kind,
  points: thinOut(points, MAX_POINTS).map(place),
  ...(brush && { brush }),
});

/**
 * @param {VideoPoint[]} points a place, or two corners of a box
 * @returns {Control}
 */
export const addObject = (points) => ({ type: "add", kind: "object", points: points.map(place) });

/**
 * @param {VideoPoint[]} points two or more
 * @param {number} seconds
 * @param {Brush | null} brush
 * @returns {Control}
 */
export const addPath = (points, seconds, brush) => ({
  ...addResting("pin", points, brush),
  kind: "path",
  seconds: round(within(seconds, 0.05, 3600)),
});

/** @param {number} handle @returns {Control} */
export const remove = (handle) => ({ type: "remove", handle });

/**
 * @param {string} token
 * @param {Control} control
 * @param {string | null} [id] the sampler takes a control with the same id once
 * @returns {string}
 */
export const controlBody = (token, control, id = null) =>
  JSON.stringify({ token, ...control, ...(id && { id }) });

/**
 * @param {number} status of the response
 * @param {any} body its JSON; null = it has none
 * @returns {Answer}
 */
export function parseAnswer(status, body) {
  if (status >= 200 && status < 300) return { code: "", error: "" };
  return {
    code: typeof body?.code === "string" ? body.code : (CODES[status] ?? String(status)),
    error: typeof body?.error === "string" ? body.error : "",
  };
}

/**
 * What a refusal means, for the person.
 * @param {Answer} answer
 */
export const refusal = ({ code, error }) => word(REFUSALS[code] ?? "refused", { detail: error || code });
