/**
 * The view of a running stream, and the hands on it. Brings the parts together: the store, the session that
 * performs its effects, the layout, and the clock that draws. connect() follows the runs of the hub that
 * `wants` accepts. destroy() lets go of everything, after which connect() may be called again.
 */

import { installStyles } from "../shared/styles.js";
import { PreviewKeyboard } from "./keyboard.js";
import { openLarge } from "./large_view.js";
import { HandsInput } from "./hands_input.js";
import { Layout } from "./layout.js";
import { installLiveStyles } from "./live_styles.js";
import { isActive } from "./obstacles.js";
import { FramePlayer } from "./player.js";
import { popOut, toggleFullScreen } from "./pop_out.js";
import { StreamSession } from "./session.js";
import { adviceOf } from "./state.js";
import { PreviewStore } from "./store.js";
import { takeOf, THUMBNAIL } from "./takes.js";

/** @import {Run} from "./protocol.js" */
/** @import {Effect} from "./reduce.js" */
/** @import {RunHub} from "./run_hub.js" */
/** @import {PreviewEvent, PreviewState} from "./state.js" */
/** @import {Shown} from "./player.js" */

/**
 * What a preview showed, for the one that takes its place.
 * @typedef {{state: PreviewState, frame: Shown | null}} Kept
 */

const NO_HOST = { play: () => {}, showAssets: () => {}, replay: () => {}, share: () => {} };
const NO_PLACE = { read: () => null, write: () => {} };
const PANELS_MS = 150;
const NO_VIDEO = { width: 1, height: 1 };
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
   * @param {import("./saved.js").SavedHost} [saved]
   * @param {import("./hands_input.js").HandsPlace} [place] where the map of inputs is kept
   */
  constructor(api, hub, wants, pan = () => {}, saved = NO_HOST, place = NO_PLACE) {
    installStyles();
    installLiveStyles();
    this.hub = hub;
    this.wants = wants;
    this.player = new FramePlayer();
    this.store = new PreviewStore((effect) => this.perform(effect));
    this.session = new StreamSession(api, hub, this.player, (event) => this.store.dispatch(event));
    const redraw = (/** @type {boolean} */ urgent) => this.schedule(urgent);
    this.hands = new HandsInput(this.store, place, () => this.schedule());
    this.session.heard = (values) => this.hands.hearOsc(values);
    this.layout = new Layout(this.store, this.player, { pan, redraw, saved, hands: this.hands });
    this.keyboard = new PreviewKeyboard(this.store, () => this.layout.focus());
    this.store.subscribe((event) => {
      if (event.type === "show") this.hands.turn(this.state.handsOpen);
      this.schedule(!OF_THE_PICTURE.includes(event.type));
    });
    /** The picture's own window. @type {import("./pop_out.js").PoppedOut | undefined} */
    this.popped = undefined;
    /** Whose screen is drawn for. @type {Window | typeof globalThis | undefined} */
    this.clock = undefined;
    /** The picture of the screen that is waited for; 0 = none. */
    this.request = 0;
    /** The panels are out of date. */
    this.urgent = true;
    /** The address of the picture that was recalled; "" = none. @type {string} */
    this.recalled = "";
    /** When they were brought up to date, ms. */
    this.described = 0;
  }

  get root() {
    return this.layout.root;
  }

  get state() {
    return this.store.state;
  }

  /** @param {Kept} [before] of the preview that stood in this place */
  connect(before) {
    if (this.listeners) return;
    this.listeners = new AbortController();
    this.keyboard.connect(this.layout.panel, this.listeners.signal);
    this.layout.connect(this.listeners.signal);
    if (before) this.takeOver(before);
    this.unsubscribe = this.hub.subscribe({
      start: (run) => this.wants(run) && this.store.dispatch({ type: "run-start", run }),
      end: (token, status) =>
        token === this.state.run?.token && this.store.dispatch({ type: "run-end", status }),
      again: () => this.session.again(),
    });
    this.schedule();
  }

  /** @param {Kept} before */
  takeOver({ state, frame }) {
    const { run } = state;
    const goesOn = run !== null && this.hub.runs.has(run.token);
    this.player.destroy();
    this.player.current = frame;
    this.store.dispatch({
      type: "took-over",
      state,
      ending: goesOn || !run ? null : (this.hub.endings.get(run.token) ?? null),
    });
  }

  /** What goes on and is wanted now is followed, unless a run is followed already. */
  reconsider() {
    const { run } = this.state;
    if (!this.listeners || (run && this.hub.runs.has(run.token) && this.wants(run))) return;
    for (const each of this.hub.runs.values())
      if (this.wants(each)) return this.store.dispatch({ type: "run-start", run: each });
  }

  /**
   * What the sampler of the run that was shown last has left.
   * @param {Record<string, any>} output
   */
  keep(output) {
    const { run, saved } = this.state;
    if (!run || saved.file || saved.take) return;
    const take = output.motionstream_take?.[0];
    const file = output.motionstream_recording?.[0] ?? null;
    if (!take && !file) return;
    this.store.dispatch({
      type: "saved",
      file,
      take: take && takeOf(run, take, run.token, this.player.thumbnail(THUMBNAIL)),
    });
  }

  /** A take that came with a file, once. @param {import("./state.js").Take} take */
  keepOpened(take) {
    if (!this.state.takes.some((each) => each.token === take.token))
      this.store.dispatch({ type: "saved", file: null, take });
  }

  /**
   * The last picture of a run that this preview has not seen, unless it shows one already.
   * @param {string} url
   */
  async recall(url) {
    if (this.player.current || isActive(this.state.status) || url === this.recalled) return;
    this.recalled = url;
    try {
      const picture = await createImageBitmap(await (await fetch(url)).blob());
      if (this.player.current || isActive(this.state.status) || !this.listeners) return picture.close();
      this.player.current = { header: null, picture };
      this.store.dispatch({ type: "recalled", width: picture.width, height: picture.height });
    } catch {
      // The host has cleared its temporary files.
    }
  }

  /** Leaves, and keeps nothing. */
  destroy() {
    this.leave().frame?.picture.close();
  }

  /**
   * No listener, timer, request or connection is left. Hands that hold something let go.
   * @returns {Kept} for the preview that comes in this place
   */
  leave() {
    const frame = this.player.current;
    const { state } = this;
    this.player.current = null;
    this.listeners?.abort();
    this.listeners = undefined;
    this.large?.close();
    this.popped?.close();
    this.hands.close();
    this.layout.disconnect();
    this.unsubscribe?.();
    this.store.dispatch({ type: "disconnect" });
    this.stopDrawing();
    this.player.destroy();
    return { state, frame };
  }

  /** @param {Effect} effect */
  perform(effect) {
    if (effect.do === "open-large") this.openLarge();
    else if (effect.do === "close-large") this.large?.close();
    else if (effect.do === "focus") this.focus();
    else if (effect.do === "full-screen") void toggleFullScreen(this.layout.stage.root).catch(() => {});
    else if (effect.do === "pop-out") void this.popOut(effect.on);
    else this.session.perform(effect);
  }

  openLarge() {
    this.large = openLarge(this.root, this.layout.panel, () => {
      this.large = undefined;
      this.store.dispatch({ type: "large-closed" });
    });
  }

  /** @param {boolean} on */
  async popOut(on) {
    if (!on || this.popped) return this.popped?.close();
    try {
      const { run, recalled } = this.state;
      this.popped = await popOut(this.layout.stage.root, run ?? recalled ?? NO_VIDEO, () =>
        this.poppedBack(),
      );
    } catch (error) {
      return console.warn("MotionStream: no window for the picture:", error);
    }
    if (!this.listeners) return this.popped.close();
    this.store.dispatch({ type: "popped-out", on: true });
  }

  poppedBack() {
    this.stopDrawing();
    this.popped = undefined;
    this.store.dispatch({ type: "popped-out", on: false });
    this.schedule();
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
    if (this.request || !this.listeners) return;
    // A window on top is drawn while the page behind it is hidden.
    this.clock = this.popped?.window ?? globalThis;
    this.request = this.clock.requestAnimationFrame((now) => this.tick(now));
  }

  stopDrawing() {
    this.clock?.cancelAnimationFrame(this.request);
    this.request = 0;
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
