/**
 * What the browser tells a running sampler: one maker for every control of docs/live.md, and what its refusals mean. Pure.
 * Numbers are rounded to hundredths of a pixel and kept within what the sampler takes.
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
/** @type {Record<number, string>} */
const REFUSALS = {
  0: "refused_unreached",
  403: "refused_origin",
  404: "refused_unknown",
  409: "refused_late",
  413: "refused_large",
  415: "refused_type",
  429: "refused_many",
};
const CAMERA_LIMITS = { zoom: 8, roll: 720, orbit: 360 };

const round = (/** @type {number} */ value) => Math.round(value * 100) / 100 + 0; // + 0: no minus zero
const within = (/** @type {number} */ value, /** @type {number} */ low, /** @type {number} */ high) =>
  Math.min(high, Math.max(low, value));
const place = (/** @type {VideoPoint} */ { x, y }) => [
  round(within(x, -FARTHEST, FARTHEST)),
  round(within(y, -FARTHEST, FARTHEST)),
];

/** Every so many of a list that is too long, the first and the last always. @template T @param {T[]} list @param {number} most @returns {T[]} */
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

/** @param {Speeds} speeds @returns {Control} */
export function camera({ pan, ...turns }) {
  const [x, y] = place({ x: pan[0], y: pan[1] });
  const speed = (/** @type {keyof typeof CAMERA_LIMITS} */ axis) =>
    round(within(turns[axis], -CAMERA_LIMITS[axis], CAMERA_LIMITS[axis]));
  return { type: "camera", pan: [x, y], zoom: speed("zoom"), roll: speed("roll"), orbit: speed("orbit") };
}

/** @param {number} hand @param {number} handle @returns {Control} */
export const grabHandle = (hand, handle) => ({ type: "grab", hand, handle });

/** @param {number} hand @param {VideoPoint} at @param {number} radius @returns {Control} */
export const grabPlace = (hand, at, radius) => ({
  type: "grab",
  hand,
  at: place(at),
  radius: round(Math.max(0.5, radius)),
});

/** @param {number} hand @param {VideoPoint[]} to oldest first @returns {Control} */
export const move = (hand, to) => ({ type: "move", hand, to: thinOut(to, MAX_PLACES).map(place) });

/** @param {number} hand @param {ReleaseMode} mode @returns {Control} */
export const release = (hand, mode) => ({ type: "release", hand, mode });

/** @param {"pin" | "grid"} kind @param {VideoPoint[]} points @param {Brush | null} [brush] @returns {Control} */
export const addResting = (kind, points, brush = null) => ({
  type: "add",
  kind,
  points: thinOut(points, MAX_POINTS).map(place),
  ...(brush && { brush }),
});

/** @param {VideoPoint[]} points two or more @param {number} seconds @param {Brush | null} brush @returns {Control} */
export const addPath = (points, seconds, brush) => ({
  ...addResting("pin", points, brush),
  kind: "path",
  seconds: round(within(seconds, 0.05, 3600)),
});

/** @param {number} handle @returns {Control} */
export const remove = (handle) => ({ type: "remove", handle });

/** @param {string} token @param {Control} control @param {string | null} [id] the sampler takes a control with the same id once @returns {string} */
export const controlBody = (token, control, id = null) =>
  JSON.stringify({ token, ...control, ...(id && { id }) });

/** What a refusal means, for the person. @param {number} status of the answer; 0 = none came @param {string} error the server's own words @returns {string} */
export function refusal(status, error) {
  return word(REFUSALS[status] ?? "refused", { detail: error || status });
}
