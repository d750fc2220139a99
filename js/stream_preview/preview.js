/**
 * The view of a running stream: picture, figures, buttons. Owns its DOM, its clock, its queue and its connection.
 * connect() follows the runs of the hub that `wants` accepts, disconnect() lets go of everything.
 */

import { button, element, say, setIcon } from "../track_editor/elements.js";
import { installStyles } from "../track_editor/styles.js";
import { StreamConnection } from "./connection.js";
import { createQueue, push, shownRate, take } from "./frame_queue.js";
import { controlBody } from "./protocol.js";

/** @import {FrameHeader, Run} from "./protocol.js" */
/** @import {RunHub} from "./run_hub.js" */
/** @import {FrameQueue} from "./frame_queue.js" */

/** @typedef {"idle" | "live" | "paused" | "stopping" | "lost" | import("./protocol.js").Ending} Status */
/** @typedef {{header: FrameHeader, picture: ImageBitmap}} Shown */

/** @type {Record<Status, string>} */
const WORDS = {
  idle: "Waiting for a run",
  live: "Live",
  paused: "Paused",
  stopping: "Stopping",
  lost: "Connection lost",
  done: "Done",
  stopped: "Stopped, frames kept",
  interrupted: "Cancelled",
  error: "Failed",
};

export class StreamPreview {
  /** @param {ComfyApi} api @param {RunHub} hub @param {(run: Run) => boolean} wants */
  constructor(api, hub, wants) {
    installStyles();
    this.api = api;
    this.hub = hub;
    this.wants = wants;
    this.canvas = element("canvas");
    this.pill = element("div", "ms-pill");
    this.hint = element("div", "ms-hint");
    this.bar = element("i");
    this.facts = {
      frame: fact("frame", "The frame shown, of the frames asked for"),
      made: fact("generated fps", "Frames made per second so far"),
      shown: fact("shown fps", "Frames shown here per second"),
      latency: fact("latency", "From the start of a chunk to its frame being ready"),
    };
    this.pause = button("pause", "Pause (Space)", () => this.togglePause(), "Pause");
    this.stop = button("stop", "Stop here and keep the frames made so far", () => this.control("stop"), "Stop and keep");
    const buttons = element("div", "ms-bar", [element("div", "ms-group", [this.pause]), element("div", "ms-group", [this.stop])]);
    const facts = element("div", "ms-facts", Object.values(this.facts).map((each) => each.root));
    const stage = element("div", "ms-stage", [this.canvas, this.pill, this.hint]);
    this.root = element("div", "ms-root ms-view", [stage, element("div", "ms-progress", [this.bar]), facts, buttons]);
    this.root.tabIndex = 0;
    this.root.setAttribute("aria-label", "Stream preview");
    this.stage = stage;
    /** @type {Run | null} */
    this.run = null;
    /** @type {Status} */
    this.status = "idle";
    /** @type {FrameQueue<Shown>} */
    this.queue = createQueue(16);
    /** @type {Shown | null} */
    this.current = null;
    /** @type {number[]} */
    this.times = [];
    this.problem = "";
    this.request = 0;
    /** The canvas does not show what it should. */
    this.stale = true;
  }

  connect() {
    if (this.listeners) return;
    this.listeners = new AbortController();
    const { signal } = this.listeners;
    this.root.addEventListener("keydown", (event) => this.keyDown(event), { signal });
    this.root.addEventListener("pointerdown", () => this.root.focus({ preventScroll: true }), { signal });
    this.observer = new ResizeObserver(() => {
      this.stale = true;
      this.schedule();
    });
    this.observer.observe(this.stage);
    this.unsubscribe = this.hub.subscribe({ start: (run) => this.began(run), end: (token, status) => this.ended(token, status) });
    this.schedule();
  }

  disconnect() {
    this.listeners?.abort();
    this.listeners = undefined;
    this.observer?.disconnect();
    this.unsubscribe?.();
    this.connection?.close();
    cancelAnimationFrame(this.request);
    this.request = 0;
    this.dropQueue();
  }

  /** @param {Run} run */
  began(run) {
    if (!this.wants(run)) return;
    this.connection?.close();
    this.dropQueue();
    Object.assign(this, { run, status: "live", times: [], problem: "" });
    this.queue = createQueue(run.fps);
    this.connection = new StreamConnection(this.api, run, {
      frame: (header, picture) => this.received(header, picture),
      state: ({ status }) => this.setStatus(status === "running" ? "live" : status),
      closed: (problem) => this.closed(problem),
    });
    this.schedule();
  }

  /** @param {string} token @param {import("./protocol.js").Ending} status */
  ended(token, status) {
    if (token === this.run?.token) this.setStatus(status);
  }

  /** @param {string} problem */
  closed(problem) {
    this.problem = problem;
    if (["live", "paused", "stopping"].includes(this.status)) this.settle();
    this.schedule();
  }

  /** The frames have ended; the end of the run is told by an event that comes about now. */
  settle() {
    const { run } = this;
    setTimeout(() => {
      if (run === this.run && ["live", "paused", "stopping"].includes(this.status)) this.setStatus("lost");
    }, 3000);
  }

  /** @param {FrameHeader} header @param {ImageBitmap} picture */
  received(header, picture) {
    const { queue, dropped } = push(this.queue, { header, picture }, header.fps);
    this.queue = queue;
    for (const old of dropped) old.picture.close();
    this.schedule();
  }

  dropQueue() {
    for (const waiting of this.queue.items) waiting.picture.close();
    this.queue = { ...this.queue, items: [] };
  }

  /** @param {Status} status */
  setStatus(status) {
    this.status = status;
    this.schedule();
  }

  schedule() {
    if (!this.request && this.listeners) this.request = requestAnimationFrame((now) => this.tick(now));
  }

  /** @param {number} now ms */
  tick(now) {
    this.request = 0;
    const { queue, item } = take(this.queue, now);
    this.queue = queue;
    if (item) this.show(item, now);
    if (item || this.stale) this.draw();
    this.describe(now);
    if (this.queue.items.length || this.times.some((time) => now - time <= 2000)) this.schedule();
  }

  /** @param {Shown} item @param {number} now */
  show(item, now) {
    this.current?.picture.close();
    this.current = item;
    this.times = [...this.times.filter((time) => now - time <= 2000), now];
  }

  draw() {
    this.stale = false;
    const area = { width: this.stage.clientWidth, height: this.stage.clientHeight };
    const ctx = this.canvas.getContext("2d");
    if (!ctx || !area.width || !area.height) return;
    const zoom = this.canvas.getBoundingClientRect().width / area.width;
    const ratio = Math.min(4, Math.max(1, zoom * window.devicePixelRatio));
    const [width, height] = [Math.round(area.width * ratio), Math.round(area.height * ratio)];
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    ctx.clearRect(0, 0, width, height);
    if (!this.current) return;
    const { picture } = this.current;
    const scale = Math.min(width / picture.width, height / picture.height);
    const [w, h] = [picture.width * scale, picture.height * scale];
    ctx.imageSmoothingQuality = "high";
    ctx.drawImage(picture, (width - w) / 2, (height - h) / 2, w, h);
  }

  /** @param {number} now */
  describe(now) {
    const header = this.current?.header;
    const active = ["live", "paused", "stopping"].includes(this.status);
    this.pill.dataset.state = this.status;
    say(this.pill, WORDS[this.status]);
    say(this.hint, this.problem || (this.status === "idle" ? "Press Run: the frames appear here while they are made" : ""));
    const total = this.run?.frames ?? 0;
    say(this.facts.frame.value, header ? `${header.frame + 1}${total ? ` / ${total}` : ""}` : "–");
    say(this.facts.made.value, header ? header.fps.toFixed(1) : "–");
    say(this.facts.shown.value, header ? shownRate(this.times, now).toFixed(1) : "–");
    say(this.facts.latency.value, header ? milliseconds(header.latency_ms) : "–");
    this.bar.style.width = `${header && total ? Math.min(100, (100 * (header.frame + 1)) / total) : 0}%`;
    setIcon(this.pause, this.status === "paused" ? "play" : "pause", this.status === "paused" ? "Resume (Space)" : "Pause (Space)");
    const label = this.pause.lastChild;
    if (label) label.nodeValue = this.status === "paused" ? "Resume" : "Pause";
    this.pause.disabled = !active || this.status === "stopping";
    this.stop.disabled = !active || this.status === "stopping";
  }

  togglePause() {
    return this.control(this.status === "paused" ? "resume" : "pause");
  }

  /** @param {"pause" | "resume" | "stop"} type */
  async control(type) {
    if (!this.run) return;
    try {
      const response = await this.api.fetchApi("/motionstream/control", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: controlBody(this.run.token, type),
      });
      if (!response.ok) throw new Error((await response.json().catch(() => null))?.error ?? `${response.status} ${response.statusText}`);
      this.problem = "";
      if (type === "stop") this.setStatus("stopping");
    } catch (error) {
      this.problem = `The sampler did not take this: ${/** @type {Error} */ (error).message}`;
    }
    this.schedule();
  }

  /** @param {KeyboardEvent} event */
  keyDown(event) {
    if (["Delete", "Backspace"].includes(event.key)) event.stopPropagation();
    if (event.key !== " " || event.target instanceof HTMLButtonElement) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat && !this.pause.disabled) void this.togglePause();
  }
}

/** @param {string} name @param {string} title */
function fact(name, title) {
  const value = element("b", "", ["–"]);
  const root = element("div", "ms-fact", [value, element("span", "", [name])]);
  root.title = title;
  return { root, value };
}

/** @param {number} ms */
const milliseconds = (ms) => (ms >= 1000 ? `${(ms / 1000).toFixed(2)} s` : `${Math.round(ms)} ms`);
