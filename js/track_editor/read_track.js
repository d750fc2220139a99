/**
 * One track of a document out of what may be anything. Pure. Keys that this version does not know are kept.
 */

import { EASES } from "./speed.js";

/** @import {CutOut, Grid, Region, SpeedKey, Track, VideoPoint} from "./types.js" */

export const KINDS = ["path", "freehand", "pin", "line", "grid", "region", "camera", "object"];
export const INTERPOLATIONS = /** @type {const} */ (["linear", "spline", "cardinal", "bspline"]);
export const COLORS = [
  "#34c759",
  "#0a84ff",
  "#ff9f0a",
  "#ff375f",
  "#bf5af2",
  "#64d2ff",
  "#ffd60a",
  "#ff6b5e",
];
const FARTHEST = 1e6;
const MAX_POINTS = 4096;
const MAX_GRID_POINTS = 10_000;
const MAX_REGION_POINTS = 1024;
const MAX_OUTLINE_POINTS = 8192;

/** @param {unknown} value */
const shownValue = (value) => (JSON.stringify(value) ?? String(value)).slice(0, 60);
/** @param {unknown} value @returns {value is Record<string, any>} */
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * @param {any} track
 * @param {number} index
 * @param {Set<string>} taken ids
 * @returns {Track}
 * @throws {Error} naming what was expected and found
 */
export function readTrack(track, index, taken) {
  const name = `track ${index + 1}`;
  if (!isObject(track) || !Array.isArray(track.points))
    throw new Error(`Expected ${name} to have a list of points.`);
  if (track.points.length > MAX_POINTS)
    throw new Error(`Expected at most ${MAX_POINTS} points in ${name}, got ${track.points.length}.`);
  const kind = track.kind ?? "path";
  if (!KINDS.includes(kind))
    throw new Error(
      `Expected the kind of ${name} to be one of ${KINDS.join(", ")}, got ${shownValue(kind)}.`,
    );
  const id = typeof track.id === "string" && track.id && !taken.has(track.id) ? track.id : freeId(taken);
  taken.add(id);
  return /** @type {Track} */ ({
    ...track,
    id,
    name: typeof track.name === "string" && track.name ? track.name : `Track ${index + 1}`,
    color: /^#[0-9a-f]{6}$/i.test(track.color) ? track.color : COLORS[index % COLORS.length],
    kind,
    points: track.points.map((/** @type {unknown} */ point) => readPoint(point, name)),
    interpolation: readInterpolation(track.interpolation, name),
    brush: readBrush(track.brush, name),
    start: track.start == null ? 0 : frameNumber(track.start, name),
    end: track.end == null ? null : frameNumber(track.end, name),
    visible: track.visible !== false,
    ...readMore(track, name),
  });
}

/**
 * The optional keys, as far as they are there.
 * @param {Record<string, any>} track
 * @param {string} name
 * @returns {Partial<Track>}
 */
function readMore(track, name) {
  /** @type {Partial<Track>} */
  const more = {};
  if (track.tension != null) more.tension = between(track.tension, 0, 1, `the tension of ${name}`);
  if (track.turn != null) more.turn = between(track.turn, -36000, 36000, `the turn of ${name}`);
  if (track.scale != null) more.scale = between(track.scale, 0.01, 100, `the scale of ${name}`);
  if (track.speed != null) more.speed = readSpeed(track.speed, name);
  if (track.shown != null) more.shown = readShown(track.shown, name);
  if (track.grid != null || track.kind === "grid" || track.kind === "camera")
    more.grid = readGrid(track.grid, name);
  if (track.region != null || track.kind === "region") more.region = readRegion(track.region, name);
  if (track.object != null || track.kind === "object") more.object = readObject(track.object, name);
  for (const key of /** @type {const} */ (["carries", "locked", "hidden"]))
    if (key in track) more[key] = track[key] === true;
  return more;
}

/**
 * @param {unknown} value
 * @param {number} least
 * @param {number} most
 * @param {string} what
 * @returns {number}
 */
function between(value, least, most, what) {
  if (typeof value !== "number" || !(value >= least && value <= most))
    throw new Error(`Expected ${what} to be a number from ${least} to ${most}, got ${shownValue(value)}.`);
  return value;
}

/**
 * @param {unknown} value
 * @param {string} name
 * @returns {Track["interpolation"]}
 */
function readInterpolation(value, name) {
  const known = INTERPOLATIONS.find((candidate) => candidate === (value ?? "linear"));
  if (!known)
    throw new Error(
      `Expected the interpolation of ${name} to be one of ${INTERPOLATIONS.join(", ")}, ` +
        `got ${shownValue(value)}.`,
    );
  return known;
}

/**
 * @param {any} point
 * @param {string} name
 * @returns {VideoPoint}
 */
function readPoint(point, name) {
  const good = (/** @type {unknown} */ value) => typeof value === "number" && Math.abs(value) <= FARTHEST;
  if (!good(point?.x) || !good(point?.y))
    throw new Error(`Expected points of ${name} as {"x", "y"} within ${FARTHEST}, got ${shownValue(point)}.`);
  return { x: point.x, y: point.y };
}

/** @param {any} brush @param {string} name */
function readBrush(brush, name) {
  if (brush == null) return null;
  if (!Number.isFinite(brush.radius) || !Number.isFinite(brush.spacing))
    throw new Error(`Expected the brush of ${name} as {"radius", "spacing"}, got ${shownValue(brush)}.`);
  return { radius: brush.radius, spacing: brush.spacing };
}

/** @param {unknown} value @param {string} name */
function frameNumber(value, name) {
  if (typeof value !== "number" || !(Math.abs(value) <= FARTHEST))
    throw new Error(`Expected start and end of ${name} as frame numbers, got ${shownValue(value)}.`);
  return value;
}

/**
 * @param {any} keys
 * @param {string} name
 * @returns {SpeedKey[]}
 */
function readSpeed(keys, name) {
  if (!Array.isArray(keys) || !keys.length || keys.length > 256 || !keys.every(isObject))
    throw new Error(`Expected the speed of ${name} as 1 to 256 keys {"t", "s"}, got ${shownValue(keys)}.`);
  const read = keys.map((key) => {
    const ease = EASES.find((candidate) => candidate === (key.ease ?? "linear"));
    if (!ease)
      throw new Error(
        `Expected the ease of ${name} to be one of ${EASES.join(", ")}, got ${shownValue(key.ease)}.`,
      );
    return {
      ...key,
      t: between(key.t, 0, 1, `t of the speed of ${name}`),
      s: between(key.s, 0, 1, `s of the speed of ${name}`),
      ease,
    };
  });
  for (let i = 1; i < read.length; i++) {
    if (read[i].t - read[i - 1].t < 1e-6 || read[i].s < read[i - 1].s)
      throw new Error(`Expected the speed keys of ${name} with rising t and an s that never falls.`);
  }
  return read;
}

/**
 * @param {any} ranges
 * @param {string} name
 * @returns {[number, number][]}
 */
function readShown(ranges, name) {
  const good =
    Array.isArray(ranges) &&
    ranges.length > 0 &&
    ranges.length <= 256 &&
    ranges.every((range) => Array.isArray(range) && range.length === 2);
  if (!good)
    throw new Error(
      `Expected the shown frames of ${name} as ranges [first, last], got ${shownValue(ranges)}.`,
    );
  return ranges.map(([first, last]) => [frameNumber(first, name), frameNumber(last, name)]);
}

/**
 * @param {any} grid
 * @param {string} name
 * @returns {Grid}
 */
function readGrid(grid, name) {
  if (!isObject(grid))
    throw new Error(
      `Expected the grid of ${name} as {"width", "height", "columns", "rows"}, got ${shownValue(grid)}.`,
    );
  const [width, height] = [grid.width, grid.height].map((value) =>
    between(value, 0, FARTHEST, `the size of the grid of ${name}`),
  );
  const [columns, rows] = [grid.columns, grid.rows].map((value) =>
    between(value, 1, MAX_GRID_POINTS, `columns and rows of ${name}`),
  );
  if (columns % 1 || rows % 1 || columns * rows > MAX_GRID_POINTS)
    throw new Error(
      `Expected at most ${MAX_GRID_POINTS} points in the grid of ${name}, got ${columns} x ${rows}.`,
    );
  return { width, height, columns, rows };
}

/**
 * @param {any} region
 * @param {string} name
 * @returns {Region}
 */
function readRegion(region, name) {
  const lines = isObject(region) && Array.isArray(region.lines) ? region.lines : [];
  const good =
    lines.length > 0 &&
    lines.every((line) => Array.isArray(line) && line.length) &&
    lines.flat().length <= MAX_REGION_POINTS;
  if (!good)
    throw new Error(
      `Expected the region of ${name} with lines of 1 to ${MAX_REGION_POINTS} points, ` +
        `got ${shownValue(region)}.`,
    );
  return {
    lines: lines.map((line) => line.map((/** @type {unknown} */ point) => readPoint(point, name))),
    radius: between(region.radius, 0.01, FARTHEST, `the radius of ${name}`),
    spacing: between(region.spacing, 0.01, FARTHEST, `the spacing of ${name}`),
  };
}

/**
 * @param {any} object
 * @param {string} name
 * @returns {CutOut}
 */
function readObject(object, name) {
  const outlines = isObject(object) && Array.isArray(object.outlines) ? object.outlines : [];
  const good =
    outlines.length > 0 &&
    outlines.every((line) => Array.isArray(line) && line.length > 2) &&
    outlines.flat().length <= MAX_OUTLINE_POINTS;
  if (!good)
    throw new Error(
      `Expected the object of ${name} with outlines of 3 to ${MAX_OUTLINE_POINTS} points, ` +
        `got ${shownValue(object)}.`,
    );
  return {
    outlines: outlines.map((line) => line.map((/** @type {unknown} */ point) => readPoint(point, name))),
    spacing: between(object.spacing, 0.01, FARTHEST, `the spacing of ${name}`),
  };
}

/** @param {Set<string>} taken @returns {string} */
export function freeId(taken) {
  let number = 1;
  while (taken.has(`t${number}`)) number += 1;
  return `t${number}`;
}
