/**
 * The effects of the preview outside of the page: the link to the run, the controls on their way to it, the
 * frames that wait. Owns the link and the outbox of one run at a time, and tells the store what they hear.
 */

import { controlBody, parseAnswer } from "./controls.js";
import { StreamLink } from "./link.js";
import { Outbox } from "./outbox.js";
import { watchAddress } from "./watch.js";
import { takeOf, THUMBNAIL } from "./takes.js";

/** @import {Control} from "./controls.js" */
/** @import {FramePlayer} from "./player.js" */
/** @import {News, Run} from "./protocol.js" */
/** @import {Effect} from "./reduce.js" */
/** @import {RunHub} from "./run_hub.js" */
/** @import {PreviewEvent} from "./state.js" */

const PROBLEM_MS = 7000;

export class StreamSession {
  /**
   * @param {ComfyApi} api
   * @param {RunHub} hub
   * @param {FramePlayer} player
   * @param {(event: PreviewEvent) => void} dispatch
   */
  constructor(api, hub, player, dispatch) {
    this.api = api;
    this.hub = hub;
    this.player = player;
    this.dispatch = dispatch;
    /** Takes that rewinds have cut off so far. */
    this.cutOff = 0;
    /** What an OSC program has said. @type {(values: Record<string, number[]>) => void} */
    this.heard = () => {};
    /** @type {StreamLink | undefined} */
    this.link = undefined;
    /** @type {Outbox | undefined} */
    this.outbox = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /** @param {Effect} effect */
  perform(effect) {
    if (effect.do === "begin") this.begin(effect.run);
    else if (effect.do === "send") this.outbox?.send(effect.control);
    else if (effect.do === "clear-outbox") this.outbox?.clear();
    else if (effect.do === "end-link") this.link?.ended();
    else if (effect.do === "close-link") this.close();
    else if (effect.do === "forget") this.hub.forget(effect.token);
    else if (effect.do === "watch") void this.watch(effect.run, effect.on);
    else if (effect.do === "device") void this.device(effect.run, effect.device, effect.on);
    else if (effect.do === "osc") void this.osc(effect.run, effect.port);
    else if (effect.do === "expire-problem") this.expireProblem();
  }

  /** @param {Run} run */
  begin(run) {
    this.link?.close();
    this.outbox?.clear();
    this.player.begin(run);
    this.outbox = new Outbox({
      post: (control, id) => this.post(run, control, id),
      taken: (control) => this.dispatch({ type: "taken", control }),
      refused: (control, answer) => this.dispatch({ type: "refused", control, answer }),
    });
    this.link = new StreamLink(this.api, this.hub, run, {
      frame: (header, picture) => {
        this.player.receive(header, picture);
        this.dispatch({ type: "frame-received", epoch: header.epoch });
      },
      osc: (values) => this.heard(values),
      news: (news) => this.hear(run, news),
      link: (link, problem) => this.dispatch({ type: "link", link, problem }),
    });
  }

  /**
   * @param {Run} run
   * @param {News} news
   */
  hear(run, news) {
    if (news.type !== "take") return this.dispatch({ type: "news", news });
    const take = takeOf(run, news, `${run.token} ${this.cutOff++}`, this.player.thumbnail(THUMBNAIL));
    return this.dispatch({ type: "cut-off", take });
  }

  /**
   * @param {Run} run
   * @param {Control} control
   * @param {string | null} id
   */
  async post(run, control, id) {
    const response = await this.api.fetchApi("/motionstream/control", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: controlBody(run.token, control, id),
    });
    const body = response.ok ? null : await response.json().catch(() => null);
    return parseAnswer(response.status, body);
  }

  /**
   * Makes the run's watch link and copies its address, or ends it.
   * @param {Run} run
   * @param {boolean} on
   */
  async watch(run, on) {
    try {
      const response = await this.api.fetchApi("/motionstream/watch", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ token: run.token, link: on }),
      });
      if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
      const { watch } = await response.json();
      const path = this.api.apiURL("/motionstream/watch");
      const address = typeof watch === "string" ? watchAddress(location, path, watch) : "";
      this.dispatch({ type: "watch", address });
      if (address) void this.device(run);
      // Where the page may not copy, the address stands on it.
      if (address) await navigator.clipboard?.writeText(address).catch(() => {});
    } catch (error) {
      console.warn("MotionStream: no watch link:", error);
      this.dispatch({ type: "watch-failed" });
    }
  }

  /**
   * Shows the run on a device of the host's machine, or no longer; without one, asks which there are.
   * @param {Run} run
   * @param {string} [device]
   * @param {boolean} [on]
   */
  async device(run, device, on) {
    try {
      const response = await this.api.fetchApi("/motionstream/device", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ token: run.token, ...(device && { device, on }) }),
      });
      const body = await response.json();
      if (response.ok) this.dispatch({ type: "devices", known: body.devices, on: body.on });
      else this.dispatch({ type: "device-failed", detail: String(body.error ?? response.status) });
    } catch (error) {
      console.warn("MotionStream: no devices:", error);
    }
  }

  /**
   * The run listens for OSC on a port of this machine, or no longer.
   * @param {Run} run
   * @param {number} port 0 = no longer
   */
  async osc(run, port) {
    const response = await this.api
      .fetchApi("/motionstream/osc", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ token: run.token, port }),
      })
      .catch(() => null);
    if (response?.ok) return this.dispatch({ type: "osc", port });
    const body = await response?.json().catch(() => null);
    this.dispatch({ type: "device-failed", detail: String(body?.error ?? "OSC") });
  }

  expireProblem() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.dispatch({ type: "problem-over" }), PROBLEM_MS);
  }

  /** The host is back: a lost link is made again at once. */
  again() {
    void this.link?.again();
  }

  /** The link and the timer end. What waits in the outbox still goes out. */
  close() {
    clearTimeout(this.timer);
    this.link?.close();
    this.link = undefined;
  }
}
