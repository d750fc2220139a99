/** New tracks, with an id, a name and a colour that no other track has. Pure. */

import { brushOf } from "../shared/geometry.js";
import { roundPoint } from "./document.js";
import { COLORS, freeId } from "./read_track.js";

/** @import {EditorState, Kind, Track, TrackDocument, VideoPoint} from "./types.js" */

/** @type {Record<Kind, string>} */
const WORDS = {
  path: "Track",
  freehand: "Track",
  pin: "Pin",
  line: "Line",
  grid: "Grid",
  region: "Region",
  camera: "Camera",
  object: "Object",
};

/**
 * @param {TrackDocument} doc
 * @param {string} word
 * @returns {string} "Word 1", "Word 2" … as is free
 */
export function freeName(doc, word) {
  const names = new Set(doc.tracks.map((track) => track.name));
  let number = 1;
  while (names.has(`${word} ${number}`)) number += 1;
  return `${word} ${number}`;
}

/** @param {TrackDocument} doc @returns {string} */
export function freeColor(doc) {
  const used = new Set(doc.tracks.map((track) => track.color));
  return COLORS.find((color) => !used.has(color)) ?? COLORS[doc.tracks.length % COLORS.length];
}

/**
 * @param {EditorState} state
 * @param {Kind} kind
 * @param {VideoPoint[]} points
 * @returns {Track}
 */
export function newTrack(state, kind, points) {
  return {
    id: freeId(new Set(state.doc.tracks.map((track) => track.id))),
    name: freeName(state.doc, WORDS[kind]),
    color: freeColor(state.doc),
    kind,
    points: points.map(roundPoint),
    interpolation: kind === "path" ? state.interpolation : "linear",
    brush: brushOf(state.brush),
    start: 0,
    end: null,
    visible: true,
  };
}
