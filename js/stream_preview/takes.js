/** Takes: what makes a video again that was made before. Pure. */

/** @import {Run} from "./protocol.js" */
/** @import {Take} from "./state.js" */

export const THUMBNAIL = 72; // px, the longer side of a take's picture

/**
 * @param {Run} run
 * @param {Record<string, any>} told  by the sampler
 * @param {string} token
 * @param {string} picture  a data URL; "" = none
 * @returns {Take}
 */
export function takeOf(run, told, token, picture) {
  const frames = Number(told.frames) || 0;
  return {
    token,
    node: run.node_id,
    performance: String(told.performance),
    seed: String(told.seed),
    frames,
    seconds: frames / run.fps,
    picture,
  };
}
