/**
 * The stage: the picture's canvas, the overlay's above it, and the pointers on that. Draws what the state
 * has. Keeps nothing but the hover.
 */

import { fitCanvas } from "../shared/canvas.js";
import { element } from "../shared/elements.js";
import { followScreen } from "../shared/screen.js";
import { letterbox } from "../shared/view.js";
import { drawOverlay } from "./overlay.js";
import { StagePointers } from "./pointers.js";
import { grabbableHandles, handlesOf, isBusy, isSteerable, takenAt } from "./state.js";
import { handleAt, WITH_RADIUS } from "./steering.js";

/** @import {VideoPoint} from "../shared/types.js" */
/** @import {Page} from "./layout.js" */
/** @import {FramePlayer} from "./player.js" */
/** @import {PreviewStore} from "./store.js" */

/** @typedef {Page & {focus: () => void, focused: () => boolean}} StagePage */

const NO_VIDEO = { width: 1, height: 1 };
const SHARPEN_MS = 200;

export class Stage {
  /**
   * @param {PreviewStore} store
   * @param {FramePlayer} player
   * @param {StagePage} page
   */
  constructor(store, player, page) {
    this.store = store;
    this.player = player;
    this.page = page;
    this.canvas = element("canvas");
    this.over = element("canvas", "ms-over");
    this.root = element("div", "ms-stage", [this.canvas, this.over]);
    this.root.dataset.captureWheel = "true";
    /** @type {(VideoPoint & {reach: number}) | null} */
    this.hover = null;
    /** The picture's canvas does not show what it should. */
    this.stale = true;
    /** The screen's pixels to one of ours when it was drawn. */
    this.screen = 0;
    /** The picture of the past that is shown. @type {HTMLCanvasElement | null} */
    this.back = null;
    /** The picture that was drawn last. @type {import("./player.js").Shown | null} */
    this.drawn = null;
    this.pointers = new StagePointers(this.over, this.pointerHost());
  }

  /** @returns {import("./pointers.js").PointerHost} */
  pointerHost() {
    const { store, page } = this;
    return {
      view: () => this.view(),
      able: () => isSteerable(store.state),
      press: (place) => {
        page.focus();
        store.dispatch({ type: "press", place });
      },
      drag: (place) => store.dispatch({ type: "drag", place }),
      lift: (place) => store.dispatch({ type: "lift", place }),
      menu: (place) => store.dispatch({ type: "remove-at", place }),
      hover: (hover) => {
        this.hover = hover;
        page.redraw(false);
      },
      wheel: (direction) => this.wheel(direction),
      pan: page.pan,
    };
  }

  /** @param {AbortSignal} signal */
  connect(signal) {
    this.pointers.connect(signal);
    const refresh = () => {
      this.stale = true;
      this.page.redraw(true);
    };
    window.addEventListener("wheel", () => this.sharpenSoon(refresh), { signal, passive: true });
    followScreen(refresh, signal);
    this.observer = new ResizeObserver(refresh);
    this.observer.observe(this.root);
  }

  disconnect() {
    this.pointers.disconnect();
    this.observer?.disconnect();
    clearTimeout(this.sharpening);
    this.hover = null;
  }

  /**
   * After a zoom of the host the canvases have the wrong number of pixels.
   * @param {() => void} refresh
   */
  sharpenSoon(refresh) {
    clearTimeout(this.sharpening);
    this.sharpening = setTimeout(refresh, SHARPEN_MS);
  }

  area() {
    return { width: this.root.clientWidth, height: this.root.clientHeight };
  }

  view() {
    const { run, recalled } = this.store.state;
    return letterbox(this.area(), run ?? recalled ?? NO_VIDEO);
  }

  /**
   * The wheel changes the radius while the preview has the focus.
   * @param {1 | -1} direction
   * @returns {boolean} false = it is not ours
   */
  wheel(direction) {
    const { state } = this.store;
    if (!isSteerable(state) || !WITH_RADIUS.includes(state.steering.tool) || !this.page.focused())
      return false;
    this.store.dispatch({ type: "radius", direction });
    return true;
  }

  /** @param {boolean} fresh there is a new picture */
  draw(fresh) {
    const { state } = this.store;
    const view = this.view();
    const screen = window.devicePixelRatio;
    const back = state.scrub ? this.player.pictureOf(state.scrub.chunk) : null;
    const { current } = this.player;
    if (fresh || this.stale || screen !== this.screen || back !== this.back || current !== this.drawn)
      this.onto(this.canvas, (ctx) =>
        back
          ? ctx.drawImage(back, view.left, view.top, view.width, view.height)
          : this.player.draw(ctx, view),
      );
    this.back = back;
    this.drawn = current;
    this.stale = false;
    this.screen = screen;
    const able = isSteerable(state) && state.shown !== null;
    this.onto(this.over, (ctx) => {
      if (!state.shown || back) return;
      drawOverlay(ctx, view, {
        handles: handlesOf(state),
        objects: state.objects,
        visible: state.handlesVisible,
        steering: state.steering,
        near: this.near(),
        hover: able ? this.hover : null,
        ghosts: state.ghosts.map((ghost) => ghost.control),
      });
    });
    this.showCursor(able);
  }

  /** @param {boolean} able the tool can be used now */
  showCursor(able) {
    const { tool, hands } = this.store.state.steering;
    const resting = tool === "grab" ? "grab" : "crosshair";
    const used = hands.length ? "grabbing" : resting;
    const cursor = able ? used : "default";
    if (this.over.style.cursor !== cursor) this.over.style.cursor = cursor;
  }

  /** The handle that a press would take. */
  near() {
    const { hover } = this;
    const { state } = this.store;
    const takes = ["grab", "erase"].includes(state.steering.tool);
    if (!hover || isBusy(state) || !takes || !isSteerable(state)) return null;
    if (state.steering.tool === "erase") return handleAt(grabbableHandles(state), hover, hover.reach);
    return takenAt(state, hover, hover.reach);
  }

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {(ctx: CanvasRenderingContext2D) => void} paint in view pixels
   */
  onto(canvas, paint) {
    const area = this.area();
    const ctx = canvas.getContext("2d");
    if (!ctx || !area.width || !area.height) return;
    const ratio = fitCanvas(canvas, area);
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.clearRect(0, 0, canvas.width, canvas.height);
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    paint(ctx);
  }
}
