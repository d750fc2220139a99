/**
 * The cameras of this tab: opens one when a run of this tab wants its pictures, sends them, and closes it
 * when the run is over. A view may hold one open before and after. Tells the views what happens.
 */

import { isLive, openMedia, problemOf, stopMedia } from "./media.js";
import { parseWish } from "./protocol.js";
import { PictureSender } from "./sender.js";

/** @import {Problem} from "./media.js" */
/** @import {Figures, Wish} from "./protocol.js" */

/** What the server is told, which says it to the person in an error. @type {Record<Problem, string>} */
const SAID = {
  refused: "the browser does not allow it",
  missing: "there is no such camera",
  busy: "another program holds the camera",
  insecure: "a browser gives a camera to https pages and to localhost alone",
  gone: "the camera is gone",
};

/**
 * @typedef {object} CameraState  of one device
 * @property {MediaStream | null} stream
 * @property {boolean} asking
 * @property {Problem | null} problem
 * @property {boolean} held  by a view
 * @property {Map<string, PictureSender>} senders  by the token of the wish
 * @property {Figures | null} figures  of the newest run
 */

export class CameraHub {
  /**
   * @param {ComfyApi} api
   * @param {(url: string, wish: Wish, receiver: any) => PictureSender} [open]
   */
  constructor(api, open = (url, wish, receiver) => new PictureSender(url, wish, receiver)) {
    this.api = api;
    this.openSender = open;
    /** @type {Map<string, CameraState>} */
    this.cameras = new Map();
    /** @type {Set<() => void>} */
    this.listeners = new Set();
  }

  /** Called once, when the page is set up. */
  start() {
    this.api.addEventListener("motionstream.camera", (event) => this.wanted(parseWish(event.detail)));
    void this.ask();
  }

  /** The wishes of runs that this tab has queued, after it was loaded again. */
  async ask() {
    const client = this.api.clientId;
    if (!client) return;
    try {
      const answer = await this.api.fetchApi(`/motionstream/cameras?client_id=${encodeURIComponent(client)}`);
      const { cameras } = await answer.json();
      for (const wish of cameras) this.wanted(parseWish(wish));
    } catch (error) {
      console.warn("MotionStream: the list of cameras is not available:", error);
    }
  }

  /** @param {string} device @returns {CameraState} */
  of(device) {
    const known = this.cameras.get(device);
    if (known) return known;
    /** @type {CameraState} */
    const made = {
      stream: null,
      asking: false,
      problem: null,
      held: false,
      senders: new Map(),
      figures: null,
    };
    this.cameras.set(device, made);
    return made;
  }

  /** @param {Wish | null} wish */
  wanted(wish) {
    if (!wish) return;
    const camera = this.of(wish.device);
    if (camera.senders.has(wish.token)) return;
    const { protocol, host } = location;
    const path = this.api.apiURL("/motionstream/camera");
    const socket = protocol === "https:" ? "wss:" : "ws:";
    const url = `${socket}//${host}${path}?token=${encodeURIComponent(wish.token)}`;
    const sender = this.openSender(url, wish, {
      figures: (/** @type {Figures} */ figures) => {
        camera.figures = figures;
        this.tell();
      },
      closed: () => this.sent(wish),
    });
    camera.senders.set(wish.token, sender);
    if (camera.stream && isLive(camera.stream)) sender.use(camera.stream);
    else void this.open(wish.device);
    this.tell();
  }

  /** A run is over. @param {Wish} wish */
  sent(wish) {
    const camera = this.of(wish.device);
    camera.senders.delete(wish.token);
    if (!camera.senders.size) camera.figures = null;
    this.rest(wish.device);
  }

  /**
   * A view shows the camera, or lets it go.
   * @param {string} device
   * @param {boolean} on
   */
  async hold(device, on) {
    const camera = this.of(device);
    camera.held = on;
    if (on) await this.open(device);
    else this.rest(device);
  }

  /** @param {string} device */
  async open(device) {
    const camera = this.of(device);
    if (camera.asking || isLive(camera.stream)) return;
    Object.assign(camera, { asking: true, problem: null });
    this.tell();
    try {
      const stream = await openMedia(device);
      camera.stream = stream;
      for (const track of stream.getVideoTracks())
        track.addEventListener("ended", () => camera.stream === stream && this.failed(camera, "gone"));
      for (const sender of camera.senders.values()) sender.use(stream);
    } catch (error) {
      console.warn("MotionStream: no camera:", error);
      this.failed(camera, problemOf(error));
    }
    camera.asking = false;
    this.rest(device);
  }

  /**
   * @param {CameraState} camera
   * @param {Problem} problem
   */
  failed(camera, problem) {
    Object.assign(camera, { stream: null, problem, held: false });
    for (const sender of camera.senders.values()) sender.problem(SAID[problem]);
    this.tell();
  }

  /** A camera that nobody wants is closed. @param {string} device */
  rest(device) {
    const camera = this.of(device);
    if (camera.stream && !camera.held && !camera.senders.size) {
      stopMedia(camera.stream);
      camera.stream = null;
    }
    this.tell();
  }

  /** @param {() => void} listener @returns {() => void} */
  subscribe(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  tell() {
    for (const listener of [...this.listeners]) listener();
  }
}
