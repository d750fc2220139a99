/** The stage: the picture's canvas, the overlay's above it, and the pointers on that. Draws what the preview has; keeps nothing but the hover. */

import { element } from "../shared/elements.js";
import { followScreen } from "../shared/screen.js";
import { drawOverlay } from "./overlay.js";
import { StagePointers } from "./pointers.js";
import { handleAt, largestRadius } from "./steering.js";
import { letterbox } from "../shared/view.js";

/** @import {VideoPoint} from "../shared/types.js" */
/** @import {StreamPreview} from "./preview.js" */

const WITH_RADIUS = ["grab", "pin", "path"];

export class Stage {
  /** @param {StreamPreview} preview @param {(dx: number, dy: number) => void} pan */
  constructor(preview, pan) {
    this.preview = preview;
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
    this.pointers = new StagePointers(this.over, {
      view: () => this.view(),
      able: () => preview.steerable,
      press: (place) => preview.press(place),
      drag: (place) => preview.drag(place),
      lift: (place) => preview.lift(place),
      menu: (place) => preview.removeAt(place),
      hover: (hover) => {
        this.hover = hover;
        preview.schedule(false);
      },
      wheel: (direction) => this.wheel(direction),
      pan,
    });
  }

  /** @param {AbortSignal} signal */
  connect(signal) {
    this.pointers.connect(signal);
    const refresh = () => {
      this.stale = true;
      this.preview.schedule();
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

  /** After a zoom of the host the canvases have the wrong number of pixels. @param {() => void} refresh */
  sharpenSoon(refresh) {
    clearTimeout(this.sharpening);
    this.sharpening = setTimeout(refresh, 200);
  }

  view() {
    const area = { width: this.root.clientWidth, height: this.root.clientHeight };
    return letterbox(area, this.preview.run ?? { width: 1, height: 1 });
  }

  /** The wheel changes the radius while the preview has the focus. @param {1 | -1} direction @returns {boolean} */
  wheel(direction) {
    const { steering, steerable, run } = this.preview;
    if (!run || !steerable || !WITH_RADIUS.includes(steering.tool) || !this.preview.layout.focused)
      return false;
    this.preview.steer({ radius: stepped(steering.radius, direction, largestRadius(run)) });
    return true;
  }

  /** @param {boolean} fresh there is a new picture */
  draw(fresh) {
    const view = this.view();
    const screen = window.devicePixelRatio;
    if (fresh || this.stale || screen !== this.screen)
      this.onto(this.canvas, (ctx) => this.preview.player.draw(ctx, view));
    Object.assign(this, { stale: false, screen });
    const near = this.near();
    const { steering, handles, handlesVisible, ghosts, steerable, player } = this.preview;
    const able = steerable && player.last !== null;
    this.onto(this.over, (ctx) => {
      if (player.last)
        drawOverlay(ctx, view, {
          handles,
          visible: handlesVisible,
          steering,
          near,
          hover: able ? this.hover : null,
          ghosts: ghosts.map((ghost) => ghost.control),
        });
    });
    const resting = steering.tool === "grab" ? "grab" : "crosshair";
    const cursor = !able ? "default" : steering.hands.length ? "grabbing" : resting;
    if (this.over.style.cursor !== cursor) this.over.style.cursor = cursor;
  }

  /** The handle that a press would take. */
  near() {
    const { hover, preview } = this;
    const idle = !preview.steering.hands.length && !preview.steering.draft;
    const taking = ["grab", "erase"].includes(preview.steering.tool);
    return hover && idle && taking && preview.steerable
      ? handleAt(preview.grabbable(), hover, hover.reach)
      : null;
  }

  /** One canvas pixel for each pixel of the screen. @param {HTMLCanvasElement} canvas @param {(ctx: CanvasRenderingContext2D) => void} paint */
  onto(canvas, paint) {
    const area = { width: this.root.clientWidth, height: this.root.clientHeight };
    const ctx = canvas.getContext("2d");
    if (!ctx || !area.width || !area.height) return;
    const zoom = canvas.getBoundingClientRect().width / area.width;
    const ratio = Math.min(4, Math.max(1, zoom * window.devicePixelRatio));
    const [width, height] = [Math.round(area.width * ratio), Math.round(area.height * ratio)];
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.clearRect(0, 0, width, height);
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    paint(ctx);
  }
}

/** @param {number} radius @param {1 | -1} direction @param {number} most */
export const stepped = (radius, direction, most) =>
  Math.min(most, Math.max(0, Math.round(radius + direction * Math.max(1, radius * 0.15))));
