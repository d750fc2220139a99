/**
 * The words that the editor and the preview share. No code: other modules import the types.
 *
 * There are two spaces, and a place of one is no place of the other:
 *
 * - video pixels: x right, y down. Pixel (0, 0) has its centre at 0. The document and the protocol count in
 *   them.
 * - view pixels: CSS pixels of a canvas before any zoom of the host; (0, 0) is its corner. Drawing counts in
 *   them.
 *
 * `toView` and `toVideo` of view.js are the only ways between them. `space` is never there at run time: it
 * keeps tsc from taking a place of one space for one of the other. A plain Point belongs to no space.
 *
 * @typedef {{x: number, y: number}} Point
 * @typedef {Point & {readonly space?: "video"}} VideoPoint
 * @typedef {Point & {readonly space?: "view"}} ViewPoint
 * @typedef {{width: number, height: number}} Area
 * @typedef {{radius: number, spacing: number}} Brush  video pixels
 */

export {};
