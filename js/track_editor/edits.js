/**
 * Steps that change tracks of the document at once: making, changing, copying, ordering, deleting them. Pure:
 * state in, state out.
 */

import { brushOf } from "../shared/geometry.js";
import { CAMERA_PRESETS, restingCamera, withPreset } from "./cameras.js";
import { roundPoint } from "./document.js";
import { committed, many, only, selectedTrack, selectedTracks } from "./history.js";
import { insertIndex } from "./hits.js";
import { freeColor, freeName, newTrack } from "./new_track.js";
import { freeId } from "./read_track.js";
import { toggledFrom } from "./shown.js";
import { boundsOf, mapTrack, middleOf, rotation, scaling, translation } from "./transform.js";

/** @import {VideoPoint} from "../shared/types.js" */
/** @import {EditorState, Interpolation, Track, TrackChanges, TrackDocument} from "./types.js" */
/** @import {Affine} from "./transform.js" */

const MANY = 0.06; // of the picture's shorter side: how far a copy lies from what was copied

/**
 * @param {EditorState} state
 * @param {Track} track
 * @returns {EditorState}
 */
export function added(state, track) {
  const next = committed(state, { ...state.doc, tracks: [...state.doc.tracks, track] });
  const point = ["path", "pin"].includes(track.kind) ? track.points.length - 1 : null;
  return { ...next, selection: only(track.id, point), frame: 0 };
}

/**
 * @param {TrackDocument} doc
 * @param {(track: Track) => boolean} chosen
 * @param {(track: Track) => Track} change
 * @returns {TrackDocument}
 */
export const withTracks = (doc, chosen, change) => ({
  ...doc,
  tracks: doc.tracks.map((track) => (chosen(track) ? change(track) : track)),
});

/**
 * @param {TrackDocument} doc
 * @param {string} id
 * @param {(track: Track) => Track} change
 * @returns {TrackDocument}
 */
export const withTrack = (doc, id, change) => withTracks(doc, (track) => track.id === id, change);

/**
 * @param {EditorState} state
 * @param {string} id
 * @returns {Track | undefined}
 */
const trackOf = (state, id) => state.doc.tracks.find((track) => track.id === id);

/** @param {Track} track @param {TrackChanges} changes */
const differs = (track, changes) =>
  Object.entries(changes).some(
    ([name, value]) =>
      JSON.stringify(track[/** @type {keyof Track} */ (name)] ?? null) !== JSON.stringify(value ?? null),
  );

/**
 * @param {EditorState} state
 * @param {Track[]} tracks
 * @param {(track: Track) => TrackChanges} changes
 * @param {string | null} key
 * @returns {EditorState}
 */
export function changed(state, tracks, changes, key) {
  const made = new Map(tracks.map((track) => [track.id, changes(track)]));
  const differing = tracks.filter((track) => differs(track, made.get(track.id) ?? {}));
  if (!differing.length) return state;
  const ids = new Set(differing.map((track) => track.id));
  return committed(
    state,
    withTracks(
      state.doc,
      (track) => ids.has(track.id),
      (track) => ({ ...track, ...made.get(track.id) }),
    ),
    key,
  );
}

/**
 * @param {EditorState} state
 * @param {string} id
 * @param {TrackChanges} changes
 * @param {string | null} key
 * @returns {EditorState}
 */
export function edited(state, id, changes, key) {
  const track = trackOf(state, id);
  return track ? changed(state, [track], () => checked(state, track, changes), key) : state;
}

/**
 * @param {EditorState} state
 * @param {TrackChanges} changes
 * @param {string | null} key
 * @returns {EditorState}
 */
export function selectedEdited(state, changes, key) {
  return changed(
    state,
    selectedTracks(state),
    (track) => checked(state, track, changes),
    key && `${key} ${state.selection.tracks.join()}`,
  );
}

/**
 * @param {EditorState} state
 * @param {Track} track
 * @param {TrackChanges} changes
 * @returns {TrackChanges} with start and end inside the video and in order
 */
function checked(state, track, changes) {
  if (!("start" in changes || "end" in changes)) return changes;
  const last = state.doc.frames - 1;
  const inside = (/** @type {number} */ frame) => Math.round(Math.min(last, Math.max(0, frame)));
  const made = { ...changes };
  if (made.start !== undefined) made.start = Math.min(inside(made.start), track.end ?? last);
  if (made.end !== undefined && made.end !== null) {
    const end = Math.max(inside(made.end), made.start ?? track.start);
    made.end = end === last ? null : end;
  }
  return made;
}

/**
 * What a change of the canvas may touch: selected and not locked.
 * @param {EditorState} state
 * @returns {Track[]}
 */
export const movable = (state) => selectedTracks(state).filter((track) => !track.locked);

/**
 * @param {EditorState} state
 * @param {Affine} map
 * @param {string | null} key
 * @returns {EditorState}
 */
function selectedMapped(state, map, key) {
  const ids = new Set(movable(state).map((track) => track.id));
  if (!ids.size) return state;
  return committed(
    state,
    withTracks(
      state.doc,
      (track) => ids.has(track.id),
      (track) => mapTrack(track, map),
    ),
    key,
  );
}

/**
 * @param {EditorState} state
 * @param {number} dx
 * @param {number} dy
 * @returns {EditorState} the selected point, or all that is selected
 */
export function nudged(state, dx, dy) {
  const { point, tracks } = state.selection;
  const [track] = movable(state);
  if (!track) return state;
  const key = `nudge ${tracks.join()} ${point}`;
  if (point === null || tracks.length > 1) return selectedMapped(state, translation(dx, dy), key);
  const move = (/** @type {VideoPoint} */ place, /** @type {number} */ i) =>
    point === i ? roundPoint({ x: place.x + dx, y: place.y + dy }) : place;
  return committed(
    state,
    withTrack(state.doc, track.id, () => ({ ...track, points: track.points.map(move) })),
    key,
  );
}

/**
 * Round the middle of what is selected.
 * @param {EditorState} state
 * @param {(centre: VideoPoint) => Affine} map
 * @returns {EditorState}
 */
export function transformed(state, map) {
  const box = boundsOf(movable(state));
  return box ? selectedMapped(state, map(middleOf(box)), null) : state;
}

/**
 * @param {EditorState} state
 * @param {"x" | "y"} axis x = left becomes right
 * @returns {EditorState}
 */
export const mirrored = (state, axis) =>
  transformed(state, (centre) => scaling(axis === "x" ? -1 : 1, axis === "y" ? -1 : 1, centre));
/**
 * @param {EditorState} state
 * @param {number} degrees
 * @returns {EditorState}
 */
export const rotated = (state, degrees) => transformed(state, (centre) => rotation(degrees, centre));
/**
 * @param {EditorState} state
 * @param {number} factor
 * @returns {EditorState}
 */
export const scaled = (state, factor) =>
  factor > 0 ? transformed(state, (centre) => scaling(factor, factor, centre)) : state;

/**
 * @param {EditorState} state
 * @param {string} id
 * @param {number} index -1 = where it belongs
 * @param {VideoPoint} at
 * @returns {EditorState}
 */
export function inserted(state, id, index, at) {
  const track = trackOf(state, id);
  if (!track || track.kind === "pin" || track.locked) return state;
  const place =
    index >= 0 ? Math.min(index, track.points.length) : track.points.length > 1 ? insertIndex(track, at) : 1;
  const points = [...track.points.slice(0, place), roundPoint(at), ...track.points.slice(place)];
  const kind = track.kind === "line" ? "path" : track.kind;
  return {
    ...committed(
      state,
      withTrack(state.doc, id, () => ({ ...track, kind, points })),
    ),
    selection: only(id, place),
  };
}

/**
 * The last point takes its track with it.
 * @param {EditorState} state
 * @param {string} id
 * @param {number} index
 * @returns {EditorState}
 */
export function pointDeleted(state, id, index) {
  const track = trackOf(state, id);
  if (!track || track.locked || !track.points[index]) return state;
  if (track.points.length === 1) return tracksDeleted(state, [id]);
  const points = track.points.filter((_, i) => i !== index);
  const next = committed(
    state,
    withTrack(state.doc, id, () => ({ ...track, points })),
  );
  return { ...next, selection: only(id, Math.max(0, index - 1)) };
}

/**
 * @param {EditorState} state
 * @param {string[]} ids
 * @returns {EditorState}
 */
export function tracksDeleted(state, ids) {
  const tracks = state.doc.tracks.filter((track) => !ids.includes(track.id));
  return tracks.length === state.doc.tracks.length ? state : committed(state, { ...state.doc, tracks });
}

/**
 * Tracks from elsewhere, or copies, with ids, names and colours of their own where they would clash.
 * @param {EditorState} state
 * @param {Track[]} tracks
 * @param {boolean} shift
 * @returns {EditorState}
 */
export function pasted(state, tracks, shift) {
  if (!tracks.length) return state;
  const by = shift ? Math.max(2, Math.round(Math.min(state.doc.width, state.doc.height) * MANY)) : 0;
  let doc = state.doc;
  const ids = [];
  for (const track of tracks) {
    const id = freeId(new Set(doc.tracks.map((other) => other.id)));
    const clash = doc.tracks.some((other) => other.name === track.name);
    const name = clash ? freeName(doc, track.name.replace(/ \d+$/, "")) : track.name;
    const color = doc.tracks.some((other) => other.color === track.color) ? freeColor(doc) : track.color;
    doc = { ...doc, tracks: [...doc.tracks, { ...mapTrack(track, translation(by, by)), id, name, color }] };
    ids.push(id);
  }
  return { ...committed(state, doc), selection: many(ids) };
}

/**
 * @param {EditorState} state
 * @param {string} id
 * @param {number} to index in the list
 * @returns {EditorState}
 */
export function reordered(state, id, to) {
  const from = state.doc.tracks.findIndex((track) => track.id === id);
  const place = Math.min(state.doc.tracks.length - 1, Math.max(0, to));
  if (from < 0 || from === place) return state;
  const tracks = state.doc.tracks.filter((track) => track.id !== id);
  return committed(state, {
    ...state.doc,
    tracks: [...tracks.slice(0, place), state.doc.tracks[from], ...tracks.slice(place)],
  });
}

/**
 * A camera preset: on top of the camera that is there, else a new one, for which the border lets go.
 * @param {EditorState} state
 * @param {string} preset
 * @returns {EditorState}
 */
export function cameraMoved(state, preset) {
  if (!Object.hasOwn(CAMERA_PRESETS, preset)) return state;
  const chosen = selectedTrack(state);
  const camera =
    chosen?.kind === "camera" ? chosen : state.doc.tracks.find((track) => track.kind === "camera");
  if (camera) {
    const next = committed(
      state,
      withTrack(state.doc, camera.id, (track) => withPreset(track, preset, state.doc)),
    );
    return { ...next, selection: only(camera.id) };
  }
  const fresh = withPreset(
    { ...newTrack(state, "camera", []), ...restingCamera(state.doc) },
    preset,
    state.doc,
  );
  const next = committed(state, { ...state.doc, tracks: [...state.doc.tracks, fresh], pin_border: false });
  return { ...next, selection: only(fresh.id) };
}

/**
 * Seen or not from the playhead on.
 * @param {EditorState} state
 * @returns {EditorState}
 */
export function shownToggled(state) {
  const { frame, doc } = state;
  return changed(
    state,
    selectedTracks(state),
    (track) => ({ shown: toggledFrom(track.shown, frame, doc.frames) }),
    null,
  );
}

/**
 * @param {EditorState} state
 * @param {number} radius
 * @returns {EditorState}
 */
export function brushed(state, radius) {
  const next = { ...state, brush: Math.max(0, radius) };
  const tracks = selectedTracks(next).filter(
    (track) => !track.grid && !track.region && !track.object && (track.brush?.radius ?? 0) !== next.brush,
  );
  return changed(
    next,
    tracks,
    () => ({ brush: brushOf(next.brush) }),
    `brush ${state.selection.tracks.join()}`,
  );
}

/**
 * @param {EditorState} state
 * @param {Interpolation} interpolation
 * @returns {EditorState}
 */
export function interpolated(state, interpolation) {
  const tracks = selectedTracks(state).filter((track) => !["freehand", "pin", "line"].includes(track.kind));
  return changed({ ...state, interpolation }, tracks, () => ({ interpolation }), null);
}

/** @param {EditorState} state @returns {EditorState} */
export function cleared(state) {
  return state.doc.tracks.length ? committed(state, { ...state.doc, tracks: [] }) : state;
}
