/** What holds the background of a document's picture where it is. Pure. */

import { distance } from "../shared/geometry.js";

/** @import {Track, TrackDocument} from "./types.js" */

/** @param {Track} track with points */
const rests = (track) =>
  track.kind === "pin" ||
  (!track.turn &&
    (track.scale ?? 1) === 1 &&
    track.points.every((point) => distance(point, track.points[0]) < 1e-6));

/**
 * Whether all of the picture moves along with the tracks without anybody having asked for it: something
 * moves, nothing rests, and no camera moves the picture.
 * @param {TrackDocument} doc
 * @returns {boolean}
 */
export function isGroundLoose(doc) {
  if (doc.pin_border) return false;
  const used = doc.tracks.filter((track) => track.visible && track.points.length);
  if (used.some((track) => track.kind === "camera" || rests(track))) return false;
  return used.length > 0;
}
