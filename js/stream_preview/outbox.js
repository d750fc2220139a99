/**
 * Controls on their way to the sampler, in order: one message at a time, the next when it has been answered.
 * Owns the queue, the pace and the second tries. Moves of a hand that wait become one message, and so do
 * settings of the camera. At most 30 moves and 10 settings go out a second. A message whose answer was lost
 * is sent again under the same id, which the sampler takes once: the answer ID_TAKEN to a second try says
 * that the first one had arrived.
 */

import { ID_TAKEN, MAX_PLACES, thinOut, TOO_MANY, UNREACHED } from "./controls.js";

/** @import {Answer, Control} from "./controls.js" */

/**
 * @typedef {object} Post
 * @property {(control: Control, id: string | null) => Promise<Answer>} post
 * @property {(control: Control) => void} taken
 * @property {(control: Control, answer: Answer) => void} refused  for good
 */

/** @type {Record<string, number>} ms between two messages of a kind */
const GAPS = { move: 34, camera: 100 };
const TRIES = 5;
const AGAIN_MS = 250;

/** @param {Control} control */
const isStream = (control) => control.type in GAPS;

/**
 * The queue with one control more.
 * @param {Control[]} queue
 * @param {Control} control
 * @returns {Control[]}
 */
export function enqueue(queue, control) {
  for (let i = queue.length - 1; isStream(control) && i >= 0 && isStream(queue[i]); i--) {
    const before = queue[i];
    if (before.type !== control.type || before.hand !== control.hand) continue;
    const merged =
      control.type === "move"
        ? { ...control, to: thinOut([...before.to, ...control.to], MAX_PLACES) }
        : control;
    return queue.map((each, k) => (k === i ? merged : each));
  }
  return [...queue, control];
}

/**
 * How long the first of the queue is to wait. Moves do not wait when something else waits behind them.
 * @param {Control[]} queue
 * @param {Record<string, number>} last when each kind went out, ms
 * @param {number} now
 * @returns {number} ms
 */
export function delayOf(queue, last, now) {
  const [first] = queue;
  if (!first || !isStream(first) || !queue.every(isStream)) return 0;
  return Math.max(0, (last[first.type] ?? -Infinity) + GAPS[first.type] - now);
}

/**
 * What is sent when no answer came: of moves the last place alone, for the others may have been taken.
 * @param {Control} control
 * @returns {Control}
 */
export const retryOf = (control) =>
  control.type === "move" ? { ...control, to: control.to.slice(-1) } : control;

export class Outbox {
  /**
   * @param {Post} post
   * @param {{now?: () => number, name?: string}} [options] name: the beginning of the ids, different in every
   *   view
   */
  constructor(post, { now = () => performance.now(), name = Math.random().toString(36).slice(2, 10) } = {}) {
    this.post = post;
    this.now = now;
    this.name = name;
    this.count = 0;
    /** @type {Control[]} */
    this.queue = [];
    /** @type {Record<string, number>} */
    this.last = {};
    this.busy = false;
    /** Rises when all that waits is thrown away: an answer to what was sent before is not heard. */
    this.generation = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /** @param {Control} control */
  send(control) {
    this.queue = enqueue(this.queue, control);
    this.next();
  }

  /** Throws away what waits. */
  clear() {
    clearTimeout(this.timer);
    this.generation += 1;
    this.queue = [];
    this.busy = false;
  }

  next() {
    if (this.busy || !this.queue.length) return;
    clearTimeout(this.timer);
    const wait = delayOf(this.queue, this.last, this.now());
    if (wait > 0) this.timer = setTimeout(() => this.next(), wait);
    else void this.deliver();
  }

  async deliver() {
    const generation = this.generation;
    this.busy = true;
    let [control] = this.queue;
    this.queue = this.queue.slice(1);
    this.last[control.type] = this.now();
    const id = isStream(control) ? null : `${this.name}-${++this.count}`;
    for (let tries = 1; ; tries++) {
      const answer = await this.post.post(control, id).catch(() => ({ code: UNREACHED, error: "" }));
      if (generation !== this.generation) return;
      const taken = answer.code === "" || (tries > 1 && answer.code === ID_TAKEN);
      if (taken) this.post.taken(control);
      else if ([UNREACHED, TOO_MANY].includes(answer.code) && tries < TRIES) {
        control = answer.code === UNREACHED ? retryOf(control) : control;
        await new Promise((go) => (this.timer = setTimeout(go, AGAIN_MS * tries)));
        if (generation !== this.generation) return;
        continue;
      } else this.post.refused(control, answer);
      break;
    }
    if (generation !== this.generation) return;
    this.busy = false;
    this.next();
  }
}
