/**
 * Draws tracks: paths, areas, handles, frame numbers, the playhead's points. Draws only, changes nothing.
 * View pixels unless said otherwise.
 */

import { tickStep } from "../shared/geometry.js";
import { toView } from "../shared/view.js";
import { trackOffsets } from "./areas.js";
import { pathOf } from "./curves.js";
import { atPose, isShown, poseAt, progress } from "./sampling.js";
import { FONT, INK, disc, drawDots, drawLabel, drawLock, drawPin } from "./shapes.js";

/** @import {EditorState, Track, VideoPoint, ViewPoint} from "./types.js" */
/** @import {View} from "../shared/view.js" */
/** @import {Path} from "./curves.js" */
/** @import {Pose} from "./sampling.js" */

/**
 * @typedef {object} Scene
 * @property {CanvasRenderingContext2D} ctx
 * @property {View} view
 * @property {EditorState} state
 * @property {boolean} moves
 * @property {((place: VideoPoint) => VideoPoint) | null} camera
 */

const TICKS_APART = 9;
const NUMBERS_APART = 36;
const MAX_DOTS = 400; // of one track; more are a texture, not points

/**
 * A selected track, whole.
 * @param {Scene} scene
 * @param {Track} track
 */
export function drawTrack(scene, track) {
  faded(scene, track, () => drawCarried(scene, track, true));
  drawStill(scene, track);
  if (scene.moves && pathOf(track).line.length > 1) faded(scene, track, () => drawRunner(scene, track));
}

/**
 * Muted or not seen at the playhead: pale.
 * @param {Scene} scene
 * @param {Track} track
 * @param {() => void} draw
 */
function faded({ ctx, state, moves }, track, draw) {
  ctx.save();
  if (!track.visible) ctx.globalAlpha = 0.3;
  else if (moves && !isShown(track, state.frame)) ctx.globalAlpha = 0.35;
  draw();
  ctx.restore();
}

/**
 * What of a track is the same at every frame: its path, ticks and handles.
 * @param {Scene} scene
 * @param {Track} track
 */
export function drawStill(scene, track) {
  const { ctx, view, state } = scene;
  const chosen = state.selection.tracks.includes(track.id);
  const shows = track.id === state.selection.track && state.selection.tracks.length === 1;
  const path = pathOf(track);
  faded(scene, track, () => {
    if (path.line.length > 1) {
      strokePath(ctx, view, path, INK, chosen ? 6 : 4.5);
      strokePath(ctx, view, path, track.color, chosen ? 3 : 2);
      drawTicks(scene, track, path, shows);
      drawArrow(scene, track, path, chosen);
    }
    if (track.kind === "pin" || (path.line.length === 1 && !track.grid && !track.region && !track.object))
      drawPin(ctx, toView(view, path.line[0]), track.color, chosen);
    else drawHandles(scene, track, chosen, shows);
    if (track.locked && chosen) drawLock(ctx, toView(view, track.points[0]));
  });
}

/**
 * What moves of tracks that are not selected, all dots in one go.
 * @param {Scene} scene
 * @param {Track[]} tracks
 */
export function drawMoving(scene, tracks) {
  /** @type {ViewPoint[]} */
  const dots = [];
  for (const track of tracks) faded(scene, track, () => dots.push(...drawCarried(scene, track, false)));
  scene.ctx.save();
  scene.ctx.globalAlpha = 0.5;
  drawDots(scene.ctx, dots, 1, "#fff");
  scene.ctx.restore();
  if (scene.moves)
    for (const track of tracks)
      if (pathOf(track).line.length > 1) faded(scene, track, () => drawRunner(scene, track));
}

/**
 * What a track carries, where it is now.
 * @param {Scene} scene
 * @param {Track} track
 * @param {boolean} chosen
 * @returns {ViewPoint[]} dots that are left to draw
 */
function drawCarried(scene, track, chosen) {
  if (track.kind !== "camera")
    return drawArea(
      scene,
      track,
      poseAt(track, scene.moves ? scene.state.frame : -1e9, scene.state.doc.frames),
      chosen,
    );
  drawCamera(scene, track, chosen);
  return [];
}

/**
 * Paths in video pixels as the canvas takes them: made once, drawn by every frame.
 * @type {WeakMap<Path, Path2D>}
 */
const canvasPaths = new WeakMap();

/** @param {Path} path */
function canvasPathOf(path) {
  let made = canvasPaths.get(path);
  if (!made) {
    made = new Path2D();
    for (const { x, y } of path.line) made.lineTo(x, y);
    canvasPaths.set(path, made);
  }
  return made;
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {View} view
 * @param {Path} path
 * @param {string} color
 * @param {number} width
 */
function strokePath(ctx, view, path, color, width) {
  ctx.save();
  ctx.translate(view.left + view.scale / 2, view.top + view.scale / 2);
  ctx.scale(view.scale, view.scale);
  ctx.strokeStyle = color;
  ctx.lineWidth = width / view.scale;
  ctx.lineJoin = "round";
  ctx.lineCap = "round";
  ctx.stroke(canvasPathOf(path));
  ctx.restore();
}

/**
 * The points a track carries and the shape they fill.
 * @param {Scene} scene
 * @param {Track} track
 * @param {Pose} place
 * @param {boolean} chosen
 * @returns {ViewPoint[]} dots that are left to draw
 */
function drawArea({ ctx, view, camera }, track, place, chosen) {
  const put = (/** @type {VideoPoint} */ offset) =>
    toView(view, camera ? camera(atPose(place, offset)) : atPose(place, offset));
  if (!track.region && !track.grid && !track.object && !(track.brush && track.brush.radius > 0)) return [];
  const base = ctx.globalAlpha;
  ctx.strokeStyle = ctx.fillStyle = track.color;
  const [middle, aside] = [put({ x: 0, y: 0 }), put({ x: 1, y: 0 })];
  const scale = Math.hypot(aside.x - middle.x, aside.y - middle.y);
  if (track.region) strokeRegion(ctx, track.region, put, scale, base * (chosen ? 0.34 : 0.24));
  else {
    outline(ctx, track, put, scale);
    ctx.globalAlpha = base * (chosen ? 0.18 : 0.12);
    ctx.fill("evenodd");
    ctx.globalAlpha = base * (chosen ? 0.9 : 0.4);
    ctx.lineWidth = 1.25;
    if (chosen) ctx.setLineDash([4, 3]);
    ctx.stroke();
  }
  const dots = trackOffsets(track).slice(0, MAX_DOTS).map(put);
  if (!chosen) return base < 1 ? [] : dots;
  ctx.globalAlpha = base * 0.9;
  drawDots(ctx, dots, 1.5, "#fff");
  return [];
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {NonNullable<Track["region"]>} region
 * @param {(offset: VideoPoint) => ViewPoint} put
 * @param {number} scale
 * @param {number} alpha
 */
function strokeRegion(ctx, region, put, scale, alpha) {
  ctx.beginPath();
  for (const line of region.lines) {
    const [first, ...rest] = line.map(put);
    ctx.moveTo(first.x, first.y);
    for (const at of rest.length ? rest : [{ x: first.x + 0.01, y: first.y }]) ctx.lineTo(at.x, at.y);
  }
  ctx.lineCap = ctx.lineJoin = "round";
  ctx.lineWidth = 2 * region.radius * scale;
  ctx.globalAlpha = alpha;
  ctx.stroke();
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {Track} track
 * @param {(offset: VideoPoint) => ViewPoint} put
 * @param {number} scale
 */
function outline(ctx, track, put, scale) {
  if (track.object) return traced(ctx, track.object.outlines, put);
  if (!track.grid) return disc(ctx, put({ x: 0, y: 0 }), (track.brush?.radius ?? 0) * scale);
  const [w, h] = [track.grid.width / 2, track.grid.height / 2];
  ctx.beginPath();
  for (const corner of [
    [-w, -h],
    [w, -h],
    [w, h],
    [-w, h],
  ]) {
    const at = put({ x: corner[0], y: corner[1] });
    ctx.lineTo(at.x, at.y);
  }
  return ctx.closePath();
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {VideoPoint[][]} outlines
 * @param {(offset: VideoPoint) => ViewPoint} put
 */
function traced(ctx, outlines, put) {
  ctx.beginPath();
  for (const line of outlines) {
    line.map(put).forEach(({ x, y }, i) => (i ? ctx.lineTo(x, y) : ctx.moveTo(x, y)));
    ctx.closePath();
  }
}

/**
 * A camera: where each point of its grid goes, and where it is now.
 * @param {Scene} scene
 * @param {Track} track
 * @param {boolean} chosen
 */
function drawCamera({ ctx, view, state, moves }, track, chosen) {
  const { frames } = state.doc;
  const [first, now, last] = [-1e9, moves ? state.frame : -1e9, 1e9].map((frame) =>
    poseAt(track, frame, frames),
  );
  const offsets = trackOffsets(track).slice(0, MAX_DOTS);
  ctx.save();
  const base = ctx.globalAlpha;
  ctx.globalAlpha = base * (chosen ? 0.85 : 0.22);
  ctx.beginPath();
  for (const offset of offsets) {
    const [a, b] = [toView(view, atPose(first, offset)), toView(view, atPose(last, offset))];
    ctx.moveTo(a.x, a.y);
    ctx.lineTo(b.x, b.y);
  }
  ctx.strokeStyle = track.color;
  ctx.lineWidth = chosen ? 1.6 : 1.1;
  ctx.stroke();
  drawDots(
    ctx,
    offsets.map((offset) => toView(view, atPose(now, offset))),
    chosen ? 2.4 : 1.8,
    INK,
  );
  drawDots(
    ctx,
    offsets.map((offset) => toView(view, atPose(now, offset))),
    chosen ? 1.6 : 1.1,
    "#fff",
  );
  ctx.globalAlpha = base * (chosen ? 0.9 : 0.35);
  outline(ctx, track, (offset) => toView(view, atPose(last, offset)), 1);
  ctx.setLineDash([6, 4]);
  ctx.lineWidth = 1.5;
  ctx.stroke();
  ctx.restore();
}

/**
 * Dots at equal times, so that speed is seen: the further apart, the faster. With numbers on the one that is
 * edited.
 * @param {Scene} scene
 * @param {Track} track
 * @param {Path} path
 * @param {boolean} shows
 */
function drawTicks({ ctx, view, state }, track, path, shows) {
  const { frames } = state.doc;
  const end = track.end ?? frames - 1;
  const travelled = Math.max(1, end - track.start);
  const step = tickStep(path.length * view.scale, travelled, TICKS_APART);
  const numbered = tickStep(path.length * view.scale, travelled, NUMBERS_APART);
  const places = [];
  for (let frame = step; frame < travelled; frame += step)
    places.push({ frame, at: toView(view, path.at(progress(track, track.start + frame, frames))) });
  drawDots(
    ctx,
    places.filter(({ frame }) => frame % (4 * step)).map(({ at }) => at),
    1,
    "#fff",
  );
  drawDots(
    ctx,
    places.filter(({ frame }) => frame % (4 * step) === 0).map(({ at }) => at),
    1.7,
    "#fff",
  );
  if (!shows || !state.options.numbers) return;
  ctx.font = FONT;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  /** @type {ViewPoint | null} */
  let before = null;
  for (const { frame, at } of [
    { frame: 0, at: toView(view, path.at(0)) },
    ...places,
    { frame: travelled, at: toView(view, path.at(1)) },
  ]) {
    if (frame % numbered && frame !== travelled) continue;
    if (before && Math.hypot(at.x - before.x, at.y - before.y) < NUMBERS_APART * 0.6) continue;
    before = at;
    drawLabel(ctx, String(Math.round(track.start + frame)), { x: at.x, y: at.y - 15 });
  }
}

/**
 * @param {Scene} scene
 * @param {Track} track
 * @param {Path} path
 * @param {boolean} chosen
 */
function drawArrow({ ctx, view }, track, path, chosen) {
  const tip = toView(view, path.at(1));
  const from = toView(view, path.at(Math.max(0, 1 - 8 / Math.max(8, path.length * view.scale))));
  const size = chosen ? 13 : 10;
  ctx.save();
  ctx.translate(tip.x, tip.y);
  ctx.rotate(Math.atan2(tip.y - from.y, tip.x - from.x));
  ctx.beginPath();
  ctx.moveTo(size, 0);
  ctx.lineTo(-size * 0.25, -size * 0.62);
  ctx.lineTo(0, 0);
  ctx.lineTo(-size * 0.25, size * 0.62);
  ctx.closePath();
  ctx.lineJoin = "round";
  ctx.lineWidth = 3;
  ctx.strokeStyle = INK;
  ctx.stroke();
  ctx.fillStyle = track.color;
  ctx.fill();
  ctx.restore();
}

/**
 * @param {Scene} scene
 * @param {Track} track
 * @param {boolean} chosen
 * @param {boolean} shows every control point
 */
function drawHandles({ ctx, view, state }, track, chosen, shows) {
  const picked = shows ? state.selection.point : null;
  const small = track.kind === "freehand";
  track.points.forEach((point, i) => {
    if (i && (!shows || track.locked)) return;
    const at = toView(view, point);
    const radius = i === 0 ? (chosen ? 6 : 5) : small ? 3.2 : 4.8;
    disc(ctx, at, radius + 1.5);
    ctx.fillStyle = INK;
    ctx.fill();
    disc(ctx, at, radius);
    ctx.fillStyle = i === picked ? track.color : "#fff";
    ctx.fill();
    ctx.lineWidth = 2;
    ctx.strokeStyle = i === picked ? "#fff" : track.color;
    ctx.stroke();
    if (i === 0 && i !== picked) {
      disc(ctx, at, 2);
      ctx.fillStyle = track.color;
      ctx.fill();
    }
  });
}

/**
 * The point at the playhead's time.
 * @param {Scene} scene
 * @param {Track} track
 */
function drawRunner({ ctx, view, state, camera }, track) {
  const { centre } = poseAt(track, state.frame, state.doc.frames);
  const at = toView(view, camera && track.kind !== "camera" ? camera(centre) : centre);
  const share = progress(track, state.frame, state.doc.frames);
  disc(ctx, at, 9);
  ctx.fillStyle = INK;
  ctx.fill();
  disc(ctx, at, 7.5);
  ctx.fillStyle = track.color;
  ctx.fill();
  ctx.lineWidth = 2;
  ctx.strokeStyle = share > 0 && share < 1 ? "#fff" : "rgba(255, 255, 255, 0.55)";
  ctx.stroke();
}

/**
 * Where the points are some frames before and after the playhead.
 * @param {Scene} scene
 * @param {Track[]} tracks
 * @param {(frame: number) => ((place: VideoPoint) => VideoPoint) | null} cameraAt
 */
export function drawOnion({ ctx, view, state }, tracks, cameraAt) {
  const { frames } = state.doc;
  const step = Math.max(1, Math.round(frames / 14));
  ctx.save();
  for (const ghost of [-3, -2, -1, 1, 2, 3]) {
    const frame = Math.round(state.frame) + ghost * step;
    if (frame < 0 || frame >= frames) continue;
    const camera = cameraAt(frame);
    ctx.globalAlpha = 0.85 - 0.2 * Math.abs(ghost);
    for (const track of tracks.filter((one) => isShown(one, frame))) {
      const place = poseAt(track, frame, frames);
      const at = toView(view, camera && track.kind !== "camera" ? camera(place.centre) : place.centre);
      const radius = Math.max(4, (track.brush?.radius ?? 0) * view.scale);
      disc(ctx, at, radius);
      ctx.fillStyle = ctx.strokeStyle = track.color;
      if (ghost > 0) ctx.setLineDash([3, 3]);
      else ctx.setLineDash([]);
      ctx.lineWidth = 1.5;
      ctx.stroke();
      disc(ctx, at, 2.2);
      ctx.fill();
    }
  }
  ctx.restore();
}
