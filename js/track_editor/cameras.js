/**
 * Camera moves as editable tracks: a grid over the picture, a path for the pan, a turn for the roll, a growth
 * for the zoom. Pure.
 */

import { roundHundredth } from "./document.js";
import { SPEED_PRESETS } from "./speed.js";

/** @import {Size, Track, VideoPoint} from "./types.js" */

const PAN = 0.18; // of the side
const ZOOM = 1.35;
const ROLL = 12; // degrees
const INSET = 6;

/**
 * What a preset does to the picture, by the camera's own direction.
 * @type {Record<string, {pan?: VideoPoint, zoom?: number, roll?: number}>}
 */
export const CAMERA_PRESETS = {
  "pan-left": { pan: { x: PAN, y: 0 } },
  "pan-right": { pan: { x: -PAN, y: 0 } },
  "pan-up": { pan: { x: 0, y: PAN } },
  "pan-down": { pan: { x: 0, y: -PAN } },
  "zoom-in": { zoom: ZOOM },
  "zoom-out": { zoom: 1 / ZOOM },
  "roll-left": { roll: ROLL },
  "roll-right": { roll: -ROLL },
};

/**
 * A camera that rests, over the whole picture.
 * @param {Size} size
 * @returns {Pick<Track, "points" | "grid" | "interpolation" | "brush" | "speed" | "carries">}
 */
export function restingCamera({ width, height }) {
  const spacing = Math.max(8, Math.max(width, height) / 9);
  const count = (/** @type {number} */ side) => Math.max(2, Math.round(side / spacing));
  return {
    points: [{ x: (width - 1) / 2, y: (height - 1) / 2 }],
    interpolation: "spline",
    brush: null,
    grid: {
      width: Math.max(1, width - 1 - 2 * INSET),
      height: Math.max(1, height - 1 - 2 * INSET),
      columns: count(width),
      rows: count(height),
    },
    speed: SPEED_PRESETS["ease-in-out"],
    carries: true,
  };
}

/**
 * A preset on top of what a camera does already.
 * @param {Track} track
 * @param {string} preset
 * @param {Size} size
 * @returns {Track}
 */
export function withPreset(track, preset, size) {
  const { pan, zoom = 1, roll = 0 } = CAMERA_PRESETS[preset];
  const scale = Math.min(100, Math.max(0.01, roundHundredth((track.scale ?? 1) * zoom)));
  const made = { ...track, turn: (track.turn ?? 0) + roll, scale };
  if (!pan) return made;
  const { x, y } = panOf(track);
  return withPan(made, { x: x - pan.x * size.width, y: y - pan.y * size.height });
}

/**
 * How far the camera goes, in its own direction: the picture goes the other way.
 * @param {Track} track
 * @returns {VideoPoint}
 */
export function panOf(track) {
  const [first, last] = [track.points[0], track.points[track.points.length - 1]];
  return { x: roundHundredth(first.x - last.x), y: roundHundredth(first.y - last.y) };
}

/**
 * The last point put where this pan ends. A path with corners keeps them.
 * @param {Track} track
 * @param {VideoPoint} pan
 * @returns {Track}
 */
export function withPan(track, { x, y }) {
  const first = track.points[0];
  const end = { x: roundHundredth(first.x - x), y: roundHundredth(first.y - y) };
  const between = track.points.slice(1, -1);
  const rests = !between.length && Math.abs(x) < 0.005 && Math.abs(y) < 0.005;
  return { ...track, points: rests ? [first] : [first, ...between, end] };
}
