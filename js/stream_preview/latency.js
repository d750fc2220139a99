/**
 * From control to frame: the time from the sending of a control to the showing of the first frame in which it
 * took effect. Pure. A control takes effect at a chunk border, and every such border begins a new epoch: so
 * it is in the first frame of an epoch newer than any the client knew of when it was sent.
 *
 * @typedef {{time: number, epoch: number}} Sent
 * @typedef {{waiting: Sent[], samples: number[]}} Latency  samples: ms, the newest last
 */

const MAX_WAITING = 256;
const MAX_SAMPLES = 64;
const WITHOUT_EFFECT = ["pause", "resume", "step", "stop"];

/** @type {Latency} */
export const NO_LATENCY = { waiting: [], samples: [] };

/**
 * @param {Latency} latency
 * @param {string} type of the control
 * @param {number} time ms
 * @param {number} epoch the newest one known
 * @returns {Latency}
 */
export function recordSent(latency, type, time, epoch) {
  if (WITHOUT_EFFECT.includes(type)) return latency;
  return { ...latency, waiting: [...latency.waiting, { time, epoch }].slice(-MAX_WAITING) };
}

/**
 * Of the controls whose effect a frame is the first to show, the one that waited longest is the sample.
 * @param {Latency} latency
 * @param {number} epoch of the frame
 * @param {number} time ms when it was shown
 * @returns {Latency}
 */
export function recordShown(latency, epoch, time) {
  const effective = latency.waiting.filter((each) => each.epoch < epoch);
  if (!effective.length) return latency;
  const sample = time - Math.min(...effective.map((each) => each.time));
  return {
    waiting: latency.waiting.filter((each) => each.epoch >= epoch),
    samples: [...latency.samples, sample].slice(-MAX_SAMPLES),
  };
}

/**
 * A pause is no latency: what waits through one is not measured.
 * @param {Latency} latency
 * @returns {Latency}
 */
export const dropWaiting = (latency) => (latency.waiting.length ? { ...latency, waiting: [] } : latency);

/** @param {Latency} latency @returns {number | null} ms */
export const newestLatency = (latency) => latency.samples.at(-1) ?? null;

/** @param {Latency} latency @returns {number | null} ms */
export function typicalLatency(latency) {
  const sorted = [...latency.samples].sort((a, b) => a - b);
  return sorted.length ? sorted[Math.floor(sorted.length / 2)] : null;
}
