/**
 * The runs of this tab: hears of them by the host's events, asks for them again after a reload or a lost
 * connection, tells its listeners.
 */

import { parseEnd, parseRun, parseRuns } from "./protocol.js";

/** @import {Ending, Run} from "./protocol.js" */

const REMEMBERED = 32; // endings

/**
 * @typedef {object} Listener
 * @property {(run: Run) => void} start
 * @property {(token: string, status: Ending) => void} end
 * @property {() => void} [again]  the host is back
 */

export class RunHub {
  /** @param {ComfyApi} api */
  constructor(api) {
    this.api = api;
    /** @type {Map<string, Run>} */
    this.runs = new Map();
    /** @type {Map<string, Ending>} how the last ones ended, by token */
    this.endings = new Map();
    /** @type {Set<Listener>} */
    this.listeners = new Set();
  }

  /** Called once, when the page is set up. */
  start() {
    this.api.addEventListener("motionstream.run", (event) => this.began(parseRun(event.detail)));
    this.api.addEventListener("motionstream.end", (event) => this.ended(parseEnd(event.detail)));
    this.api.addEventListener("reconnected", () => void this.reconnected());
    void this.ask();
  }

  async reconnected() {
    await this.ask();
    for (const listener of [...this.listeners]) listener.again?.();
  }

  /**
   * The runs that go on in the server for this tab.
   * @returns {Promise<Set<string> | null>} their tokens; null = no answer
   */
  async ask() {
    const client = this.api.clientId;
    if (!client) return null;
    try {
      const response = await this.api.fetchApi(`/motionstream/runs?client_id=${encodeURIComponent(client)}`);
      if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
      const runs = parseRuns(await response.json());
      for (const run of runs) this.began(run);
      return new Set(runs.map((run) => run.token));
    } catch (error) {
      console.warn("MotionStream: the list of runs is not available:", error);
      return null;
    }
  }

  /** @param {string} token @returns {Promise<boolean | null>} null = no answer */
  async isListed(token) {
    const tokens = await this.ask();
    return tokens && tokens.has(token);
  }

  /** @param {Run} run */
  began(run) {
    if (this.runs.has(run.token)) return;
    this.runs.set(run.token, run);
    for (const listener of [...this.listeners]) listener.start(run);
  }

  /** @param {{token: string, status: Ending}} end */
  ended({ token, status }) {
    this.runs.delete(token);
    this.endings.set(token, status);
    for (const old of [...this.endings.keys()].slice(0, -REMEMBERED)) this.endings.delete(old);
    for (const listener of [...this.listeners]) listener.end(token, status);
  }

  /** A run that the server does not know any more. @param {string} token */
  forget(token) {
    this.runs.delete(token);
  }

  /**
   * Hears of all runs, beginning with those that go on.
   * @param {Listener} listener
   * @returns {() => void}
   */
  subscribe(listener) {
    this.listeners.add(listener);
    for (const run of this.runs.values()) listener.start(run);
    return () => this.listeners.delete(listener);
  }
}
