/**
 * What happens while a pointer is held: moving, scaling, turning and retiming tracks, and the strokes that
 * make new ones. Pure: state in, state out.
 */

import { brushOf, distance, mix, simplify } from "../shared/geometry.js";
import { inRegion, toLine } from "./areas.js";
import { pathOf } from "./curves.js";
import { roundHundredth, roundPoint } from "./document.js";
import { added, movable, withTrack, withTracks } from "./edits.js";
import { isSame } from "./fingerprint.js";
import { NOTHING, committed, many, only, selectedTrack } from "./history.js";
import { boxOf, snapToRay, snapPoint, tracksIn } from "./hits.js";
import { newTrack } from "./new_track.js";
import { objectPainted, selectedObject } from "./objects.js";
import { STEADY, addKey } from "./speed.js";
import { boundsOf, mapTrack, translation, scalingByCorner, rotationBetween } from "./transform.js";

/** @import {Corner, Drag, EditorState, StrokeUse, Track, TrackDocument, VideoPoint} from "./types.js" */

const STROKE_TOLERANCE = 1;
const MAX_REGION_POINTS = 1000;
const LEAST_AREA = 2; // px, the radius of a region's brush

/**
 * Nothing half done: no stroke, no drag, no open path.
 * @param {EditorState} state
 * @returns {EditorState}
 */
export function settled(state) {
  const ended = dragEnded(state);
  return ended.stroke || ended.open ? { ...ended, stroke: null, open: null } : ended;
}

/**
 * A point of a track, or everything that is selected when the whole of a selected track is taken.
 * @param {EditorState} state
 * @param {string} id
 * @param {number | null} point
 * @param {VideoPoint} at
 * @param {boolean} recorded
 * @returns {EditorState}
 */
export function dragStarted(state, id, point, at, recorded) {
  const track = state.doc.tracks.find((candidate) => candidate.id === id);
  if (!track || track.locked || (point !== null && point >= track.points.length)) return state;
  const together = point === null && state.selection.tracks.includes(id);
  const selection = together ? { ...state.selection, track: id, point: null } : only(id, point);
  const mode = point === null ? "move" : "point";
  return {
    ...state,
    stroke: null,
    selection,
    drag: { mode, track: id, point, from: at, base: state.doc, recorded },
  };
}

/**
 * @param {EditorState} state
 * @param {"scale" | "rotate"} mode
 * @param {Corner} corner
 * @param {VideoPoint} at
 * @returns {EditorState}
 */
export function transformStarted(state, mode, corner, at) {
  const tracks = movable(state);
  const box = boundsOf(tracks);
  return box
    ? {
        ...state,
        drag: {
          mode,
          track: tracks[0].id,
          point: null,
          from: at,
          base: state.doc,
          recorded: false,
          box,
          corner,
        },
      }
    : state;
}

/**
 * The moving point of a track held at the playhead's time: where it is let go it will be at that frame.
 * @param {EditorState} state
 * @param {string} id
 * @param {VideoPoint} at
 * @returns {EditorState}
 */
export function retimeStarted(state, id, at) {
  const track = state.doc.tracks.find((candidate) => candidate.id === id);
  if (!track || track.locked || track.points.length < 2) return state;
  return {
    ...state,
    selection: only(id),
    drag: { mode: "retime", track: id, point: null, from: at, base: state.doc, recorded: false },
  };
}

/**
 * @param {EditorState} state
 * @param {VideoPoint} at
 * @param {boolean} even
 * @param {number} reach of the snap, px; 0 = none
 * @returns {EditorState}
 */
export function dragMoved(state, at, even, reach) {
  const { drag } = state;
  if (!drag) return state;
  const held = heldPlace(drag);
  const asked = even && drag.mode === "move" ? snapToRay(drag.from, at) : at;
  const wanted = held && { x: held.x + asked.x - drag.from.x, y: held.y + asked.y - drag.from.y };
  const snap =
    wanted && state.options.snap && reach > 0
      ? snapPoint(drag.base, wanted, reach, skipOf(state, drag))
      : null;
  const goal =
    wanted && held && snap ? { x: asked.x + snap.at.x - wanted.x, y: asked.y + snap.at.y - wanted.y } : asked;
  return { ...state, guides: snap?.guides ?? null, doc: draggedDocument(state, drag, goal, even) };
}

/**
 * The control point that snaps.
 * @param {Drag} drag
 * @returns {VideoPoint | null}
 */
function heldPlace({ mode, base, track, point }) {
  if (mode !== "point" && mode !== "move") return null;
  return base.tracks.find((candidate) => candidate.id === track)?.points[point ?? 0] ?? null;
}

/**
 * @param {EditorState} state
 * @param {Drag} drag
 * @returns {(track: string, point: number) => boolean} what moves along cannot be snapped to
 */
function skipOf(state, drag) {
  return (track, point) =>
    drag.mode === "point"
      ? track === drag.track && point === drag.point
      : state.selection.tracks.includes(track);
}

/**
 * @param {EditorState} state
 * @param {Drag} drag
 * @param {VideoPoint} at
 * @param {boolean} even
 * @returns {TrackDocument}
 */
function draggedDocument(state, drag, at, even) {
  const { base, from } = drag;
  const [dx, dy] = [at.x - from.x, at.y - from.y];
  if (drag.mode === "point") {
    const move = (/** @type {VideoPoint} */ point, /** @type {number} */ i) =>
      drag.point === i ? roundPoint({ x: point.x + dx, y: point.y + dy }) : point;
    return withTrack(base, drag.track, (track) => ({ ...track, points: track.points.map(move) }));
  }
  if (drag.mode === "retime")
    return withTrack(base, drag.track, (track) => retimed(track, state.frame, base.frames, at));
  const map =
    drag.mode === "move" || !drag.box
      ? translation(dx, dy)
      : drag.mode === "scale"
        ? scalingByCorner(drag.box, drag.corner ?? { x: 1, y: 1 }, { x: dx, y: dy }, even)
        : rotationBetween(drag.box, from, at, even);
  return withTracks(
    base,
    (track) => state.selection.tracks.includes(track.id) && !track.locked,
    (track) => mapTrack(track, map),
  );
}

/**
 * @param {Track} track
 * @param {number} frame
 * @param {number} frames
 * @param {VideoPoint} at
 * @returns {Track}
 */
function retimed(track, frame, frames, at) {
  const time = (frame - track.start) / Math.max(1, (track.end ?? frames - 1) - track.start);
  if (time < 0 || time > 1) return track;
  return { ...track, speed: addKey(track.speed ?? STEADY, time, pathOf(track).shareNear(at)).keys };
}

/** @param {EditorState} state @returns {EditorState} */
export function dragEnded(state) {
  const drag = state.drag;
  if (!drag) return state.guides ? { ...state, guides: null } : state;
  const calm = { ...state, drag: null, guides: null };
  if (isSame(state.doc, drag.base)) return { ...calm, doc: drag.base };
  return drag.recorded
    ? calm
    : { ...committed({ ...calm, doc: drag.base }, state.doc), selection: state.selection };
}

/**
 * @param {EditorState} state
 * @param {VideoPoint} at
 * @param {StrokeUse} use
 * @returns {EditorState}
 */
export function strokeStarted(state, at, use) {
  // A path of clicks stays open: another click goes on with it.
  const calm = { ...settled(state), open: use === "track" ? state.open : null };
  const keeps = use !== "track" && use !== "line" && use !== "grid";
  return {
    ...calm,
    selection: keeps ? calm.selection : NOTHING,
    stroke: [at],
    use,
    frame: use === "box" ? calm.frame : 0,
  };
}

/**
 * @param {EditorState} state
 * @param {VideoPoint} at
 * @param {boolean} even
 * @param {number} reach
 * @returns {EditorState}
 */
export function strokeExtended(state, at, even, reach) {
  const { stroke, use } = state;
  if (!stroke) return state;
  if (use === "line" || use === "grid" || use === "box" || use === "cut") {
    const goal = even && use === "line" ? snapToRay(stroke[0], at) : at;
    const snap =
      state.options.snap && reach > 0 && use !== "box" && use !== "cut"
        ? snapPoint(state.doc, goal, reach, () => false)
        : null;
    return { ...state, stroke: [stroke[0], snap?.at ?? goal], guides: snap?.guides ?? null };
  }
  return distance(stroke[stroke.length - 1], at) < 0.25 ? state : { ...state, stroke: [...stroke, at] };
}

/**
 * The stroke in work has not left its place.
 * @param {EditorState} state
 */
export function isClick({ stroke }) {
  const points = simplify(stroke ?? [], STROKE_TOLERANCE);
  if (points.length < 2) return points.length === 1;
  return distance(points[0], points[points.length - 1]) + points.length - 2 <= STROKE_TOLERANCE;
}

/**
 * A tap of the pen is a resting point, not a stroke.
 * @param {EditorState} state
 * @param {boolean} add to what is selected
 * @returns {EditorState}
 */
export function strokeEnded(state, add) {
  const { stroke, use } = state;
  if (!stroke) return state;
  const calm = { ...state, stroke: null, guides: null, open: null };
  if (use === "cut") return calm; // what is in the box comes later, as an event of its own
  if (use === "less") return objectPainted(calm, stroke, areaRadius(calm), false);
  if (use === "area") return painted(calm, stroke);
  if (use === "box") return boxed(calm, stroke, add);
  const points = simplify(stroke, STROKE_TOLERANCE);
  if (isClick(state)) return calm;
  if (use === "path") return pathDrawn(calm, points);
  return use === "grid"
    ? gridDrawn(calm, points)
    : added(calm, newTrack(calm, use === "line" ? "line" : "freehand", points));
}

/**
 * @param {EditorState} state
 * @param {VideoPoint[]} stroke
 * @param {boolean} add
 * @returns {EditorState}
 */
function boxed(state, stroke, add) {
  const found = stroke.length > 1 ? tracksIn(state.doc, boxOf(stroke[0], stroke[1])) : [];
  return { ...state, selection: many(add ? [...new Set([...state.selection.tracks, ...found])] : found) };
}

/**
 * @param {EditorState} state
 * @param {VideoPoint[]} corners
 * @returns {EditorState} points about one brush apart in the rectangle
 */
function gridDrawn(state, corners) {
  const box = boxOf(corners[0], corners[corners.length - 1]);
  const [width, height] = [roundHundredth(box.right - box.left), roundHundredth(box.bottom - box.top)];
  if (width < 2 || height < 2) return state;
  const apart = Math.max(2, Math.min(state.doc.width, state.doc.height) / 10, Math.max(width, height) / 20);
  const count = (/** @type {number} */ side) => Math.max(2, Math.round(side / apart) + 1);
  const grid = { width, height, columns: count(width), rows: count(height) };
  const centre = { x: (box.left + box.right) / 2, y: (box.top + box.bottom) / 2 };
  return added(state, {
    ...newTrack(state, "grid", [centre]),
    interpolation: state.interpolation,
    brush: null,
    grid,
  });
}

/**
 * The region a stroke of the region tool belongs to: the selected one, until it has a path and the stroke
 * lies apart from it.
 * @param {EditorState} state
 * @param {VideoPoint} at
 * @returns {Track | null}
 */
export function regionUnder(state, at) {
  const track = selectedTrack(state);
  if (track?.kind !== "region" || !track.region || track.locked) return null;
  const offset = { x: at.x - track.points[0].x, y: at.y - track.points[0].y };
  const near = track.region.lines.some(
    (line) => toLine(offset, line) <= (track.region?.radius ?? 0) + areaRadius(state),
  );
  return track.points.length === 1 || near ? track : null;
}

/** @param {EditorState} state */
const areaRadius = (state) => Math.max(LEAST_AREA, state.brush);

/**
 * A stroke of the region tool: a new area, or more of the selected one.
 * @param {EditorState} state
 * @param {VideoPoint[]} stroke
 * @returns {EditorState}
 */
function painted(state, stroke) {
  const radius = areaRadius(state);
  if (selectedObject(state)) return objectPainted(state, stroke, radius, true);
  const line = simplify(stroke, Math.max(0.5, radius / 8));
  const track = regionUnder(state, stroke[0]);
  if (!track?.region) {
    const { left, right, top, bottom } = boxOf(line.reduce(least), line.reduce(most));
    const centre = roundPoint(mix({ x: left, y: top }, { x: right, y: bottom }, 0.5));
    const region = {
      lines: [line.map((point) => from(centre, point))],
      radius,
      spacing: brushOf(radius)?.spacing ?? radius,
    };
    return added(state, {
      ...newTrack(state, "region", [centre]),
      interpolation: state.interpolation,
      brush: null,
      region,
    });
  }
  const { region } = track;
  const count = region.lines.reduce((sum, other) => sum + other.length, line.length);
  if (count > MAX_REGION_POINTS) return state;
  const inside = line.every((point) =>
    inRegion({ ...region, radius: Math.max(0, region.radius / 2) }, from(track.points[0], point)),
  );
  if (inside) return state;
  const lines = [...region.lines, line.map((point) => from(track.points[0], point))];
  return committed(
    state,
    withTrack(state.doc, track.id, () => ({ ...track, region: { ...region, lines } })),
  );
}

/**
 * @param {VideoPoint} a
 * @param {VideoPoint} b
 * @returns {VideoPoint}
 */
const least = (a, b) => ({ x: Math.min(a.x, b.x), y: Math.min(a.y, b.y) });
/**
 * @param {VideoPoint} a
 * @param {VideoPoint} b
 * @returns {VideoPoint}
 */
const most = (a, b) => ({ x: Math.max(a.x, b.x), y: Math.max(a.y, b.y) });
/**
 * @param {VideoPoint} origin
 * @param {VideoPoint} point
 * @returns {VideoPoint}
 */
const from = (origin, point) => roundPoint({ x: point.x - origin.x, y: point.y - origin.y });

/**
 * The stroke becomes the path of the selected region, grid or camera.
 * @param {EditorState} state
 * @param {VideoPoint[]} stroke
 * @returns {EditorState}
 */
function pathDrawn(state, stroke) {
  const track = selectedTrack(state);
  if (!track || track.locked) return state;
  const [start, first] = [track.points[0], stroke[0]];
  const points = stroke.map((point, i) =>
    i ? roundPoint({ x: start.x + point.x - first.x, y: start.y + point.y - first.y }) : start,
  );
  return committed(
    state,
    withTrack(state.doc, track.id, () => ({ ...track, points })),
  );
}
