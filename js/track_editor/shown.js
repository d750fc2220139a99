/** Visibility ranges: frames at which a track is seen, as [first, last] pairs; null = always. Pure. */

/** @typedef {[number, number][] | null} Shown */

/**
 * Seen becomes unseen, or the other way round, from a frame on to the next change.
 * @param {Shown | undefined} shown
 * @param {number} frame
 * @param {number} frames
 * @returns {Shown}
 */
export function toggledFrom(shown, frame, frames) {
  const seen = flags(shown, frames);
  const [first, was] = [
    Math.min(frames - 1, Math.max(0, Math.round(frame))),
    seen[Math.min(frames - 1, Math.max(0, Math.round(frame)))],
  ];
  for (let i = first; i < frames && seen[i] === was; i++) seen[i] = !was;
  return ranges(seen);
}

/**
 * @param {Shown | undefined} shown
 * @param {number} frames
 * @returns {boolean[]}
 */
const flags = (shown, frames) =>
  Array.from(
    { length: frames },
    (_, frame) => !shown || shown.some(([first, last]) => frame >= first && frame <= last),
  );

/**
 * @param {boolean[]} seen
 * @returns {Shown} a track that is never seen keeps its first frame: it must be somewhere
 */
function ranges(seen) {
  if (seen.every(Boolean)) return null;
  /** @type {[number, number][]} */
  const found = [];
  seen.forEach((is, frame) => {
    if (!is) return;
    const last = found[found.length - 1];
    if (last && last[1] === frame - 1) last[1] = frame;
    else found.push([frame, frame]);
  });
  return found.length ? found : [[0, 0]];
}

/** @param {Shown | undefined} shown @returns {string} "0–20, 30–48"; "" = always */
export const writeRanges = (shown) =>
  (shown ?? []).map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`)).join(", ");

/**
 * @param {string} text as a person types it
 * @param {number} frames
 * @returns {Shown | undefined} undefined = not to be understood
 */
export function readRanges(text, frames) {
  if (!text.trim()) return null;
  const found = text
    .split(/[,;]/)
    .filter((part) => part.trim())
    .map((part) => /^\s*(\d+)\s*(?:[-–—]\s*(\d+)\s*)?$/.exec(part));
  if (!found.length || found.length > 256 || found.includes(null)) return undefined;
  const seen = Array.from({ length: frames }, () => false);
  for (const match of found) {
    const [first, last] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
    for (let frame = first; frame <= Math.min(last, frames - 1); frame++) seen[frame] = true;
  }
  return seen.some(Boolean) ? ranges(seen) : undefined;
}
