/**
 * The live camera as a person holds it: how far every control is pushed, from −1 to 1, and the speeds that
 * follow. Pure. A control springs back when it is let go, unless it is to hold.
 *
 * @typedef {"x" | "y" | "zoom" | "roll" | "orbit"} Axis
 * @typedef {Record<Axis, number>} Push
 * @typedef {{push: Push, hold: boolean}} Rig
 */

/** @import {Speeds} from "./protocol.js" */

/** @type {Readonly<Push>} */
export const AT_REST = Object.freeze({ x: 0, y: 0, zoom: 0, roll: 0, orbit: 0 });
const MAX_SPEED = { zoom: 1, roll: 60, orbit: 30 };
const PAN_SHARE = 0.5; // of the longer side of the picture, in a second
const KEY_PUSH = 0.75;
const KEY_STEP = 0.25;

/** @type {Record<string, [Axis, 1 | -1]>} */
const KEYS = {
  ArrowLeft: ["x", -1],
  ArrowRight: ["x", 1],
  ArrowUp: ["y", -1],
  ArrowDown: ["y", 1],
  "+": ["zoom", 1],
  "=": ["zoom", 1],
  "-": ["zoom", -1],
  _: ["zoom", -1],
  "[": ["roll", -1],
  "]": ["roll", 1],
};

/** @returns {Rig} */
export const createRig = () => ({ push: { ...AT_REST }, hold: false });

/**
 * @param {Rig} rig
 * @param {Partial<Push>} push
 * @returns {Rig}
 */
export function pushRig(rig, push) {
  const clamped = Object.fromEntries(
    Object.entries(push).map(([axis, value]) => [axis, Math.min(1, Math.max(-1, value))]),
  );
  return { ...rig, push: { ...rig.push, ...clamped } };
}

/**
 * @param {Rig} rig
 * @param {Axis[]} axes
 * @returns {Rig}
 */
export const releaseAxes = (rig, axes) =>
  rig.hold ? rig : pushRig(rig, Object.fromEntries(axes.map((axis) => [axis, 0])));

/**
 * @param {Rig} rig
 * @param {boolean} hold
 * @returns {Rig} without holding, all springs back at once
 */
export const holdRig = (rig, hold) => ({ push: hold ? rig.push : { ...AT_REST }, hold });

/** Fine near the middle: the speed grows with the square. @param {number} push */
const curve = (push) => push * Math.abs(push);
/** @param {number} share */
const uncurve = (share) => Math.sign(share) * Math.sqrt(Math.min(1, Math.abs(share)));

/**
 * @param {Rig} rig
 * @param {{width: number, height: number}} video
 * @returns {Speeds}
 */
export function speedsFromRig({ push }, video) {
  const pan = PAN_SHARE * Math.max(video.width, video.height);
  return {
    pan: [curve(push.x) * pan, curve(push.y) * pan],
    zoom: curve(push.zoom) * MAX_SPEED.zoom,
    roll: curve(push.roll) * MAX_SPEED.roll,
    orbit: curve(push.orbit) * MAX_SPEED.orbit,
  };
}

/**
 * The camera that the sampler says it has.
 * @param {Rig} rig
 * @param {Speeds} speeds
 * @param {{width: number, height: number}} video
 * @returns {Rig}
 */
export function rigFromSpeeds(rig, speeds, video) {
  const pan = PAN_SHARE * Math.max(1, video.width, video.height);
  const turns = {
    zoom: uncurve(speeds.zoom / MAX_SPEED.zoom),
    roll: uncurve(speeds.roll / MAX_SPEED.roll),
    orbit: uncurve(speeds.orbit / MAX_SPEED.orbit),
  };
  return { ...rig, push: { x: uncurve(speeds.pan[0] / pan), y: uncurve(speeds.pan[1] / pan), ...turns } };
}

/** @param {{key: string, shiftKey: boolean}} key @returns {[Axis, 1 | -1] | null} */
export function axisOf({ key, shiftKey }) {
  if (!Object.hasOwn(KEYS, key)) return null;
  const [axis, direction] = KEYS[key];
  return shiftKey && axis === "x" ? ["orbit", direction] : [axis, direction];
}

/**
 * A key goes down: pushed while it is held, or, where the camera holds, one step further.
 * @param {Rig} rig
 * @param {Axis} axis
 * @param {1 | -1} direction
 * @returns {Rig}
 */
export const pushByKey = (rig, axis, direction) =>
  pushRig(rig, { [axis]: rig.hold ? rig.push[axis] + direction * KEY_STEP : direction * KEY_PUSH });

/** @param {Rig} rig */
export const isAtRest = (rig) => Object.values(rig.push).every((push) => push === 0);
