/**
 * The frames on their way to the screen: queue, pace, the frame shown. Owns the pictures it was given and
 * closes every one of them.
 */

import { createQueue, push, shownRate, take } from "./frame_queue.js";

/** @import {FrameHeader, Run} from "./protocol.js" */
/** @import {FrameQueue} from "./frame_queue.js" */
/** @import {View} from "../shared/view.js" */

/** @typedef {{header: FrameHeader | null, picture: ImageBitmap}} Shown  header: null = of an earlier page */
/** @typedef {Shown & {header: FrameHeader}} Received */

const LOOK_BACK = 256; // px, the longer side
const MOST_CHUNKS = 240;
const WINDOW_MS = 2000;

export class FramePlayer {
  constructor() {
    /** @type {FrameQueue<Received>} */
    this.queue = createQueue(16);
    /** @type {Shown | null} */
    this.current = null;
    /** @type {number[]} when frames were shown, ms */
    this.times = [];
    /** @type {Map<number, HTMLCanvasElement>} */
    this.chunks = new Map();
    /** The chunk shown last. */
    this.newest = -1;
  }

  /** A new run: what waits is dropped, the last picture stays until there is a new one. @param {Run} run */
  begin(run) {
    this.drop();
    this.queue = createQueue(run.fps);
    this.chunks.clear();
    this.newest = -1;
    this.times = [];
  }

  /** @param {FrameHeader} header @param {ImageBitmap} picture */
  receive(header, picture) {
    const { queue, dropped } = push(this.queue, { header, picture }, header.fps, header.epoch);
    this.queue = queue;
    for (const old of dropped) old.picture.close();
  }

  /**
   * Shows the next frame when it is due.
   * @param {number} now ms
   * @param {boolean} flowing more is being made: frames that are made slowly are spread until then
   * @returns {Received | null} the one that is new on the screen
   */
  advance(now, flowing) {
    const { queue, item } = take(flowing ? this.queue : { ...this.queue, made: 0 }, now);
    this.queue = queue;
    if (!item) return null;
    this.current?.picture.close();
    this.current = item;
    this.remember(item);
    this.times = [...this.times.filter((time) => now - time <= WINDOW_MS), now];
    return item;
  }

  /**
   * Something changes by itself: frames wait, or the figure of frames shown still falls.
   * @param {number} now
   */
  isBusy(now) {
    return this.queue.items.length > 0 || this.times.some((time) => now - time <= WINDOW_MS);
  }

  /** @param {number} now @returns {number} frames per second */
  rate(now) {
    return shownRate(this.times, now, WINDOW_MS);
  }

  /** @param {CanvasRenderingContext2D} ctx scaled to view pixels @param {View} view */
  draw(ctx, view) {
    if (!this.current) return;
    // High costs most where it helps least.
    ctx.imageSmoothingQuality = view.width > 1.5 * this.current.picture.width ? "high" : "medium";
    ctx.drawImage(this.current.picture, view.left, view.top, view.width, view.height);
  }

  /** One small picture of each chunk, for a look back. @param {Received} shown */
  remember({ header, picture }) {
    if (header.chunk === this.newest) return;
    this.newest = header.chunk;
    const scale = Math.min(1, LOOK_BACK / Math.max(picture.width, picture.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(picture.width * scale));
    canvas.height = Math.max(1, Math.round(picture.height * scale));
    canvas.getContext("2d")?.drawImage(picture, 0, 0, canvas.width, canvas.height);
    this.chunks.delete(header.chunk);
    this.chunks.set(header.chunk, canvas);
    for (const old of [...this.chunks.keys()].slice(0, -MOST_CHUNKS)) this.chunks.delete(old);
  }

  /**
   * A picture of a chunk of this run, or of the nearest before it that was shown.
   * @param {number} chunk
   * @returns {HTMLCanvasElement | null}
   */
  pictureOf(chunk) {
    const before = [...this.chunks.keys()].filter((each) => each <= chunk);
    return this.chunks.get(Math.max(...before)) ?? null;
  }

  /** The picture shown, small, as a data URL. @param {number} side px @returns {string} "" = there is none */
  thumbnail(side) {
    const { picture } = this.current ?? {};
    if (!picture) return "";
    const scale = side / Math.max(picture.width, picture.height);
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(picture.width * scale);
    canvas.height = Math.round(picture.height * scale);
    canvas.getContext("2d")?.drawImage(picture, 0, 0, canvas.width, canvas.height);
    return canvas.toDataURL("image/jpeg", 0.8);
  }

  /** What waits is let go. */
  drop() {
    for (const waiting of this.queue.items) waiting.picture.close();
    this.queue = { ...this.queue, items: [] };
  }

  destroy() {
    this.drop();
    this.current?.picture.close();
    this.current = null;
  }
}
