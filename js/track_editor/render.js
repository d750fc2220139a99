/**
 * Draws the editor's picture: backdrop, tracks, what is selected, what the pointer is about to do. Draws
 * only, changes nothing.
 */

import { coverCrop } from "../shared/geometry.js";
import { toView } from "../shared/view.js";
import { borderPins } from "./areas.js";
import { drawMoving, drawOnion, drawStill, drawTrack } from "./draw_tracks.js";
import { cameraMove, isShown } from "./sampling.js";
import { INK, disc, strokeLine } from "./shapes.js";
import { fitView, handlesOf, selectionFrame } from "./view.js";

/** @import {EditorState, VideoPoint, ViewPoint} from "./types.js" */
/** @import {View} from "../shared/view.js" */
/** @import {Viewport} from "./view.js" */
/** @import {StillLayer} from "./still_layer.js" */
/** @import {WarpLayer} from "./warp.js" */

/**
 * @typedef {object} RenderOptions
 * @property {StillLayer} [layer]
 * @property {WarpLayer} [warp]  shows the picture moving while it plays
 * @property {VideoPoint | null} hover
 * @property {{image: CanvasImageSource, width: number, height: number} | null} backdrop
 * @property {boolean} playing
 * @property {Viewport} [viewport]
 */

/**
 * @param {CanvasRenderingContext2D} ctx scaled to view pixels
 * @param {{width: number, height: number}} area
 * @param {EditorState} state
 * @param {RenderOptions} options
 */
export function render(ctx, area, state, options) {
  const view = fitView(area, state.doc, options.viewport);
  ctx.clearRect(0, 0, area.width, area.height);
  if (options.backdrop) drawCutAway(ctx, view, state, options.backdrop);
  drawBackdrop(ctx, view, state, options);
  if (state.doc.pin_border) drawBorderPins(ctx, view, state);
  const moves = state.frame > 0 || options.playing;
  const scene = { ctx, view, state, moves, camera: moves ? cameraMove(state.doc, state.frame) : null };
  const drawn = state.doc.tracks.filter((track) => track.points.length && !track.hidden);
  if (state.options.onion)
    drawOnion(
      scene,
      drawn.filter((track) => track.visible && track.kind !== "pin"),
      (frame) => cameraMove(state.doc, frame),
    );
  const chosen = new Set(state.selection.tracks);
  const others = drawn.filter((track) => !chosen.has(track.id));
  const still = (/** @type {CanvasRenderingContext2D} */ on) =>
    others.forEach((track) => drawStill({ ...scene, ctx: on }, track));
  const look = moves
    ? others.map((track) => (track.shown ? Number(isShown(track, state.frame)) : "")).join("")
    : "rests";
  if (options.layer) options.layer.put(ctx, view, others, `${state.doc.frames} ${look}`, still);
  else still(ctx);
  drawMoving(scene, others);
  for (const track of drawn) if (chosen.has(track.id)) drawTrack(scene, track);
  drawGuides(ctx, view, state);
  if (!options.playing) drawSelectionFrame(ctx, view, state);
  if (state.stroke) drawStroke(ctx, view, state, state.stroke);
  drawPointer(ctx, view, state, options.hover);
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {View} view
 * @param {EditorState} state
 * @param {RenderOptions} options
 */
function drawBackdrop(ctx, view, state, { backdrop, playing, warp }) {
  ctx.save();
  roundRect(ctx, view.left, view.top, view.width, view.height, 4);
  ctx.fillStyle = "#1b1d22";
  ctx.fill();
  ctx.clip();
  if (backdrop) {
    const moving = playing && !("videoWidth" in backdrop.image);
    if (!moving || !warp?.draw(ctx, view, backdrop, state.doc, state.frame))
      drawStillPicture(ctx, view, state, backdrop);
    ctx.fillStyle = "rgba(10, 12, 16, 0.18)";
    ctx.fillRect(view.left, view.top, view.width, view.height);
  } else drawGrid(ctx, view);
  ctx.restore();
  roundRect(ctx, view.left - 0.5, view.top - 0.5, view.width + 1, view.height + 1, 4);
  ctx.strokeStyle = "rgba(255, 255, 255, 0.16)";
  ctx.lineWidth = 1;
  ctx.stroke();
}

/**
 * What of the picture the video does not show, dimmed, round the frame.
 * @param {CanvasRenderingContext2D} ctx
 * @param {View} view
 * @param {EditorState} state
 * @param {NonNullable<RenderOptions["backdrop"]>} backdrop
 */
function drawCutAway(ctx, view, state, backdrop) {
  const crop = coverCrop(backdrop, state.doc);
  const scale = view.width / crop.width;
  if (backdrop.width - crop.width < 1 && backdrop.height - crop.height < 1) return;
  ctx.save();
  ctx.globalAlpha = 0.3;
  ctx.drawImage(
    backdrop.image,
    view.left - crop.x * scale,
    view.top - crop.y * scale,
    backdrop.width * scale,
    backdrop.height * scale,
  );
  ctx.restore();
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {View} view
 * @param {EditorState} state
 * @param {NonNullable<RenderOptions["backdrop"]>} backdrop
 */
function drawStillPicture(ctx, view, state, backdrop) {
  const { x, y, width, height } = coverCrop(backdrop, state.doc);
  ctx.imageSmoothingQuality = "high";
  ctx.drawImage(backdrop.image, x, y, width, height, view.left, view.top, view.width, view.height);
}

/** @param {CanvasRenderingContext2D} ctx @param {View} view */
function drawGrid(ctx, view) {
  ctx.strokeStyle = "rgba(255, 255, 255, 0.05)";
  ctx.lineWidth = 1;
  ctx.beginPath();
  for (let i = 1; i < 8; i++) {
    const [x, y] = [view.left + (view.width * i) / 8, view.top + (view.height * i) / 8];
    ctx.moveTo(x, view.top);
    ctx.lineTo(x, view.top + view.height);
    ctx.moveTo(view.left, y);
    ctx.lineTo(view.left + view.width, y);
  }
  ctx.stroke();
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} height
 * @param {number} radius
 */
function roundRect(ctx, x, y, width, height, radius) {
  ctx.beginPath();
  ctx.roundRect(x, y, width, height, radius);
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {View} view
 * @param {EditorState} state
 */
function drawBorderPins(ctx, view, state) {
  for (const pin of borderPins(state.doc.width, state.doc.height)) {
    const { x, y } = toView(view, pin);
    ctx.fillStyle = INK;
    ctx.fillRect(x - 2.5, y - 2.5, 5, 5);
    ctx.fillStyle = "#e8ecf2";
    ctx.fillRect(x - 1.5, y - 1.5, 3, 3);
  }
}

/**
 * Lines that a place has snapped to.
 * @param {CanvasRenderingContext2D} ctx
 * @param {View} view
 * @param {EditorState} state
 */
function drawGuides(ctx, view, { guides }) {
  if (!guides) return;
  ctx.beginPath();
  const at = toView(view, { x: guides.x ?? 0, y: guides.y ?? 0 });
  if (guides.x !== null) {
    ctx.moveTo(at.x, view.top);
    ctx.lineTo(at.x, view.top + view.height);
  }
  if (guides.y !== null) {
    ctx.moveTo(view.left, at.y);
    ctx.lineTo(view.left + view.width, at.y);
  }
  ctx.strokeStyle = "#ff4fd8";
  ctx.lineWidth = 1;
  ctx.stroke();
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {View} view
 * @param {EditorState} state
 */
function drawSelectionFrame(ctx, view, state) {
  const frame = selectionFrame(view, state);
  if (!frame) return;
  const handles = handlesOf(frame);
  const [stem] = handles.slice(-1);
  ctx.save();
  ctx.strokeStyle = "rgba(255, 255, 255, 0.75)";
  ctx.lineWidth = 1;
  ctx.setLineDash([4, 3]);
  ctx.strokeRect(frame.left, frame.top, frame.right - frame.left, frame.bottom - frame.top);
  ctx.setLineDash([]);
  strokeLine(ctx, [{ x: stem.at.x, y: frame.top }, stem.at], "rgba(255, 255, 255, 0.75)", 1);
  for (const { mode, at } of handles) {
    if (mode === "rotate") disc(ctx, at, 4.5);
    else roundRect(ctx, at.x - 3.5, at.y - 3.5, 7, 7, 1.5);
    ctx.fillStyle = "#fff";
    ctx.fill();
    ctx.strokeStyle = "#1769c9";
    ctx.lineWidth = 1.5;
    ctx.stroke();
  }
  ctx.restore();
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {View} view
 * @param {EditorState} state
 * @param {VideoPoint[]} stroke
 */
function drawStroke(ctx, view, state, stroke) {
  const line = stroke.map((point) => toView(view, point));
  if (state.use === "box" || state.use === "grid" || state.use === "cut")
    return drawRectangle(ctx, line[0], line[line.length - 1], state.use === "box");
  if (state.use === "area" || state.use === "less")
    return strokeLine(
      ctx,
      line.length > 1 ? line : [line[0], { x: line[0].x + 0.01, y: line[0].y }],
      state.use === "less" ? "rgba(255, 90, 80, 0.5)" : "rgba(74, 163, 255, 0.5)",
      2 * Math.max(2, state.brush) * view.scale,
    );
  strokeLine(ctx, line, INK, 6);
  return strokeLine(ctx, line, "#ffffff", 3);
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {ViewPoint} from
 * @param {ViewPoint} to
 * @param {boolean} selects
 */
function drawRectangle(ctx, from, to, selects) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(from.x, from.y, to.x - from.x, to.y - from.y);
  ctx.fillStyle = selects ? "rgba(74, 163, 255, 0.16)" : "rgba(255, 255, 255, 0.14)";
  ctx.fill();
  ctx.setLineDash(selects ? [] : [5, 4]);
  ctx.strokeStyle = selects ? "#4aa3ff" : "#fff";
  ctx.lineWidth = 1.25;
  ctx.stroke();
  ctx.restore();
}

/**
 * What a press would do: the brush's disc, and the next piece of an open path.
 * @param {CanvasRenderingContext2D} ctx
 * @param {View} view
 * @param {EditorState} state
 * @param {VideoPoint | null} hover
 */
function drawPointer(ctx, view, state, hover) {
  if (!hover || state.drag || ["select", "grid", "object"].includes(state.tool)) return;
  const at = toView(view, hover);
  const open = state.doc.tracks.find((track) => track.id === state.open);
  if (open) {
    ctx.save();
    ctx.setLineDash([5, 4]);
    strokeLine(ctx, [toView(view, open.points[open.points.length - 1]), at], open.color, 1.5);
    ctx.restore();
  } else if (state.brush > 0) {
    disc(ctx, at, state.brush * view.scale);
    ctx.lineWidth = 3;
    ctx.strokeStyle = "rgba(8, 10, 14, 0.45)";
    ctx.stroke();
    ctx.lineWidth = 1.25;
    ctx.strokeStyle = "rgba(255, 255, 255, 0.8)";
    ctx.stroke();
  }
}
