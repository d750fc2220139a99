/**
 * The document as text: reading what may be anything, writing one stable JSON string, fitting it to another
 * size. Pure.
 */

import { readTrack } from "./read_track.js";

/** @import {Size, Track, TrackDocument, VideoPoint} from "./types.js" */

export const DEFAULT_SIZE = Object.freeze({ width: 128, height: 128, frames: 49, fps: 16 });
const MAX_TEXT = 2 ** 20;
const MAX_TRACKS = 10_000;

/** @param {number} value */
export const roundHundredth = (value) => Math.round(value * 100) / 100;

/** @param {Size} size @returns {TrackDocument} */
export function emptyDocument(size = DEFAULT_SIZE) {
  const { width, height, frames, fps } = size;
  return { version: 1, width, height, frames, fps, tracks: [], pin_border: false };
}

/**
 * What an editor begins with. Its border is pinned, so that the first stroke moves what it is drawn on alone.
 * @param {Size} [size]
 * @returns {TrackDocument}
 */
export const freshDocument = (size) => ({ ...emptyDocument(size), pin_border: true });

/**
 * What is new is written in version 2 where it is used. Everything else stays readable for earlier editors.
 * @param {TrackDocument} doc
 * @returns {string}
 */
export const writeDocument = (doc) =>
  JSON.stringify({ ...doc, version: doc.tracks.some((track) => track.kind === "object") ? 2 : 1 });

/**
 * @param {string} text empty = an empty document
 * @param {Size} [size] of an empty document
 * @returns {TrackDocument}
 * @throws {Error} naming what was expected and what was found
 */
export function readDocument(text, size = DEFAULT_SIZE) {
  if (!text.trim()) return freshDocument(size);
  if (text.length > MAX_TEXT)
    throw new Error(`Expected a track document of at most ${MAX_TEXT} characters, got ${text.length}.`);
  const value = parse(text);
  if (value.version !== 1 && value.version !== 2)
    throw new Error(
      `Expected a track document of version 1 or 2, got version ${JSON.stringify(value.version)}.`,
    );
  for (const key of /** @type {const} */ (["width", "height", "frames", "fps"])) {
    if (!(Number.isFinite(value[key]) && value[key] > 0))
      throw new Error(`Expected a positive number for ${key}, got ${JSON.stringify(value[key])}.`);
  }
  if (!Array.isArray(value.tracks)) throw new Error(`Expected a list of tracks, got ${typeof value.tracks}.`);
  if (value.tracks.length > MAX_TRACKS)
    throw new Error(`Expected at most ${MAX_TRACKS} tracks, got ${value.tracks.length}.`);
  /** @type {Set<string>} */
  const taken = new Set();
  const tracks = value.tracks.map((/** @type {unknown} */ track, /** @type {number} */ i) =>
    readTrack(track, i, taken),
  );
  // The version is decided when it is written.
  return /** @type {TrackDocument} */ ({
    ...value,
    version: 1,
    tracks,
    pin_border: value.pin_border === true,
  });
}

/** @param {string} text @returns {Record<string, any>} */
function parse(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(
      `Expected a track document as JSON, got text that is none (${/** @type {Error} */ (error).message}).`,
    );
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error(`Expected a track document, got ${JSON.stringify(value).slice(0, 60)}.`);
  return value;
}

/** @param {VideoPoint} point @returns {VideoPoint} to a hundredth of a pixel */
export const roundPoint = (point) => ({ x: roundHundredth(point.x), y: roundHundredth(point.y) });

/** @param {Size} a @param {Size} b */
export const sameSize = (a, b) =>
  a.width === b.width && a.height === b.height && a.frames === b.frames && a.fps === b.fps;

/**
 * The document for a video of another size: coordinates, areas and times scaled. Where the aspect ratio is
 * another one, tracks stay on the content of the picture below them, of which another part is cut out.
 * Without a picture they are stretched.
 * @param {TrackDocument} doc
 * @param {Size} size
 * @param {{width: number, height: number} | null} [picture]
 * @returns {TrackDocument}
 */
export function fitDocument(doc, size, picture = null) {
  if (sameSize(doc, size)) return doc;
  const [sx, sy] = [size.width / doc.width, size.height / doc.height];
  const st = (size.frames - 1) / Math.max(1, doc.frames - 1);
  const fit = picture && sx !== sy ? coverFit(doc, size, picture) : { sx, sy, dx: 0, dy: 0 };
  const tracks = doc.tracks.map((track) => fitTrack(track, fit, st));
  return { ...doc, width: size.width, height: size.height, frames: size.frames, fps: size.fps, tracks };
}

/** @typedef {{sx: number, sy: number, dx: number, dy: number}} Fit  x → sx·x + dx, y → sy·y + dy */

/**
 * From the places of one part of a picture to those of another. Both are cut from its middle, scaled to cover
 * their size (nodes/_sizes.py has the same).
 * @param {{width: number, height: number}} from
 * @param {{width: number, height: number}} to
 * @param {{width: number, height: number}} picture
 * @returns {Fit}
 */
export function coverFit(from, to, picture) {
  const cover = (/** @type {{width: number, height: number}} */ size) =>
    Math.max(size.width / picture.width, size.height / picture.height);
  const scale = cover(to) / cover(from);
  const shift = (/** @type {number} */ before, /** @type {number} */ after) =>
    (after - before * scale + scale - 1) / 2;
  return { sx: scale, sy: scale, dx: shift(from.width, to.width), dy: shift(from.height, to.height) };
}

/**
 * @param {Track} track
 * @param {Fit} fit of the places
 * @param {number} st of the time
 * @returns {Track}
 */
function fitTrack(track, { sx, sy, dx, dy }, st) {
  const small = Math.min(sx, sy);
  const scaled = (/** @type {VideoPoint} */ point) => roundPoint({ x: point.x * sx, y: point.y * sy });
  const placed = (/** @type {VideoPoint} */ point) =>
    roundPoint({ x: point.x * sx + dx, y: point.y * sy + dy });
  const atLeast = (/** @type {number} */ value) => Math.max(0.01, roundHundredth(value));
  /** @type {Track} */
  const made = {
    ...track,
    points: track.points.map(placed),
    brush: track.brush && {
      radius: roundHundredth(track.brush.radius * small),
      spacing: roundHundredth(track.brush.spacing * small),
    },
    start: Math.round(track.start * st),
    end: track.end === null ? null : Math.round(track.end * st),
  };
  if (track.grid)
    made.grid = {
      ...track.grid,
      width: roundHundredth(track.grid.width * sx),
      height: roundHundredth(track.grid.height * sy),
    };
  if (track.region) {
    const { lines, radius, spacing } = track.region;
    made.region = {
      lines: lines.map((line) => line.map(scaled)),
      radius: atLeast(radius * small),
      spacing: atLeast(spacing * small),
    };
  }
  if (track.object)
    made.object = {
      outlines: track.object.outlines.map((line) => line.map(scaled)),
      spacing: atLeast(track.object.spacing * small),
    };
  if (track.shown)
    made.shown = track.shown.map(([first, last]) => [Math.round(first * st), Math.round(last * st)]);
  return made;
}
