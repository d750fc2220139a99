/** One run's WebSocket: frames decoded and acknowledged, states passed on. Owns the socket; draws nothing. */

import { ackMessage, parseFrame, parseText, ProtocolError, streamUrl } from "./protocol.js";

/** @import {FrameHeader, Run, RunState} from "./protocol.js" */

/**
 * @typedef {object} Receiver
 * @property {(header: FrameHeader, picture: ImageBitmap) => void} frame  takes the picture over
 * @property {(state: RunState) => void} state
 * @property {(problem: string) => void} closed  "" = as it should be
 */

export class StreamConnection {
  /** @param {ComfyApi} api @param {Run} run @param {Receiver} receiver */
  constructor(api, run, receiver) {
    this.receiver = receiver;
    this.problem = "";
    /** @type {Promise<void>} decoding keeps the order of the frames */
    this.work = Promise.resolve();
    this.socket = new WebSocket(streamUrl(location, api.apiURL("/motionstream/stream"), run.token));
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = (event) => (this.work = this.work.then(() => this.receive(event.data)).catch((error) => this.fail(error)));
    this.socket.onclose = () => void this.work.then(() => this.receiver.closed(this.problem));
  }

  /** @param {ArrayBuffer | string} data */
  async receive(data) {
    if (typeof data === "string") {
      const state = parseText(data);
      if (state) this.receiver.state(state);
      return;
    }
    const { header, jpeg } = parseFrame(data);
    const picture = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
    this.receiver.frame(header, picture);
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(ackMessage(header.frame));
  }

  /** @param {unknown} error */
  fail(error) {
    this.problem = error instanceof ProtocolError ? error.message : `A frame could not be decoded (${error}).`;
    console.warn("MotionStream:", this.problem);
    this.socket.close();
  }

  close() {
    this.socket.onmessage = null;
    this.socket.onclose = null;
    this.socket.close();
  }
}
