/**
 * Masks, and the lines round what is in them. Pure. A mask is {width, height, cells}: one byte a cell, row by
 * row.
 */

import { distance, simplify } from "./geometry.js";

/** @import {VideoPoint} from "./types.js" */

/** @typedef {{width: number, height: number, cells: Uint8Array}} Mask */

export const MAX_OUTLINE_POINTS = 8000; // of one object; a reader takes some more
const STAIRS = 0.4; // cells: so much a line may miss the middles of the cells' sides that it goes through
const LEAST_AREA = 1; // cells: a smaller piece or hole is a speck

/**
 * @param {number} width
 * @param {number} height
 * @returns {Mask} of nothing
 */
export const emptyMask = (width, height) => ({ width, height, cells: new Uint8Array(width * height) });

/**
 * @param {{width: number, height: number, runs: number[]}} coded  lengths of runs row by row, the first
 *   outside
 * @returns {Mask}
 * @throws {Error} when the runs do not fill it
 */
export function maskOfRuns({ width, height, runs }) {
  const mask = emptyMask(width, height);
  let at = 0;
  runs.forEach((run, i) => {
    if (i % 2) mask.cells.fill(1, at, at + run);
    at += run;
  });
  if (at !== width * height) throw new Error(`Expected runs of ${width}x${height} cells, got ${at}.`);
  return mask;
}

/**
 * The outlines of a mask, in the corners of its cells: (0, 0) is the corner at the upper left.
 * @param {Mask} mask
 * @returns {VideoPoint[][]} few points each; no specks
 */
export function traceMask(mask) {
  const rings = ringsOf(mask).filter((ring) => Math.abs(areaOf(ring)) > LEAST_AREA);
  for (let tolerance = STAIRS; ; tolerance *= 1.5) {
    const lines = rings.map((ring) => simplifyRing(ring, tolerance)).filter((line) => line.length > 2);
    if (lines.reduce((sum, line) => sum + line.length, 0) <= MAX_OUTLINE_POINTS) return lines;
  }
}

/**
 * The borders between inside and outside, by the middle of each cell's side.
 * @param {Mask} mask
 * @returns {VideoPoint[][]}
 */
function ringsOf({ width, height, cells }) {
  const inside = (/** @type {number} */ x, /** @type {number} */ y) =>
    x >= 0 && y >= 0 && x < width && y < height && cells[y * width + x] > 0;
  const wide = width + 1;
  /** @type {Map<number, number[]>} where the border goes on from a corner, what is inside on its right */
  const next = new Map();
  const add = (/** @type {number} */ from, /** @type {number} */ to) => {
    const known = next.get(from);
    if (known) known.push(to);
    else next.set(from, [to]);
  };
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      if (!inside(x, y)) continue;
      const corner = y * wide + x;
      if (!inside(x, y - 1)) add(corner, corner + 1);
      if (!inside(x + 1, y)) add(corner + 1, corner + 1 + wide);
      if (!inside(x, y + 1)) add(corner + 1 + wide, corner + wide);
      if (!inside(x - 1, y)) add(corner + wide, corner);
    }
  const rings = [];
  for (const start of next.keys()) {
    while (next.get(start)?.length) {
      const ring = [];
      let at = start;
      do {
        const to = /** @type {number} */ (next.get(at)?.pop());
        ring.push({
          x: ((at % wide) + (to % wide)) / 2,
          y: (Math.floor(at / wide) + Math.floor(to / wide)) / 2,
        });
        at = to;
      } while (at !== start);
      rings.push(ring);
    }
  }
  return rings;
}

/**
 * A closed line with fewer points.
 * @param {VideoPoint[]} ring
 * @param {number} tolerance
 * @returns {VideoPoint[]}
 */
export function simplifyRing(ring, tolerance) {
  const far = ring.reduce(
    (best, point, i) => (distance(point, ring[0]) > distance(ring[best], ring[0]) ? i : best),
    0,
  );
  const there = simplify(ring.slice(0, far + 1), tolerance);
  const back = simplify([...ring.slice(far), ring[0]], tolerance);
  return [...there, ...back.slice(1, -1)];
}

/** @param {VideoPoint[]} ring @returns {number} */
const areaOf = (ring) =>
  ring.reduce((sum, a, i) => {
    const b = ring[(i + 1) % ring.length];
    return sum + (a.x * b.y - b.x * a.y) / 2;
  }, 0);

/**
 * @param {VideoPoint[][]} outlines
 * @param {VideoPoint} place
 * @returns {boolean} by the even-odd rule
 */
export function insideOutlines(outlines, { x, y }) {
  let odd = false;
  for (const line of outlines) {
    line.forEach((a, i) => {
      const b = line[(i + 1) % line.length];
      if (a.y > y !== b.y > y && x < ((b.x - a.x) / (b.y - a.y)) * (y - a.y) + a.x) odd = !odd;
    });
  }
  return odd;
}
