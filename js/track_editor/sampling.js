/**
 * Where every point of a document is at a frame, as docs/track-document.md says. tests/golden/spline.json
 * holds Python and this file together. Pure.
 */

import { borderPins, trackOffsets } from "./areas.js";
import { pathOf } from "./curves.js";
import { speedShare } from "./speed.js";

/** @import {Track, TrackDocument, VideoPoint} from "./types.js" */

/**
 * @typedef {object} Pose  the moving point, and the turn and growth of what it carries:
 *   an offset (x, y) lies at (a·x − b·y, b·x + a·y) from it
 * @property {VideoPoint} centre
 * @property {number} a
 * @property {number} b
 */

/**
 * @param {Pick<Track, "start" | "end"> & Partial<Track>} track
 * @param {number} frame
 * @param {number} frames
 * @returns {number} 0..1 of the path
 */
export function progress(track, frame, frames) {
  const end = track.end ?? frames - 1;
  const time = Math.min(1, Math.max(0, (frame - track.start) / Math.max(1, end - track.start)));
  return track.speed ? speedShare(track.speed, time) : time;
}

/**
 * @param {Track} track with points
 * @param {number} frame
 * @param {number} frames
 * @returns {Pose}
 */
export function poseAt(track, frame, frames) {
  if (track.kind === "pin") return { centre: track.points[0], a: 1, b: 0 };
  const share = progress(track, frame, frames);
  const centre = pathOf(track).at(share);
  if (!track.turn && (track.scale ?? 1) === 1) return { centre, a: 1, b: 0 };
  const [angle, grown] = [((track.turn ?? 0) * Math.PI * share) / 180, (track.scale ?? 1) ** share];
  return { centre, a: grown * Math.cos(angle), b: grown * Math.sin(angle) };
}

/**
 * @param {Pose} place
 * @param {VideoPoint} offset
 * @returns {VideoPoint}
 */
export const atPose = ({ centre, a, b }, { x, y }) => ({
  x: centre.x + a * x - b * y,
  y: centre.y + b * x + a * y,
});

/**
 * @param {Track} track with points
 * @param {number} frame
 * @param {number} frames
 * @returns {VideoPoint} the centre at that frame, before any camera
 */
export const positionAt = (track, frame, frames) => poseAt(track, frame, frames).centre;

/**
 * @param {Track} track
 * @param {number} frame
 * @returns {boolean}
 */
export const isShown = (track, frame) =>
  !track.shown || track.shown.some(([first, last]) => frame >= first && frame <= last);

/**
 * What the cameras that move the other tracks do to a place of the picture at a frame.
 * @param {TrackDocument} doc
 * @param {number} frame
 * @param {number} [frames]
 * @returns {((place: VideoPoint) => VideoPoint) | null} null = there is none
 */
export function cameraMove(doc, frame, frames = doc.frames) {
  const cameras = doc.tracks.filter(
    (track) => track.kind === "camera" && track.carries && track.visible && track.points.length,
  );
  if (!cameras.length) return null;
  const moves = cameras.map((camera) => ({ pivot: camera.points[0], place: poseAt(camera, frame, frames) }));
  return (at) =>
    moves.reduce((from, { pivot, place }) => atPose(place, { x: from.x - pivot.x, y: from.y - pivot.y }), at);
}

/**
 * @param {Track} track
 * @param {number} frame
 * @param {number} frames
 * @param {((place: VideoPoint) => VideoPoint) | null} camera
 * @returns {VideoPoint[]}
 */
export function trackPoints(track, frame, frames, camera) {
  const place = poseAt(track, frame, frames);
  const points = trackOffsets(track).map((offset) => atPose(place, offset));
  return camera && track.kind !== "camera" ? points.map(camera) : points;
}

/**
 * @param {TrackDocument} doc
 * @param {number} frame
 * @param {number} [frames]
 * @returns {VideoPoint[]} all points at one frame, in the order of the output
 */
export function sampleDocument(doc, frame, frames = doc.frames) {
  const camera = cameraMove(doc, frame, frames);
  const points = drawn(doc).flatMap((track) => trackPoints(track, frame, frames, camera));
  return doc.pin_border ? [...points, ...borderPins(doc.width, doc.height)] : points;
}

/**
 * @param {TrackDocument} doc
 * @param {number} frame
 * @returns {boolean[]} whether each point is seen
 */
export function sampleVisible(doc, frame) {
  const seen = drawn(doc).flatMap((track) => trackOffsets(track).map(() => isShown(track, frame)));
  return doc.pin_border ? [...seen, ...borderPins(doc.width, doc.height).map(() => true)] : seen;
}

/** @param {TrackDocument} doc */
const drawn = (doc) => doc.tracks.filter((track) => track.visible && track.points.length);
