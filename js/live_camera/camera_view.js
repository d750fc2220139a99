/** A camera on its node: what it sees, which it is, on or off, how its pictures fare. Owns its DOM. */

import { element, setText } from "../shared/elements.js";
import { installStyles } from "../shared/styles.js";
import { cameraNames } from "./media.js";
import { word } from "./vocabulary.js";

/** @import {CameraHub, CameraState} from "./camera_hub.js" */

const SHEET_ID = "motionstream-webcam-style";
const SHEET = `
.ms-webcam {
  display: flex; flex-direction: column; gap: 5px; padding: 6px; height: 100%; box-sizing: border-box;
}
.ms-webcam video {
  flex: 1; min-height: 60px; width: 100%; object-fit: contain; background: #0b0d11; border-radius: 6px;
}
.ms-webcam .ms-row { display: flex; gap: 4px; }
.ms-webcam select { flex: 1; min-width: 0; }
.ms-webcam button { white-space: nowrap; flex: none; width: auto; padding: 0 8px; }
.ms-webcam .ms-says { min-height: 2.6em; font-size: 11.5px; line-height: 1.3; color: var(--ms-soft); }
.ms-webcam .ms-says.ms-bad { color: #ff9f0a; }
`;
const RATES_MS = 1500;

export class CameraView {
  /**
   * @param {CameraHub} hub
   * @param {() => string} device the node's
   * @param {(device: string) => void} choose
   */
  constructor(hub, device, choose) {
    installStyles();
    if (!document.getElementById(SHEET_ID))
      document.head.append(Object.assign(element("style"), { id: SHEET_ID, textContent: SHEET }));
    this.hub = hub;
    this.device = device;
    this.video = element("video");
    Object.assign(this.video, { muted: true, playsInline: true, autoplay: true });
    this.choice = element("select", "ms-select");
    this.choice.title = word("device");
    this.choice.setAttribute("aria-label", word("device"));
    this.choice.addEventListener("change", () => {
      void this.hub.hold(this.device(), false);
      choose(this.choice.value);
      this.update();
    });
    this.toggle = element("button", "ms-button ms-labelled", [word("on")]);
    this.toggle.type = "button";
    this.toggle.addEventListener("click", () => void this.hub.hold(this.device(), !this.state.held));
    this.says = element("div", "ms-says");
    const row = element("div", "ms-row", [this.choice, this.toggle]);
    this.root = element("div", "ms-root ms-webcam", [this.video, row, this.says]);
    this.root.setAttribute("aria-label", word("label"));
    /** @type {string[]} */
    this.names = [];
    /** Of the figures that the rates are reckoned from. */
    this.counted = { at: 0, received: 0, used: 0, camera: 0, made: 0, held: 0, fresh: false };
  }

  /** @returns {CameraState} */
  get state() {
    return this.hub.of(this.device());
  }

  connect() {
    if (this.listeners) return;
    this.listeners = new AbortController();
    const { signal } = this.listeners;
    const update = () => this.update();
    signal.addEventListener("abort", this.hub.subscribe(update));
    document.addEventListener("visibilitychange", update, { signal });
    navigator.mediaDevices?.addEventListener?.("devicechange", () => void this.list(), { signal });
    void this.list();
    this.update();
  }

  /** Nothing is left: the camera goes off unless a run has it. */
  leave() {
    this.listeners?.abort();
    this.listeners = undefined;
    this.video.srcObject = null;
    if (this.state.held) void this.hub.hold(this.device(), false);
  }

  async list() {
    this.names = await cameraNames();
    if (this.listeners) this.update();
  }

  update() {
    const { state } = this;
    const { stream, held } = state;
    if (this.video.srcObject !== stream) {
      this.video.srcObject = stream;
      if (stream) void this.list();
    }
    this.options();
    this.toggle.classList.toggle("ms-on", held);
    this.toggle.setAttribute("aria-pressed", String(held));
    setText(this.toggle, word(held ? "off" : "on"));
    setText(this.says, this.said(state));
    this.says.classList.toggle(
      "ms-bad",
      state.problem !== null || (document.hidden && state.senders.size > 0),
    );
  }

  options() {
    const device = this.device();
    const values = [...new Set(["camera", "screen", ...this.names, device])];
    if (this.choice.dataset.values !== values.join("|")) {
      this.choice.dataset.values = values.join("|");
      this.choice.replaceChildren(
        ...values.map((value) => {
          const named = value === "camera" || value === "screen";
          return Object.assign(element("option", "", [named ? word(value) : value]), { value });
        }),
      );
    }
    this.choice.value = device;
  }

  /** @param {CameraState} state */
  said({ problem, asking, stream, senders, figures }) {
    if (problem) return word(problem);
    if (asking) return word("asking");
    if (!stream) return word("idle");
    if (!senders.size || !figures) return word("ready");
    if (document.hidden) return word("hidden");
    const { counted } = this;
    const now = performance.now();
    if (figures.received < counted.received || !counted.at)
      Object.assign(counted, { at: now, received: figures.received, used: figures.used, held: figures.held });
    const passed = now - counted.at;
    if (passed >= RATES_MS) {
      const rate = (/** @type {number} */ more) => Math.round((1000 * more) / passed);
      Object.assign(counted, {
        at: now,
        camera: rate(figures.received - counted.received),
        made: rate(figures.used - counted.used),
        fresh: figures.held === counted.held,
        received: figures.received,
        used: figures.used,
        held: figures.held,
      });
    }
    return word(counted.fresh ? "sending" : "held", { camera: counted.camera, used: counted.made });
  }
}
