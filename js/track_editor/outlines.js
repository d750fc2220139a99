/**
 * The closed outlines that a document keeps of masks, and what is done to both. Pure. Outlines are filled by
 * the even-odd rule, as docs/track-document.md says.
 */

import { distance } from "../shared/geometry.js";
import { emptyMask, insideOutlines } from "../shared/masks.js";

/** @import {Mask} from "../shared/masks.js" */
/** @import {CutOut, VideoPoint} from "./types.js" */

/**
 * The cells whose middle lies within closed outlines. Cell (0, 0) has its middle at 0.
 * @param {VideoPoint[][]} outlines in cells
 * @param {number} width
 * @param {number} height
 * @returns {Mask}
 */
export function fillOutlines(outlines, width, height) {
  const mask = emptyMask(width, height);
  /** @type {number[][]} the columns at which a row turns from outside to inside or back */
  const turns = Array.from({ length: height }, () => []);
  for (const line of outlines) {
    line.forEach((a, i) => {
      const b = line[(i + 1) % line.length];
      const first = Math.max(0, Math.ceil(Math.min(a.y, b.y)));
      const end = Math.min(height, Math.ceil(Math.max(a.y, b.y)));
      for (let row = first; row < end; row++)
        turns[row].push(((b.x - a.x) / (b.y - a.y)) * (row - a.y) + a.x);
    });
  }
  const column = (/** @type {number} */ place) => Math.min(width, Math.max(0, Math.ceil(place)));
  turns.forEach((row, y) => {
    row.sort((a, b) => a - b);
    for (let i = 0; i + 1 < row.length; i += 2)
      mask.cells.fill(1, y * width + column(row[i]), y * width + column(row[i + 1]));
  });
  return mask;
}

/**
 * @param {CutOut} object
 * @param {VideoPoint} offset from the moving point
 * @returns {boolean}
 */
export const inObject = ({ outlines }, offset) => insideOutlines(outlines, offset);

/** @param {CutOut} object @returns {{left: number, top: number, right: number, bottom: number}} offsets */
export function objectBox({ outlines }) {
  const box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (const { x, y } of outlines.flat()) {
    box.left = Math.min(box.left, x);
    box.top = Math.min(box.top, y);
    box.right = Math.max(box.right, x);
    box.bottom = Math.max(box.bottom, y);
  }
  return box;
}

/**
 * @param {CutOut} object
 * @returns {VideoPoint[]} the points (ix·spacing, iy·spacing) in it; the moving point itself where it holds
 *   none
 */
export function objectOffsets(object) {
  const { spacing } = object;
  const box = objectBox(object);
  const [left, top] = [Math.floor(box.left / spacing), Math.floor(box.top / spacing)];
  const columns = Math.ceil(box.right / spacing) - left + 1;
  const rows = Math.ceil(box.bottom / spacing) - top + 1;
  const offsets = [];
  if (columns * rows <= 40_000) {
    const scaled = object.outlines.map((line) =>
      line.map(({ x, y }) => ({ x: x / spacing - left, y: y / spacing - top })),
    );
    const { cells } = fillOutlines(scaled, columns, rows);
    for (let i = 0; i < cells.length; i++)
      if (cells[i])
        offsets.push({ x: ((i % columns) + left) * spacing, y: (Math.floor(i / columns) + top) * spacing });
  }
  return offsets.length ? offsets : [{ x: 0, y: 0 }];
}

/**
 * A mask with a stroke painted in, or out.
 * @param {Mask} mask
 * @param {VideoPoint[]} line in cells
 * @param {number} radius in cells
 * @param {boolean} inside painted in
 * @returns {Mask}
 */
export function paintMask(mask, line, radius, inside) {
  const cells = mask.cells.slice();
  const dab = (/** @type {number} */ cx, /** @type {number} */ cy) => {
    const [top, bottom] = [Math.ceil(cy - radius), Math.floor(cy + radius)];
    for (let y = Math.max(0, top); y <= Math.min(mask.height - 1, bottom); y++) {
      const half = Math.sqrt(Math.max(0, radius ** 2 - (y - cy) ** 2));
      const from = Math.max(0, Math.ceil(cx - half));
      const to = Math.min(mask.width, Math.floor(cx + half) + 1);
      if (to > from) cells.fill(inside ? 1 : 0, y * mask.width + from, y * mask.width + to);
    }
  };
  line.forEach((a, i) => {
    const b = line[i + 1] ?? a;
    const steps = Math.max(1, Math.ceil(distance(a, b) / Math.max(0.5, radius / 4)));
    for (let k = 0; k <= steps; k++) dab(a.x + ((b.x - a.x) * k) / steps, a.y + ((b.y - a.y) * k) / steps);
  });
  return { ...mask, cells };
}

/**
 * Two masks of one size as one: what is in either, or in the first without the second.
 * @param {Mask} a
 * @param {Mask} b
 * @param {boolean} adds
 * @returns {Mask}
 */
export const joinMasks = (a, b, adds) => ({
  ...a,
  cells: a.cells.map((cell, i) => (adds ? cell | b.cells[i] : cell & (1 - b.cells[i]))),
});

/**
 * A place well within a mask: the middle of it where that is inside, else the inside cell that is nearest to
 * it; null = there is none.
 * @param {Mask} mask
 * @returns {VideoPoint | null} in cells
 */
export function middleOfMask({ width, cells }) {
  let [count, sx, sy] = [0, 0, 0];
  cells.forEach((cell, i) => {
    if (!cell) return;
    count += 1;
    sx += i % width;
    sy += Math.floor(i / width);
  });
  if (!count) return null;
  const middle = { x: sx / count, y: sy / count };
  let [best, nearest] = [Infinity, middle];
  cells.forEach((cell, i) => {
    const at = { x: i % width, y: Math.floor(i / width) };
    const away = cell ? distance(at, middle) : Infinity;
    if (away < best) [best, nearest] = [away, at];
  });
  return best < 1 ? middle : nearest;
}

/** @param {Mask} mask @returns {number} cells inside */
export const sizeOf = ({ cells }) => cells.reduce((sum, cell) => sum + cell, 0);

/**
 * The mask at another size, each cell that of the nearest one.
 * @param {Mask} mask
 * @param {number} width
 * @param {number} height
 * @returns {Mask}
 */
export function resizeMask(mask, width, height) {
  if (mask.width === width && mask.height === height) return mask;
  const made = emptyMask(width, height);
  for (let y = 0, i = 0; y < height; y++) {
    const row = Math.floor(((y + 0.5) * mask.height) / height) * mask.width;
    for (let x = 0; x < width; x++, i++)
      made.cells[i] = mask.cells[row + Math.floor(((x + 0.5) * mask.width) / width)];
  }
  return made;
}
