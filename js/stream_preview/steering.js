/**
 * Hands on the live picture: what presses, drags and lifts of pointers mean with each tool. Pure: every call
 * gives the steering that follows and the controls to send. Places are pixels of the video, times ms.
 *
 *     grab   on a handle: it follows the pointer. Beside one: all points within the radius do.
 *            Several pointers are several hands.
 *     pin    a click, or several places painted in one go
 *     path   a stroke that is travelled from now on
 *     grid   a rectangle of resting points
 *     object a thing of the picture, by a click or a box round it
 *     erase  every handle touched
 */

import { brushOf, distance, simplify, stepRadius as steppedBy } from "../shared/geometry.js";
import * as controls from "./controls.js";

/** @import {VideoPoint} from "../shared/types.js" */
/** @import {Control, ReleaseMode} from "./controls.js" */
/** @import {Handle} from "./protocol.js" */

/**
 * @typedef {"grab" | "pin" | "path" | "grid" | "object" | "erase"} Tool
 *
 * @typedef {object} Hand
 * @property {number} pointer
 * @property {number} hand
 * @property {number | null} handle  null = a place
 * @property {VideoPoint} offset  of the pointer from it
 * @property {VideoPoint} from  where the held thing was and is to be
 * @property {VideoPoint} at  where the held thing was and is to be
 *
 * @typedef {object} Draft
 * @property {number} pointer
 * @property {Tool} tool
 * @property {VideoPoint[]} points
 * @property {number} began
 * @property {number[]} touched  handles erased so far
 *
 * @typedef {object} Steering
 * @property {Tool} tool
 * @property {number} radius  of the brush, video pixels
 * @property {ReleaseMode} mode  what letting go does
 * @property {number} seconds  of a drawn path; 0 = as long as the drawing took
 * @property {Hand[]} hands
 * @property {Draft | null} draft
 * @property {number} base  the first hand this view uses, so that two views of a run rarely share one
 *
 * @typedef {{steering: Steering, controls: Control[]}} Step
 *
 * @typedef {object} Press
 * @property {number} pointer
 * @property {VideoPoint} at
 * @property {number} time
 * @property {Handle[]} handles
 * @property {number} reach  how far from a handle still is on it
 * @property {Handle | null} taken  the handle that a grab takes
 */

/** Tools whose brush has a radius. @type {Tool[]} */
export const WITH_RADIUS = ["grab", "pin", "path"];
const HIDDEN = 3;
const PAINT_STEP = 12; // between pins painted in one go
const GRID_STEP = 16;
const MAX_IN_GRID = 400;
const LEAST_BOX = 4; // px, each way
const PATH_SECONDS = { least: 0.3, most: 60 };
const TOLERANCE = 0.35;

/** @param {number} [base] @returns {Steering} */
export const createSteering = (base = 0) => ({
  tool: "grab",
  radius: 12,
  mode: "pin",
  seconds: 0,
  hands: [],
  draft: null,
  base,
});

/** @param {{width: number, height: number}} video @returns {number} a radius that suits the video */
export const usualRadius = (video) => Math.max(2, Math.round(Math.min(video.width, video.height) * 0.09));

/** @param {{width: number, height: number}} video */
export const largestRadius = (video) => Math.max(8, Math.round(Math.min(video.width, video.height) / 3));

/**
 * One step larger or smaller.
 * @param {number} radius
 * @param {1 | -1} direction
 * @param {{width: number, height: number}} video
 * @returns {number}
 */
export const stepRadius = (radius, direction, video) =>
  Math.min(largestRadius(video), steppedBy(radius, direction));

/**
 * The nearest handle that can be seen, within reach.
 * @param {Handle[]} handles
 * @param {VideoPoint} at
 * @param {number} reach
 * @returns {Handle | null}
 */
export function handleAt(handles, at, reach) {
  let [found, best] = [/** @type {Handle | null} */ (null), reach];
  for (const handle of handles) {
    const away = distance({ x: handle[1], y: handle[2] }, at);
    if (handle[3] !== HIDDEN && away <= best) [found, best] = [handle, away];
  }
  return found;
}

/**
 * @param {Steering} steering
 * @param {Press} event
 * @returns {Step}
 */
export function press(steering, event) {
  if (steering.tool === "grab") return grab(steering, event);
  if (steering.draft) return { steering, controls: [] };
  const draft = {
    pointer: event.pointer,
    tool: steering.tool,
    points: [event.at],
    began: event.time,
    touched: [],
  };
  const begun = { ...steering, draft };
  return steering.tool === "erase"
    ? erase(begun, draft, [event.at], event)
    : { steering: begun, controls: [] };
}

/**
 * @param {Steering} steering
 * @param {Press} event
 * @returns {Step}
 */
function grab(steering, { pointer, at, taken: handle }) {
  const hand = freeHand(steering);
  if (hand === null || steering.hands.some((held) => held.pointer === pointer))
    return { steering, controls: [] };
  const from = handle ? { x: handle[1], y: handle[2] } : at;
  const held = {
    pointer,
    hand,
    handle: handle?.[0] ?? null,
    offset: { x: at.x - from.x, y: at.y - from.y },
    from,
    at: from,
  };
  const control = handle
    ? controls.grabHandle(hand, handle[0])
    : controls.grabPlace(hand, at, steering.radius);
  return { steering: { ...steering, hands: [...steering.hands, held] }, controls: [control] };
}

/** @param {Steering} steering @returns {number | null} */
function freeHand(steering) {
  for (let i = 0; i < controls.HANDS; i++) {
    const hand = (steering.base + i) % controls.HANDS;
    if (!steering.hands.some((held) => held.hand === hand)) return hand;
  }
  return null;
}

/**
 * @param {Steering} steering
 * @param {{pointer: number, places: VideoPoint[], handles: Handle[], reach: number}} event places: passed
 *   since the last one, oldest first
 * @returns {Step}
 */
export function drag(steering, event) {
  const { draft } = steering;
  if (draft?.pointer === event.pointer) {
    if (draft.tool === "erase") return erase(steering, draft, event.places, event);
    return {
      steering: { ...steering, draft: { ...draft, points: extendDraft(draft, event.places) } },
      controls: [],
    };
  }
  const held = steering.hands.find((hand) => hand.pointer === event.pointer);
  if (!held || !event.places.length) return { steering, controls: [] };
  const to = event.places.map(({ x, y }) => ({ x: x - held.offset.x, y: y - held.offset.y }));
  const hands = steering.hands.map((hand) => (hand === held ? { ...hand, at: to[to.length - 1] } : hand));
  return { steering: { ...steering, hands }, controls: [controls.move(held.hand, to)] };
}

/**
 * @param {Draft} draft
 * @param {VideoPoint[]} places
 * @returns {VideoPoint[]}
 */
function extendDraft(draft, places) {
  if (draft.tool === "grid" || draft.tool === "object")
    return [draft.points[0], places.at(-1) ?? draft.points[0]];
  const points = [...draft.points];
  const step = draft.tool === "pin" ? PAINT_STEP : 0.5;
  for (const place of places) if (distance(points[points.length - 1], place) >= step) points.push(place);
  return points;
}

/**
 * @param {Steering} steering
 * @param {Draft} draft
 * @param {VideoPoint[]} places
 * @param {{handles: Handle[], reach: number}} event
 * @returns {Step}
 */
function erase(steering, draft, places, { handles, reach }) {
  const touched = new Set(draft.touched);
  /** @type {Control[]} */
  const sent = [];
  for (const place of places) {
    const handle = handleAt(handles, place, reach);
    if (!handle || touched.has(handle[0])) continue;
    touched.add(handle[0]);
    sent.push(controls.remove(handle[0]));
  }
  return { steering: { ...steering, draft: { ...draft, touched: [...touched] } }, controls: sent };
}

/**
 * @param {Steering} steering
 * @param {{pointer: number, time: number}} event
 * @returns {Step}
 */
export function lift(steering, { pointer, time }) {
  const { draft } = steering;
  if (draft?.pointer === pointer)
    return { steering: { ...steering, draft: null }, controls: finished(steering, draft, time) };
  const held = steering.hands.find((hand) => hand.pointer === pointer);
  if (!held) return { steering, controls: [] };
  return {
    steering: { ...steering, hands: steering.hands.filter((hand) => hand !== held) },
    controls: [controls.release(held.hand, steering.mode)],
  };
}

/**
 * @param {Steering} steering
 * @param {Draft} draft
 * @param {number} time
 * @returns {Control[]}
 */
function finished(steering, draft, time) {
  const brush = brushOf(steering.radius);
  if (draft.tool === "pin")
    return [controls.addResting("pin", draft.points, draft.points.length > 1 ? null : brush)];
  if (draft.tool === "grid") {
    const points = gridPoints(draft.points);
    return points.length > 1 ? [controls.addResting("grid", points)] : [];
  }
  if (draft.tool === "object") return [controls.addObject(boxOrPlace(draft.points))];
  if (draft.tool !== "path" || draft.points.length < 2) return [];
  const taken = Math.min(PATH_SECONDS.most, Math.max(PATH_SECONDS.least, (time - draft.began) / 1000));
  return [controls.addPath(simplify(draft.points, TOLERANCE), steering.seconds || taken, brush)];
}

/**
 * @param {VideoPoint[]} corners
 * @returns {VideoPoint[]} the first alone where they are no box
 */
const boxOrPlace = ([a, b]) =>
  b && Math.abs(a.x - b.x) >= LEAST_BOX && Math.abs(a.y - b.y) >= LEAST_BOX ? [a, b] : [a];

/**
 * The resting points of a rectangle. None where it is too small for two.
 * @param {VideoPoint[]} corners
 * @returns {VideoPoint[]}
 */
export function gridPoints([a, b]) {
  if (!b || Math.max(Math.abs(a.x - b.x), Math.abs(a.y - b.y)) < GRID_STEP / 2) return [];
  const [left, top] = [Math.min(a.x, b.x), Math.min(a.y, b.y)];
  const [width, height] = [Math.abs(a.x - b.x), Math.abs(a.y - b.y)];
  const step = Math.max(GRID_STEP, Math.sqrt((width * height) / MAX_IN_GRID) * 1.1);
  const [columns, rows] = [
    Math.max(1, Math.round(width / step) + 1),
    Math.max(1, Math.round(height / step) + 1),
  ];
  const along = (
    /** @type {number} */ from,
    /** @type {number} */ length,
    /** @type {number} */ i,
    /** @type {number} */ count,
  ) => (count > 1 ? from + (length * i) / (count - 1) : from + length / 2);
  return Array.from({ length: columns * rows }, (_, k) => ({
    x: along(left, width, k % columns, columns),
    y: along(top, height, Math.floor(k / columns), rows),
  }));
}

/**
 * All hands let go, what is half drawn is left out.
 * @param {Steering} steering
 * @returns {Step}
 */
export function releaseAll(steering) {
  return {
    steering: { ...steering, hands: [], draft: null },
    controls: steering.hands.map((held) => controls.release(held.hand, steering.mode)),
  };
}
