/** One run's WebSocket: frames decoded and acknowledged, states passed on. Owns the socket. Draws nothing. */

import { isSeen } from "./pop_out.js";
import { ackMessage, parseFrame, parseOsc, parseText, ProtocolError, streamUrl } from "./protocol.js";
import { word } from "./vocabulary.js";

/** @import {FrameHeader, FrameMessage, News, Run} from "./protocol.js" */

/**
 * @typedef {object} Receiver
 * @property {(header: FrameHeader, picture: ImageBitmap) => void} frame  takes the picture over
 * @property {(news: News) => void} news
 * @property {(values: Record<string, number[]>) => void} [osc]
 * @property {(problem: string) => void} closed  "" = without one
 */

/** @type {Receiver} of a connection that was closed while a frame was being decoded */
const CLOSED_RECEIVER = { frame: (_header, picture) => picture.close(), news: () => {}, closed: () => {} };

export class StreamConnection {
  /**
   * @param {ComfyApi} api
   * @param {Run} run
   * @param {Receiver} receiver
   */
  constructor(api, run, receiver) {
    this.receiver = receiver;
    this.problem = "";
    /** @type {FrameMessage | null} the newest frame that came while nobody could see it */
    this.unseen = null;
    /** @type {Promise<void>} decoding keeps the order of the frames */
    this.work = Promise.resolve();
    this.socket = new WebSocket(streamUrl(location, api.apiURL("/motionstream/stream"), run.token));
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = (event) => this.then(() => this.receive(event.data));
    this.socket.onclose = () => void this.work.then(() => this.receiver.closed(this.problem));
    this.wake = () => this.then(() => this.seen());
    document.addEventListener("visibilitychange", this.wake);
  }

  /** @param {() => Promise<void>} task */
  then(task) {
    this.work = this.work.then(task).catch((error) => this.fail(error));
  }

  /** @param {ArrayBuffer | string} data */
  async receive(data) {
    if (typeof data === "string") {
      const news = parseText(data);
      if (news) return this.receiver.news(news);
      const heard = parseOsc(data);
      if (heard) this.receiver.osc?.(heard);
      return;
    }
    const message = parseFrame(data);
    if (!isSeen()) this.unseen = message;
    else await this.show(message);
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(ackMessage(message.header.frame));
  }

  /** @param {FrameMessage} message */
  async show({ header, jpeg }) {
    this.unseen = null;
    this.receiver.frame(header, await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" })));
  }

  /** The page is to be seen again: the frame it missed last. */
  async seen() {
    if (isSeen() && this.unseen) await this.show(this.unseen);
  }

  /** @param {unknown} error */
  fail(error) {
    this.problem =
      error instanceof ProtocolError ? error.message : word("bad_frame", { detail: String(error) });
    console.warn("MotionStream:", this.problem);
    this.socket.close();
  }

  close() {
    document.removeEventListener("visibilitychange", this.wake);
    this.socket.onmessage = null;
    this.socket.onclose = null;
    this.socket.close();
    this.receiver = CLOSED_RECEIVER;
  }
}
