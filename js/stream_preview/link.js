/**
 * The link to one run, for as long as the run goes on: a lost connection is made again, with longer and
 * longer waits. Owns the connection and the waits. A run that the server no longer lists gets one more try,
 * for the list has only the runs of this tab's own client.
 */

import { StreamConnection } from "./connection.js";
import { ENDINGS } from "./protocol.js";

/** @import {Receiver} from "./connection.js" */
/** @import {FrameHeader, News, Run} from "./protocol.js" */
/** @import {RunHub} from "./run_hub.js" */

/**
 * @typedef {object} LinkReceiver
 * @property {(header: FrameHeader, picture: ImageBitmap) => void} frame
 * @property {(news: News) => void} news
 * @property {(values: Record<string, number[]>) => void} [osc]
 * @property {(link: "open" | "away" | "gone", problem: string) => void} link  away: it is tried again; gone:
 *   for good
 */

const MAX_FAULTS = 5;

/** @param {number} attempt 0, 1, … @returns {number} ms until the next try */
export const backOff = (attempt) => Math.min(10_000, 500 * 2 ** attempt);

export class StreamLink {
  /**
   * @param {ComfyApi} api
   * @param {RunHub} hub
   * @param {Run} run
   * @param {LinkReceiver} receiver
   * @param {(receiver: Receiver) => {close(): void}} [open]
   */
  constructor(api, hub, run, receiver, open = (receiver) => new StreamConnection(api, run, receiver)) {
    this.hub = hub;
    this.run = run;
    this.receiver = receiver;
    this.open = open;
    this.attempts = 0;
    this.faults = 0;
    this.lastTry = false;
    this.over = false;
    /** @type {{close(): void} | null} */
    this.connection = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.connect();
  }

  connect() {
    this.connection = this.open({
      frame: (header, picture) => {
        this.heard();
        this.receiver.frame(header, picture);
      },
      news: (news) => {
        this.over ||= news.type === "state" && ENDINGS.includes(news.state.status);
        this.heard();
        this.receiver.news(news);
      },
      osc: (values) => this.receiver.osc?.(values),
      closed: (problem) => this.closed(problem),
    });
  }

  heard() {
    if (this.attempts || this.lastTry) this.receiver.link("open", "");
    this.attempts = 0;
    this.lastTry = false;
  }

  /** @param {string} problem */
  closed(problem) {
    this.connection?.close();
    this.connection = null;
    if (problem) this.faults += 1;
    if (this.over && !problem) return;
    if (this.over || this.faults > MAX_FAULTS || this.lastTry) return this.giveUp(problem);
    this.receiver.link("away", problem);
    this.timer = setTimeout(() => void this.again(), backOff(this.attempts++));
  }

  async again() {
    clearTimeout(this.timer);
    if (this.over || this.connection) return;
    const listed = await this.hub.isListed(this.run.token);
    if (this.over || this.connection) return;
    if (listed === null) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => void this.again(), backOff(this.attempts++));
      return;
    }
    this.lastTry = !listed;
    this.connect();
  }

  /** @param {string} problem */
  giveUp(problem) {
    this.over = true;
    this.receiver.link("gone", problem);
  }

  /** The run has ended: what still comes is shown, but a lost connection is not made again. */
  ended() {
    this.over = true;
    clearTimeout(this.timer);
  }

  close() {
    this.ended();
    this.connection?.close();
    this.connection = null;
  }
}
