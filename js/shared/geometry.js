/** Plane geometry. Pure. Knows nothing of tracks, of the DOM, of state or of the host. */

/** @import {Brush, Point} from "./types.js" */

const SAME = 1e-6;

/** @param {Point} a @param {Point} b */
export const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);

/**
 * @param {Point} a
 * @param {Point} b
 * @param {number} t
 * @returns {Point}
 */
export const mix = (a, b, t) => ({ x: a.x + (b.x - a.x) * t, y: a.y + (b.y - a.y) * t });

/**
 * @param {Point} point
 * @param {Point} a
 * @param {Point} b
 * @returns {{distance: number, at: Point}} to the piece from a to b
 */
export function toSegment(point, a, b) {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const length = dx * dx + dy * dy;
  const t = length ? Math.min(1, Math.max(0, ((point.x - a.x) * dx + (point.y - a.y) * dy) / length)) : 0;
  const at = mix(a, b, t);
  return { distance: distance(point, at), at };
}

/** @param {Point[]} points @returns {Point[]} without points that repeat the one kept before them */
export function distinct(points) {
  /** @type {Point[]} */
  const kept = [];
  for (const point of points) {
    if (!kept.length || distance(kept[kept.length - 1], point) > SAME) kept.push({ x: point.x, y: point.y });
  }
  return kept;
}

/**
 * A grid that fills a disc of this radius with some 13 to 29 points.
 * @param {number} radius
 * @returns {Brush | null}
 */
export function brushOf(radius) {
  if (radius <= 0) return null;
  return { radius, spacing: Math.round(Math.max(radius / 3, Math.min(8, radius / 2)) * 100) / 100 };
}

/**
 * A radius one step larger or smaller: a seventh of it, and no less than a pixel.
 * @param {number} radius
 * @param {1 | -1} direction
 */
export const stepRadius = (radius, direction) =>
  Math.max(0, Math.round(radius + direction * Math.max(1, radius * 0.15)));

/**
 * Ramer-Douglas-Peucker.
 * @param {Point[]} points
 * @param {number} tolerance px
 * @returns {Point[]}
 */
export function simplify(points, tolerance) {
  if (points.length < 3) return points.slice();
  const keep = new Set([0, points.length - 1]);
  const open = [[0, points.length - 1]];
  for (let range = open.pop(); range; range = open.pop()) {
    const [first, last] = range;
    let [far, index] = [tolerance, -1];
    for (let i = first + 1; i < last; i++) {
      const off = toSegment(points[i], points[first], points[last]).distance;
      if (off > far) [far, index] = [off, i];
    }
    if (index >= 0) {
      keep.add(index);
      open.push([first, index], [index, last]);
    }
  }
  return points.filter((_, i) => keep.has(i));
}

/**
 * The part of a picture that covers width × height, cut at the centre: {x, y, width, height} in the picture's
 * pixels.
 * @param {{width: number, height: number}} picture
 * @param {{width: number, height: number}} video
 */
export function coverCrop(picture, video) {
  const scale = Math.max(video.width / picture.width, video.height / picture.height);
  const [width, height] = [video.width / scale, video.height / scale];
  return { x: (picture.width - width) / 2, y: (picture.height - height) / 2, width, height };
}

/**
 * Frames between two ticks, so that ticks lie at least `apart` pixels from each other on a line of this
 * length.
 * @param {number} length px
 * @param {number} frames travelled
 * @param {number} apart px
 */
export function tickStep(length, frames, apart) {
  const perFrame = length / Math.max(1, frames);
  return [1, 2, 4, 8, 16, 32, 64, 128, 256].find((step) => step * perFrame >= apart) ?? 512;
}
