/**
 * Moving, scaling, turning and mirroring whole tracks: plane maps x' = a·x + c·y + e, y' = b·x + d·y + f.
 * Pure.
 */

import { regionBox } from "./areas.js";
import { roundPoint, roundHundredth } from "./document.js";
import { objectBox } from "./outlines.js";

/** @import {Point} from "../shared/types.js" */
/** @import {Box, Corner, Grid, Region, Track, VideoPoint} from "./types.js" */

/** @typedef {{a: number, b: number, c: number, d: number, e: number, f: number}} Affine */

const SMALLEST = 0.02;

/**
 * @param {number} dx
 * @param {number} dy
 * @returns {Affine}
 */
export const translation = (dx, dy) => ({ a: 1, b: 0, c: 0, d: 1, e: dx, f: dy });

/**
 * @param {number} sx
 * @param {number} sy
 * @param {VideoPoint} centre that stays
 * @returns {Affine}
 */
export const scaling = (sx, sy, centre) => ({
  a: sx,
  b: 0,
  c: 0,
  d: sy,
  e: centre.x * (1 - sx),
  f: centre.y * (1 - sy),
});

/**
 * @param {number} degrees clockwise
 * @param {VideoPoint} centre
 * @returns {Affine}
 */
export function rotation(degrees, centre) {
  const quarter = degrees % 90 === 0; // a quarter turn is exact
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)].map(
    (value) => (quarter ? Math.round(value) : value),
  );
  return {
    a: cos,
    b: sin,
    c: -sin,
    d: cos,
    e: centre.x - cos * centre.x + sin * centre.y,
    f: centre.y - sin * centre.x - cos * centre.y,
  };
}

/**
 * @param {Affine} map
 * @param {VideoPoint} point
 * @returns {VideoPoint}
 */
export const applyAffine = ({ a, b, c, d, e, f }, { x, y }) => ({
  x: a * x + c * y + e,
  y: b * x + d * y + f,
});

/**
 * @param {Track} track
 * @param {Affine} map
 * @returns {Track} with what it carries; a mirrored track turns the other way
 */
export function mapTrack(track, map) {
  const grown = Math.sqrt(Math.abs(map.a * map.d - map.b * map.c));
  /** @type {Track} */
  const made = { ...track, points: track.points.map((point) => roundPoint(applyAffine(map, point))) };
  if (track.brush && grown !== 1)
    made.brush = {
      radius: roundHundredth(track.brush.radius * grown),
      spacing: roundHundredth(track.brush.spacing * grown),
    };
  if (track.grid) made.grid = mapGrid(track.grid, map);
  if (track.region) made.region = mapRegion(track.region, map, grown);
  if (track.object)
    made.object = {
      outlines: mappedLines(track.object.outlines, map),
      spacing: Math.max(0.01, roundHundredth(track.object.spacing * grown)),
    };
  if (track.turn && map.a * map.d < map.b * map.c) made.turn = -track.turn;
  return made;
}

/**
 * A grid has no slant: it keeps to the axes.
 * @param {Grid} grid
 * @param {Affine} map
 * @returns {Grid}
 */
function mapGrid(grid, { a, b, c, d }) {
  const [across, down] = [Math.hypot(a, b), Math.hypot(c, d)];
  const upright = Math.abs(b) > Math.abs(a);
  const [width, height] = [roundHundredth(grid.width * across), roundHundredth(grid.height * down)];
  return upright
    ? { width: height, height: width, columns: grid.rows, rows: grid.columns }
    : { ...grid, width, height };
}

/**
 * @param {Region} region
 * @param {Affine} map
 * @param {number} grown
 * @returns {Region}
 */
function mapRegion(region, map, grown) {
  return {
    lines: mappedLines(region.lines, map),
    radius: Math.max(0.01, roundHundredth(region.radius * grown)),
    spacing: Math.max(0.01, roundHundredth(region.spacing * grown)),
  };
}

/**
 * @param {VideoPoint[][]} lines offsets
 * @param {Affine} map
 * @returns {VideoPoint[][]}
 */
function mappedLines(lines, map) {
  const linear = { ...map, e: 0, f: 0 };
  return lines.map((line) => line.map((point) => roundPoint(applyAffine(linear, point))));
}

/** @param {Track[]} tracks @returns {Box | null} round their control points and areas */
export function boundsOf(tracks) {
  const box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  const add = (/** @type {number} */ x, /** @type {number} */ y) => {
    box.left = Math.min(box.left, x);
    box.top = Math.min(box.top, y);
    box.right = Math.max(box.right, x);
    box.bottom = Math.max(box.bottom, y);
  };
  for (const track of tracks) {
    for (const point of track.points) add(point.x, point.y);
    const [first, area] = [track.points[0], carriedBox(track)];
    if (first && area) {
      add(first.x + area.left, first.y + area.top);
      add(first.x + area.right, first.y + area.bottom);
    }
  }
  return box.left <= box.right ? box : null;
}

/** @param {Track} track @returns {Box | null} offsets */
function carriedBox(track) {
  if (track.region) return regionBox(track.region);
  if (track.object) return objectBox(track.object);
  if (!track.grid) return null;
  const { width, height } = track.grid;
  return { left: -width / 2, top: -height / 2, right: width / 2, bottom: height / 2 };
}

/** @param {Box} box @returns {Point} of the box's own space */
export const middleOf = (box) => ({ x: (box.left + box.right) / 2, y: (box.top + box.bottom) / 2 });

/**
 * @param {Box} box
 * @param {Corner} corner
 * @returns {Point} of the box's own space
 */
export const cornerOf = (box, corner) => {
  const middle = middleOf(box);
  return {
    x: middle.x + ((box.right - box.left) / 2) * corner.x,
    y: middle.y + ((box.bottom - box.top) / 2) * corner.y,
  };
};

/**
 * A corner pulled: the opposite one stays.
 * @param {Box} box
 * @param {Corner} corner
 * @param {VideoPoint} by
 * @param {boolean} even the same both ways
 * @returns {Affine}
 */
export function scalingByCorner(box, corner, by, even) {
  const still = cornerOf(box, /** @type {Corner} */ ({ x: -corner.x, y: -corner.y }));
  const grow = (/** @type {number} */ side, /** @type {number} */ sign, /** @type {number} */ moved) =>
    sign && side > 0 ? (side + sign * moved) / side : 1;
  let [sx, sy] = [grow(box.right - box.left, corner.x, by.x), grow(box.bottom - box.top, corner.y, by.y)];
  if (even) {
    const one = Math.abs(sx - 1) > Math.abs(sy - 1) ? sx : sy;
    [sx, sy] = [one, one];
  }
  const kept = (/** @type {number} */ factor) =>
    Math.abs(factor) < SMALLEST ? (factor < 0 ? -SMALLEST : SMALLEST) : factor;
  return scaling(kept(sx), kept(sy), still);
}

/**
 * Turned round the middle of a box, from one place to another.
 * @param {Box} box
 * @param {VideoPoint} from
 * @param {VideoPoint} to
 * @param {boolean} even in steps of 15°
 * @returns {Affine}
 */
export function rotationBetween(box, from, to, even) {
  const middle = middleOf(box);
  const angle = (/** @type {VideoPoint} */ at) =>
    (Math.atan2(at.y - middle.y, at.x - middle.x) * 180) / Math.PI;
  const degrees = angle(to) - angle(from);
  return rotation(even ? Math.round(degrees / 15) * 15 : degrees, middle);
}
