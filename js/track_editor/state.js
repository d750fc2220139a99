/**
 * The one way to change the editor's state: reduce(state, event), pure. What the events do is in edits.js (at
 * once), drags.js (while a pointer is held) and history.js. Knows nothing of the DOM, of drawing or of the
 * host.
 */

import { distance } from "../shared/geometry.js";
import { roundPoint } from "./document.js";
import {
  dragEnded,
  dragMoved,
  dragStarted,
  isClick,
  retimeStarted,
  settled,
  strokeEnded,
  strokeExtended,
  strokeStarted,
  transformStarted,
} from "./drags.js";
import {
  added,
  brushed,
  cameraMoved,
  cleared,
  edited,
  inserted,
  interpolated,
  mirrored,
  nudged,
  pasted,
  pointDeleted,
  reordered,
  rotated,
  scaled,
  selectedEdited,
  shownToggled,
  tracksDeleted,
  withTrack,
} from "./edits.js";
import { isSame } from "./fingerprint.js";
import {
  NOTHING,
  committed,
  initialState,
  kept,
  loaded,
  many,
  only,
  resized,
  selectedTrack,
  selectedTracks,
  toggled,
  travelled,
} from "./history.js";
import { snapPoint } from "./hits.js";
import { newTrack } from "./new_track.js";
import { cutOut } from "./objects.js";

/** @import {EditorEvent, EditorState, Selection, VideoPoint} from "./types.js" */

export { initialState, selectedTrack, selectedTracks };

/**
 * @param {EditorState} state
 * @param {EditorEvent} event
 * @returns {EditorState}
 */
export function reduce(state, event) {
  switch (event.type) {
    case "tool":
      return { ...settled(state), tool: event.tool };
    case "select":
    case "select-many":
    case "select-all":
      return selected(settled(state), event);
    case "stroke-start":
      return strokeStarted(state, event.at, event.use ?? "track");
    case "stroke-extend":
      return strokeExtended(state, event.at, event.even ?? false, event.reach ?? 0);
    case "stroke-end":
      return state.use === "track" && isClick(state) && state.stroke
        ? pathClicked({ ...state, stroke: null, guides: null }, state.stroke[0], event.near ?? 0)
        : strokeEnded(state, event.add ?? false);
    case "stroke-cancel":
      return { ...state, stroke: null, guides: null };
    case "path-click":
      return pathClicked(state, snapTo(state, event.at, event.reach ?? 0), event.near ?? 0);
    case "path-finish":
      return settled(state);
    case "pin":
      return added(settled(state), newTrack(state, "pin", [snapTo(state, event.at, event.reach ?? 0)]));
    case "drag-start":
      return dragStarted(state, event.track, event.point, event.at, event.recorded ?? false);
    case "transform-start":
      return transformStarted(settled(state), event.mode, event.corner, event.at);
    case "retime-start":
      return retimeStarted(settled(state), event.track, event.at);
    case "drag-move":
      return dragMoved(state, event.at, event.even ?? false, event.reach ?? 0);
    case "drag-end":
      return dragEnded(state);
    case "drag-cancel":
      return state.drag ? { ...state, doc: state.drag.base, drag: null, guides: null } : state;
    case "option":
      return { ...state, options: { ...state.options, [event.option]: event.on } };
    case "undo":
      return travelled(settled(state), "past", "future");
    case "redo":
      return travelled(settled(state), "future", "past");
    case "resize":
      return resized(state, event.size, event.picture ?? null);
    case "load":
      return isSame(state.doc, event.document) ? state : loaded(settled(state), event.document);
    case "seek":
      return { ...state, frame: Math.min(state.doc.frames - 1, Math.max(0, event.frame)) };
    default:
      return edit(state, event);
  }
}

/**
 * Steps of the history that are done at once.
 * @param {EditorState} state
 * @param {EditorEvent} event
 * @returns {EditorState}
 */
function edit(state, event) {
  switch (event.type) {
    case "nudge":
      return nudged(state, event.dx, event.dy);
    case "mirror":
      return mirrored(settled(state), event.axis);
    case "rotate":
      return rotated(settled(state), event.degrees);
    case "scale":
      return scaled(settled(state), event.factor);
    case "insert":
      return inserted(settled(state), event.track, event.index, event.at);
    case "delete":
      return deleted(state);
    case "delete-point":
      return pointDeleted(settled(state), event.track, event.point);
    case "delete-track":
      return tracksDeleted(settled(state), [event.track]);
    case "duplicate":
      return pasted(settled(state), selectedTracks(state), true);
    case "paste":
      return pasted(settled(state), event.tracks, event.shift ?? false);
    case "reorder":
      return reordered(settled(state), event.track, event.to);
    case "shift-order":
      return state.selection.track === null
        ? state
        : reordered(
            settled(state),
            state.selection.track,
            state.doc.tracks.findIndex((track) => track.id === state.selection.track) + event.by,
          );
    case "edit":
      return edited(state, event.track, event.changes, event.key ?? null);
    case "edit-selected":
      return selectedEdited(state, event.changes, event.key ?? null);
    case "camera":
      return cameraMoved(settled(state), event.preset);
    case "cut-out":
      return cutOut(settled(state), event.mask, event.way);
    case "toggle-shown":
      return shownToggled(settled(state));
    case "brush":
      return brushed(state, event.radius);
    case "interpolation":
      return interpolated(state, event.interpolation);
    case "pin-border":
      return event.on === state.doc.pin_border
        ? state
        : committed(state, { ...state.doc, pin_border: event.on });
    case "clear":
      return cleared(settled(state));
    default:
      return state;
  }
}

/**
 * @param {EditorState} state nothing half done
 * @param {EditorEvent & {type: "select" | "select-many" | "select-all"}} event
 * @returns {EditorState}
 */
function selected(state, event) {
  return { ...state, selection: kept(state.doc, asked(state, event)) };
}

/**
 * @param {EditorState} state
 * @param {EditorEvent & {type: "select" | "select-many" | "select-all"}} event
 * @returns {Selection}
 */
function asked({ doc, selection }, event) {
  if (event.type === "select-many") return many(event.tracks);
  if (event.type === "select-all")
    return many(doc.tracks.filter((track) => !track.hidden).map((track) => track.id));
  if (event.track === null) return event.add ? selection : NOTHING;
  return event.add ? toggled(selection, event.track) : only(event.track, event.point ?? null);
}

/**
 * @param {EditorState} state
 * @param {VideoPoint} at
 * @param {number} reach
 * @returns {VideoPoint}
 */
const snapTo = (state, at, reach) =>
  state.options.snap && reach > 0 ? snapPoint(state.doc, at, reach, () => false).at : at;

/**
 * @param {EditorState} state
 * @param {VideoPoint} at
 * @param {number} near a click this close to the last point ends the path
 * @returns {EditorState}
 */
function pathClicked(state, at, near) {
  const track = state.doc.tracks.find((candidate) => candidate.id === state.open);
  if (!track) {
    const fresh = newTrack(state, "path", [at]);
    return { ...added(settled(state), fresh), open: fresh.id };
  }
  if (distance(track.points[track.points.length - 1], at) <= near) return settled(state);
  const points = [...track.points, roundPoint(at)];
  const next = committed(
    state,
    withTrack(state.doc, track.id, () => ({ ...track, points })),
  );
  return { ...next, selection: only(track.id, points.length - 1) };
}

/**
 * The chosen point, else all that is selected.
 * @param {EditorState} state
 * @returns {EditorState}
 */
function deleted(state) {
  const { track, point, tracks } = state.selection;
  if (track === null) return state;
  return point !== null && tracks.length < 2
    ? pointDeleted(state, track, point)
    : tracksDeleted(settled(state), tracks);
}
