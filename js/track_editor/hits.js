/** What lies under a place of the picture, and where places snap. Pure. */

import { distance, distinct, toSegment } from "../shared/geometry.js";
import { inRegion, toLine } from "./areas.js";
import { CURVED, SEGMENTS, trackLine } from "./curves.js";
import { inObject } from "./outlines.js";

/** @import {Box, Guides, Track, TrackDocument, VideoPoint} from "./types.js" */

/** Tracks that can be taken hold of on the canvas. @param {Track} track */
const within = (track) => track.points.length > 0 && !track.hidden && !track.locked;

/**
 * What lies under a place: a control point first (those of the preferred track before others), else the
 * nearest line, else an area.
 * @param {TrackDocument} doc
 * @param {VideoPoint} at
 * @param {number} reach px
 * @param {string | null} prefer
 * @returns {{track: Track, point: number | null} | null}
 */
export function hitTest(doc, at, reach, prefer) {
  const reachable = doc.tracks.filter(within);
  const order = reachable.filter((track) => track.id !== prefer).reverse();
  const first = reachable.find((track) => track.id === prefer);
  const tracks = first ? [first, ...order] : order;
  for (const track of tracks) {
    const near = nearest(track.id === prefer ? track.points : track.points.slice(0, 1), at);
    if (near.index >= 0 && near.distance <= reach) return { track, point: near.index };
  }
  const line = tracks.find((track) => trackLine(track).length > 1 && toLine(at, trackLine(track)) <= reach);
  const found = line ?? tracks.find((track) => inArea(track, at));
  return found ? { track: found, point: null } : null;
}

/**
 * Whether a place lies on what a track carries where it starts. A camera's grid is everywhere and in nobody's
 * way.
 * @param {Track} track
 * @param {VideoPoint} at
 */
function inArea(track, at) {
  const offset = { x: at.x - track.points[0].x, y: at.y - track.points[0].y };
  if (track.kind === "region") return Boolean(track.region && inRegion(track.region, offset));
  if (track.kind === "object") return Boolean(track.object && inObject(track.object, offset));
  if (track.kind === "grid")
    return Boolean(
      track.grid && Math.abs(offset.x) <= track.grid.width / 2 && Math.abs(offset.y) <= track.grid.height / 2,
    );
  return Boolean(
    track.kind !== "camera" && track.brush && Math.hypot(offset.x, offset.y) <= track.brush.radius,
  );
}

/** @param {VideoPoint[]} points @param {VideoPoint} at */
function nearest(points, at) {
  let [index, best] = [-1, Infinity];
  points.forEach((point, i) => {
    if (distance(point, at) < best) [index, best] = [i, distance(point, at)];
  });
  return { index, distance: best };
}

/**
 * Where a new control point belongs: the index it would get, on the piece of the curve nearest to `at`.
 * @param {Track} track with two points or more
 * @param {VideoPoint} at
 * @returns {number}
 */
export function insertIndex(track, at) {
  let [index, best] = [1, Infinity];
  const kept = track.points;
  const curved =
    CURVED.includes(track.kind) && track.interpolation !== "linear" && distinct(kept).length === kept.length;
  const line = curved ? trackLine(track) : kept;
  const pieces = curved ? SEGMENTS : 1;
  for (let i = 1; i < line.length; i++) {
    const off = toSegment(at, line[i - 1], line[i]).distance;
    if (off < best) [index, best] = [Math.floor((i - 1) / pieces) + 1, off];
  }
  return index;
}

/**
 * @param {TrackDocument} doc
 * @param {Box} box
 * @returns {string[]} ids of the tracks with a control point in it
 */
export const tracksIn = (doc, { left, top, right, bottom }) =>
  doc.tracks
    .filter(
      (track) =>
        within(track) && track.points.some(({ x, y }) => x >= left && x <= right && y >= top && y <= bottom),
    )
    .map((track) => track.id);

/**
 * @param {VideoPoint} a
 * @param {VideoPoint} b
 * @returns {Box}
 */
export const boxOf = (a, b) => ({
  left: Math.min(a.x, b.x),
  top: Math.min(a.y, b.y),
  right: Math.max(a.x, b.x),
  bottom: Math.max(a.y, b.y),
});

/**
 * A place drawn to the edges and the middle of the picture and to the control points of other tracks, each
 * way by itself.
 * @param {TrackDocument} doc
 * @param {VideoPoint} at
 * @param {number} reach px
 * @param {(track: string, point: number) => boolean} skip
 * @returns {{at: VideoPoint, guides: Guides}}
 */
export function snapPoint(doc, at, reach, skip) {
  const points = doc.tracks
    .filter((track) => !track.hidden)
    .flatMap((track) => track.points.filter((_, i) => !skip(track.id, i)));
  const x = closest([0, (doc.width - 1) / 2, doc.width - 1, ...points.map((point) => point.x)], at.x, reach);
  const y = closest(
    [0, (doc.height - 1) / 2, doc.height - 1, ...points.map((point) => point.y)],
    at.y,
    reach,
  );
  return { at: { x: x ?? at.x, y: y ?? at.y }, guides: { x, y } };
}

/**
 * @param {number[]} values
 * @param {number} wanted
 * @param {number} reach
 * @returns {number | null}
 */
function closest(values, wanted, reach) {
  const best = values.reduce(
    (found, value) => (Math.abs(value - wanted) < Math.abs(found - wanted) ? value : found),
    Infinity,
  );
  return Math.abs(best - wanted) <= reach ? best : null;
}

/**
 * A place on one of the eight rays from another.
 * @param {VideoPoint} from
 * @param {VideoPoint} at
 * @returns {VideoPoint}
 */
export function snapToRay(from, at) {
  const step = Math.PI / 4;
  const angle = Math.round(Math.atan2(at.y - from.y, at.x - from.x) / step) * step;
  const length = (at.x - from.x) * Math.cos(angle) + (at.y - from.y) * Math.sin(angle);
  return { x: from.x + length * Math.cos(angle), y: from.y + length * Math.sin(angle) };
}
