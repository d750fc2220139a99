/**
 * The editor's state and the one way to change it: reduce(state, event), pure. Holds the history of the document.
 * Knows nothing of the DOM, of drawing or of the host.
 */

import { COLORS, fitDocument, freeId, roundPoint, sameSize } from "./document.js";
import { brushOf, distance, insertIndex, simplify } from "./geometry.js";

/** @import {EditorEvent, EditorState, Kind, Point, Selection, Track, TrackChanges, TrackDocument} from "./types.js" */

const HISTORY = 100;
const STROKE_TOLERANCE = 1;
const NOTHING = Object.freeze({ track: null, point: null });

/** @param {TrackDocument} doc @returns {EditorState} */
export function initialState(doc) {
  return {
    doc,
    past: [],
    future: [],
    lastKey: null,
    resized: null,
    tool: "draw",
    selection: NOTHING,
    open: null,
    stroke: null,
    drag: null,
    brush: Math.round(Math.min(doc.width, doc.height) * 0.08),
    interpolation: "spline",
    frame: 0,
  };
}

/** @param {EditorState} state @param {EditorEvent} event @returns {EditorState} */
export function reduce(state, event) {
  switch (event.type) {
    case "tool":
      return { ...settled(state), tool: event.tool };
    case "select":
      return { ...settled(state), selection: { track: event.track, point: event.point ?? null } };
    case "stroke-start":
      return { ...settled(state), selection: NOTHING, stroke: [event.at], frame: 0 };
    case "stroke-extend":
      return state.stroke ? { ...state, stroke: extended(state.stroke, event.at) } : state;
    case "stroke-end":
      return strokeEnded(state);
    case "stroke-cancel":
      return { ...state, stroke: null };
    case "path-click":
      return pathClicked(state, event.at, event.near ?? 0);
    case "path-finish":
      return settled(state);
    case "pin":
      return added(settled(state), newTrack(state, "pin", [event.at]));
    case "drag-start":
      return dragStarted(state, event.track, event.point, event.at, event.recorded ?? false);
    case "drag-move":
      return dragMoved(state, event.at);
    case "drag-end":
      return dragEnded(state);
    case "drag-cancel":
      return state.drag ? { ...state, doc: state.drag.base, drag: null } : state;
    case "nudge":
      return nudged(state, event.dx, event.dy);
    case "insert":
      return inserted(state, event.track, event.index, event.at);
    case "delete":
      return deleted(state);
    case "delete-point":
      return pointDeleted(settled(state), event.track, event.point);
    case "delete-track":
      return trackDeleted(settled(state), event.track);
    case "duplicate":
      return duplicated(settled(state));
    case "edit":
      return changed(state, event.track, checkedChanges(state, event.track, event.changes), event.key ?? null);
    case "brush":
      return brushed(state, event.radius);
    case "interpolation":
      return interpolated(state, event.interpolation);
    case "pin-border":
      return event.on === state.doc.pin_border ? state : committed(state, { ...state.doc, pin_border: event.on });
    case "clear":
      return cleared(settled(state));
    case "undo":
      return travelled(settled(state), "past", "future");
    case "redo":
      return travelled(settled(state), "future", "past");
    case "resize":
      return resized(state, event.size);
    case "load":
      return loaded(state, event.document);
    case "seek":
      return { ...state, frame: Math.min(state.doc.frames - 1, Math.max(0, event.frame)) };
  }
}

/** @param {EditorState} state @returns {Track | null} */
export const selectedTrack = (state) => state.doc.tracks.find((track) => track.id === state.selection.track) ?? null;

/** Nothing half done: no stroke, no drag, no open path. @param {EditorState} state @returns {EditorState} */
function settled(state) {
  const ended = dragEnded(state);
  return ended.stroke || ended.open ? { ...ended, stroke: null, open: null } : ended;
}

/** The document replaced, as one step of the history. @param {EditorState} state @param {TrackDocument} doc @param {string | null} [key] @returns {EditorState} */
function committed(state, doc, key = null) {
  const merged = key !== null && key === state.lastKey;
  const past = merged ? state.past : [...state.past, state.doc].slice(-HISTORY);
  return { ...state, doc, past, future: [], lastKey: key, selection: kept(doc, state.selection) };
}

/** The selection as far as it still exists. @param {TrackDocument} doc @param {Selection} selection @returns {Selection} */
function kept(doc, selection) {
  const track = doc.tracks.find((candidate) => candidate.id === selection.track);
  if (!track) return NOTHING;
  return selection.point !== null && selection.point >= track.points.length ? { track: track.id, point: null } : selection;
}

/** @param {EditorState} state @param {"past" | "future"} from @param {"past" | "future"} to @returns {EditorState} */
function travelled(state, from, to) {
  const entry = from === "past" ? state.past[state.past.length - 1] : state.future[0];
  if (!entry) return state;
  const doc = fitDocument(entry, state.doc);
  const past = from === "past" ? state.past.slice(0, -1) : [...state.past, state.doc];
  const future = to === "future" ? [state.doc, ...state.future] : state.future.slice(1);
  return { ...state, doc, past, future, lastKey: null, selection: kept(doc, state.selection), frame: Math.min(state.frame, doc.frames - 1) };
}

/** A document from outside: a step of our own history if it is one, else a new beginning. @param {EditorState} state @param {TrackDocument} doc @returns {EditorState} */
function loaded(state, doc) {
  const same = (/** @type {TrackDocument | undefined} */ other) => other !== undefined && JSON.stringify(other) === JSON.stringify(doc);
  if (same(state.doc)) return state;
  const calm = settled(state);
  if (same(calm.past[calm.past.length - 1])) return travelled(calm, "past", "future");
  if (same(calm.future[0])) return travelled(calm, "future", "past");
  const fresh = initialState(doc);
  return { ...fresh, tool: state.tool, selection: kept(doc, state.selection), interpolation: state.interpolation };
}

/** @param {EditorState} state @param {import("./types.js").Size} size @returns {EditorState} */
function resized(state, size) {
  if (sameSize(state.doc, size)) return state;
  const from = state.resized?.to === state.doc ? state.resized.from : state.doc;
  const doc = fitDocument(from, size);
  const ratio = Math.min(size.width / state.doc.width, size.height / state.doc.height);
  const brush = Math.round(state.brush * ratio);
  return { ...state, doc, resized: { from, to: doc }, drag: null, stroke: null, brush, frame: Math.min(state.frame, size.frames - 1) };
}

/** @param {EditorState} state @param {Kind} kind @param {Point[]} points @returns {Track} */
function newTrack(state, kind, points) {
  const tracks = state.doc.tracks;
  const used = new Set(tracks.map((track) => track.color));
  const word = kind === "pin" ? "Pin" : "Track";
  const names = new Set(tracks.map((track) => track.name));
  let number = 1;
  while (names.has(`${word} ${number}`)) number += 1;
  return {
    id: freeId(new Set(tracks.map((track) => track.id))),
    name: `${word} ${number}`,
    color: COLORS.find((color) => !used.has(color)) ?? COLORS[tracks.length % COLORS.length],
    kind,
    points: points.map(roundPoint),
    interpolation: kind === "path" ? state.interpolation : "linear",
    brush: brushOf(state.brush),
    start: 0,
    end: null,
    visible: true,
  };
}

/** @param {EditorState} state @param {Track} track @returns {EditorState} */
function added(state, track) {
  const next = committed(state, { ...state.doc, tracks: [...state.doc.tracks, track] });
  return { ...next, selection: { track: track.id, point: track.kind === "freehand" ? null : track.points.length - 1 }, frame: 0 };
}

/** @param {TrackDocument} doc @param {string} id @param {(track: Track) => Track} change @returns {TrackDocument} */
const withTrack = (doc, id, change) => ({ ...doc, tracks: doc.tracks.map((track) => (track.id === id ? change(track) : track)) });

/** @param {EditorState} state @param {string} id @param {Partial<Track>} changes @param {string | null} key @returns {EditorState} */
function changed(state, id, changes, key) {
  const track = state.doc.tracks.find((candidate) => candidate.id === id);
  if (!track || Object.entries(changes).every(([name, value]) => track[/** @type {keyof Track} */ (name)] === value)) return state;
  return committed(state, withTrack(state.doc, id, () => ({ ...track, ...changes })), key);
}

/** @param {EditorState} state @param {string} id @param {TrackChanges} changes @returns {TrackChanges} with start and end inside the video and in order */
function checkedChanges(state, id, changes) {
  const track = state.doc.tracks.find((candidate) => candidate.id === id);
  if (!track || !("start" in changes || "end" in changes)) return changes;
  const last = state.doc.frames - 1;
  const inside = (/** @type {number} */ frame) => Math.round(Math.min(last, Math.max(0, frame)));
  const checked = { ...changes };
  if (checked.start !== undefined) checked.start = Math.min(inside(checked.start), track.end ?? last);
  if (checked.end !== undefined && checked.end !== null) {
    const end = Math.max(inside(checked.end), checked.start ?? track.start);
    checked.end = end === last ? null : end;
  }
  return checked;
}

/** @param {Point[]} stroke @param {Point} at */
const extended = (stroke, at) => (distance(stroke[stroke.length - 1], at) < 0.25 ? stroke : [...stroke, at]);

/** A tap of the pen is a resting point, not a stroke. @param {EditorState} state @returns {EditorState} */
function strokeEnded(state) {
  if (!state.stroke) return state;
  const points = simplify(state.stroke, STROKE_TOLERANCE);
  const calm = { ...state, stroke: null };
  const moved = points.length > 1 && distance(points[0], points[points.length - 1]) + points.length - 2 > STROKE_TOLERANCE;
  return moved ? added(calm, newTrack(state, "freehand", points)) : calm;
}

/** @param {EditorState} state @param {Point} at @param {number} near a click this close to the last point ends the path @returns {EditorState} */
function pathClicked(state, at, near) {
  const track = state.doc.tracks.find((candidate) => candidate.id === state.open);
  if (!track) {
    const fresh = newTrack(state, "path", [at]);
    return { ...added(settled(state), fresh), open: fresh.id };
  }
  if (distance(track.points[track.points.length - 1], at) <= near) return settled(state);
  const points = [...track.points, roundPoint(at)];
  const next = committed(state, withTrack(state.doc, track.id, () => ({ ...track, points })));
  return { ...next, selection: { track: track.id, point: points.length - 1 } };
}

/** @param {EditorState} state @param {string} id @param {number | null} point @param {Point} at @param {boolean} recorded @returns {EditorState} */
function dragStarted(state, id, point, at, recorded) {
  const track = state.doc.tracks.find((candidate) => candidate.id === id);
  if (!track || (point !== null && point >= track.points.length)) return state;
  return { ...state, stroke: null, selection: { track: id, point }, drag: { track: id, point, from: at, base: state.doc, recorded } };
}

/** @param {EditorState} state @param {Point} at @returns {EditorState} */
function dragMoved(state, at) {
  const drag = state.drag;
  if (!drag) return state;
  const [dx, dy] = [at.x - drag.from.x, at.y - drag.from.y];
  const move = (/** @type {Point} */ point, /** @type {number} */ i) =>
    drag.point === null || drag.point === i ? roundPoint({ x: point.x + dx, y: point.y + dy }) : point;
  return { ...state, doc: withTrack(drag.base, drag.track, (track) => ({ ...track, points: track.points.map(move) })) };
}

/** @param {EditorState} state @returns {EditorState} */
function dragEnded(state) {
  const drag = state.drag;
  if (!drag) return state;
  const calm = { ...state, drag: null };
  if (state.doc === drag.base || JSON.stringify(state.doc) === JSON.stringify(drag.base)) return { ...calm, doc: drag.base };
  return drag.recorded ? calm : { ...committed({ ...calm, doc: drag.base }, state.doc), selection: state.selection };
}

/** @param {EditorState} state @param {number} dx @param {number} dy @returns {EditorState} */
function nudged(state, dx, dy) {
  const { track: id, point } = state.selection;
  if (id === null || !selectedTrack(state)) return state;
  const move = (/** @type {Point} */ place, /** @type {number} */ i) => (point === null || point === i ? roundPoint({ x: place.x + dx, y: place.y + dy }) : place);
  return committed(state, withTrack(state.doc, id, (track) => ({ ...track, points: track.points.map(move) })), `nudge ${id} ${point}`);
}

/** @param {EditorState} state @param {string} id @param {number} index -1 = where it belongs @param {Point} at @returns {EditorState} */
function inserted(state, id, index, at) {
  const track = state.doc.tracks.find((candidate) => candidate.id === id);
  if (!track || track.kind === "pin") return state;
  const place = index >= 0 ? index : insertIndex(track, at);
  const points = [...track.points.slice(0, place), roundPoint(at), ...track.points.slice(place)];
  return { ...committed(state, withTrack(state.doc, id, () => ({ ...track, points }))), selection: { track: id, point: place } };
}

/** @param {EditorState} state @returns {EditorState} */
function deleted(state) {
  const { track, point } = state.selection;
  if (track === null) return state;
  return point === null ? trackDeleted(settled(state), track) : pointDeleted(state, track, point);
}

/** The last point takes its track with it. @param {EditorState} state @param {string} id @param {number} index @returns {EditorState} */
function pointDeleted(state, id, index) {
  const track = state.doc.tracks.find((candidate) => candidate.id === id);
  if (!track || !track.points[index]) return state;
  if (track.points.length === 1) return trackDeleted(settled(state), id);
  const points = track.points.filter((_, i) => i !== index);
  const next = committed(state, withTrack(state.doc, id, () => ({ ...track, points })));
  return { ...next, selection: { track: id, point: Math.max(0, index - 1) } };
}

/** @param {EditorState} state @param {string} id @returns {EditorState} */
function trackDeleted(state, id) {
  const tracks = state.doc.tracks.filter((track) => track.id !== id);
  return tracks.length === state.doc.tracks.length ? state : committed(state, { ...state.doc, tracks });
}

/** @param {EditorState} state @returns {EditorState} */
function duplicated(state) {
  const track = selectedTrack(state);
  if (!track) return state;
  const shift = Math.max(2, Math.round(Math.min(state.doc.width, state.doc.height) * 0.06));
  const { id, name, color } = newTrack(state, track.kind, track.points);
  const points = track.points.map((point) => roundPoint({ x: point.x + shift, y: point.y + shift }));
  const next = added(state, { ...track, id, name, color, points });
  return { ...next, selection: { track: id, point: null } };
}

/** @param {EditorState} state @param {number} radius @returns {EditorState} */
function brushed(state, radius) {
  const next = { ...state, brush: Math.max(0, radius) };
  const track = selectedTrack(state);
  if (!track || (track.brush?.radius ?? 0) === next.brush) return next;
  return changed(next, track.id, { brush: brushOf(next.brush) }, `brush ${track.id}`);
}

/** @param {EditorState} state @param {import("./types.js").Interpolation} interpolation @returns {EditorState} */
function interpolated(state, interpolation) {
  const next = { ...state, interpolation };
  const track = selectedTrack(state);
  return track?.kind === "path" ? changed(next, track.id, { interpolation }, null) : next;
}

/** @param {EditorState} state @returns {EditorState} */
function cleared(state) {
  return state.doc.tracks.length || state.doc.pin_border ? committed(state, { ...state.doc, tracks: [], pin_border: false }) : state;
}
