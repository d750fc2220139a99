/**
 * Gamepads and MIDI devices of the browser, and what the run's OSC port hears, brought to the preview as
 * events. Owns the polling and the MIDI access, which exist while somebody has turned them on.
 */

import { createHands, learn, moved, readMap, readMidi, readOsc, readPad, unlearn } from "./hands_map.js";

/** @import {HandsMap, Target} from "./hands_map.js" */
/** @import {PreviewStore} from "./store.js" */

const NO_VIDEO = { width: 1, height: 1 };

/**
 * @typedef {object} HandsPlace  where the map is kept
 * @property {() => unknown} read
 * @property {(map: HandsMap) => void} write
 */

export class HandsInput {
  /**
   * @param {PreviewStore} store
   * @param {HandsPlace} place
   * @param {() => void} changed
   */
  constructor(store, place, changed) {
    this.store = store;
    this.place = place;
    this.changed = changed;
    this.hands = createHands(readMap(place.read()) ?? undefined);
    this.on = false;
    /** @type {any} */
    this.midi = null;
    this.midiProblem = false;
    this.request = 0;
  }

  /** @param {boolean} on */
  turn(on) {
    if (on === this.on) return;
    this.on = on;
    this.hands = { ...this.hands, map: readMap(this.place.read()) ?? this.hands.map };
    if (on) {
      this.poll();
      void this.openMidi();
    } else this.close();
    this.changed();
  }

  poll() {
    for (const pad of navigator.getGamepads?.() ?? [])
      if (pad?.connected) for (const [source, value] of readPad(pad)) this.hear(source, value);
    if (this.on) this.request = requestAnimationFrame(() => this.poll());
  }

  async openMidi() {
    const ask = /** @type {any} */ (navigator).requestMIDIAccess;
    if (!ask || this.midi) return;
    try {
      const access = await ask.call(navigator);
      if (!this.on) return;
      this.midi = access;
      const listen = () => {
        for (const input of access.inputs.values())
          input.onmidimessage = (/** @type {{data: Uint8Array}} */ { data }) => {
            const found = readMidi(data);
            if (found) this.hear(...found);
          };
      };
      listen();
      access.onstatechange = listen;
    } catch (error) {
      console.warn("MotionStream: no MIDI:", error);
      this.midiProblem = true;
    }
    this.changed();
  }

  /** @param {unknown} values */
  hearOsc(values) {
    if (this.on) for (const [source, value] of readOsc(values)) this.hear(source, value);
  }

  /**
   * @param {string} source
   * @param {number} value 0..1
   */
  hear(source, value) {
    const video = this.store.state.run ?? NO_VIDEO;
    const { hands, events, learned } = moved(this.hands, source, value, video, performance.now());
    this.hands = hands;
    for (const event of events) this.store.dispatch(event);
    if (!learned) return;
    this.place.write(hands.map);
    this.changed();
  }

  /** @param {Target | null} target */
  learn(target) {
    this.hands = learn(this.hands, target);
    this.changed();
  }

  /** @param {Target} target */
  unlearn(target) {
    this.hands = unlearn(this.hands, target);
    this.place.write(this.hands.map);
    this.changed();
  }

  /** Nothing is left: no polling, no MIDI. */
  close() {
    this.on = false;
    cancelAnimationFrame(this.request);
    for (const input of this.midi?.inputs.values() ?? []) input.onmidimessage = null;
    if (this.midi) this.midi.onstatechange = null;
    this.midi = null;
    if (this.hands.holding) this.store.dispatch({ type: "release-all" });
    this.hands = { ...this.hands, holding: false, learning: null };
  }
}
