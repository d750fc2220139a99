/**
 * Where the document's picture lies in the editor's view, and the frame round what is selected. Pure.
 * Places of the document are video pixels, places on the canvas view pixels: see ../shared/types.js.
 */

import { centred, toView } from "../shared/view.js";
import { selectedTracks } from "./history.js";
import { boundsOf, cornerOf } from "./transform.js";

/** @import {View} from "../shared/view.js" */
/** @import {Box, Corner, EditorState, ViewPoint} from "./types.js" */

/**
 * @typedef {object} Viewport  of this view alone: zoom 1 shows the whole picture; x, y = view pixels it is
 *   moved by
 * @property {number} zoom
 * @property {number} x
 * @property {number} y
 *
 * @typedef {{mode: "scale" | "rotate", corner: Corner, at: ViewPoint}} FrameHandle
 */

const MARGIN = 12;
const BOX_MARGIN = 9;
const STEM = 22;
const CLOSEST = 32;
export const WHOLE = Object.freeze({ zoom: 1, x: 0, y: 0 });
/** @type {Corner[]} */
const CORNERS = [
  [-1, -1],
  [0, -1],
  [1, -1],
  [1, 0],
  [1, 1],
  [0, 1],
  [-1, 1],
  [-1, 0],
].map(([x, y]) => /** @type {Corner} */ ({ x, y }));

/**
 * @param {{width: number, height: number}} area view pixels
 * @param {{width: number, height: number}} video
 * @param {Viewport} [viewport]
 * @returns {View}
 */
export function fitView(area, video, viewport = WHOLE) {
  const fit = Math.max(
    0.01,
    Math.min((area.width - 2 * MARGIN) / video.width, (area.height - 2 * MARGIN) / video.height),
  );
  const view = centred(area, video, fit * viewport.zoom);
  return { ...view, left: view.left + viewport.x, top: view.top + viewport.y };
}

/**
 * The viewport after a zoom that keeps one place of the view where it is.
 * @param {Viewport} viewport
 * @param {number} factor
 * @param {ViewPoint} at
 * @param {{width: number, height: number}} area
 * @returns {Viewport}
 */
export function zoomViewport(viewport, factor, at, area) {
  const zoom = Math.min(CLOSEST, Math.max(1, viewport.zoom * factor));
  if (zoom === 1) return WHOLE;
  const [x, y] = [at.x - area.width / 2, at.y - area.height / 2];
  return inside(
    {
      zoom,
      x: x - ((x - viewport.x) * zoom) / viewport.zoom,
      y: y - ((y - viewport.y) * zoom) / viewport.zoom,
    },
    area,
  );
}

/**
 * Some of the picture stays in sight.
 * @param {Viewport} viewport
 * @param {{width: number, height: number}} area
 * @returns {Viewport}
 */
function inside(viewport, area) {
  const kept = (/** @type {number} */ value, /** @type {number} */ side) =>
    Math.min((side * viewport.zoom) / 2, Math.max((-side * viewport.zoom) / 2, value));
  return { zoom: viewport.zoom, x: kept(viewport.x, area.width), y: kept(viewport.y, area.height) };
}

/**
 * @param {Viewport} viewport
 * @param {number} dx view pixels
 * @param {number} dy
 * @param {{width: number, height: number}} area
 * @returns {Viewport}
 */
export const panViewport = (viewport, dx, dy, area) =>
  viewport.zoom === 1
    ? viewport
    : inside({ zoom: viewport.zoom, x: viewport.x + dx, y: viewport.y + dy }, area);

/**
 * The frame round what is selected as a whole, in view pixels; null = none is shown.
 * @param {View} view
 * @param {EditorState} state
 * @returns {Box | null}
 */
export function selectionFrame(view, state) {
  const { selection, tool, stroke, open } = state;
  if (tool !== "select" || stroke || open || (selection.point !== null && selection.tracks.length < 2))
    return null;
  const tracks = selectedTracks(state).filter((track) => !track.hidden && !track.locked);
  if (
    !tracks.some(
      (track) =>
        track.kind !== "camera" && (track.points.length > 1 || track.grid || track.region || track.object),
    ) &&
    tracks.length < 2
  )
    return null;
  const box = boundsOf(tracks);
  if (!box) return null;
  const [from, to] = [
    toView(view, { x: box.left, y: box.top }),
    toView(view, { x: box.right, y: box.bottom }),
  ];
  return {
    left: from.x - BOX_MARGIN,
    top: from.y - BOX_MARGIN,
    right: to.x + BOX_MARGIN,
    bottom: to.y + BOX_MARGIN,
  };
}

/** @param {Box} frame view pixels @returns {FrameHandle[]} */
export function handlesOf(frame) {
  const pulls = CORNERS.map((corner) => ({
    mode: /** @type {const} */ ("scale"),
    corner,
    at: cornerOf(frame, corner),
  }));
  const top = cornerOf(frame, { x: 0, y: -1 });
  return [...pulls, { mode: "rotate", corner: { x: 0, y: -1 }, at: { x: top.x, y: top.y - STEM } }];
}
