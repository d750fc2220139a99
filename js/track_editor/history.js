/** The editor's state, what of it is selected, and the history of its document. Pure. */

import { fitDocument, sameSize } from "./document.js";
import { isSame } from "./fingerprint.js";

/** @import {EditorState, Interpolation, Selection, Size, Track, TrackDocument} from "./types.js" */

const HISTORY = 100;
/** @type {Selection} */
export const NOTHING = Object.freeze({ track: null, point: null, tracks: [] });

/** @param {TrackDocument} doc @returns {EditorState} */
export function initialState(doc) {
  return {
    doc,
    past: [],
    future: [],
    lastKey: null,
    resized: null,
    picture: null,
    tool: "draw",
    selection: NOTHING,
    open: null,
    stroke: null,
    use: "track",
    drag: null,
    guides: null,
    brush: Math.round(Math.min(doc.width, doc.height) * 0.08),
    interpolation: "spline",
    frame: 0,
    options: { snap: false, onion: false, numbers: true, drift: false },
  };
}

/** @param {EditorState} state @returns {Track | null} the one whose points are shown */
export const selectedTrack = (state) =>
  state.doc.tracks.find((track) => track.id === state.selection.track) ?? null;

/** @param {EditorState} state @returns {Track[]} in the order of the layers */
export const selectedTracks = (state) =>
  state.doc.tracks.filter((track) => state.selection.tracks.includes(track.id));

/**
 * The kind of curve that the toolbar shows: the selected track's, else that of the next one.
 * @param {EditorState} state
 * @returns {Interpolation}
 */
export function shownInterpolation(state) {
  const track = selectedTrack(state);
  return track && !["freehand", "pin", "line"].includes(track.kind)
    ? track.interpolation
    : state.interpolation;
}

/**
 * @param {string} track
 * @param {number | null} [point]
 * @returns {Selection}
 */
export const only = (track, point = null) => ({ track, point, tracks: [track] });

/** @param {string[]} tracks @returns {Selection} */
export const many = (tracks) =>
  tracks.length ? { track: tracks[tracks.length - 1], point: null, tracks } : NOTHING;

/**
 * One more, or one less.
 * @param {Selection} selection
 * @param {string} track
 * @returns {Selection}
 */
export function toggled(selection, track) {
  const has = selection.tracks.includes(track);
  return many(has ? selection.tracks.filter((id) => id !== track) : [...selection.tracks, track]);
}

/**
 * The document replaced, as one step of the history.
 * @param {EditorState} state
 * @param {TrackDocument} doc
 * @param {string | null} [key]
 * @returns {EditorState}
 */
export function committed(state, doc, key = null) {
  const merged = key !== null && key === state.lastKey;
  const past = merged ? state.past : [...state.past, state.doc].slice(-HISTORY);
  return { ...state, doc, past, future: [], lastKey: key, selection: kept(doc, state.selection) };
}

/**
 * The selection as far as it still exists.
 * @param {TrackDocument} doc
 * @param {Selection} selection
 * @returns {Selection}
 */
export function kept(doc, selection) {
  const ids = new Set(doc.tracks.map((track) => track.id));
  const left = selection.tracks.filter((id) => ids.has(id));
  const track = doc.tracks.find((candidate) => candidate.id === selection.track);
  if (!track) return many(left);
  const gone = selection.point !== null && selection.point >= track.points.length;
  return left.length === selection.tracks.length && !gone
    ? selection
    : { track: track.id, point: gone ? null : selection.point, tracks: left };
}

/**
 * @param {EditorState} state
 * @param {"past" | "future"} from
 * @param {"past" | "future"} to
 * @returns {EditorState}
 */
export function travelled(state, from, to) {
  const entry = from === "past" ? state.past[state.past.length - 1] : state.future[0];
  if (!entry) return state;
  const doc = fitDocument(entry, state.doc, state.picture);
  const past = from === "past" ? state.past.slice(0, -1) : [...state.past, state.doc];
  const future = to === "future" ? [state.doc, ...state.future] : state.future.slice(1);
  return {
    ...state,
    doc,
    past,
    future,
    lastKey: null,
    selection: kept(doc, state.selection),
    frame: Math.min(state.frame, doc.frames - 1),
  };
}

/**
 * A document from outside: a step of our own history if it is one, else a new beginning.
 * @param {EditorState} calm nothing half done
 * @param {TrackDocument} doc
 * @returns {EditorState}
 */
export function loaded(calm, doc) {
  const same = (/** @type {TrackDocument | undefined} */ other) => other !== undefined && isSame(other, doc);
  if (same(calm.past[calm.past.length - 1])) return travelled(calm, "past", "future");
  if (same(calm.future[0])) return travelled(calm, "future", "past");
  const { tool, interpolation, options, picture } = calm;
  return {
    ...initialState(doc),
    tool,
    interpolation,
    options,
    picture,
    selection: kept(doc, calm.selection),
  };
}

/**
 * @param {EditorState} before
 * @param {Size} size
 * @param {EditorState["picture"]} picture below the tracks
 * @returns {EditorState}
 */
export function resized(before, size, picture) {
  const known = before.picture?.width === picture?.width && before.picture?.height === picture?.height;
  const state = known ? before : { ...before, picture };
  if (sameSize(state.doc, size)) return state;
  const from = state.resized?.to === state.doc ? state.resized.from : state.doc;
  const doc = fitDocument(from, size, picture);
  const ratio = Math.min(size.width / state.doc.width, size.height / state.doc.height);
  const brush = Math.round(state.brush * ratio);
  return {
    ...state,
    doc,
    resized: { from, to: doc },
    drag: null,
    stroke: null,
    guides: null,
    brush,
    frame: Math.min(state.frame, size.frames - 1),
  };
}
