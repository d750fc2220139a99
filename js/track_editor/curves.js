/**
 * Curves through control points as straight pieces, and points at equal shares of their length. Pure. The
 * rules are docs/track-document.md.
 */

import { distance, distinct, mix, toSegment } from "../shared/geometry.js";

/** @import {Interpolation, Track, VideoPoint} from "./types.js" */

/**
 * @typedef {object} Path
 * @property {VideoPoint[]} line
 * @property {number} length
 * @property {(fraction: number) => VideoPoint} at
 * @property {(place: VideoPoint) => number} shareNear
 */

export const SEGMENTS = 32;
/** Kinds whose path is curved as their interpolation says. The others go straight. */
export const CURVED = ["path", "grid", "region", "camera", "object"];

/**
 * @typedef {(p0: VideoPoint, p1: VideoPoint, p2: VideoPoint, p3: VideoPoint) => (w: number) => VideoPoint}
 *   Span  from p1 to p2, w in 0..1
 */

/**
 * Cubic Hermite from p1 to p2.
 * @param {VideoPoint} p1
 * @param {VideoPoint} p2
 * @param {VideoPoint} m1
 * @param {VideoPoint} m2
 * @returns {(w: number) => VideoPoint}
 */
function hermite(p1, p2, m1, m2) {
  return (w) => {
    const [w2, w3] = [w * w, w * w * w];
    const [h1, h2, h3, h4] = [2 * w3 - 3 * w2 + 1, 3 * w2 - 2 * w3, w3 - 2 * w2 + w, w3 - w2];
    return {
      x: h1 * p1.x + h2 * p2.x + h3 * m1.x + h4 * m2.x,
      y: h1 * p1.y + h2 * p2.y + h3 * m1.y + h4 * m2.y,
    };
  };
}

/** Centripetal Catmull-Rom as a cubic Hermite: the tangents at p1 and p2 that the knots give. @type {Span} */
function catmullRom(p0, p1, p2, p3) {
  const [d0, d1, d2] = [distance(p0, p1), distance(p1, p2), distance(p2, p3)].map(Math.sqrt);
  /** @param {"x" | "y"} axis */
  const tangents = (axis) => [
    d1 * ((p1[axis] - p0[axis]) / d0 - (p2[axis] - p0[axis]) / (d0 + d1)) + p2[axis] - p1[axis],
    d1 * ((p3[axis] - p2[axis]) / d2 - (p3[axis] - p1[axis]) / (d1 + d2)) + p2[axis] - p1[axis],
  ];
  const [x, y] = [tangents("x"), tangents("y")];
  return hermite(p1, p2, { x: x[0], y: y[0] }, { x: x[1], y: y[1] });
}

/** @param {number} tension @returns {Span} */
const cardinal = (tension) => (p0, p1, p2, p3) => {
  const half = (1 - tension) / 2;
  const tangent = (/** @type {VideoPoint} */ a, /** @type {VideoPoint} */ b) => ({
    x: half * (b.x - a.x),
    y: half * (b.y - a.y),
  });
  return hermite(p1, p2, tangent(p0, p2), tangent(p1, p3));
};

/** Uniform cubic B-spline: near its points, through the first and the last. @type {Span} */
const bspline = (p0, p1, p2, p3) => (w) => {
  const [w2, w3] = [w * w, w * w * w];
  const [b0, b1, b2, b3] = [
    (1 - w) ** 3 / 6,
    (3 * w3 - 6 * w2 + 4) / 6,
    (-3 * w3 + 3 * w2 + 3 * w + 1) / 6,
    w3 / 6,
  ];
  return {
    x: b0 * p0.x + b1 * p1.x + b2 * p2.x + b3 * p3.x,
    y: b0 * p0.y + b1 * p1.y + b2 * p2.y + b3 * p3.y,
  };
};

/**
 * @param {Interpolation} interpolation
 * @param {number} tension
 * @returns {Span | null} null = straight
 */
function spanOf(interpolation, tension) {
  if (interpolation === "spline") return catmullRom;
  if (interpolation === "cardinal") return cardinal(tension);
  return interpolation === "bspline" ? bspline : null;
}

/**
 * @param {VideoPoint[]} points
 * @param {Interpolation} interpolation
 * @param {number} [tension]
 * @returns {VideoPoint[]} the curve as straight pieces
 */
export function polyline(points, interpolation, tension = 0) {
  const kept = distinct(points);
  const span = spanOf(interpolation, tension);
  if (!span || kept.length < 2) return kept;
  const last = kept.length - 1;
  const padded = [mix(kept[0], kept[1], -1), ...kept, mix(kept[last], kept[last - 1], -1)];
  const line = kept.slice(0, -1).flatMap((_, i) => {
    const curve = span(padded[i], padded[i + 1], padded[i + 2], padded[i + 3]);
    return Array.from({ length: SEGMENTS }, (_, k) => curve(k / SEGMENTS));
  });
  return [...line, kept[last]];
}

/**
 * A line that is measured once and asked often.
 * @param {VideoPoint[]} line not empty
 * @returns {Path} at: 0..1 of the length; shareNear: the share at the place of the line nearest to a point
 */
export function ruler(line) {
  const gone = [0];
  for (let i = 1; i < line.length; i++) gone.push(gone[i - 1] + distance(line[i - 1], line[i]));
  const length = gone[gone.length - 1];
  const at = (/** @type {number} */ fraction) => {
    const target = fraction * length;
    let [low, high] = [1, line.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (target <= gone[middle]) high = middle;
      else low = middle + 1;
    }
    if (low >= line.length) return line[line.length - 1];
    const piece = gone[low] - gone[low - 1];
    return mix(line[low - 1], line[low], piece > 0 ? (target - gone[low - 1]) / piece : 0);
  };
  const shareNear = (/** @type {VideoPoint} */ place) => {
    let [best, share] = [Infinity, 0];
    for (let i = 1; i < line.length; i++) {
      const near = toSegment(place, line[i - 1], line[i]);
      if (near.distance < best)
        [best, share] = [near.distance, (gone[i - 1] + distance(line[i - 1], near.at)) / (length || 1)];
    }
    return share;
  };
  return { line, length, at, shareNear };
}

/**
 * Tracks are never changed in place, so what is worked out for one stays true.
 * @type {WeakMap<Track, Path>}
 */
const paths = new WeakMap();

/** @param {Track} track with points @returns {Path} of its moving point */
export function pathOf(track) {
  let path = paths.get(track);
  if (!path) {
    const points = track.kind === "pin" ? track.points.slice(0, 1) : track.points;
    path = ruler(
      polyline(points, CURVED.includes(track.kind) ? track.interpolation : "linear", track.tension ?? 0),
    );
    paths.set(track, path);
  }
  return path;
}

/** @param {Track} track @returns {VideoPoint[]} */
export const trackLine = (track) => (track.points.length ? pathOf(track).line : []);
