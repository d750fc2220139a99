/**
 * The points that a track carries round its moving point, and the pins along the border. Pure. The rules are
 * docs/track-document.md.
 */

import { toSegment } from "../shared/geometry.js";
import { objectOffsets } from "./outlines.js";

/** @import {Brush, Grid, Region, Track, VideoPoint} from "./types.js" */

const BORDER_INSET = 4;
const BORDER_STEP = 16;
export const MAX_POINTS = 10_000;

/** @param {Brush | null} brush @returns {VideoPoint[]} offsets of a track's points, the centre first */
export function brushOffsets(brush) {
  const offsets = [{ x: 0, y: 0 }];
  if (!brush || brush.radius <= 0 || brush.spacing <= 0) return offsets;
  const reach = Math.floor(brush.radius / brush.spacing) + 1;
  if (reach > Math.sqrt(MAX_POINTS)) return offsets; // Python refuses it; the picture is not held up for it
  for (let iy = -reach; iy <= reach; iy++) {
    for (let ix = -reach; ix <= reach; ix++) {
      const [x, y] = [ix * brush.spacing, iy * brush.spacing];
      if ((ix || iy) && x * x + y * y <= brush.radius ** 2 + 1e-6) offsets.push({ x, y });
    }
  }
  return offsets;
}

/** @param {Grid} grid @returns {VideoPoint[]} row by row from the top left corner */
export function gridOffsets({ width, height, columns, rows }) {
  /** @param {number} side @param {number} count */
  const steps = (side, count) =>
    Array.from({ length: count }, (_, i) => (count > 1 ? side * (i / (count - 1) - 0.5) : 0));
  const across = steps(width, columns);
  return steps(height, rows).flatMap((y) => across.map((x) => ({ x, y })));
}

/**
 * @param {VideoPoint} place
 * @param {VideoPoint[]} line
 * @returns {number}
 */
export function toLine(place, line) {
  if (line.length === 1) return Math.hypot(place.x - line[0].x, place.y - line[0].y);
  let best = Infinity;
  for (let i = 1; i < line.length; i++)
    best = Math.min(best, toSegment(place, line[i - 1], line[i]).distance);
  return best;
}

/**
 * @param {Region} region
 * @param {VideoPoint} offset from the moving point
 * @returns {boolean}
 */
export const inRegion = (region, offset) =>
  region.lines.some((line) => toLine(offset, line) ** 2 <= region.radius ** 2 + 1e-6);

/** @param {Region} region @returns {{left: number, top: number, right: number, bottom: number}} offsets */
export function regionBox({ lines, radius }) {
  const box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (const { x, y } of lines.flat()) {
    box.left = Math.min(box.left, x - radius);
    box.top = Math.min(box.top, y - radius);
    box.right = Math.max(box.right, x + radius);
    box.bottom = Math.max(box.bottom, y + radius);
  }
  return box;
}

/**
 * @param {Region} region
 * @returns {VideoPoint[]} the points (ix·spacing, iy·spacing) in it; its first painted place where it holds
 *   none
 */
export function regionOffsets(region) {
  const { spacing } = region;
  const box = regionBox(region);
  const [left, top, right, bottom] = [
    Math.floor(box.left / spacing),
    Math.floor(box.top / spacing),
    Math.ceil(box.right / spacing),
    Math.ceil(box.bottom / spacing),
  ];
  const offsets = [];
  if ((right - left + 1) * (bottom - top + 1) <= 4 * MAX_POINTS) {
    for (let iy = top; iy <= bottom; iy++) {
      for (let ix = left; ix <= right; ix++) {
        const offset = { x: ix * spacing, y: iy * spacing };
        if (inRegion(region, offset)) offsets.push(offset);
      }
    }
  }
  return offsets.length ? offsets : [region.lines[0][0]];
}

/** @type {WeakMap<object, VideoPoint[]>} */
const known = new WeakMap();

/** @param {Track} track @returns {VideoPoint[]} worked out once for each shape */
export function trackOffsets(track) {
  const grid = track.kind === "grid" || track.kind === "camera" ? track.grid : null;
  const region = track.kind === "region" ? track.region : null;
  const object = track.kind === "object" ? track.object : null;
  const shape = grid ?? region ?? object ?? track.brush;
  if (!shape) return [{ x: 0, y: 0 }];
  let offsets = known.get(shape);
  if (!offsets) {
    if (grid) offsets = gridOffsets(grid);
    else if (region) offsets = regionOffsets(region);
    else offsets = object ? objectOffsets(object) : brushOffsets(track.brush);
    known.set(shape, offsets);
  }
  return offsets;
}

/**
 * @param {number} width
 * @param {number} height
 * @returns {VideoPoint[]} clockwise from the top left corner
 */
export function borderPins(width, height) {
  /** @param {number} side */
  const steps = (side) => {
    const count = Math.max(1, Math.floor((side - 2 * BORDER_INSET - 1) / BORDER_STEP + 0.5));
    return Array.from({ length: count }, (_, k) => ((side - 2 * BORDER_INSET - 1) * k) / count);
  };
  const [across, down, near] = [steps(width), steps(height), BORDER_INSET];
  const [right, bottom] = [width - 1 - near, height - 1 - near];
  return [
    ...across.map((d) => ({ x: near + d, y: near })),
    ...down.map((d) => ({ x: right, y: near + d })),
    ...across.map((d) => ({ x: right - d, y: bottom })),
    ...down.map((d) => ({ x: near, y: bottom - d })),
  ];
}
