/** Canvases as sharp as the screen. */

/** @import {Area} from "./types.js" */

const MAX_RATIO = 4;

/**
 * Gives a canvas one pixel for each pixel of the screen.
 * @param {HTMLCanvasElement} canvas
 * @param {Area} area its place in the page, view pixels
 * @returns {number} canvas pixels per view pixel
 */
export function fitCanvas(canvas, area) {
  const zoom = canvas.getBoundingClientRect().width / area.width;
  const ratio = Math.min(MAX_RATIO, Math.max(1, zoom * window.devicePixelRatio));
  const width = Math.round(area.width * ratio);
  const height = Math.round(area.height * ratio);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  return ratio;
}
