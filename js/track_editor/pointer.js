/**
 * Pointers on the editor's canvas: presses become events of the store. Works in video pixels; reads the canvas's place on the screen only to
 * get there, whatever the host's zoom. Never calls preventDefault on pointerdown: the host hangs its own undo on the mouse events that follow.
 */

import { hitTest } from "./geometry.js";
import { fitView, toVideo } from "./render.js";

/** @import {Point, Track} from "./types.js" */
/** @import {EditorStore} from "./store.js" */

const REACH = { mouse: 9, pen: 12, touch: 20 };

/**
 * @typedef {object} Host  what the pointers need of the editor
 * @property {EditorStore} store
 * @property {() => boolean} spaceHeld
 * @property {() => void} onPress
 * @property {(hover: Point | null) => void} onHover
 * @property {(dx: number, dy: number) => void} pan  screen pixels
 */

export class PointerInput {
  /** @param {HTMLCanvasElement} canvas @param {Host} host */
  constructor(canvas, host) {
    this.canvas = canvas;
    this.host = host;
    /** @type {{x: number, y: number, id: number} | null} */
    this.panning = null;
    /** @type {number | null} the pointer that draws */
    this.active = null;
  }

  connect() {
    this.listeners = new AbortController();
    const { signal } = this.listeners;
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => this.down(event), { signal });
    canvas.addEventListener("pointermove", (event) => this.move(event), { signal });
    canvas.addEventListener("pointerup", (event) => this.up(event), { signal });
    canvas.addEventListener("pointercancel", (event) => this.cancel(event), { signal });
    canvas.addEventListener("pointerleave", () => this.host.onHover(null), { signal });
    canvas.addEventListener("dblclick", (event) => this.doubleClick(event), { signal });
    canvas.addEventListener("contextmenu", (event) => this.menu(event), { signal });
  }

  disconnect() {
    this.listeners?.abort();
    this.panning = null;
    this.active = null;
  }

  get state() {
    return this.host.store.state;
  }

  /** Screen pixels per view pixel. */
  zoom() {
    return this.canvas.getBoundingClientRect().width / Math.max(1, this.canvas.clientWidth);
  }

  view() {
    return fitView({ width: this.canvas.clientWidth, height: this.canvas.clientHeight }, this.state.doc);
  }

  /** @param {{clientX: number, clientY: number}} event @returns {Point} video pixels */
  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const zoom = this.zoom();
    return toVideo(this.view(), { x: (event.clientX - box.left) / zoom, y: (event.clientY - box.top) / zoom });
  }

  /** @param {string} kind of the pointer @returns {number} video pixels */
  reach(kind) {
    const pixels = REACH[/** @type {keyof typeof REACH} */ (kind)] ?? REACH.mouse;
    return pixels / (this.view().scale * Math.max(1, this.zoom()));
  }

  /** @param {PointerEvent | MouseEvent} event */
  hit(event) {
    const kind = "pointerType" in event ? event.pointerType : "mouse";
    return hitTest(this.state.doc, this.place(event), this.reach(kind), this.state.selection.track);
  }

  /** @param {PointerEvent} event */
  down(event) {
    event.stopPropagation();
    if (this.active !== null || this.panning) return;
    this.host.onPress();
    this.canvas.setPointerCapture(event.pointerId);
    if (event.button === 1 || (event.button === 0 && this.host.spaceHeld())) {
      this.panning = { x: event.clientX, y: event.clientY, id: event.pointerId };
    } else if (event.button === 0) {
      this.active = event.pointerId;
      this[`press_${this.state.tool}`](event);
    }
  }

  /** @param {PointerEvent} event */
  press_select(event) {
    const hit = this.hit(event);
    if (!hit) return this.host.store.dispatch({ type: "select", track: null });
    return this.grab(event, hit);
  }

  /** @param {PointerEvent} event @param {{track: Track, point: number | null}} hit */
  grab(event, hit) {
    this.host.store.dispatch({ type: "drag-start", track: hit.track.id, point: hit.track.kind === "pin" ? 0 : hit.point, at: this.place(event) });
  }

  /** @param {PointerEvent} event */
  press_draw(event) {
    this.host.store.dispatch({ type: "stroke-start", at: this.place(event) });
  }

  /** @param {PointerEvent} event */
  press_path(event) {
    const { store } = this.host;
    const at = this.place(event);
    const hit = this.state.open ? this.hit(event) : null;
    const open = hit?.track.id === this.state.open ? hit?.track : null;
    if (hit && open && hit.point !== null && hit.point < open.points.length - 1) return this.grab(event, hit);
    store.dispatch({ type: "path-click", at, near: this.reach(event.pointerType) * 0.6 });
    return this.dragNewest(at, store.state.open);
  }

  /** @param {PointerEvent} event */
  press_pin(event) {
    const at = this.place(event);
    const hit = this.hit(event);
    if (hit?.track.kind === "pin" && hit.point === 0) return this.grab(event, hit);
    this.host.store.dispatch({ type: "pin", at });
    return this.dragNewest(at, this.state.selection.track);
  }

  /** The point just made follows the pointer until it is let go. @param {Point} at @param {string | null} id */
  dragNewest(at, id) {
    const track = this.state.doc.tracks.find((candidate) => candidate.id === id);
    if (track) this.host.store.dispatch({ type: "drag-start", track: track.id, point: track.points.length - 1, at, recorded: true });
  }

  /** @param {PointerEvent} event */
  move(event) {
    if (this.panning?.id === event.pointerId) {
      event.stopPropagation();
      this.host.pan(event.clientX - this.panning.x, event.clientY - this.panning.y);
      this.panning = { x: event.clientX, y: event.clientY, id: event.pointerId };
      return;
    }
    const at = this.place(event);
    if (this.active === event.pointerId) {
      event.stopPropagation();
      this.drag(event, at);
    }
    this.showCursor(event);
    this.host.onHover(event.pointerType === "touch" ? null : at);
  }

  /** @param {PointerEvent} event @param {Point} at */
  drag(event, at) {
    const { store } = this.host;
    if (this.state.drag) store.dispatch({ type: "drag-move", at });
    else if (this.state.stroke) {
      const passed = event.getCoalescedEvents?.() ?? [];
      for (const place of passed.length ? passed : [event]) store.dispatch({ type: "stroke-extend", at: this.place(place) });
    }
  }

  /** @param {PointerEvent} event */
  up(event) {
    if (this.panning?.id === event.pointerId) this.panning = null;
    if (this.active !== event.pointerId) return;
    this.active = null;
    if (this.state.stroke) this.host.store.dispatch({ type: "stroke-extend", at: this.place(event) });
    this.host.store.dispatch({ type: this.state.stroke ? "stroke-end" : "drag-end" });
  }

  /** @param {PointerEvent} event */
  cancel(event) {
    this.panning = null;
    if (this.active !== event.pointerId) return;
    this.active = null;
    this.host.store.dispatch({ type: this.state.stroke ? "stroke-cancel" : "drag-cancel" });
  }

  /** @param {MouseEvent} event */
  doubleClick(event) {
    event.stopPropagation();
    if (this.state.tool !== "select") return;
    const hit = this.hit(event);
    if (hit && hit.point === null && hit.track.points.length > 1) {
      this.host.store.dispatch({ type: "insert", track: hit.track.id, index: -1, at: this.place(event) });
    }
  }

  /** @param {MouseEvent} event */
  menu(event) {
    event.preventDefault();
    event.stopPropagation();
    const hit = this.hit(event);
    if (hit && hit.point !== null) this.host.store.dispatch({ type: "delete-point", track: hit.track.id, point: hit.point });
  }

  /** @param {PointerEvent} event */
  showCursor(event) {
    const over = this.state.tool === "select" && this.active === null ? this.hit(event) : null;
    const resting = this.state.tool === "select" ? "default" : "crosshair";
    const cursor = this.host.spaceHeld() ? "grab" : this.state.drag ? "grabbing" : over ? (over.point === null ? "move" : "grab") : resting;
    if (this.canvas.style.cursor !== cursor) this.canvas.style.cursor = cursor;
  }
}
