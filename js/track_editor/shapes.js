/** Small shapes on the canvas: lines, discs, dots, pins, locks, labels. All in view pixels. Draws only. */

/** @import {ViewPoint} from "./types.js" */

export const INK = "rgba(8, 10, 14, 0.72)";
export const FONT = "600 10px Inter, system-ui, sans-serif";

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {ViewPoint[]} line
 * @param {string} color
 * @param {number} width
 */
export function strokeLine(ctx, line, color, width) {
  ctx.beginPath();
  line.forEach((point, i) => (i ? ctx.lineTo(point.x, point.y) : ctx.moveTo(point.x, point.y)));
  ctx.strokeStyle = color;
  ctx.lineWidth = width;
  ctx.lineJoin = "round";
  ctx.lineCap = "round";
  ctx.stroke();
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {ViewPoint} at
 * @param {number} radius
 */
export function disc(ctx, at, radius) {
  ctx.beginPath();
  ctx.arc(at.x, at.y, Math.max(0, radius), 0, 2 * Math.PI);
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {ViewPoint[]} places
 * @param {number} radius
 * @param {string} color
 */
export function drawDots(ctx, places, radius, color) {
  ctx.beginPath();
  for (const at of places) ctx.rect(at.x - radius, at.y - radius, 2 * radius, 2 * radius);
  ctx.fillStyle = color;
  ctx.fill();
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {string} text
 * @param {ViewPoint} at
 */
export function drawLabel(ctx, text, at) {
  const width = 5.8 * text.length + 7;
  ctx.beginPath();
  ctx.roundRect(at.x - width / 2, at.y - 7, width, 14, 7);
  ctx.fillStyle = "rgba(8, 10, 14, 0.78)";
  ctx.fill();
  ctx.fillStyle = "#fff";
  ctx.fillText(text, at.x, at.y + 0.5);
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {ViewPoint} at
 * @param {string} color
 * @param {boolean} chosen
 */
export function drawPin(ctx, at, color, chosen) {
  const arm = chosen ? 8 : 6.5;
  ctx.lineCap = "round";
  for (const [style, width] of /** @type {const} */ ([
    [INK, 6],
    [color, 3],
  ])) {
    ctx.beginPath();
    for (const [dx, dy] of [
      [arm, 0],
      [0, arm],
    ]) {
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
  if (!chosen) return;
  disc(ctx, at, arm + 4);
  ctx.lineWidth = 1.5;
  ctx.strokeStyle = "rgba(255, 255, 255, 0.85)";
  ctx.stroke();
}

/** @param {CanvasRenderingContext2D} ctx @param {ViewPoint} at */
export function drawLock(ctx, at) {
  ctx.fillStyle = "#fff";
  ctx.strokeStyle = "#fff";
  ctx.lineWidth = 1.6;
  ctx.beginPath();
  ctx.roundRect(at.x + 8, at.y - 9, 9, 7, 1.5);
  ctx.fill();
  ctx.beginPath();
  ctx.arc(at.x + 12.5, at.y - 9.5, 2.8, Math.PI, 0);
  ctx.stroke();
}
