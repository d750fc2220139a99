/**
 * The picture as it will roughly move, for the eyes while the motion plays: each place goes the way of the
 * points near it. No part of what is sent. The model knows more than this.
 */

import { coverCrop } from "../shared/geometry.js";
import { sampleDocument, sampleVisible } from "./sampling.js";

/** @import {Picture} from "./backdrop.js" */
/** @import {TrackDocument, VideoPoint} from "./types.js" */
/** @import {View} from "../shared/view.js" */

const SIDE = 320; // px, the longer one of the picture that is moved
const CELLS = 24; // of the lattice, each way
const MOST = 400; // points
const NEAR = 2; // px of the video: closer points count alike
const GONE = 0xff2a2622; // ABGR, where the picture has left

/**
 * Where the places of a lattice come from: dx, dy of each, row by row, in pixels of the video. Moves are
 * blended by the fourth power of the distance, so that the nearest points decide.
 * @param {{width: number, height: number}} video
 * @param {VideoPoint[]} from where the points were
 * @param {VideoPoint[]} to where they are
 * @param {number} cells each way
 * @returns {Float32Array} (cells + 1)² × 2
 */
export function latticeMoves(video, from, to, cells) {
  const moves = new Float32Array((cells + 1) ** 2 * 2);
  for (let row = 0, at = 0; row <= cells; row++) {
    for (let column = 0; column <= cells; column++, at += 2) {
      const x = (column / cells) * video.width - 0.5;
      const y = (row / cells) * video.height - 0.5;
      let [weight, dx, dy] = [0, 0, 0];
      for (let i = 0; i < to.length; i++) {
        const near = 1 / ((x - to[i].x) ** 2 + (y - to[i].y) ** 2 + NEAR ** 2) ** 2;
        weight += near;
        dx += near * (to[i].x - from[i].x);
        dy += near * (to[i].y - from[i].y);
      }
      moves[at] = weight ? dx / weight : 0;
      moves[at + 1] = weight ? dy / weight : 0;
    }
  }
  return moves;
}

export class WarpLayer {
  constructor() {
    /** @type {Picture["image"] | null} */
    this.image = null;
    this.size = "";
    /** @type {HTMLCanvasElement | null} */
    this.canvas = null;
    /** @type {Uint32Array} the picture at rest */
    this.still = new Uint32Array(0);
    /** @type {ImageData | null} */
    this.moved = null;
  }

  /**
   * @param {CanvasRenderingContext2D} ctx scaled to view pixels
   * @param {View} view
   * @param {Picture} picture
   * @param {TrackDocument} doc
   * @param {number} frame
   * @returns {boolean} false = nothing was drawn
   */
  draw(ctx, view, picture, doc, frame) {
    if (!this.prepare(picture, doc) || !this.canvas || !this.moved) return false;
    const seen = sampleVisible(doc, frame);
    const all = sampleDocument(doc, frame).map((to, i) => ({ to, i }));
    const used = all.filter(({ i }) => seen[i]);
    const step = Math.max(1, Math.ceil(used.length / MOST));
    const some = used.filter((_, i) => i % step === 0);
    const start = sampleDocument(doc, 0);
    const from = some.map(({ i }) => start[i]);
    this.move(
      latticeMoves(
        doc,
        from,
        some.map(({ to }) => to),
        CELLS,
      ),
      doc,
    );
    this.canvas.getContext("2d")?.putImageData(this.moved, 0, 0);
    ctx.imageSmoothingQuality = "medium";
    ctx.drawImage(this.canvas, view.left, view.top, view.width, view.height);
    return true;
  }

  /**
   * The picture at rest, small; made once for each picture and size.
   * @param {Picture} picture
   * @param {{width: number, height: number}} video
   */
  prepare(picture, video) {
    const scale = SIDE / Math.max(video.width, video.height);
    const width = Math.max(1, Math.round(video.width * scale));
    const height = Math.max(1, Math.round(video.height * scale));
    const size = `${width}x${height}`;
    if (this.image === picture.image && this.size === size) return this.moved !== null;
    [this.image, this.size, this.moved] = [picture.image, size, null];
    this.canvas = Object.assign(document.createElement("canvas"), { width, height });
    const ctx = this.canvas.getContext("2d", { willReadFrequently: true });
    if (!ctx) return false;
    const crop = coverCrop(picture, video);
    try {
      ctx.drawImage(picture.image, crop.x, crop.y, crop.width, crop.height, 0, 0, width, height);
      this.still = new Uint32Array(ctx.getImageData(0, 0, width, height).data.buffer);
      this.moved = ctx.createImageData(width, height);
    } catch {
      return false; // a picture from elsewhere, which the page may show but not read
    }
    return true;
  }

  /**
   * @param {Float32Array} moves of the lattice
   * @param {{width: number, height: number}} video
   */
  move(moves, video) {
    const { still, moved } = this;
    if (!moved) return;
    const { width, height } = moved;
    const made = new Uint32Array(moved.data.buffer);
    const scale = width / video.width;
    const row = 2 * (CELLS + 1);
    for (let y = 0, at = 0; y < height; y++) {
      const v = ((y + 0.5) / height) * CELLS;
      const j = Math.min(CELLS - 1, Math.floor(v));
      const t = v - j;
      for (let x = 0; x < width; x++, at++) {
        const u = ((x + 0.5) / width) * CELLS;
        const i = Math.min(CELLS - 1, Math.floor(u));
        const s = u - i;
        const k = j * row + 2 * i;
        const [a, b, c, d] = [(1 - s) * (1 - t), s * (1 - t), (1 - s) * t, s * t];
        const dx = a * moves[k] + b * moves[k + 2] + c * moves[k + row] + d * moves[k + row + 2];
        const dy = a * moves[k + 1] + b * moves[k + 3] + c * moves[k + row + 1] + d * moves[k + row + 3];
        const fromX = Math.round(x - dx * scale);
        const fromY = Math.round(y - dy * scale);
        const inside = fromX >= 0 && fromX < width && fromY >= 0 && fromY < height;
        made[at] = inside ? still[fromY * width + fromX] : GONE;
      }
    }
  }
}
