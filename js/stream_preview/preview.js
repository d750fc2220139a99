/**
 * The view of a running stream, and the hands on it. Brings the parts together: owns the run, the clock, the link, the outbox, the hands' state.
 * connect() follows the runs of the hub that `wants` accepts; destroy() lets go of everything, after which connect() may be called again.
 */

import { installStyles } from "../shared/styles.js";
import { atRest, createRig, holding, letGo, pushed, speedsOf, rigFromSpeeds } from "./camera.js";
import * as controls from "./controls.js";
import { isActive, obstacleOf } from "./format.js";
import { PreviewKeys } from "./keys.js";
import { openLarge } from "./large_view.js";
import { newest, NO_LATENCY, sent, shown, typical, unmeasured } from "./latency.js";
import { Layout } from "./layout.js";
import { StreamLink } from "./link.js";
import { installLiveStyles } from "./live_styles.js";
import { Outbox } from "./outbox.js";
import { FramePlayer } from "./player.js";
import { STILL } from "./protocol.js";
import { createSteering, drag, handleAt, letGoOfAll, lift, press, usualRadius } from "./steering.js";
import { word } from "./vocabulary.js";

/** @import {Rig} from "./camera.js" */
/** @import {Control} from "./controls.js" */
/** @import {Actions, Model} from "./panels.js" */
/** @import {Ending, FrameHeader, Run, RunState} from "./protocol.js" */
/** @import {RunHub} from "./run_hub.js" */
/** @import {Step} from "./steering.js" */
/** @import {Status} from "./format.js" */

const HINT_MS = 8000;
const PROBLEM_MS = 7000;
const PANELS_MS = 150;
/** @type {RunState} */
const UNTOLD = {
  status: "running",
  chunk: 0,
  epoch: 0,
  prompt: null,
  camera: STILL,
  oldest_chunk: null,
  cache_bytes: 0,
  kept_bytes: 0,
  control: null,
};

export class StreamPreview {
  /** @param {ComfyApi} api @param {RunHub} hub @param {(run: Run) => boolean} wants @param {(dx: number, dy: number) => void} [pan] the host's canvas, screen pixels */
  constructor(api, hub, wants, pan = () => {}) {
    installStyles();
    installLiveStyles();
    this.api = api;
    this.hub = hub;
    this.wants = wants;
    this.player = new FramePlayer();
    /** @type {Run | null} */
    this.run = null;
    /** @type {Status} */
    this.status = "idle";
    this.state = UNTOLD;
    this.steering = createSteering(Math.floor(Math.random() * controls.HANDS));
    /** @type {Rig} */
    this.rig = createRig();
    this.latency = NO_LATENCY;
    /** The newest epoch heard of. */
    this.epoch = 0;
    /** @type {{control: Control, epoch: number}[]} what was added and cannot be seen yet */
    this.ghosts = [];
    /** @type {{speeds: string, epoch: number} | null} the camera asked for, until the sampler says it has it */
    this.asked = null;
    this.problem = "";
    this.note = "";
    this.began_ms = 0;
    this.touched = false;
    this.handlesVisible = true;
    this.cameraOpen = false;
    this.request = 0;
    this.urgent = true;
    /** When the panels were brought up to date, ms. */
    this.described = 0;
    this.layout = new Layout(this, this.actions(), this.cameraActions(), pan);
    this.keys = new PreviewKeys(this);
  }

  get root() {
    return this.layout.root;
  }

  /** @returns {Actions} */
  actions() {
    return {
      pause: () => this.togglePause(),
      plain: (type) => this.send(controls.plain(type)),
      rewind: (chunk) => this.send(controls.rewind(chunk)),
      prompt: (text) => this.send(controls.prompt(text)),
      steer: (changes) => this.steer(changes),
      toggleHandles: () => this.set({ handlesVisible: !this.handlesVisible }),
      toggleCamera: () => this.set({ cameraOpen: !this.cameraOpen }),
      toggleLarge: () => this.toggleLarge(),
      toggleHelp: () => this.layout.toggleHelp(),
      advise: (note) => this.set({ note }),
    };
  }

  /** @returns {import("./camera_pad.js").CameraActions} */
  cameraActions() {
    return {
      push: (push) => this.pushCamera(pushed(this.rig, push)),
      letGo: (axes) => this.pushCamera(letGo(this.rig, axes)),
      hold: (hold) => this.pushCamera(holding(this.rig, hold)),
      rest: () => this.restCamera(),
    };
  }

  // ---- life ----

  connect() {
    if (this.listeners) return;
    this.listeners = new AbortController();
    this.keys.connect(this.layout.panel, this.listeners.signal);
    this.layout.connect(this.listeners.signal);
    this.unsubscribe = this.hub.subscribe({
      start: (run) => this.began(run),
      end: (token, status) => token === this.run?.token && this.ended(status),
      again: () => void this.link?.again(),
    });
    this.schedule();
  }

  /** No listener, timer, request or connection is left; hands that hold something let go. */
  destroy() {
    this.listeners?.abort();
    this.listeners = undefined;
    this.large?.close();
    this.layout.stage.disconnect();
    this.unsubscribe?.();
    this.link?.close();
    this.link = undefined;
    this.releaseAll();
    cancelAnimationFrame(this.request);
    clearTimeout(this.problemTimer);
    this.request = 0;
    this.player.destroy();
    if (isActive(this.status) || this.status === "away") this.status = "idle";
  }

  /** @param {Partial<StreamPreview>} changes */
  set(changes) {
    Object.assign(this, changes);
    this.schedule();
  }

  // ---- the run ----

  /** @param {Run} run */
  began(run) {
    if (!this.wants(run)) return;
    this.link?.close();
    this.outbox?.clear();
    this.player.begin(run);
    const radius =
      this.run?.width === run.width && this.run.height === run.height
        ? this.steering.radius
        : usualRadius(run);
    this.steering = { ...letGoOfAll(this.steering).steering, radius };
    Object.assign(this, {
      run,
      status: "live",
      state: UNTOLD,
      problem: "",
      latency: NO_LATENCY,
      epoch: 0,
      ghosts: [],
      asked: null,
      touched: false,
      began_ms: performance.now(),
    });
    this.rig = { ...createRig(), hold: this.rig.hold };
    this.outbox = this.outboxOf(run);
    this.link = new StreamLink(this.api, this.hub, run, {
      frame: (header, picture) => this.received(header, picture),
      state: (state) => this.told(state),
      link: (link, problem) => this.linked(link, problem),
    });
    this.schedule();
  }

  /** @param {Ending} status */
  ended(status) {
    this.link?.ended();
    this.finish(status);
  }

  /** Nothing can be steered any more; frames that wait are still shown. @param {Status} status */
  finish(status) {
    this.outbox?.clear();
    this.steering = letGoOfAll(this.steering).steering;
    this.rig = { ...createRig(), hold: this.rig.hold };
    this.set({ status, ghosts: [], asked: null });
  }

  /** @param {"open" | "away" | "gone"} link @param {string} problem */
  linked(link, problem) {
    if (problem) this.complain(problem);
    if (link === "gone") {
      if (this.run) this.hub.forget(this.run.token);
      this.finish("lost");
    } else if (link === "away" && isActive(this.status)) this.set({ status: "away" });
    else if (link === "open" && this.status === "away") this.set({ status: "live" });
  }

  /** @param {FrameHeader} header @param {ImageBitmap} picture */
  received(header, picture) {
    this.epoch = Math.max(this.epoch, header.epoch);
    this.player.receive(header, picture);
    this.schedule(false);
  }

  /** @param {RunState} state */
  told(state) {
    this.state = state;
    this.player.flowing = state.status === "running";
    this.epoch = Math.max(this.epoch, state.epoch);
    if (state.status === "paused") this.latency = unmeasured(this.latency);
    if (["running", "paused", "stopping"].includes(state.status))
      this.status = state.status === "running" ? "live" : /** @type {Status} */ (state.status);
    else this.finish(/** @type {Ending} */ (state.status));
    this.followCamera(state);
    this.schedule();
  }

  // ---- controls ----

  /** @param {Run} run */
  outboxOf(run) {
    return new Outbox({
      post: (control, id) => this.post(run, control, id),
      taken: (control) => this.taken(control),
      refused: (control, answer) => this.refused(control, controls.refusal(answer), answer.code),
    });
  }

  /** @param {Run} run @param {Control} control @param {string | null} id */
  async post(run, control, id) {
    const body = controls.controlBody(run.token, control, id);
    const response = await this.api.fetchApi("/motionstream/control", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body,
    });
    const answer = response.ok ? null : await response.json().catch(() => null);
    return controls.parseAnswer(response.status, answer);
  }

  /** @param {Control} control */
  send(control) {
    if (obstacleOf(this, control.type) || !this.outbox) return;
    this.latency = sent(this.latency, control.type, performance.now(), this.epoch);
    if (control.type === "add") this.ghosts = [...this.ghosts, { control, epoch: this.epoch }];
    this.touched = true;
    this.outbox.send(control);
    this.schedule(false);
  }

  /** @param {Control} control */
  taken(control) {
    if (control.type === "stop") this.set({ status: "stopping" });
    if (this.problem) this.complain("");
  }

  /** @param {Control} control @param {string} problem @param {string} code */
  refused(control, problem, code) {
    if (control.type === "add") this.ghosts = [];
    if (control.type === "camera") this.asked = null;
    if (controls.FINAL_CODES.includes(code)) this.outbox?.clear();
    this.latency = unmeasured(this.latency);
    this.complain(problem);
  }

  /** @param {string} problem "" = none */
  complain(problem) {
    clearTimeout(this.problemTimer);
    if (problem) this.problemTimer = setTimeout(() => this.set({ problem: "" }), PROBLEM_MS);
    this.set({ problem });
  }

  togglePause() {
    this.send(controls.plain(this.status === "paused" ? "resume" : "pause"));
  }

  // ---- hands ----

  /** @param {Partial<import("./steering.js").Steering>} changes a tool is kept while it is in use */
  steer(changes) {
    if (!changes.tool || (!this.steering.draft && !this.steering.hands.length))
      this.set({ steering: { ...this.steering, ...changes } });
  }

  /** The handles of the frame shown. */
  get handles() {
    return this.player.last?.handles ?? [];
  }

  /** @returns {boolean} the tool in hand can be used now */
  get steerable() {
    const { tool } = this.steering;
    return !obstacleOf(this, tool === "grab" ? "grab" : tool === "erase" ? "remove" : "add");
  }

  /** @param {Step} step */
  take(step) {
    this.steering = step.steering;
    for (const control of step.controls) this.send(control);
    this.schedule(false);
  }

  /** @param {import("./pointers.js").Place} place */
  press(place) {
    this.layout.focus();
    this.take(press(this.steering, { ...place, handles: this.grabbable() }));
  }

  /** @param {import("./pointers.js").Place & {places: import("../shared/types.js").Point[]}} place */
  drag(place) {
    this.take(drag(this.steering, { ...place, handles: this.grabbable() }));
  }

  /** @param {import("./pointers.js").Place} place */
  lift(place) {
    this.take(lift(this.steering, place));
  }

  /** @param {import("./pointers.js").Place} place */
  removeAt(place) {
    const handle = handleAt(this.grabbable(), place.at, place.reach);
    if (handle) this.send(controls.remove(handle[0]));
  }

  /** Handles that are not shown are not in the way. */
  grabbable() {
    return this.handlesVisible ? this.handles : [];
  }

  /** @returns {boolean} something was let go */
  releaseAll() {
    const busy = Boolean(this.steering.hands.length || this.steering.draft);
    if (busy) this.take(letGoOfAll(this.steering));
    return busy;
  }

  // ---- camera ----

  /** @param {Rig} rig */
  pushCamera(rig) {
    const before = JSON.stringify(controls.camera(speedsOf(this.rig, this.run ?? { width: 0, height: 0 })));
    this.rig = rig;
    const control = controls.camera(speedsOf(rig, this.run ?? { width: 0, height: 0 }));
    const speeds = JSON.stringify(control);
    if (speeds !== before && !obstacleOf(this, "camera")) {
      this.asked = { speeds, epoch: this.epoch };
      this.send(control);
    }
    this.schedule();
  }

  /** Stands still at once, whether it holds or springs back. */
  restCamera() {
    if (!atRest(this.rig)) this.pushCamera(pushed(this.rig, createRig().push));
  }

  /** The camera as the sampler has it, unless something else was asked for just now. @param {RunState} state */
  followCamera(state) {
    if (!this.run) return;
    const has = JSON.stringify(controls.camera(state.camera));
    if (this.asked && (has === this.asked.speeds || state.epoch > this.asked.epoch + 1)) this.asked = null;
    if (!this.asked) this.rig = rigFromSpeeds(this.rig, state.camera, this.run);
  }

  // ---- the view ----

  toggleLarge() {
    if (this.large) return this.large.close();
    this.large = openLarge(this.root, this.layout.panel, () => {
      this.large = undefined;
      this.set({ cameraOpen: this.cameraWasOpen });
      if (this.listeners) this.layout.focus();
    });
    this.cameraWasOpen = this.cameraOpen;
    this.layout.focus();
    this.set({ cameraOpen: true });
  }

  /** @param {boolean} [urgent] the panels are out of date; otherwise the pictures are, and the panels follow a few times a second */
  schedule(urgent = true) {
    this.urgent ||= urgent;
    if (!this.request && this.listeners) this.request = requestAnimationFrame((now) => this.tick(now));
  }

  /** @param {number} now ms */
  tick(now) {
    this.request = 0;
    const fresh = this.player.advance(now);
    if (fresh) {
      this.latency = shown(this.latency, fresh.header.epoch, now);
      this.ghosts = this.ghosts.filter((ghost) => ghost.epoch >= fresh.header.epoch);
    }
    this.layout.stage.draw(Boolean(fresh));
    const due = this.urgent || Math.abs(now - this.described) >= PANELS_MS;
    if (due) {
      Object.assign(this, { urgent: false, described: now });
      this.layout.show(this.model(now), this.rig, this.problem, this.advice(now));
    }
    if (!due || this.player.isBusy(now)) this.schedule(false);
  }

  /** @param {number} now */
  advice(now) {
    if (this.note) return this.note;
    if (this.status === "idle") return word("hint_run");
    const fresh = this.status === "live" && !this.touched && now - this.began_ms < HINT_MS;
    return fresh && this.player.last && !obstacleOf(this, "grab") ? word("hint_drag") : "";
  }

  /** @param {number} now @returns {Model} */
  model(now) {
    const { run, status, state, steering, handlesVisible, cameraOpen } = this;
    const measured = {
      shownFps: this.player.rate(now),
      latency: newest(this.latency),
      usualLatency: typical(this.latency),
    };
    return {
      run,
      status,
      state,
      steering,
      handlesVisible,
      cameraOpen,
      large: Boolean(this.large),
      header: this.player.last,
      ...measured,
    };
  }
}
