/**
 * Pacing: frames come in bursts, a chunk at a time, and are shown one by one at their own rate. Pure: every
 * call takes the time and gives a new queue. Bounded: the oldest frames fall out. Frames of an older epoch
 * than the newest are stale: they fall out, too. Knows nothing of pictures; `item` is whatever is to be
 * shown.
 */

/**
 * @template Item
 * @typedef {object} FrameQueue
 * @property {Item[]} items  oldest first, all of one epoch
 * @property {number} fps  of the video: never played faster, but for catching up
 * @property {number} made  generated frames per second; 0 = not known yet
 * @property {number} capacity
 * @property {number} due  ms: when the next frame may be shown
 * @property {number} epoch  the newest seen
 */

const CATCH_UP = 1.25;

/**
 * @template Item
 * @param {number} fps
 * @param {number} [capacity]
 * @returns {FrameQueue<Item>}
 */
export const createQueue = (fps, capacity = 24) => ({
  items: [],
  fps: Math.max(1, fps),
  made: 0,
  capacity,
  due: 0,
  epoch: 0,
});

/**
 * @template Item
 * @param {FrameQueue<Item>} queue
 * @param {Item} item
 * @param {number} made generated frames per second so far
 * @param {number} [epoch] of the item
 * @returns {{queue: FrameQueue<Item>, dropped: Item[]}} the item itself is dropped when it is stale
 */
export function push(queue, item, made, epoch = queue.epoch) {
  if (epoch < queue.epoch) return { queue, dropped: [item] };
  const stale = epoch > queue.epoch ? queue.items : [];
  const items = stale === queue.items ? [item] : [...queue.items, item];
  const dropped = [...stale, ...items.splice(0, Math.max(0, items.length - queue.capacity))];
  return { queue: { ...queue, items, epoch, made: Number.isFinite(made) ? made : 0 }, dropped };
}

/**
 * The rate of showing: the video's own. Slower when frames are made slower, so that a burst fills the time
 * until the next one. A quarter faster while more than two thirds of the queue are waiting.
 * @template Item
 * @param {FrameQueue<Item>} queue
 * @returns {number} frames per second
 */
export function rate(queue) {
  const own = queue.made > 0 ? Math.min(queue.fps, Math.max(1, queue.made)) : queue.fps;
  return queue.items.length * 3 > queue.capacity * 2 ? own * CATCH_UP : own;
}

/**
 * @template Item
 * @param {FrameQueue<Item>} queue
 * @param {number} now ms
 * @returns {{queue: FrameQueue<Item>, item: Item | null}} the frame to show now, if one is due
 */
export function take(queue, now) {
  if (!queue.items.length || now < queue.due) return { queue, item: null };
  const step = 1000 / rate(queue);
  const late = now - queue.due > step;
  const [item, ...items] = queue.items;
  return { queue: { ...queue, items, due: (late ? now : queue.due) + step }, item };
}

/**
 * Frames shown per second over the last times.
 * @param {number[]} times ms, rising
 * @param {number} now
 * @param {number} [window] ms
 * @returns {number}
 */
export function shownRate(times, now, window = 2000) {
  const recent = times.filter((time) => now - time <= window);
  if (recent.length < 2) return 0;
  return ((recent.length - 1) * 1000) / Math.max(1, recent[recent.length - 1] - recent[0]);
}
