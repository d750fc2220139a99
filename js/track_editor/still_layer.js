/**
 * What does not change from one frame to the next, kept as a picture: 200 paths are drawn once, not at every
 * frame of the playback.
 */

/** @import {Track} from "./types.js" */
/** @import {View} from "../shared/view.js" */

export class StillLayer {
  constructor() {
    /** @type {HTMLCanvasElement | null} */
    this.canvas = null;
    /** @type {Track[]} */
    this.tracks = [];
    this.about = "";
  }

  /**
   * Puts the picture of these tracks on a canvas. Makes it anew when they, the view or their look have
   * changed.
   * @param {CanvasRenderingContext2D} ctx scaled to view pixels
   * @param {View} view
   * @param {Track[]} tracks
   * @param {string} look
   * @param {(ctx: CanvasRenderingContext2D) => void} draw
   */
  put(ctx, view, tracks, look, draw) {
    const { canvas: target } = ctx;
    const scale = ctx.getTransform();
    const about = JSON.stringify([view, target.width, target.height, scale.a, look]);
    const same =
      about === this.about &&
      tracks.length === this.tracks.length &&
      tracks.every((track, i) => track === this.tracks[i]);
    if (!same || !this.canvas) this.make(target, scale, draw);
    [this.tracks, this.about] = [tracks, about];
    if (!this.canvas) return;
    ctx.save();
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.drawImage(this.canvas, 0, 0);
    ctx.restore();
  }

  /**
   * @param {HTMLCanvasElement} target
   * @param {DOMMatrix} scale
   * @param {(ctx: CanvasRenderingContext2D) => void} draw
   */
  make(target, scale, draw) {
    this.canvas ??= document.createElement("canvas");
    Object.assign(this.canvas, { width: target.width, height: target.height });
    const ctx = this.canvas.getContext("2d");
    if (!ctx) return;
    ctx.setTransform(scale);
    draw(ctx);
  }
}
