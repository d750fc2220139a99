/**
 * Two fingers on the picture: how much further apart and where to their middle has gone since the last move.
 * Knows no DOM.
 */

/** @import {ViewPoint} from "./types.js" */

export class Pinch {
  constructor() {
    /** @type {Map<number, ViewPoint>} pointers that are down, view pixels */
    this.fingers = new Map();
  }

  get on() {
    return this.fingers.size > 1;
  }

  /** @param {number} id */
  has(id) {
    return this.fingers.has(id);
  }

  /** @param {number} id @param {ViewPoint} at */
  down(id, at) {
    this.fingers.set(id, at);
  }

  /** @param {number} id */
  up(id) {
    this.fingers.delete(id);
  }

  /**
   * @param {number} id
   * @param {ViewPoint} at
   * @returns {{factor: number, dx: number, dy: number, at: ViewPoint} | null}
   */
  move(id, at) {
    const before = this.spread();
    this.fingers.set(id, at);
    const after = this.spread();
    if (!before || !after) return null;
    return {
      factor: after.apart / Math.max(1, before.apart),
      dx: after.middle.x - before.middle.x,
      dy: after.middle.y - before.middle.y,
      at: after.middle,
    };
  }

  /** @returns {{apart: number, middle: ViewPoint} | null} */
  spread() {
    const [a, b] = this.fingers.values();
    return a && b
      ? { apart: Math.hypot(a.x - b.x, a.y - b.y), middle: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 } }
      : null;
  }
}
