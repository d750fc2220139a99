/**
 * Tracks as text for elsewhere and back: the pack's document (also what the clipboard holds), and sampled
 * points in the spellings of ATI, LTX, KJNodes and CoTracker, read as motionstream_core/tracks/formats.py
 * reads them. Pure.
 */

import { distance, simplify } from "../shared/geometry.js";
import { emptyDocument, fitDocument, readDocument, roundPoint, writeDocument } from "./document.js";
import { COLORS } from "./read_track.js";
import { sampleDocument, sampleVisible } from "./sampling.js";
import { word } from "./vocabulary.js";

/** @import {Size, SpeedKey, Track, TrackDocument, VideoPoint} from "./types.js" */

/**
 * @typedef {object} Samples  xy[n][t], visible[n][t]
 * @property {VideoPoint[][]} xy
 * @property {boolean[][]} visible
 * @property {number} width
 * @property {number} height
 * @property {number} fps
 */

export const MAX_EDITED = 500;
const HIDDEN = -100;
const FAR = -10_000; // as formats.py writes it: ATI takes the mean place of four frames
const DEEPEST = 16;
const CLOSE = 0.05; // px: how far a read track may lie from the points it was made of
const FARTHEST = 1e6;
const MAX_TEXT = 2 ** 26;
const MAX_POSITIONS = 5_000_000;

/**
 * What is copied: a document of these tracks alone.
 * @param {TrackDocument} doc
 * @param {Track[]} tracks
 * @returns {string}
 */
export const copyText = (doc, tracks) => writeDocument({ ...emptyDocument(doc), tracks });

/** @param {TrackDocument} doc @returns {Samples} every point of the document at every frame */
export function samplesOf(doc) {
  const frames = Array.from({ length: doc.frames }, (_, frame) => frame);
  const [places, seen] = [
    frames.map((frame) => sampleDocument(doc, frame)),
    frames.map((frame) => sampleVisible(doc, frame)),
  ];
  const points = places[0].map((_, n) => n);
  const { width, height, fps } = doc;
  return {
    width,
    height,
    fps,
    xy: points.map((n) => places.map((all) => all[n])),
    visible: points.map((n) => seen.map((all) => all[n])),
  };
}

/**
 * @param {TrackDocument} doc
 * @param {"ati" | "kjnodes"} style
 * @returns {string} hidden points at (-10000, -10000); KJNodes wants whole pixels and one track as a flat
 *   list
 */
export function sampledJson(doc, style) {
  const { xy, visible } = samplesOf(doc);
  const exact = (/** @type {number} */ value) =>
    style === "kjnodes" ? Math.round(value) : Math.round(value * 1e4) / 1e4;
  const lists = xy.map((track, n) =>
    track.map(({ x, y }, t) => (visible[n][t] ? { x: exact(x), y: exact(y) } : { x: FAR, y: FAR })),
  );
  return JSON.stringify(style === "kjnodes" && lists.length === 1 ? lists[0] : lists);
}

/**
 * @param {string} text a document or sampled points
 * @param {Size} size of the document they come into
 * @returns {Track[]}
 * @throws {Error} naming what was expected and found
 */
export function readTracks(text, size) {
  if (text.length > MAX_TEXT) throw new Error(`Expected at most ${MAX_TEXT} characters, got ${text.length}.`);
  const value = parsed(text);
  if (typeof value === "object" && value !== null && !Array.isArray(value) && "tracks" in value)
    return limited(fitDocument(readDocument(JSON.stringify(value)), size).tracks);
  if (!Array.isArray(value))
    throw new Error(`Expected a track document or lists of sampled points, got ${describe(value)}.`);
  const lists = trackLists(value, 0);
  if (!lists.length) throw new Error("Expected at least one track, got none.");
  return tracksOf(filled(lists.map((list, n) => list.map((point, t) => readPoint(point, n, t)))), size);
}

/**
 * Sampled points as tracks that can be edited.
 * @param {Pick<Samples, "xy" | "visible"> & Partial<Samples>} samples
 * @param {Size} size
 * @returns {Track[]}
 */
export function tracksOf(samples, size) {
  limited(samples.xy);
  const [sx, sy] = [
    size.width / (samples.width ?? size.width),
    size.height / (samples.height ?? size.height),
  ];
  return samples.xy.map((points, n) =>
    trackOf(
      points.map(({ x, y }) => ({ x: x * sx, y: y * sy })),
      samples.visible[n],
      n,
      size,
    ),
  );
}

/**
 * @template T
 * @param {T[]} tracks
 * @returns {T[]}
 */
function limited(tracks) {
  if (tracks.length > MAX_EDITED)
    throw new Error(word("many_tracks", { most: MAX_EDITED, count: tracks.length }));
  return tracks;
}

/**
 * The path the point goes, and a speed curve that has it at each frame where it was.
 * @param {VideoPoint[]} places one a frame
 * @param {boolean[]} visible
 * @param {number} n
 * @param {Size} size
 * @returns {Track}
 */
function trackOf(places, visible, n, size) {
  const path = simplify(places, CLOSE);
  const rests = path.every((point) => distance(point, path[0]) < CLOSE);
  const last = Math.min(places.length, size.frames) - 1;
  /** @type {Track} */
  const track = {
    id: `t${n + 1}`,
    name: `${rests ? "Pin" : "Track"} ${n + 1}`,
    color: COLORS[n % COLORS.length],
    kind: rests ? "pin" : "freehand",
    points: (rests ? places.slice(0, 1) : path.slice(0, 4000)).map(roundPoint),
    interpolation: "linear",
    brush: null,
    start: 0,
    end: last >= size.frames - 1 || last < 1 ? null : last,
    visible: true,
  };
  const speed = rests ? null : speedOf(places.slice(0, last + 1));
  if (speed) track.speed = speed;
  if (visible.some((seen) => !seen)) track.shown = rangesOf(visible.slice(0, last + 1));
  return track;
}

/** @param {VideoPoint[]} places @returns {SpeedKey[] | null} null = constant speed, or nearly */
function speedOf(places) {
  const gone = [0];
  for (let t = 1; t < places.length; t++) gone.push(gone[t - 1] + distance(places[t - 1], places[t]));
  const [whole, last] = [gone[gone.length - 1], places.length - 1];
  if (!whole || !last) return null;
  // Distances in pixels, so that no more is left out than by the path's own simplification.
  const line = gone.map((far, t) => ({ x: (t / last) * whole, y: far }));
  let tolerance = CLOSE;
  let kept = simplify(line, tolerance);
  for (; kept.length > 200; kept = simplify(line, tolerance)) tolerance *= 2;
  if (kept.length <= 2) return null;
  const share = (/** @type {number} */ value) => Math.min(1, Math.round((value / whole) * 1e6) / 1e6);
  return kept.map(({ x, y }) => ({ t: share(x), s: share(y), ease: "linear" }));
}

/** @param {boolean[]} visible @returns {[number, number][]} */
function rangesOf(visible) {
  /** @type {[number, number][]} */
  const found = [];
  visible.forEach((seen, frame) => {
    const last = found[found.length - 1];
    if (seen && last && last[1] === frame - 1) last[1] = frame;
    else if (seen) found.push([frame, frame]);
  });
  return found.length ? found.slice(0, 256) : [[0, 0]];
}

/**
 * JSON, with single quotes allowed as people paste them from Python.
 * @param {string} text
 * @returns {unknown}
 */
function parsed(text) {
  for (const candidate of [text, text.replaceAll("'", '"')]) {
    try {
      const value = JSON.parse(candidate);
      return typeof value === "string" ? parsed(value) : value;
    } catch (error) {
      if (error instanceof RangeError) throw new Error("Expected JSON, got lists nested too deeply.");
    }
  }
  throw new Error(`Expected JSON, got ${JSON.stringify(text.slice(0, 40))}.`);
}

/** @param {unknown} value */
const describe = (value) => (JSON.stringify(value) ?? String(value)).slice(0, 60);

/** null, an object, or a list of 2 or 3 numbers. @param {unknown} value */
const isPoint = (value) =>
  Array.isArray(value)
    ? (value.length === 2 || value.length === 3) && value.every((part) => typeof part === "number")
    : value === null || typeof value === "object";

/**
 * All lists of points within nested lists and strings, in order.
 * @param {unknown} value
 * @param {number} depth
 * @returns {unknown[][]}
 */
function trackLists(value, depth) {
  if (depth > DEEPEST) throw new Error(`Expected lists nested at most ${DEEPEST} deep, got more.`);
  const list = typeof value === "string" ? parsed(value) : value;
  if (!Array.isArray(list)) throw new Error(`Expected a list of points, got ${describe(list)}.`);
  if (depth && !list.length) throw new Error("Expected points in every track, got an empty list.");
  if (list.length && list.every(isPoint)) return [list];
  const odd = list.find((item) => !isPoint(item));
  if (list.some(isPoint))
    throw new Error(`Expected points alone or tracks alone in one list, got ${describe(odd)} among points.`);
  return list.flatMap((item) => trackLists(item, depth + 1));
}

/**
 * @param {any} value
 * @param {number} track
 * @param {number} frame
 * @returns {{place: VideoPoint | null, seen: boolean}}
 */
function readPoint(value, track, frame) {
  if (value === null) return { place: null, seen: false };
  const [x, y, seen = true] = Array.isArray(value)
    ? value
    : [value.x, value.y, value.visible ?? value.v ?? true];
  if (![x, y].every((part) => typeof part === "number" && Math.abs(part) <= FARTHEST))
    throw new Error(
      `Expected x and y to be numbers, got ${describe(value)} in track ${track + 1} at frame ${frame}.`,
    );
  return x === y && (x === HIDDEN || x === FAR)
    ? { place: null, seen: false }
    : { place: { x, y }, seen: Number(seen) > 0.5 };
}

/**
 * A hidden point without a place waits at its last known one, before its first at that.
 * @param {{place: VideoPoint | null, seen: boolean}[][]} tracks
 */
function filled(tracks) {
  const frames = tracks.reduce((most, track) => Math.max(most, track.length), 0);
  if (frames * tracks.length > MAX_POSITIONS)
    throw new Error(
      `Expected at most ${MAX_POSITIONS} positions, got ${tracks.length} tracks of up to ${frames} frames.`,
    );
  const xy = tracks.map((track) => {
    let last = track.find(({ place }) => place)?.place ?? { x: 0, y: 0 };
    return Array.from({ length: frames }, (_, t) => (last = track[t]?.place ?? last));
  });
  return {
    xy,
    visible: tracks.map((track) => Array.from({ length: frames }, (_, t) => track[t]?.seen ?? false)),
  };
}
