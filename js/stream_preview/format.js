/** What the preview says: states, amounts, why something cannot be used. Pure. */

import { word } from "./vocabulary.js";

/** @import {Ending, Run} from "./protocol.js" */

/** @typedef {"idle" | "live" | "paused" | "stopping" | "away" | "lost" | Ending} Status */

/** @param {Status} status */
export const statusWord = (status) => word(`status_${status}`);

/** The run goes on and can be reached. @param {Status} status */
export const isActive = (status) => status === "live" || status === "paused" || status === "stopping";

const OF_MOTION = ["camera", "grab", "move", "release", "add", "remove", "pin_border"];

/** Why a control cannot be sent now; "" = it can. @param {{run: Run | null, status: Status}} model @param {string} type @returns {string} */
export function obstacleOf({ run, status }, type) {
  if (!run || status === "idle") return word("no_run");
  if (status === "away") return word("no_link");
  if (status === "stopping") return word("no_more");
  if (!isActive(status)) return word("no_longer");
  if (run.controls.includes(type)) return "";
  if (type === "prompt") return word("no_clip");
  return word(OF_MOTION.includes(type) ? "no_motion" : "not_taken");
}

/** @param {number} ms */
export const duration = (ms) => (ms >= 1000 ? `${(ms / 1000).toFixed(2)} s` : `${Math.round(ms)} ms`);

/** @param {number} seconds @returns {string} minutes:seconds */
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
