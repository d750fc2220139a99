/**
 * The view of a running stream, and the hands on it. Brings the parts together: the store, the session that
 * performs its effects, the layout, and the clock that draws. connect() follows the runs of the hub that
 * `wants` accepts. destroy() lets go of everything, after which connect() may be called again.
 */

import { installStyles } from "../shared/styles.js";
import { PreviewKeyboard } from "./keyboard.js";
import { openLarge } from "./large_view.js";
import { Layout } from "./layout.js";
import { installLiveStyles } from "./live_styles.js";
import { FramePlayer } from "./player.js";
import { StreamSession } from "./session.js";
import { adviceOf } from "./state.js";
import { PreviewStore } from "./store.js";

/** @import {Run} from "./protocol.js" */
/** @import {Effect} from "./reduce.js" */
/** @import {RunHub} from "./run_hub.js" */
/** @import {PreviewEvent} from "./state.js" */

const PANELS_MS = 150;
/**
 * After these the picture is drawn at once, and the panels follow a few times a second.
 * @type {PreviewEvent["type"][]}
 */
const OF_THE_PICTURE = [
  "frame-received",
  "frame-shown",
  "send",
  "press",
  "drag",
  "lift",
  "remove-at",
  "release-all",
];

export class StreamPreview {
  /**
   * @param {ComfyApi} api
   * @param {RunHub} hub
   * @param {(run: Run) => boolean} wants
   * @param {(dx: number, dy: number) => void} [pan] the host's canvas, screen pixels
   */
  constructor(api, hub, wants, pan = () => {}) {
    installStyles();
    installLiveStyles();
    this.hub = hub;
    this.wants = wants;
    this.player = new FramePlayer();
    this.store = new PreviewStore((effect) => this.perform(effect));
    this.session = new StreamSession(api, hub, this.player, (event) => this.store.dispatch(event));
    const redraw = (/** @type {boolean} */ urgent) => this.schedule(urgent);
    this.layout = new Layout(this.store, this.player, { pan, redraw });
    this.keyboard = new PreviewKeyboard(this.store, () => this.layout.focus());
    this.store.subscribe((event) => this.schedule(!OF_THE_PICTURE.includes(event.type)));
    /** The picture of the screen that is waited for; 0 = none. */
    this.request = 0;
    /** The panels are out of date. */
    this.urgent = true;
    /** When they were brought up to date, ms. */
    this.described = 0;
  }

  get root() {
    return this.layout.root;
  }

  get state() {
    return this.store.state;
  }

  connect() {
    if (this.listeners) return;
    this.listeners = new AbortController();
    this.keyboard.connect(this.layout.panel, this.listeners.signal);
    this.layout.connect(this.listeners.signal);
    this.unsubscribe = this.hub.subscribe({
      start: (run) => this.wants(run) && this.store.dispatch({ type: "run-start", run }),
      end: (token, status) =>
        token === this.state.run?.token && this.store.dispatch({ type: "run-end", status }),
      again: () => this.session.again(),
    });
    this.schedule();
  }

  /** No listener, timer, request or connection is left. Hands that hold something let go. */
  destroy() {
    this.listeners?.abort();
    this.listeners = undefined;
    this.large?.close();
    this.layout.disconnect();
    this.unsubscribe?.();
    this.store.dispatch({ type: "disconnect" });
    cancelAnimationFrame(this.request);
    this.request = 0;
    this.player.destroy();
  }

  /** @param {Effect} effect */
  perform(effect) {
    if (effect.do === "open-large") this.openLarge();
    else if (effect.do === "close-large") this.large?.close();
    else if (effect.do === "focus") this.focus();
    else this.session.perform(effect);
  }

  openLarge() {
    this.large = openLarge(this.root, this.layout.panel, () => {
      this.large = undefined;
      this.store.dispatch({ type: "large-closed" });
    });
  }

  focus() {
    if (this.listeners) this.layout.focus();
  }

  /**
   * @param {boolean} [urgent] the panels are out of date. Otherwise the pictures are, and the panels follow
   *   a few times a second.
   */
  schedule(urgent = true) {
    this.urgent ||= urgent;
    if (!this.request && this.listeners) this.request = requestAnimationFrame((now) => this.tick(now));
  }

  /** @param {number} now ms */
  tick(now) {
    const fresh = this.player.advance(now, this.state.sampler.status === "running");
    if (fresh) this.store.dispatch({ type: "frame-shown", header: fresh.header }, now);
    this.request = 0;
    this.layout.stage.draw(Boolean(fresh));
    const due = this.urgent || Math.abs(now - this.described) >= PANELS_MS;
    if (due) {
      this.urgent = false;
      this.described = now;
      this.layout.update(this.state, this.player.rate(now), adviceOf(this.state, now));
    }
    if (!due || this.player.isBusy(now)) this.schedule(false);
  }
}
