/**
 * Draws what lies over the live picture: handles, hands, what is being drawn, the brush. Draws only, changes
 * nothing. Everything is given in video pixels and drawn in view pixels.
 */

import { gridPoints, WITH_RADIUS } from "./steering.js";
import { toView } from "../shared/view.js";

/** @import {VideoPoint, ViewPoint} from "../shared/types.js" */
/** @import {Control} from "./controls.js" */
/** @import {Handle, LiveObject} from "./protocol.js" */
/** @import {Draft, Hand, Steering} from "./steering.js" */
/** @import {View} from "../shared/view.js" */

/**
 * @typedef {object} Overlay
 * @property {Handle[]} handles  of the frame shown
 * @property {LiveObject[]} objects
 * @property {boolean} visible  the handles are to be seen
 * @property {Steering} steering
 * @property {Handle | null} near  the handle a press would take
 * @property {VideoPoint | null} hover  video pixels
 * @property {Control[]} ghosts  what was added and cannot be seen yet
 */

/** Colours of the kinds, in the order of the protocol: on its own path, at rest, in a hand, hidden. */
export const COLORS = ["#3f9bff", "#ff5148", "#3ddc68", "#9aa1ab"];
const [PREDRAWN, STATIC, ONLINE, HIDDEN] = [0, 1, 2, 3];
const INK = "rgba(6, 8, 12, 0.78)";
const MANY = 120;

/**
 * @param {CanvasRenderingContext2D} ctx scaled to view pixels
 * @param {View} view
 * @param {Overlay} overlay
 */
export function drawOverlay(ctx, view, overlay) {
  const { steering, handles, near } = overlay;
  if (overlay.visible) for (const object of overlay.objects) drawObject(ctx, view, object, overlay);
  if (overlay.visible)
    drawHandles(ctx, view, handles, new Set(steering.hands.map((hand) => hand.handle)), near);
  for (const ghost of overlay.ghosts) drawGhost(ctx, view, ghost);
  for (const hand of steering.hands) drawHand(ctx, view, hand, handles, steering.radius);
  if (steering.draft) drawDraft(ctx, view, steering.draft);
  else if (overlay.hover && !steering.hands.length) drawBrush(ctx, view, overlay);
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {View} view
 * @param {Handle[]} handles
 * @param {Set<number | null>} held
 * @param {Handle | null} near
 */
function drawHandles(ctx, view, handles, held, near) {
  const small = handles.length > MANY;
  for (const [id, x, y, kind] of [...handles].sort((a, b) => rank(a[3]) - rank(b[3]))) {
    const at = toView(view, { x, y });
    if (kind === HIDDEN) drawHidden(ctx, at);
    else drawHandle(ctx, at, held.has(id) ? ONLINE : kind, small ? 3.2 : 5, near?.[0] === id);
  }
}

/**
 * The outline of what was cut out, where its handle is, and its inside while a hand would take or holds it.
 * @param {CanvasRenderingContext2D} ctx
 * @param {View} view
 * @param {LiveObject} object
 * @param {Overlay} overlay
 */
function drawObject(ctx, view, { handle, outlines }, { handles, near, steering }) {
  const shown = handles.find(([id]) => id === handle);
  if (!shown || shown[3] === HIDDEN) return;
  const held = steering.hands.some((hand) => hand.handle === handle);
  const color = COLORS[held ? ONLINE : shown[3]];
  ctx.beginPath();
  for (const outline of outlines) {
    outline.forEach(({ x, y }, i) => {
      const at = toView(view, { x: x + shown[1], y: y + shown[2] });
      if (i) ctx.lineTo(at.x, at.y);
      else ctx.moveTo(at.x, at.y);
    });
    ctx.closePath();
  }
  if (held || near?.[0] === handle) {
    ctx.fillStyle = `${color}38`;
    ctx.fill("evenodd");
  }
  stroked(ctx, INK, 3, []);
  stroked(ctx, color, 1.4, [5, 3]);
}

/** What matters most is drawn last. @param {number} kind */
const rank = (kind) => [1, 0, 2, -1][kind] ?? 0;

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {ViewPoint} at
 * @param {number} kind
 * @param {number} radius
 * @param {boolean} near
 */
function drawHandle(ctx, at, kind, radius, near) {
  if (near) {
    disc(ctx, at, radius + 5);
    ctx.fillStyle = `${COLORS[kind]}55`;
    ctx.fill();
  }
  if (kind === STATIC) square(ctx, at, radius * 0.88);
  else disc(ctx, at, radius);
  ctx.lineWidth = 3.5;
  ctx.strokeStyle = INK;
  ctx.stroke();
  ctx.fillStyle = COLORS[kind];
  ctx.fill();
  ctx.lineWidth = 1.4;
  ctx.strokeStyle = "#fff";
  ctx.stroke();
}

/** @param {CanvasRenderingContext2D} ctx @param {ViewPoint} at */
function drawHidden(ctx, at) {
  disc(ctx, at, 3.5);
  ctx.setLineDash([2, 2]);
  ctx.lineWidth = 1.2;
  ctx.strokeStyle = `${COLORS[HIDDEN]}aa`;
  ctx.stroke();
  ctx.setLineDash([]);
}

/**
 * What is held: a line from where it is seen to where it is to be.
 * @param {CanvasRenderingContext2D} ctx
 * @param {View} view
 * @param {Hand} hand
 * @param {Handle[]} handles
 * @param {number} radius
 */
function drawHand(ctx, view, hand, handles, radius) {
  const seen = handles.find((handle) => handle[0] === hand.handle);
  const [from, to] = [toView(view, seen ? { x: seen[1], y: seen[2] } : hand.from), toView(view, hand.at)];
  ctx.save();
  line(ctx, [from, to]);
  stroked(ctx, INK, 4, []);
  stroked(ctx, COLORS[ONLINE], 2, [5, 4]);
  if (hand.handle === null) {
    disc(ctx, to, radius * view.scale);
    ctx.fillStyle = `${COLORS[ONLINE]}26`;
    ctx.fill();
    stroked(ctx, COLORS[ONLINE], 1.5, [4, 3]);
  }
  ctx.restore();
  disc(ctx, to, 8);
  stroked(ctx, INK, 4, []);
  stroked(ctx, COLORS[ONLINE], 2, []);
  disc(ctx, to, 2.4);
  ctx.fillStyle = "#fff";
  ctx.fill();
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {View} view
 * @param {Draft} draft
 */
function drawDraft(ctx, view, draft) {
  if (draft.tool === "path") drawRoute(ctx, view, draft.points, 1);
  else if (draft.tool === "pin") drawResting(ctx, view, draft.points, 1);
  else if (draft.tool === "grid") drawGrid(ctx, view, draft.points);
  else if (draft.tool === "object") drawBox(ctx, view, draft.points);
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {View} view
 * @param {Control} control an `add`
 */
function drawGhost(ctx, view, control) {
  const points = control.points.map((/** @type {[number, number]} */ [x, y]) => ({ x, y }));
  if (control.kind === "path") drawRoute(ctx, view, points, 0.55);
  else if (control.kind === "object" && points.length > 1) drawBox(ctx, view, points);
  else drawResting(ctx, view, points, 0.55);
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {View} view
 * @param {VideoPoint[]} points
 * @param {number} alpha
 */
function drawRoute(ctx, view, points, alpha) {
  const places = points.map((point) => toView(view, point));
  ctx.save();
  ctx.globalAlpha = alpha;
  line(ctx, places);
  stroked(ctx, INK, 5, []);
  stroked(ctx, COLORS[PREDRAWN], 2.5, []);
  drawHandle(ctx, places[0], PREDRAWN, 4.5, false);
  const last = places[places.length - 1];
  disc(ctx, last, 4);
  stroked(ctx, INK, 4, []);
  stroked(ctx, "#fff", 1.6, []);
  ctx.restore();
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {View} view
 * @param {VideoPoint[]} points
 * @param {number} alpha
 */
function drawResting(ctx, view, points, alpha) {
  ctx.save();
  ctx.globalAlpha = alpha;
  for (const point of points)
    drawHandle(ctx, toView(view, point), STATIC, points.length > MANY ? 2.4 : 3.6, false);
  ctx.restore();
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {View} view
 * @param {VideoPoint[]} corners
 */
function drawGrid(ctx, view, corners) {
  drawBox(ctx, view, corners);
  drawResting(ctx, view, gridPoints(corners), 0.9);
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {View} view
 * @param {VideoPoint[]} corners
 */
function drawBox(ctx, view, corners) {
  const [a, b] = corners.map((corner) => toView(view, corner));
  if (!b) return;
  ctx.beginPath();
  ctx.rect(Math.min(a.x, b.x), Math.min(a.y, b.y), Math.abs(a.x - b.x), Math.abs(a.y - b.y));
  ctx.fillStyle = `${COLORS[STATIC]}1f`;
  ctx.fill();
  stroked(ctx, INK, 3, []);
  stroked(ctx, COLORS[STATIC], 1.5, [5, 4]);
}

/**
 * The reach of a press beside any handle.
 * @param {CanvasRenderingContext2D} ctx
 * @param {View} view
 * @param {Overlay} overlay
 */
function drawBrush(ctx, view, { steering, near, hover }) {
  if (!hover || near || !WITH_RADIUS.includes(steering.tool) || steering.radius <= 0) return;
  const kind = { grab: ONLINE, pin: STATIC, path: PREDRAWN }[
    /** @type {"grab" | "pin" | "path"} */ (steering.tool)
  ];
  disc(ctx, toView(view, hover), steering.radius * view.scale);
  ctx.fillStyle = `${COLORS[kind]}1c`;
  ctx.fill();
  stroked(ctx, INK, 3, []);
  stroked(ctx, COLORS[kind], 1.5, [4, 3]);
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {ViewPoint} at
 * @param {number} radius
 */
function disc(ctx, at, radius) {
  ctx.beginPath();
  ctx.arc(at.x, at.y, radius, 0, 2 * Math.PI);
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {ViewPoint} at
 * @param {number} half
 */
function square(ctx, at, half) {
  ctx.beginPath();
  ctx.roundRect(at.x - half, at.y - half, 2 * half, 2 * half, 1.5);
}

/** @param {CanvasRenderingContext2D} ctx @param {ViewPoint[]} points */
function line(ctx, points) {
  ctx.beginPath();
  points.forEach((point, i) => (i ? ctx.lineTo(point.x, point.y) : ctx.moveTo(point.x, point.y)));
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {string} color
 * @param {number} width
 * @param {number[]} dashes
 */
function stroked(ctx, color, width, dashes) {
  ctx.setLineDash(dashes);
  ctx.lineJoin = "round";
  ctx.lineCap = "round";
  ctx.lineWidth = width;
  ctx.strokeStyle = color;
  ctx.stroke();
  ctx.setLineDash([]);
}
