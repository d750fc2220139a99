/** Where the video lies in a view, and the two ways between their pixels. Pure. */

/** @import {Area, VideoPoint, ViewPoint} from "./types.js" */

/**
 * @typedef {object} View  where the video lies, in view pixels
 * @property {number} scale  view pixels per video pixel
 * @property {number} left
 * @property {number} top
 * @property {number} width
 * @property {number} height
 */

/**
 * The video as large as it fits, in the middle.
 * @param {Area} area view pixels
 * @param {Area} video
 * @param {number} [margin] view pixels
 * @returns {View}
 */
export function letterbox(area, video, margin = 0) {
  const across = (area.width - 2 * margin) / Math.max(1, video.width);
  const down = (area.height - 2 * margin) / Math.max(1, video.height);
  return centred(area, video, Math.max(0.001, Math.min(across, down)));
}

/**
 * The video in the middle, at this scale.
 * @param {Area} area view pixels
 * @param {Area} video
 * @param {number} scale
 * @returns {View}
 */
export function centred(area, video, scale) {
  const width = video.width * scale;
  const height = video.height * scale;
  return { scale, width, height, left: (area.width - width) / 2, top: (area.height - height) / 2 };
}

/**
 * @param {View} view
 * @param {VideoPoint} point
 * @returns {ViewPoint} the middle of that pixel in the view
 */
export const toView = (view, point) => ({
  x: view.left + (point.x + 0.5) * view.scale,
  y: view.top + (point.y + 0.5) * view.scale,
});

/**
 * @param {View} view
 * @param {ViewPoint} point
 * @returns {VideoPoint}
 */
export const toVideo = (view, point) => ({
  x: (point.x - view.left) / view.scale - 0.5,
  y: (point.y - view.top) / view.scale - 0.5,
});
