/** The playhead in motion: where it is at a time, round and round. */

/** @import {EditorStore} from "./store.js" */

const REST_S = 0.4; // between the end of a round and the next

export class Playback {
  /** @param {EditorStore} store */
  constructor(store) {
    this.store = store;
    this.on = false;
    /** Where the playhead was, and when, ms. */
    this.start = { at: 0, frame: 0 };
  }

  /**
   * From the beginning where the playhead is at the end.
   * @param {number} now ms
   */
  begin(now) {
    const { doc, frame } = this.store.state;
    this.on = true;
    this.start = { at: now, frame: frame >= doc.frames - 1 ? 0 : frame };
  }

  /** The playhead stays at the nearest frame. */
  end() {
    this.on = false;
    this.store.dispatch({ type: "seek", frame: Math.round(this.store.state.frame) });
  }

  /**
   * Moves the playhead to where it is now.
   * @param {number} now ms
   */
  advance(now) {
    const { frames, fps } = this.store.state.doc;
    const frame = this.start.frame + (Math.max(0, now - this.start.at) / 1000) * fps;
    const round = frames - 1 + REST_S * fps;
    this.store.dispatch({ type: "seek", frame: Math.min(frames - 1, frame % round) });
  }
}
