/** A preview's state, its listeners, and the effects of what happens. */

import { reduce } from "./reduce.js";
import { initialState } from "./state.js";

/** @import {Effect} from "./reduce.js" */
/** @import {PreviewEvent} from "./state.js" */

export class PreviewStore {
  /** @param {(effect: Effect) => void} perform */
  constructor(perform) {
    this.state = initialState();
    this.perform = perform;
    /** @type {Set<(event: PreviewEvent) => void>} */
    this.listeners = new Set();
  }

  /**
   * @param {(event: PreviewEvent) => void} listener
   * @returns {() => void} takes it away again
   */
  subscribe(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /**
   * @param {PreviewEvent} event
   * @param {number} [now] ms
   */
  dispatch(event, now = performance.now()) {
    const { state, effects } = reduce(this.state, event, now);
    this.state = state;
    for (const effect of effects) this.perform(effect);
    for (const listener of [...this.listeners]) listener(event);
  }
}
