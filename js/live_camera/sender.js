/**
 * Pictures of a media stream on their way to one run: taken as the camera gives them, encoded small, and sent
 * while the last ones are on their way. Owns the socket, the canvas and the video that is drawn from.
 */

import { packPicture, parseFigures, problemMessage, sentSize } from "./protocol.js";

/** @import {Figures, Wish} from "./protocol.js" */

const QUALITY = 0.85;
const WAITING = 128 * 1024; // bytes that the socket may hold before pictures are left out
const FASTER = 2; // than the stream: more pictures than that are not sent
const SLOWEST_MS = 500; // a browser that hides the page gives no more frames, and a timer goes on

export class PictureSender {
  /**
   * @param {string} url
   * @param {Wish} wish
   * @param {{figures: (figures: Figures) => void, closed: () => void}} receiver
   */
  constructor(url, wish, receiver) {
    this.wish = wish;
    this.receiver = receiver;
    this.video = document.createElement("video");
    Object.assign(this.video, { muted: true, playsInline: true });
    this.canvas = document.createElement("canvas");
    this.sent = 0;
    this.before = -Infinity;
    this.encoding = false;
    this.over = false;
    /** Said once the socket is open. @type {string} */
    this.unsaid = "";
    this.socket = new WebSocket(url);
    this.socket.onopen = () => this.unsaid && this.problem(this.unsaid);
    this.socket.onmessage = ({ data }) => {
      const figures = typeof data === "string" ? parseFigures(data) : null;
      if (figures) receiver.figures(figures);
    };
    this.socket.onclose = () => this.close();
    this.timer = setInterval(() => this.grab(), SLOWEST_MS);
  }

  /** @param {MediaStream} stream the pictures come from it from now on */
  use(stream) {
    this.unsaid = "";
    this.video.srcObject = stream;
    void this.video.play().catch(() => {});
    this.follow();
  }

  /** @param {string} text what the run is told where it waits for the first picture */
  problem(text) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(problemMessage(text));
    else this.unsaid = text;
  }

  follow() {
    if (this.over || !("requestVideoFrameCallback" in this.video)) return;
    this.video.cancelVideoFrameCallback(this.request ?? 0);
    this.request = this.video.requestVideoFrameCallback(() => {
      void this.grab();
      this.follow();
    });
  }

  /** The picture of now, unless it comes too soon or the last ones are not away yet. */
  async grab() {
    const now = performance.now();
    const { video, socket, canvas } = this;
    const soon = now - this.before < 1000 / (FASTER * this.wish.fps);
    const open = socket.readyState === WebSocket.OPEN && socket.bufferedAmount < WAITING;
    if (this.over || this.encoding || soon || !open || !video.videoWidth || video.paused) return;
    this.before = now;
    this.encoding = true;
    try {
      const size = sentSize({ width: video.videoWidth, height: video.videoHeight }, this.wish.side);
      Object.assign(canvas, size);
      canvas.getContext("2d")?.drawImage(video, 0, 0, size.width, size.height);
      const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
      const picture = await /** @type {Blob | null} */ (blob)?.arrayBuffer();
      if (!picture || this.over || socket.readyState !== WebSocket.OPEN) return;
      socket.send(packPicture(now, picture));
      this.sent += 1;
    } finally {
      this.encoding = false;
    }
  }

  /** Nothing is left: no timer, no socket. The media stream is not the sender's to stop. */
  close() {
    if (this.over) return;
    this.over = true;
    clearInterval(this.timer);
    if (this.request !== undefined) this.video.cancelVideoFrameCallback(this.request);
    this.video.srcObject = null;
    this.socket.onclose = null;
    this.socket.onmessage = null;
    this.socket.close();
    this.receiver.closed();
  }
}
