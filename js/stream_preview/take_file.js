/**
 * A take as one file: the workflow's own JSON with what the take needs besides in its `extra`. The host opens
 * it like any workflow. Owns what is in it and what is accepted of one. Pure.
 *
 * extra.motionstream_take = {kind, version, take, pictures: [{node, widget, name, data}],
 * weights: [{node, widget, name, bytes, sha256}]}. `data` is a data URL. docs/live.md has the format.
 */

/** @import {Take} from "./state.js" */

export const EXTRA = "motionstream_take";
export const KIND = "motionstream-take";
export const VERSION = 1;
export const MOST_PICTURES = 16;
const MOST_PICTURE_TEXT = 48 * 2 ** 20; // characters of one data URL
const MOST_TEXT = 16 * 2 ** 20; // of a performance
const PICTURE = /^data:image\/(png|jpeg|webp);base64,[A-Za-z0-9+/=]+$/;
const HASH = /^[0-9a-f]{64}$/;

/**
 * @typedef {object} TakePicture
 * @property {string} node  execution id
 * @property {string} widget
 * @property {string} name  of the file in the host's input folder
 * @property {string} data  a data URL
 *
 * @typedef {object} TakeWeights
 * @property {string} node  execution id
 * @property {string} widget
 * @property {string} name
 * @property {number} bytes
 * @property {string} sha256  "" = not known
 *
 * @typedef {object} TakeFile
 * @property {Take} take
 * @property {TakePicture[]} pictures
 * @property {TakeWeights[]} weights
 */

/**
 * The workflow with the take in it. The workflow that is given is not changed.
 * @param {Record<string, any>} workflow  as the host serializes it
 * @param {TakeFile} file
 * @returns {Record<string, any>}
 */
export function withTake(workflow, { take, pictures, weights }) {
  const told = { kind: KIND, version: VERSION, take: { ...take, token: "" }, pictures, weights };
  return { ...workflow, extra: { ...workflow.extra, [EXTRA]: told } };
}

/**
 * @param {unknown} value  the entry in `extra`
 * @returns {TakeFile}
 * @throws {Error} that says what was expected and what came
 */
export function readTakeFile(value) {
  const found = object(value, "a take");
  if (found.kind !== KIND) throw expected("a take", `the kind ${KIND}`, found.kind);
  if (found.version !== VERSION) throw expected("a take", `version ${VERSION}`, found.version);
  return {
    take: readTake(object(found.take, "take")),
    pictures: list(found.pictures, "pictures").map(readPicture),
    weights: list(found.weights, "weights").map(readWeights),
  };
}

/** @param {Record<string, any>} found @returns {Take} */
function readTake(found) {
  const performance = text(found.performance, "performance", MOST_TEXT);
  const seed = text(found.seed, "seed", 32);
  if (!/^\d+$/.test(seed)) throw expected("seed", "a whole number", seed);
  const picture = text(found.picture, "picture", MOST_PICTURE_TEXT);
  if (picture && !PICTURE.test(picture))
    throw expected("picture", "a PNG, JPEG or WebP", picture.slice(0, 40));
  return {
    token: "",
    node: text(found.node, "node", 256),
    performance,
    seed,
    frames: count(found.frames, "frames"),
    seconds: count(found.seconds, "seconds"),
    picture,
  };
}

/** @param {any} each @returns {TakePicture} */
function readPicture(each) {
  const found = object(each, "a picture");
  const data = text(found.data, "data", MOST_PICTURE_TEXT);
  if (!PICTURE.test(data)) throw expected("a picture", "a PNG, JPEG or WebP", data.slice(0, 40));
  const name = text(found.name, "name", 256);
  if (!name || /[\\/:\u0000-\u001f]/.test(name) || name.startsWith("."))
    throw expected("a picture", "a plain file name", name);
  return { node: text(found.node, "node", 256), widget: text(found.widget, "widget", 64), name, data };
}

/** @param {any} each @returns {TakeWeights} */
function readWeights(each) {
  const found = object(each, "weights");
  const sha256 = text(found.sha256, "sha256", 64);
  if (sha256 && !HASH.test(sha256)) throw expected("sha256", "64 digits", sha256);
  return {
    node: text(found.node, "node", 256),
    widget: text(found.widget, "widget", 64),
    name: text(found.name, "name", 1024),
    bytes: count(found.bytes, "bytes"),
    sha256,
  };
}

/**
 * What a take's weights are, here.
 * @param {TakeWeights} weights
 * @param {{bytes: number, sha256: string} | null} here  null = there is no such file
 * @returns {"same" | "missing" | "other"}
 */
export function compareWeights(weights, here) {
  if (!here) return "missing";
  return weights.sha256 && here.sha256 && weights.sha256 !== here.sha256 ? "other" : "same";
}

/**
 * @param {unknown} value
 * @param {string} what
 * @returns {Record<string, any>}
 */
function object(value, what) {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw expected(what, "an object", value);
  return /** @type {Record<string, any>} */ (value);
}

/** @param {unknown} value @param {string} what @returns {unknown[]} */
function list(value, what) {
  if (!Array.isArray(value)) throw expected(what, "a list", value);
  if (value.length > MOST_PICTURES) throw expected(what, `at most ${MOST_PICTURES}`, value.length);
  return value;
}

/** @param {unknown} value @param {string} what @param {number} most @returns {string} */
function text(value, what, most) {
  if (typeof value !== "string") throw expected(what, "text", value);
  if (value.length > most) throw expected(what, `at most ${most} characters`, value.length);
  return value;
}

/** @param {unknown} value @param {string} what @returns {number} */
function count(value, what) {
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0)
    throw expected(what, "a number from 0", value);
  return value;
}

/** @param {string} what @param {string} wanted @param {unknown} got */
const expected = (what, wanted, got) =>
  new Error(`${what}: expected ${wanted}, got ${String(JSON.stringify(got) ?? got).slice(0, 80)}`);
