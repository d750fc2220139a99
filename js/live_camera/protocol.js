/** Messages between a tab's camera and the run that wants its pictures (docs/live.md). Pure. */

/**
 * @typedef {object} Wish  a run's for pictures
 * @property {string} token
 * @property {string} prompt_id
 * @property {string} node_id
 * @property {string} device
 * @property {number} side  px, the longer side of a picture
 * @property {number} fps  of the stream
 *
 * @typedef {{received: number, used: number, held: number, refused: number, lost: boolean}} Figures
 */

/**
 * @param {unknown} value the event motionstream.camera, or one of the list of cameras
 * @returns {Wish | null} null = it is none
 */
export function parseWish(value) {
  const wish = /** @type {any} */ (value);
  const texts = ["token", "prompt_id", "node_id", "device"].every((key) => typeof wish?.[key] === "string");
  const numbers = ["side", "fps"].every((key) => Number.isFinite(wish?.[key]) && wish[key] > 0);
  return texts && numbers ? wish : null;
}

/** @param {string} text @returns {Figures | null} null = a message of another kind */
export function parseFigures(text) {
  try {
    const message = JSON.parse(text);
    const counts = ["received", "used", "held", "refused"].every((key) => Number.isInteger(message?.[key]));
    return message.type === "state" && counts ? message : null;
  } catch {
    return null;
  }
}

/**
 * @param {number} moment ms
 * @param {ArrayBuffer} picture
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function packPicture(moment, picture) {
  const header = new TextEncoder().encode(JSON.stringify({ t: moment }));
  const message = new Uint8Array(4 + header.length + picture.byteLength);
  new DataView(message.buffer).setUint32(0, header.length, true);
  message.set(header, 4);
  message.set(new Uint8Array(picture), 4 + header.length);
  return message;
}

/** @param {string} problem */
export const problemMessage = (problem) => JSON.stringify({ type: "problem", text: problem });

/**
 * The size of a picture that is sent.
 * @param {{width: number, height: number}} video
 * @param {number} side the longer one
 */
export function sentSize({ width, height }, side) {
  const scale = Math.min(1, side / Math.max(width, height, 1));
  return { width: Math.max(16, Math.round(width * scale)), height: Math.max(16, Math.round(height * scale)) };
}
