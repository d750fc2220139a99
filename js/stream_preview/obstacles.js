/** What a run can be told now, and why it cannot be told something. Pure. */

import { word } from "./vocabulary.js";

/** @import {Ending, Run} from "./protocol.js" */

/** @typedef {"idle" | "live" | "paused" | "stopping" | "away" | "lost" | Ending} Status */

const OF_MOTION = ["camera", "grab", "move", "release", "add", "remove", "pin_border"];

/**
 * The run goes on and can be reached.
 * @param {Status} status
 */
export const isActive = (status) => status === "live" || status === "paused" || status === "stopping";

/**
 * Why a control cannot be sent now.
 * @param {{run: Run | null, status: Status}} state
 * @param {string} type of the control
 * @returns {string} "" = it can
 */
export function obstacleOf({ run, status }, type) {
  if (!run || status === "idle") return word("no_run");
  if (status === "away") return word("no_link");
  if (status === "stopping") return word("no_more");
  if (!isActive(status)) return word("no_longer");
  if (run.controls.includes(type)) return "";
  if (type === "prompt") return word("no_clip");
  return word(OF_MOTION.includes(type) ? "no_motion" : "not_taken");
}
