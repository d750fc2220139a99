/**
 * Pointers on the editor's canvas: presses become events of the store. Works in video pixels. Reads the
 * canvas's place on the screen only to get there, whatever the host's zoom. Never calls preventDefault on
 * pointerdown: the host hangs its own undo on the mouse events that follow.
 */

import { distance } from "../shared/geometry.js";
import { toVideo } from "../shared/view.js";
import { regionUnder, isClick } from "./drags.js";
import { boxOf, hitTest } from "./hits.js";
import { selectedObject } from "./objects.js";
import { Pinch } from "./pinch.js";
import { cameraMove, isShown, positionAt } from "./sampling.js";
import { selectedTrack } from "./state.js";
import { fitView, handlesOf, selectionFrame } from "./view.js";

/** @import {CutWay} from "./objects.js" */
/** @import {Meant} from "./cutting.js" */
/** @import {StrokeUse, Track, VideoPoint, ViewPoint} from "./types.js" */
/** @import {EditorStore} from "./store.js" */
/** @import {FrameHandle, Viewport} from "./view.js" */

const REACH = { mouse: 9, pen: 12, touch: 20 };
const SNAP = 7;
/** Kinds whose path can be drawn from their middle. */
const TAKES_A_PATH = ["region", "grid", "camera", "object"];

/**
 * @typedef {object} PointerHost  what the pointers need of the editor
 * @property {EditorStore} store
 * @property {() => boolean} spaceHeld
 * @property {() => void} onPress
 * @property {(hover: VideoPoint | null) => void} onHover
 * @property {(meant: Meant, way: CutWay) => void} cut  a thing out of the picture
 * @property {() => Viewport} viewport
 * @property {(dx: number, dy: number) => void} pan  screen pixels
 * @property {(factor: number, at: ViewPoint) => void} zoom
 * @property {(dx: number, dy: number) => void} slide  the viewport, view pixels
 */

export class PointerInput {
  /** @param {HTMLCanvasElement} canvas @param {PointerHost} host */
  constructor(canvas, host) {
    this.canvas = canvas;
    this.host = host;
    /** @type {{x: number, y: number, id: number} | null} */
    this.panning = null;
    /** @type {number | null} the pointer that draws */
    this.active = null;
    this.pinch = new Pinch();
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
    this.pinch = new Pinch();
  }

  get state() {
    return this.host.store.state;
  }

  /** Screen pixels per view pixel. */
  zoom() {
    return this.canvas.getBoundingClientRect().width / Math.max(1, this.canvas.clientWidth);
  }

  view() {
    return fitView(
      { width: this.canvas.clientWidth, height: this.canvas.clientHeight },
      this.state.doc,
      this.host.viewport(),
    );
  }

  /** @param {{clientX: number, clientY: number}} event @returns {ViewPoint} */
  spot(event) {
    const box = this.canvas.getBoundingClientRect();
    const zoom = this.zoom();
    return { x: (event.clientX - box.left) / zoom, y: (event.clientY - box.top) / zoom };
  }

  /** @param {{clientX: number, clientY: number}} event @returns {VideoPoint} */
  place(event) {
    return toVideo(this.view(), this.spot(event));
  }

  /** @param {string} kind of the pointer @returns {number} video pixels */
  reach(kind) {
    const pixels = REACH[/** @type {keyof typeof REACH} */ (kind)] ?? REACH.mouse;
    return pixels / (this.view().scale * Math.max(1, this.zoom()));
  }

  /**
   * How near a place must be to snap, video pixels.
   * @param {PointerEvent} event
   * @returns {number}
   */
  snap(event) {
    return event.ctrlKey ? 0 : SNAP / this.view().scale;
  }

  /** @param {PointerEvent | MouseEvent} event */
  hit(event) {
    const kind = "pointerType" in event ? event.pointerType : "mouse";
    return hitTest(this.state.doc, this.place(event), this.reach(kind), this.state.selection.track);
  }

  /** @param {PointerEvent} event */
  down(event) {
    event.stopPropagation();
    this.pinch.down(event.pointerId, this.spot(event));
    if (this.pinch.on) return this.giveUp();
    if (this.active !== null || this.panning) return undefined;
    this.host.onPress();
    this.canvas.setPointerCapture(event.pointerId);
    if (event.button === 1 || (event.button === 0 && this.host.spaceHeld())) {
      this.panning = { x: event.clientX, y: event.clientY, id: event.pointerId };
    } else if (event.button === 0) {
      this.active = event.pointerId;
      this.press(event);
    }
    return undefined;
  }

  /** A second finger: what the first one began is taken back. */
  giveUp() {
    if (this.active !== null)
      this.host.store.dispatch({ type: this.state.stroke ? "stroke-cancel" : "drag-cancel" });
    this.active = null;
  }

  /** @param {PointerEvent} event */
  press(event) {
    const at = this.place(event);
    const { store } = this.host;
    switch (this.state.tool) {
      case "select":
        return this.pressSelect(event, at);
      case "path":
        return this.pressPath(event, at);
      case "pin":
        return this.pressPin(event, at);
      case "line":
      case "grid":
        return store.dispatch({ type: "stroke-start", at, use: this.state.tool });
      default:
        return store.dispatch({ type: "stroke-start", at, use: this.strokeUse(event, at) });
    }
  }

  /** @param {PointerEvent} event @param {VideoPoint} at @returns {StrokeUse} of a press of the pen */
  strokeUse(event, at) {
    if (this.onAnchor(event, at)) return "path";
    if (this.state.tool === "object") return "cut";
    if (this.state.tool !== "region") return "track";
    return event.altKey && selectedObject(this.state) ? "less" : "area";
  }

  /**
   * On the middle of a selected area that is not yet drawn a path.
   * @param {PointerEvent} event
   * @param {VideoPoint} at
   */
  onAnchor(event, at) {
    const track = selectedTrack(this.state);
    if (
      !track ||
      track.locked ||
      !TAKES_A_PATH.includes(track.kind) ||
      distance(track.points[0], at) > this.reach(event.pointerType)
    )
      return false;
    return this.state.tool === "draw" || track.points.length === 1 || !regionUnder(this.state, at);
  }

  /** @param {PointerEvent} event @param {VideoPoint} at */
  pressSelect(event, at) {
    const { store } = this.host;
    const handle = this.handleUnder(event);
    if (handle)
      return store.dispatch({ type: "transform-start", mode: handle.mode, corner: handle.corner, at });
    const hit = this.hit(event);
    if (event.shiftKey && hit) return store.dispatch({ type: "select", track: hit.track.id, add: true });
    if (!hit?.point && this.onRunner(event, at))
      return store.dispatch({ type: "retime-start", track: this.state.selection.track ?? "", at });
    if (!hit) return store.dispatch({ type: "stroke-start", at, use: "box" });
    return this.grab(event, hit);
  }

  /** @param {PointerEvent} event @returns {FrameHandle | undefined} of the frame round the selection */
  handleUnder(event) {
    const frame = selectionFrame(this.view(), this.state);
    const spot = this.spot(event);
    const near = event.pointerType === "touch" ? 18 : 8;
    return frame
      ? handlesOf(frame).find(({ at }) => Math.hypot(at.x - spot.x, at.y - spot.y) <= near)
      : undefined;
  }

  /**
   * On the selected track's point at the playhead.
   * @param {PointerEvent} event
   * @param {VideoPoint} at
   */
  onRunner(event, at) {
    const track = selectedTrack(this.state);
    const { frame, doc, selection } = this.state;
    if (
      !track ||
      selection.tracks.length > 1 ||
      track.points.length < 2 ||
      frame <= 0 ||
      !isShown(track, frame)
    )
      return false;
    const centre = positionAt(track, frame, doc.frames);
    const camera = track.kind === "camera" ? null : cameraMove(doc, frame);
    return distance(camera ? camera(centre) : centre, at) <= this.reach(event.pointerType);
  }

  /** @param {PointerEvent} event @param {{track: Track, point: number | null}} hit */
  grab(event, hit) {
    const many = this.state.selection.tracks.length > 1 && this.state.selection.tracks.includes(hit.track.id);
    const point = many ? null : hit.track.kind === "pin" ? 0 : hit.point;
    this.host.store.dispatch({ type: "drag-start", track: hit.track.id, point, at: this.place(event) });
  }

  /** @param {PointerEvent} event @param {VideoPoint} at */
  pressPath(event, at) {
    const { store } = this.host;
    const hit = this.state.open ? this.hit(event) : null;
    const open = hit?.track.id === this.state.open ? hit?.track : null;
    if (hit && open && hit.point !== null && hit.point < open.points.length - 1) return this.grab(event, hit);
    store.dispatch({
      type: "path-click",
      at,
      near: this.reach(event.pointerType) * 0.6,
      reach: this.snap(event),
    });
    return this.dragNewest(at, store.state.open);
  }

  /** @param {PointerEvent} event @param {VideoPoint} at */
  pressPin(event, at) {
    const hit = this.hit(event);
    if (hit?.track.kind === "pin" && hit.point === 0) return this.grab(event, hit);
    this.host.store.dispatch({ type: "pin", at, reach: this.snap(event) });
    return this.dragNewest(at, this.state.selection.track);
  }

  /**
   * The point just made follows the pointer until it is let go.
   * @param {VideoPoint} at
   * @param {string | null} id
   */
  dragNewest(at, id) {
    const track = this.state.doc.tracks.find((candidate) => candidate.id === id);
    if (track)
      this.host.store.dispatch({
        type: "drag-start",
        track: track.id,
        point: track.points.length - 1,
        at,
        recorded: true,
      });
  }

  /** @param {PointerEvent} event */
  move(event) {
    if (this.pinch.has(event.pointerId)) {
      const change = this.pinch.move(event.pointerId, this.spot(event));
      if (this.pinch.on) {
        event.stopPropagation();
        if (change) {
          this.host.slide(change.dx, change.dy);
          this.host.zoom(change.factor, change.at);
        }
        return;
      }
    }
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

  /** @param {PointerEvent} event @param {VideoPoint} at */
  drag(event, at) {
    const { store } = this.host;
    const [even, reach] = [event.shiftKey, this.snap(event)];
    if (this.state.drag) return store.dispatch({ type: "drag-move", at, even, reach });
    if (!this.state.stroke) return undefined;
    const passed = event.getCoalescedEvents?.() ?? [];
    for (const place of passed.length ? passed : [event])
      store.dispatch({ type: "stroke-extend", at: this.place(place), even, reach });
    return undefined;
  }

  /** @param {PointerEvent} event */
  up(event) {
    this.pinch.up(event.pointerId);
    if (this.panning?.id === event.pointerId) this.panning = null;
    if (this.active !== event.pointerId) return;
    this.active = null;
    const { store } = this.host;
    if (this.state.stroke)
      store.dispatch({
        type: "stroke-extend",
        at: this.place(event),
        even: event.shiftKey,
        reach: this.snap(event),
      });
    if (this.state.stroke && this.state.use === "cut") this.cut(event, this.state.stroke);
    else if (this.state.stroke) {
      const hit =
        this.state.use === "track" && isClick(this.state) && !this.state.open ? this.hit(event) : null;
      if (hit) {
        store.dispatch({ type: "stroke-cancel" });
        store.dispatch({ type: "select", track: hit.track.id, add: event.shiftKey });
      } else {
        const near = this.reach(event.pointerType) * 0.6;
        store.dispatch({ type: "stroke-end", add: event.shiftKey, near });
      }
    } else store.dispatch({ type: "drag-end" });
  }

  /** @param {PointerEvent} event @param {VideoPoint[]} stroke */
  cut(event, stroke) {
    const click = isClick(this.state);
    this.host.store.dispatch({ type: "stroke-end" });
    const way = event.shiftKey ? "add" : event.altKey ? "less" : "new";
    this.host.cut(click ? { at: stroke[0] } : { box: boxOf(stroke[0], stroke[1]) }, way);
  }

  /** @param {PointerEvent} event */
  cancel(event) {
    this.pinch.up(event.pointerId);
    this.panning = null;
    if (this.active === event.pointerId) this.giveUp();
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
    if (hit && hit.point !== null)
      this.host.store.dispatch({ type: "delete-point", track: hit.track.id, point: hit.point });
  }

  /** @param {PointerEvent} event */
  showCursor(event) {
    const cursor = this.cursorFor(event);
    if (this.canvas.style.cursor !== cursor) this.canvas.style.cursor = cursor;
  }

  /** @param {PointerEvent} event @returns {string} */
  cursorFor(event) {
    if (this.host.spaceHeld()) return "grab";
    if (this.state.drag) return "grabbing";
    if (this.state.tool !== "select") return this.onAnchor(event, this.place(event)) ? "grab" : "crosshair";
    if (this.active !== null) return "default";
    const handle = this.handleUnder(event);
    if (handle) return handle.mode === "rotate" ? "grab" : resizeCursor(handle);
    if (this.onRunner(event, this.place(event))) return "ew-resize";
    const over = this.hit(event);
    return over ? (over.point === null ? "move" : "grab") : "default";
  }
}

/** @param {FrameHandle} handle */
function resizeCursor({ corner: { x, y } }) {
  if (!x || !y) return x ? "ew-resize" : "ns-resize";
  return x === y ? "nwse-resize" : "nesw-resize";
}
