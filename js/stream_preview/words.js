/** What the preview says: states, amounts, why something cannot be used. Pure. */

/** @import {Ending, Run} from "./protocol.js" */

/** @typedef {"idle" | "live" | "paused" | "stopping" | "away" | "lost" | Ending} Status */

/** @type {Record<Status, string>} */
export const STATUS_WORDS = {
  idle: "Waiting for a run",
  live: "Live",
  paused: "Paused",
  stopping: "Stopping",
  away: "Connecting again",
  lost: "Connection lost",
  done: "Done",
  stopped: "Stopped, frames kept",
  interrupted: "Cancelled",
  error: "Failed",
};

/** The run goes on and can be reached. @param {Status} status */
export const isActive = (status) => status === "live" || status === "paused" || status === "stopping";

/** @type {Record<string, string>} */
const LACKING = {
  prompt: "connect a CLIP to the sampler first",
  camera: "the model takes no motion",
  grab: "the model takes no motion",
  release: "the model takes no motion",
  add: "the model takes no motion",
  remove: "the model takes no motion",
  pin_border: "the model takes no motion",
};

/** Why a control cannot be sent now; "" = it can. @param {{run: Run | null, status: Status}} model @param {string} type @returns {string} */
export function obstacleOf({ run, status }, type) {
  if (!run || status === "idle") return "no run goes on";
  if (status === "away") return "the connection is lost";
  if (status === "stopping") return "the run is about to end";
  if (!isActive(status)) return "the run has ended";
  return run.controls.includes(type) ? "" : (LACKING[type] ?? "this run does not take it");
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
