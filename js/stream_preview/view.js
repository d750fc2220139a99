/** Where the video lies on the stage, and the way between its pixels and those of the stage. Pure. */

/** @import {Point} from "../track_editor/types.js" */

/** @typedef {{scale: number, left: number, top: number, width: number, height: number}} View  stage pixels (CSS pixels before any zoom of the host); scale: stage pixels per video pixel */

/** The video as large as it fits, in the middle. @param {{width: number, height: number}} area @param {{width: number, height: number}} video @returns {View} */
export function letterbox(area, video) {
  const scale = Math.max(
    0.001,
    Math.min(area.width / Math.max(1, video.width), area.height / Math.max(1, video.height)),
  );
  const [width, height] = [video.width * scale, video.height * scale];
  return { scale, width, height, left: (area.width - width) / 2, top: (area.height - height) / 2 };
}

/** @param {View} view @param {Point} point video pixels @returns {Point} the middle of that pixel on the stage */
export const toStage = (view, point) => ({
  x: view.left + (point.x + 0.5) * view.scale,
  y: view.top + (point.y + 0.5) * view.scale,
});

/** @param {View} view @param {Point} point stage pixels @returns {Point} */
export const toVideo = (view, point) => ({
  x: (point.x - view.left) / view.scale - 0.5,
  y: (point.y - view.top) / view.scale - 0.5,
});
