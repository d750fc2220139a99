/**
 * Pointers on the stage: presses become presses on the video. Works out places whatever the host's zoom.
 * Decides nothing. Several pointers at once are several hands. Never calls preventDefault on pointerdown: the
 * host hangs its own undo on the mouse events that follow.
 */

import { toVideo } from "../shared/view.js";

/** @import {VideoPoint} from "../shared/types.js" */
/** @import {View} from "../shared/view.js" */

const REACH = { mouse: 10, pen: 12, touch: 22 };

/**
 * @typedef {{pointer: number, at: VideoPoint, reach: number, time: number}} Place
 *
 * @typedef {object} PointerHost
 * @property {() => View} view
 * @property {() => boolean} able  the picture can be steered
 * @property {(place: Place) => void} press
 * @property {(place: Place & {places: VideoPoint[]}) => void} drag  places: passed since the last one, oldest
 *   first
 * @property {(place: Place) => void} lift
 * @property {(place: Place) => void} menu  the other button
 * @property {(hover: (VideoPoint & {reach: number}) | null) => void} hover
 * @property {(direction: 1 | -1) => boolean} wheel  false = not ours
 * @property {(dx: number, dy: number) => void} pan  the host's canvas, screen pixels
 */

export class StagePointers {
  /** @param {HTMLCanvasElement} canvas @param {PointerHost} host */
  constructor(canvas, host) {
    this.canvas = canvas;
    this.host = host;
    /** @type {Set<number>} the pointers that are down */
    this.down = new Set();
    /** @type {{id: number, x: number, y: number} | null} */
    this.panning = null;
  }

  /** @param {AbortSignal} signal */
  connect(signal) {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => this.press(event), { signal });
    canvas.addEventListener("pointermove", (event) => this.move(event), { signal });
    canvas.addEventListener("pointerup", (event) => this.lift(event), { signal });
    canvas.addEventListener("pointercancel", (event) => this.lift(event), { signal });
    canvas.addEventListener("lostpointercapture", (event) => this.lift(event), { signal });
    canvas.addEventListener("pointerleave", () => this.host.hover(null), { signal });
    canvas.addEventListener("contextmenu", (event) => this.menu(event), { signal });
    canvas.addEventListener("wheel", (event) => this.wheel(event), { signal, passive: false });
  }

  disconnect() {
    this.down.clear();
    this.panning = null;
  }

  /** @param {MouseEvent} event @returns {VideoPoint} video pixels */
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const zoom = this.zoom(box);
    return toVideo(this.host.view(), {
      x: (event.clientX - box.left) / zoom,
      y: (event.clientY - box.top) / zoom,
    });
  }

  /** Screen pixels per stage pixel. @param {{width: number}} box */
  zoom(box = this.canvas.getBoundingClientRect()) {
    return Math.max(0.01, box.width / Math.max(1, this.canvas.clientWidth));
  }

  /** @param {MouseEvent} event @returns {Place} */
  place(event) {
    const kind = "pointerType" in event ? String(event.pointerType) : "mouse";
    const pixels = REACH[/** @type {keyof typeof REACH} */ (kind)] ?? REACH.mouse;
    const pointer = "pointerId" in event ? Number(event.pointerId) : 0;
    return {
      pointer,
      at: this.at(event),
      reach: pixels / (this.host.view().scale * Math.max(1, this.zoom())),
      time: event.timeStamp,
    };
  }

  /** @param {PointerEvent} event */
  press(event) {
    event.stopPropagation();
    if (event.button === 1) {
      this.canvas.setPointerCapture(event.pointerId);
      this.panning = { id: event.pointerId, x: event.clientX, y: event.clientY };
    }
    if (event.button !== 0 || this.panning || !this.host.able()) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.down.add(event.pointerId);
    this.host.press(this.place(event));
  }

  /** @param {PointerEvent} event */
  move(event) {
    if (this.panning?.id === event.pointerId) {
      event.stopPropagation();
      this.host.pan(event.clientX - this.panning.x, event.clientY - this.panning.y);
      this.panning = { id: event.pointerId, x: event.clientX, y: event.clientY };
      return;
    }
    const place = this.place(event);
    if (this.down.has(event.pointerId)) {
      event.stopPropagation();
      const passed = event.getCoalescedEvents?.() ?? [];
      this.host.drag({ ...place, places: passed.length ? passed.map((each) => this.at(each)) : [place.at] });
    }
    this.host.hover(event.pointerType === "touch" ? null : { ...place.at, reach: place.reach });
  }

  /** Up, cancelled or lost: whatever was held is let go, once. @param {PointerEvent} event */
  lift(event) {
    if (this.panning?.id === event.pointerId) this.panning = null;
    if (this.down.delete(event.pointerId)) this.host.lift(this.place(event));
  }

  /** @param {MouseEvent} event */
  menu(event) {
    event.preventDefault();
    event.stopPropagation();
    if (!this.down.size && this.host.able()) this.host.menu(this.place(event));
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    if (!event.deltaY || event.ctrlKey || !this.host.wheel(event.deltaY < 0 ? 1 : -1)) return;
    event.preventDefault();
    event.stopPropagation();
  }
}
