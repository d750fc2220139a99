/** States and amounts as the preview shows them. Pure. */

import { word } from "./vocabulary.js";

/** @import {Status} from "./obstacles.js" */

/** @param {Status} status */
export const statusWord = (status) => word(`status_${status}`);

/** @param {number} ms */
export const duration = (ms) => (ms >= 1000 ? `${(ms / 1000).toFixed(2)} s` : `${Math.round(ms)} ms`);

/**
 * @param {number} seconds
 * @returns {string} minutes:seconds
 */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds + 1e-6));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** @param {number} bytes */
export function amount(bytes) {
  const [unit, size] = bytes >= 1e9 ? ["GB", 1e9] : bytes >= 1e6 ? ["MB", 1e6] : ["kB", 1e3];
  const value = bytes / Number(size);
  return `${value >= 10 || unit === "kB" ? Math.round(value) : value.toFixed(1)} ${unit}`;
}
