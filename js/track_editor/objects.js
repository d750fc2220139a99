/**
 * Objects of a document: made of a mask, joined with another, painted on with the brush. Pure: state in,
 * state out.
 */

import { roundHundredth, roundPoint } from "./document.js";
import { added, withTrack } from "./edits.js";
import { committed, only, selectedTrack } from "./history.js";
import { newTrack } from "./new_track.js";
import { fillOutlines, joinMasks, middleOfMask, paintMask, resizeMask, sizeOf } from "./outlines.js";
import { traceMask } from "../shared/masks.js";

/** @import {CutOut, EditorState, Track, TrackDocument, VideoPoint} from "./types.js" */
/** @import {Mask} from "../shared/masks.js" */

const FINE = 512; // px: a video up to this large has two cells a pixel
const POINTS = 24; // about so many go with an object
const LEAST_SPACING = 2; // px

/** @typedef {"new" | "add" | "less"} CutWay  a new object; more of the selected one; less of it */

/** @param {TrackDocument} doc @returns {number} cells a pixel of the masks that are edited */
const cellsOf = (doc) => (Math.max(doc.width, doc.height) <= FINE ? 2 : 1);

/**
 * @param {EditorState} state
 * @returns {(Track & {object: CutOut}) | null} the selected object, if it may change
 */
export function selectedObject(state) {
  const track = selectedTrack(state);
  return track?.kind === "object" && track.object && !track.locked
    ? /** @type {Track & {object: CutOut}} */ (track)
    : null;
}

/**
 * @param {Track & {object: CutOut}} track
 * @param {TrackDocument} doc
 * @returns {Mask}
 */
export function maskOf(track, doc) {
  const cells = cellsOf(doc);
  const [start] = track.points;
  const lines = track.object.outlines.map((line) =>
    line.map(({ x, y }) => ({ x: toCell(x + start.x, cells), y: toCell(y + start.y, cells) })),
  );
  return fillOutlines(lines, doc.width * cells, doc.height * cells);
}

/**
 * From video pixels, the middle of the first at 0, to cells, likewise.
 * @param {number} place
 * @param {number} cells a pixel
 */
const toCell = (place, cells) => (place + 0.5) * cells - 0.5;

/**
 * @param {Mask} mask over the whole video
 * @param {TrackDocument} doc
 * @param {VideoPoint} start
 * @returns {VideoPoint[][]} offsets from the start, video pixels
 */
function outlinesOf(mask, doc, start) {
  const [sx, sy] = [doc.width / mask.width, doc.height / mask.height];
  return traceMask(mask).map((line) =>
    line.map(({ x, y }) => roundPoint({ x: x * sx - 0.5 - start.x, y: y * sy - 0.5 - start.y })),
  );
}

/**
 * A mask over the whole video becomes an object, or changes the selected one.
 * @param {EditorState} state
 * @param {Mask} mask
 * @param {CutWay} way
 * @returns {EditorState}
 */
export function cutOut(state, mask, way) {
  const track = selectedObject(state);
  if (way !== "new" && track) {
    const own = maskOf(track, state.doc);
    return reshaped(state, track, joinMasks(own, resizeMask(mask, own.width, own.height), way === "add"));
  }
  const middle = way === "less" ? null : middleOfMask(mask);
  if (!middle) return state;
  const [sx, sy] = [state.doc.width / mask.width, state.doc.height / mask.height];
  const start = roundPoint({ x: (middle.x + 0.5) * sx - 0.5, y: (middle.y + 0.5) * sy - 0.5 });
  const outlines = outlinesOf(mask, state.doc, start);
  if (!outlines.length) return state;
  const spacing = roundHundredth(Math.max(LEAST_SPACING, Math.sqrt((sizeOf(mask) * sx * sy) / POINTS)));
  return added(state, {
    ...newTrack(state, "object", [start]),
    interpolation: state.interpolation,
    brush: null,
    object: { outlines, spacing },
  });
}

/**
 * A stroke of the brush painted into the selected object, or out of it.
 * @param {EditorState} state
 * @param {VideoPoint[]} stroke
 * @param {number} radius px
 * @param {boolean} inside
 * @returns {EditorState}
 */
export function objectPainted(state, stroke, radius, inside) {
  const track = selectedObject(state);
  if (!track) return state;
  const cells = cellsOf(state.doc);
  const line = stroke.map(({ x, y }) => ({ x: toCell(x, cells), y: toCell(y, cells) }));
  return reshaped(state, track, paintMask(maskOf(track, state.doc), line, radius * cells, inside));
}

/**
 * @param {EditorState} state
 * @param {Track & {object: CutOut}} track
 * @param {Mask} mask
 * @returns {EditorState} as it was where nothing would be left, or nothing changes
 */
function reshaped(state, track, mask) {
  const before = maskOf(track, state.doc);
  if (mask.cells.every((cell, i) => cell === before.cells[i])) return state;
  const outlines = outlinesOf(mask, state.doc, track.points[0]);
  if (!outlines.length) return state;
  const next = committed(
    state,
    withTrack(state.doc, track.id, () => ({ ...track, object: { ...track.object, outlines } })),
  );
  return { ...next, selection: only(track.id) };
}
