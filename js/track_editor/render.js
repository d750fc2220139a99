/**
 * Draws the editor's picture: backdrop, curves, handles, ticks, the playhead's points. Draws only; changes nothing.
 * Two spaces that never mix: video pixels (the document) and view pixels (the canvas, CSS pixels before any zoom of the host).
 */

import { borderPins, brushOffsets, coverCrop, positionAt, progress, ruler, tickStep, trackLine } from "./geometry.js";

/** @import {EditorState, Point, Track} from "./types.js" */

/**
 * @typedef {{scale: number, left: number, top: number, width: number, height: number}} View  where the video lies, in view pixels
 * @typedef {{hover: Point | null, backdrop: {image: CanvasImageSource, width: number, height: number} | null, playing: boolean}} Extras
 */

const MARGIN = 12;
const TICKS_APART = 9;
const INK = "rgba(8, 10, 14, 0.72)";

/** @param {{width: number, height: number}} area view pixels @param {{width: number, height: number}} video @returns {View} */
export function fitView(area, video) {
  const scale = Math.max(0.01, Math.min((area.width - 2 * MARGIN) / video.width, (area.height - 2 * MARGIN) / video.height));
  const [width, height] = [video.width * scale, video.height * scale];
  return { scale, width, height, left: (area.width - width) / 2, top: (area.height - height) / 2 };
}

/** @param {View} view @param {Point} point video pixels @returns {Point} the middle of that pixel in the view */
export const toView = (view, point) => ({ x: view.left + (point.x + 0.5) * view.scale, y: view.top + (point.y + 0.5) * view.scale });

/** @param {View} view @param {Point} point view pixels @returns {Point} */
export const toVideo = (view, point) => ({ x: (point.x - view.left) / view.scale - 0.5, y: (point.y - view.top) / view.scale - 0.5 });

/** @param {CanvasRenderingContext2D} ctx scaled to view pixels @param {{width: number, height: number}} area @param {EditorState} state @param {Extras} extras */
export function render(ctx, area, state, extras) {
  const view = fitView(area, state.doc);
  ctx.clearRect(0, 0, area.width, area.height);
  drawBackdrop(ctx, view, state, extras.backdrop);
  if (state.doc.pin_border) drawBorderPins(ctx, view, state);
  const order = [...state.doc.tracks].sort((a, b) => Number(a.id === state.selection.track) - Number(b.id === state.selection.track));
  for (const track of order) if (track.points.length) drawTrack(ctx, view, state, track, extras);
  if (state.stroke) drawStroke(ctx, view, state.stroke);
  drawPointer(ctx, view, state, extras.hover);
}

/** @param {CanvasRenderingContext2D} ctx @param {View} view @param {EditorState} state @param {Extras["backdrop"]} backdrop */
function drawBackdrop(ctx, view, state, backdrop) {
  ctx.save();
  roundRect(ctx, view.left, view.top, view.width, view.height, 4);
  ctx.fillStyle = "#1b1d22";
  ctx.fill();
  ctx.clip();
  if (backdrop) {
    const crop = coverCrop(backdrop, state.doc);
    ctx.imageSmoothingQuality = "high";
    ctx.drawImage(backdrop.image, crop.x, crop.y, crop.width, crop.height, view.left, view.top, view.width, view.height);
    ctx.fillStyle = "rgba(10, 12, 16, 0.18)";
    ctx.fillRect(view.left, view.top, view.width, view.height);
  } else drawGrid(ctx, view);
  ctx.restore();
  roundRect(ctx, view.left - 0.5, view.top - 0.5, view.width + 1, view.height + 1, 4);
  ctx.strokeStyle = "rgba(255, 255, 255, 0.16)";
  ctx.lineWidth = 1;
  ctx.stroke();
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

/** @param {CanvasRenderingContext2D} ctx @param {number} x @param {number} y @param {number} width @param {number} height @param {number} radius */
function roundRect(ctx, x, y, width, height, radius) {
  ctx.beginPath();
  ctx.roundRect(x, y, width, height, radius);
}

/** @param {CanvasRenderingContext2D} ctx @param {View} view @param {EditorState} state */
function drawBorderPins(ctx, view, state) {
  for (const pin of borderPins(state.doc.width, state.doc.height)) {
    const { x, y } = toView(view, pin);
    ctx.fillStyle = INK;
    ctx.fillRect(x - 2.5, y - 2.5, 5, 5);
    ctx.fillStyle = "#e8ecf2";
    ctx.fillRect(x - 1.5, y - 1.5, 3, 3);
  }
}

/** @param {CanvasRenderingContext2D} ctx @param {View} view @param {EditorState} state @param {Track} track @param {Extras} extras */
function drawTrack(ctx, view, state, track, extras) {
  const selected = track.id === state.selection.track;
  const line = trackLine(track).map((point) => toView(view, point));
  ctx.save();
  if (!track.visible) ctx.globalAlpha = 0.3;
  const moves = state.frame > 0 || extras.playing;
  drawBrush(ctx, view, track, moves ? positionAt(track, state.frame, state.doc.frames) : track.points[0], selected);
  if (line.length > 1) {
    strokeLine(ctx, line, INK, selected ? 6 : 4.5);
    strokeLine(ctx, line, track.color, selected ? 3 : 2);
    drawTicks(ctx, line, track, state.doc.frames);
    drawArrow(ctx, line, track.color, selected);
  }
  if (track.kind === "pin" || line.length === 1) drawPin(ctx, line[0], track.color, selected);
  else drawHandles(ctx, view, track, selected, state.selection.point);
  if (moves && line.length > 1) drawRunner(ctx, toView(view, positionAt(track, state.frame, state.doc.frames)), track, state);
  ctx.restore();
}

/** @param {CanvasRenderingContext2D} ctx @param {Point[]} line @param {string} color @param {number} width */
function strokeLine(ctx, line, color, width) {
  ctx.beginPath();
  line.forEach((point, i) => (i ? ctx.lineTo(point.x, point.y) : ctx.moveTo(point.x, point.y)));
  ctx.strokeStyle = color;
  ctx.lineWidth = width;
  ctx.lineJoin = "round";
  ctx.lineCap = "round";
  ctx.stroke();
}

/** @param {CanvasRenderingContext2D} ctx @param {View} view @param {Track} track @param {Point} centre video pixels @param {boolean} selected */
function drawBrush(ctx, view, track, centre, selected) {
  if (!track.brush || track.brush.radius <= 0) return;
  const at = toView(view, centre);
  ctx.save();
  disc(ctx, at, track.brush.radius * view.scale);
  ctx.globalAlpha *= selected ? 0.2 : 0.12;
  ctx.fillStyle = track.color;
  ctx.fill();
  ctx.globalAlpha *= selected ? 4.5 : 4;
  ctx.lineWidth = 1.25;
  ctx.setLineDash([4, 3]);
  ctx.strokeStyle = track.color;
  ctx.stroke();
  ctx.fillStyle = "#fff";
  for (const offset of brushOffsets(track.brush)) {
    disc(ctx, { x: at.x + offset.x * view.scale, y: at.y + offset.y * view.scale }, selected ? 1.4 : 1);
    ctx.fill();
  }
  ctx.restore();
}

/** @param {CanvasRenderingContext2D} ctx @param {Point} at @param {number} radius */
function disc(ctx, at, radius) {
  ctx.beginPath();
  ctx.arc(at.x, at.y, Math.max(0, radius), 0, 2 * Math.PI);
}

/** Dots at equal times, so that speed is seen: the further apart, the faster. @param {CanvasRenderingContext2D} ctx @param {Point[]} line view pixels @param {Track} track @param {number} frames */
function drawTicks(ctx, line, track, frames) {
  const travelled = Math.max(1, (track.end ?? frames - 1) - track.start);
  const measured = ruler(line);
  const step = tickStep(measured.length, travelled, TICKS_APART);
  ctx.fillStyle = "#fff";
  for (let frame = step; frame < travelled; frame += step) {
    disc(ctx, measured.at(frame / travelled), frame % (4 * step) === 0 ? 2 : 1.15);
    ctx.fill();
  }
}

/** @param {CanvasRenderingContext2D} ctx @param {Point[]} line @param {string} color @param {boolean} selected */
function drawArrow(ctx, line, color, selected) {
  const tip = line[line.length - 1];
  const measured = ruler(line);
  const from = measured.at(Math.max(0, 1 - 8 / Math.max(8, measured.length)));
  const angle = Math.atan2(tip.y - from.y, tip.x - from.x);
  const size = selected ? 13 : 10;
  ctx.save();
  ctx.translate(tip.x, tip.y);
  ctx.rotate(angle);
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
  ctx.fillStyle = color;
  ctx.fill();
  ctx.restore();
}

/** @param {CanvasRenderingContext2D} ctx @param {View} view @param {Track} track @param {boolean} selected @param {number | null} chosen */
function drawHandles(ctx, view, track, selected, chosen) {
  const small = track.kind === "freehand";
  const picked = selected ? chosen : null;
  track.points.forEach((point, i) => {
    if (i && !selected) return;
    const at = toView(view, point);
    const radius = i === 0 ? (selected ? 6 : 5) : small ? 3.2 : 4.8;
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

/** @param {CanvasRenderingContext2D} ctx @param {Point} at @param {string} color @param {boolean} selected */
function drawPin(ctx, at, color, selected) {
  const arm = selected ? 8 : 6.5;
  ctx.lineCap = "round";
  for (const [style, width] of /** @type {const} */ ([[INK, 6], [color, 3]])) {
    ctx.beginPath();
    for (const [dx, dy] of [[arm, 0], [0, arm]]) {
      ctx.moveTo(at.x - dx, at.y - dy);
      ctx.lineTo(at.x + dx, at.y + dy);
    }
    ctx.strokeStyle = style;
    ctx.lineWidth = width;
    ctx.stroke();
  }
  disc(ctx, at, 3.4);
  ctx.fillStyle = "#fff";
  ctx.fill();
  if (selected) {
    disc(ctx, at, arm + 4);
    ctx.lineWidth = 1.5;
    ctx.strokeStyle = "rgba(255, 255, 255, 0.85)";
    ctx.stroke();
  }
}

/** The point at the playhead's time. @param {CanvasRenderingContext2D} ctx @param {Point} at @param {Track} track @param {EditorState} state */
function drawRunner(ctx, at, track, state) {
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

/** @param {CanvasRenderingContext2D} ctx @param {View} view @param {Point[]} stroke */
function drawStroke(ctx, view, stroke) {
  const line = stroke.map((point) => toView(view, point));
  strokeLine(ctx, line, INK, 6);
  strokeLine(ctx, line, "#ffffff", 3);
}

/** What a press would do: the brush's disc, and the next piece of an open path. @param {CanvasRenderingContext2D} ctx @param {View} view @param {EditorState} state @param {Point | null} hover */
function drawPointer(ctx, view, state, hover) {
  if (!hover || state.tool === "select" || state.drag) return;
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
