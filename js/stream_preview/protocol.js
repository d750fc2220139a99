/**
 * The words between the browser and the running sampler. Pure: parses, checks and writes messages; opens nothing.
 *
 *     binary frame   u32 little-endian length of the header · header as JSON · JPEG
 *     text from the server   {"type": "state", …}          text to it   {"type": "ack", "frame": i}
 *
 * @typedef {{token: string, prompt_id: string, node_id: string, width: number, height: number, fps: number, frames: number}} Run
 * @typedef {"done" | "stopped" | "interrupted" | "error"} Ending
 * @typedef {{frame: number, chunk: number, fps: number, t_made: number, latency_ms: number, queued: number}} FrameHeader
 * @typedef {{header: FrameHeader, jpeg: Uint8Array<ArrayBuffer>}} FrameMessage
 * @typedef {{status: "running" | "paused" | "stopping" | Ending, chunk: number}} RunState
 */

const HEADER_LIMIT = 64 * 1024;
const HEADER_KEYS = /** @type {const} */ (["frame", "chunk", "fps", "t_made", "latency_ms", "queued"]);
const ENDINGS = ["done", "stopped", "interrupted", "error"];
const STATUSES = ["running", "paused", "stopping", ...ENDINGS];

/** A message that is not what the protocol says. */
export class ProtocolError extends Error {}

/** @param {ArrayBuffer} buffer @returns {FrameMessage} @throws {ProtocolError} */
export function parseFrame(buffer) {
  if (buffer.byteLength < 4) throw new ProtocolError(`Expected a frame of at least 4 bytes, got ${buffer.byteLength}.`);
  const length = new DataView(buffer).getUint32(0, true);
  if (length > HEADER_LIMIT || 4 + length >= buffer.byteLength) {
    throw new ProtocolError(`Expected a header and a picture in ${buffer.byteLength} bytes, got a header of ${length} bytes.`);
  }
  const header = parseObject(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  for (const key of HEADER_KEYS) {
    if (!Number.isFinite(header[key])) throw new ProtocolError(`Expected a number for ${key} in a frame's header, got ${JSON.stringify(header[key])}.`);
  }
  const jpeg = new Uint8Array(buffer, 4 + length);
  if (jpeg[0] !== 0xff || jpeg[1] !== 0xd8) throw new ProtocolError("Expected a JPEG after the header.");
  return { header: /** @type {FrameHeader} */ (/** @type {unknown} */ (header)), jpeg };
}

/** @param {string} text @returns {RunState | null} null = a message of a kind we do not know @throws {ProtocolError} */
export function parseText(text) {
  const message = parseObject(text);
  if (message.type !== "state") return null;
  const status = message.status ?? (message.paused ? "paused" : "running");
  if (!STATUSES.includes(status)) throw new ProtocolError(`Expected a status out of ${STATUSES.join(", ")}, got ${JSON.stringify(status)}.`);
  return { status, chunk: Number.isFinite(message.chunk) ? message.chunk : 0 };
}

/** @param {unknown} value the event motionstream.run, or one of the list of runs @returns {Run} @throws {ProtocolError} */
export function parseRun(value) {
  const run = /** @type {Record<string, any>} */ (typeof value === "object" && value !== null ? value : {});
  if (typeof run.token !== "string" || !run.token) throw new ProtocolError("Expected a run with a token.");
  for (const key of ["width", "height", "fps", "frames"]) {
    if (!(Number.isFinite(run[key]) && run[key] >= 0)) throw new ProtocolError(`Expected a number for ${key} of a run, got ${JSON.stringify(run[key])}.`);
  }
  return /** @type {Run} */ ({ ...run, node_id: String(run.node_id ?? ""), prompt_id: String(run.prompt_id ?? "") });
}

/** @param {unknown} value the event motionstream.end @returns {{token: string, status: Ending}} @throws {ProtocolError} */
export function parseEnd(value) {
  const end = /** @type {Record<string, any>} */ (typeof value === "object" && value !== null ? value : {});
  if (typeof end.token !== "string" || !ENDINGS.includes(end.status)) throw new ProtocolError(`Expected the end of a run, got ${JSON.stringify(value)}.`);
  return { token: end.token, status: end.status };
}

/** @param {unknown} value the answer to GET /motionstream/runs @returns {Run[]} */
export function parseRuns(value) {
  const runs = /** @type {Record<string, any> | null} */ (value)?.runs;
  if (!Array.isArray(runs)) throw new ProtocolError("Expected a list of runs.");
  return runs.map(parseRun);
}

/** @param {string} text @returns {Record<string, any>} */
function parseObject(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ProtocolError(`Expected JSON, got ${JSON.stringify(text.slice(0, 60))}.`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new ProtocolError(`Expected a JSON object, got ${JSON.stringify(value).slice(0, 60)}.`);
  return value;
}

/** @param {number} frame */
export const ackMessage = (frame) => JSON.stringify({ type: "ack", frame });

/** @param {string} token @param {"pause" | "resume" | "stop"} type */
export const controlBody = (token, type) => JSON.stringify({ token, type });

/** @param {{protocol: string, host: string}} place of the page @param {string} path @param {string} token @returns {string} */
export const streamUrl = (place, path, token) => `${place.protocol === "https:" ? "wss:" : "ws:"}//${place.host}${path}?token=${encodeURIComponent(token)}`;
