/**
 * The document as text: reading what may be anything, writing one stable JSON string, fitting it to another size. Pure.
 */

/** @import {Point, Size, Track, TrackDocument} from "./types.js" */

const KINDS = ["path", "freehand", "pin"];
export const COLORS = ["#34c759", "#0a84ff", "#ff9f0a", "#ff375f", "#bf5af2", "#64d2ff", "#ffd60a", "#ff6b5e"];
export const DEFAULT_SIZE = Object.freeze({ width: 128, height: 128, frames: 49, fps: 16 });

/** @param {number} value */
const rounded = (value) => Math.round(value * 100) / 100;

/** @param {Size} size @returns {TrackDocument} */
export function emptyDocument(size = DEFAULT_SIZE) {
  const { width, height, frames, fps } = size;
  return { version: 1, width, height, frames, fps, tracks: [], pin_border: false };
}

/** @param {TrackDocument} doc @returns {string} */
export const writeDocument = (doc) => JSON.stringify(doc);

/**
 * @param {string} text empty = an empty document @param {Size} [size] of an empty document
 * @returns {TrackDocument} @throws {Error} naming what was expected and what was found
 */
export function readDocument(text, size = DEFAULT_SIZE) {
  if (!text.trim()) return emptyDocument(size);
  const value = parse(text);
  if (value.version !== 1) throw new Error(`Expected a track document of version 1, got version ${JSON.stringify(value.version)}.`);
  for (const key of /** @type {const} */ (["width", "height", "frames", "fps"])) {
    if (!(Number.isFinite(value[key]) && value[key] > 0)) throw new Error(`Expected a positive number for ${key}, got ${JSON.stringify(value[key])}.`);
  }
  if (!Array.isArray(value.tracks)) throw new Error(`Expected a list of tracks, got ${typeof value.tracks}.`);
  /** @type {Set<string>} */
  const taken = new Set();
  const tracks = value.tracks.map((/** @type {unknown} */ track, /** @type {number} */ i) => readTrack(track, i, taken));
  return /** @type {TrackDocument} */ ({ ...value, tracks, pin_border: value.pin_border === true });
}

/** @param {string} text @returns {Record<string, any>} */
function parse(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`Expected a track document as JSON, got text that is none (${/** @type {Error} */ (error).message}).`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`Expected a track document, got ${JSON.stringify(value).slice(0, 60)}.`);
  return value;
}

/** @param {any} track @param {number} index @param {Set<string>} taken @returns {Track} */
function readTrack(track, index, taken) {
  const name = `track ${index + 1}`;
  if (typeof track !== "object" || track === null || !Array.isArray(track.points)) throw new Error(`Expected ${name} to have a list of points.`);
  const kind = track.kind ?? "path";
  if (!KINDS.includes(kind)) throw new Error(`Expected the kind of ${name} to be one of ${KINDS.join(", ")}, got ${JSON.stringify(kind)}.`);
  const id = typeof track.id === "string" && track.id && !taken.has(track.id) ? track.id : freeId(taken);
  taken.add(id);
  return {
    ...track,
    id,
    name: typeof track.name === "string" && track.name ? track.name : `Track ${index + 1}`,
    color: /^#[0-9a-f]{6}$/i.test(track.color) ? track.color : COLORS[index % COLORS.length],
    kind,
    points: track.points.map((/** @type {unknown} */ point) => readPoint(point, name)),
    interpolation: track.interpolation === "spline" ? "spline" : "linear",
    brush: readBrush(track.brush, name),
    start: track.start == null ? 0 : frameNumber(track.start, name),
    end: track.end == null ? null : frameNumber(track.end, name),
    visible: track.visible !== false,
  };
}

/** @param {any} point @param {string} name @returns {Point} */
function readPoint(point, name) {
  if (!Number.isFinite(point?.x) || !Number.isFinite(point?.y)) throw new Error(`Expected points of ${name} as {"x", "y"}, got ${JSON.stringify(point)}.`);
  return { x: point.x, y: point.y };
}

/** @param {any} brush @param {string} name */
function readBrush(brush, name) {
  if (brush == null) return null;
  if (!Number.isFinite(brush.radius) || !Number.isFinite(brush.spacing)) throw new Error(`Expected the brush of ${name} as {"radius", "spacing"}.`);
  return { radius: brush.radius, spacing: brush.spacing };
}

/** @param {unknown} value @param {string} name */
function frameNumber(value, name) {
  if (typeof value !== "number" || !Number.isFinite(value)) throw new Error(`Expected start and end of ${name} as frame numbers, got ${JSON.stringify(value)}.`);
  return value;
}

/** @param {Set<string>} taken @returns {string} */
export function freeId(taken) {
  let number = 1;
  while (taken.has(`t${number}`)) number += 1;
  return `t${number}`;
}

/** @param {Point} point @returns {Point} to a hundredth of a pixel */
export const roundPoint = (point) => ({ x: rounded(point.x), y: rounded(point.y) });

/** @param {Size} a @param {Size} b */
export const sameSize = (a, b) => a.width === b.width && a.height === b.height && a.frames === b.frames && a.fps === b.fps;

/** The document for a video of another size: coordinates, brushes and times scaled. @param {TrackDocument} doc @param {Size} size @returns {TrackDocument} */
export function fitDocument(doc, size) {
  if (sameSize(doc, size)) return doc;
  const [sx, sy] = [size.width / doc.width, size.height / doc.height];
  const [small, st] = [Math.min(sx, sy), (size.frames - 1) / Math.max(1, doc.frames - 1)];
  const tracks = doc.tracks.map((track) => ({
    ...track,
    points: track.points.map((point) => roundPoint({ x: point.x * sx, y: point.y * sy })),
    brush: track.brush && { radius: rounded(track.brush.radius * small), spacing: rounded(track.brush.spacing * small) },
    start: Math.round(track.start * st),
    end: track.end === null ? null : Math.round(track.end * st),
  }));
  return { ...doc, width: size.width, height: size.height, frames: size.frames, fps: size.fps, tracks };
}
