/**
 * Two spaces that never mix: video pixels (the document) and view pixels (the canvas, CSS pixels before any zoom of the host). Pure.
 */

import { selectedTracks } from "./history.js";
import { boundsOf, cornerOf } from "./transform.js";

/** @import {Box, Corner, EditorState, Point} from "./types.js" */

/**
 * @typedef {{scale: number, left: number, top: number, width: number, height: number}} View  where the video lies, in view pixels
 * @typedef {{zoom: number, x: number, y: number}} Lens  of this view alone: zoom 1 shows the whole picture; x, y = view pixels it is moved by
 * @typedef {{mode: "scale" | "rotate", corner: Corner, at: Point}} Handle  at = view pixels
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

/** @param {{width: number, height: number}} area view pixels @param {{width: number, height: number}} video @param {Lens} [lens] @returns {View} */
export function fitView(area, video, lens = WHOLE) {
  const fit = Math.max(
    0.01,
    Math.min((area.width - 2 * MARGIN) / video.width, (area.height - 2 * MARGIN) / video.height),
  );
  const scale = fit * lens.zoom;
  const [width, height] = [video.width * scale, video.height * scale];
  return {
    scale,
    width,
    height,
    left: (area.width - width) / 2 + lens.x,
    top: (area.height - height) / 2 + lens.y,
  };
}

/** @param {View} view @param {Point} point video pixels @returns {Point} the middle of that pixel in the view */
export const toView = (view, point) => ({
  x: view.left + (point.x + 0.5) * view.scale,
  y: view.top + (point.y + 0.5) * view.scale,
});

/** @param {View} view @param {Point} point view pixels @returns {Point} */
export const toVideo = (view, point) => ({
  x: (point.x - view.left) / view.scale - 0.5,
  y: (point.y - view.top) / view.scale - 0.5,
});

/** The lens after a zoom that keeps one place of the view where it is. @param {Lens} lens @param {number} factor @param {Point} at view pixels @param {{width: number, height: number}} area @returns {Lens} */
export function zoomed(lens, factor, at, area) {
  const zoom = Math.min(CLOSEST, Math.max(1, lens.zoom * factor));
  if (zoom === 1) return WHOLE;
  const [x, y] = [at.x - area.width / 2, at.y - area.height / 2];
  return inside(
    { zoom, x: x - ((x - lens.x) * zoom) / lens.zoom, y: y - ((y - lens.y) * zoom) / lens.zoom },
    area,
  );
}

/** Some of the picture stays in sight. @param {Lens} lens @param {{width: number, height: number}} area @returns {Lens} */
function inside(lens, area) {
  const kept = (/** @type {number} */ value, /** @type {number} */ side) =>
    Math.min((side * lens.zoom) / 2, Math.max((-side * lens.zoom) / 2, value));
  return { zoom: lens.zoom, x: kept(lens.x, area.width), y: kept(lens.y, area.height) };
}

/** @param {Lens} lens @param {number} dx view pixels @param {number} dy @param {{width: number, height: number}} area @returns {Lens} */
export const panned = (lens, dx, dy, area) =>
  lens.zoom === 1 ? lens : inside({ zoom: lens.zoom, x: lens.x + dx, y: lens.y + dy }, area);

/** The frame round what is selected as a whole, in view pixels; null = none is shown. @param {View} view @param {EditorState} state @returns {Box | null} */
export function selectionFrame(view, state) {
  const { selection, tool, stroke, open } = state;
  if (tool !== "select" || stroke || open || (selection.point !== null && selection.tracks.length < 2))
    return null;
  const tracks = selectedTracks(state).filter((track) => !track.hidden && !track.locked);
  if (
    !tracks.some(
      (track) => track.kind !== "camera" && (track.points.length > 1 || track.grid || track.region),
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

/** @param {Box} frame view pixels @returns {Handle[]} */
export function handlesOf(frame) {
  const pulls = CORNERS.map((corner) => ({
    mode: /** @type {const} */ ("scale"),
    corner,
    at: cornerOf(frame, corner),
  }));
  const top = cornerOf(frame, { x: 0, y: -1 });
  return [...pulls, { mode: "rotate", corner: { x: 0, y: -1 }, at: { x: top.x, y: top.y - STEM } }];
}
