/**
 * TRACKS as a NumPy .npz: written as a zip of plain .npy files, read also when they are deflated. Bytes in,
 * bytes out. No DOM.
 */

import { word } from "./vocabulary.js";

/** @import {Samples} from "./transfer.js" */

/** @typedef {{shape: number[], values: number[]}} Values */

const PATH_KEYS = ["xy", "track_path", "tracks", "pred_tracks"];
const VISIBLE_KEYS = ["visible", "track_visibility", "visibility", "pred_visibility"];
const MAX_BYTES = 2 ** 28;
const [LOCAL, CENTRAL, END] = [0x04034b50, 0x02014b50, 0x06054b50];
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0];
/** @type {Record<string, [number, (view: DataView, at: number) => number]>} */
const READERS = {
  "<f4": [4, (view, at) => view.getFloat32(at, true)],
  "<f8": [8, (view, at) => view.getFloat64(at, true)],
  "<i4": [4, (view, at) => view.getInt32(at, true)],
  "<i8": [8, (view, at) => Number(view.getBigInt64(at, true))],
  "<i2": [2, (view, at) => view.getInt16(at, true)],
  "|b1": [1, (view, at) => view.getUint8(at)],
  "|u1": [1, (view, at) => view.getUint8(at)],
  "|i1": [1, (view, at) => view.getInt8(at)],
};

/**
 * @param {Samples} samples
 * @returns {Uint8Array} xy (T, N, 2) float32, visible (T, N) bool, width, height, fps
 */
export function writeNpz({ xy, visible, width, height, fps }) {
  const [count, frames] = [xy.length, xy[0]?.length ?? 0];
  const places = new Float32Array(frames * count * 2);
  const seen = new Uint8Array(frames * count);
  for (let t = 0; t < frames; t++) {
    for (let n = 0; n < count; n++) {
      places.set([xy[n][t].x, xy[n][t].y], 2 * (t * count + n));
      seen[t * count + n] = Number(visible[n][t]);
    }
  }
  const scalar = (/** @type {number} */ value) =>
    npy("<f8", [], new Uint8Array(new Float64Array([value]).buffer));
  const whole = (/** @type {number} */ value) =>
    npy("<i8", [], new Uint8Array(new BigInt64Array([BigInt(Math.round(value))]).buffer));
  return zip({
    "xy.npy": npy("<f4", [frames, count, 2], new Uint8Array(places.buffer)),
    "visible.npy": npy("|b1", [frames, count], seen),
    "width.npy": whole(width),
    "height.npy": whole(height),
    "fps.npy": scalar(fps),
  });
}

/**
 * @param {Uint8Array} bytes
 * @param {{width: number, height: number, fps: number}} size for a file that holds none
 * @returns {Promise<Samples>}
 * @throws {Error}
 */
export async function readNpz(bytes, size) {
  const files = await unzip(bytes);
  const arrays = Object.fromEntries(
    Object.entries(files).map(([name, file]) => [name.replace(/\.npy$/, ""), readNpy(file, name)]),
  );
  const found = PATH_KEYS.find((key) => arrays[key]);
  if (!found)
    throw new Error(
      `Expected an array named ${PATH_KEYS.join(" or ")}, got ${Object.keys(arrays).join(", ") || "none"}.`,
    );
  const { shape, values } = arrays[found];
  const visible = VISIBLE_KEYS.map((key) => arrays[key]).find(Boolean);
  if (shape.length !== 3 || shape[2] !== 2 || !shape[0] || !shape[1])
    throw new Error(`Expected ${found} of shape (frames, tracks, 2), got (${shape.join(", ")}).`);
  const [frames, count] = shape;
  if (count > 10_000) throw new Error(word("many_tracks", { most: 500, count }));
  if (values.some((value) => !Number.isFinite(value) || Math.abs(value) > 1e6))
    throw new Error(`Expected finite coordinates in ${found}, got others.`);
  if (visible && visible.values.length !== frames * count && visible.values.length !== frames)
    throw new Error(`Expected a visibility of (${frames}, ${count}), got (${visible.shape.join(", ")}).`);
  const seen = (/** @type {number} */ t, /** @type {number} */ n) =>
    !visible || visible.values[visible.values.length === frames * count ? t * count + n : t] > 0.5;
  const [tracks, times] = [
    Array.from({ length: count }, (_, n) => n),
    Array.from({ length: frames }, (_, t) => t),
  ];
  return {
    xy: tracks.map((n) =>
      times.map((t) => ({ x: values[2 * (t * count + n)], y: values[2 * (t * count + n) + 1] })),
    ),
    visible: tracks.map((n) => times.map((t) => seen(t, n))),
    width: sizeIn(arrays, "width", size.width),
    height: sizeIn(arrays, "height", size.height),
    fps: sizeIn(arrays, "fps", size.fps),
  };
}

/**
 * @param {Record<string, Values>} arrays
 * @param {string} key
 * @param {number} otherwise
 * @returns {number}
 */
function sizeIn(arrays, key, otherwise) {
  if (!arrays[key]) return otherwise;
  const [value] = arrays[key].values;
  if (arrays[key].values.length !== 1 || !(value > 0 && value <= 1e6))
    throw new Error(`Expected ${key} to be one number above 0, got ${arrays[key].values.slice(0, 3)}.`);
  return value;
}

/**
 * @param {string} kind
 * @param {number[]} shape
 * @param {Uint8Array} data
 * @returns {Uint8Array}
 */
function npy(kind, shape, data) {
  const size = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const text = `{'descr': '${kind}', 'fortran_order': False, 'shape': ${size}, }`;
  const header = text.padEnd(64 * Math.ceil((text.length + 11) / 64) - 11, " ") + "\n";
  return joined([
    new Uint8Array(MAGIC),
    new Uint8Array([header.length & 255, header.length >> 8]),
    new TextEncoder().encode(header),
    data,
  ]);
}

/**
 * @param {Uint8Array} bytes
 * @param {string} name
 * @returns {Values}
 */
function readNpy(bytes, name) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || MAGIC.slice(0, 6).some((value, i) => bytes[i] !== value))
    throw new Error(`Expected ${name} to be a NumPy array, got something else.`);
  const start = bytes[6] === 1 ? 10 : 12;
  const end = start + (bytes[6] === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  const header = new TextDecoder("latin1").decode(bytes.subarray(start, end));
  const kind = /'descr':\s*'([^']*)'/.exec(header)?.[1] ?? "";
  const shape = (/'shape':\s*\(([^)]*)\)/.exec(header)?.[1] ?? "")
    .split(",")
    .map((part) => part.trim())
    .filter(Boolean)
    .map(Number);
  const reader = Object.hasOwn(READERS, kind) ? READERS[kind] : null;
  if (!reader || /'fortran_order':\s*True/.test(header))
    throw new Error(`Expected ${name} to hold plain numbers, got ${header.slice(0, 60)}.`);
  const count = shape.reduce((product, side) => product * side, 1);
  if (!(count >= 0) || end + count * reader[0] > bytes.length)
    throw new Error(`Expected ${name} to hold ${count} numbers, got ${bytes.length} bytes.`);
  return { shape, values: Array.from({ length: count }, (_, i) => reader[1](view, end + i * reader[0])) };
}

/** @param {Record<string, Uint8Array>} files @returns {Uint8Array} stored, not deflated */
function zip(files) {
  const [locals, centrals] = [/** @type {Uint8Array[]} */ ([]), /** @type {Uint8Array[]} */ ([])];
  let at = 0;
  for (const [name, data] of Object.entries(files)) {
    const title = new TextEncoder().encode(name);
    const fields = [20, 0, 0, 0, 0x21]; // version, flags, stored, midnight of 1 January 1980
    const sizes = numbers(4, [crc32(data), data.length, data.length]);
    const local = joined([
      numbers(4, [LOCAL]),
      numbers(2, fields),
      sizes,
      numbers(2, [title.length, 0]),
      title,
      data,
    ]);
    centrals.push(
      joined([
        numbers(4, [CENTRAL]),
        numbers(2, [20, ...fields]),
        sizes,
        numbers(2, [title.length, 0, 0, 0, 0]),
        numbers(4, [0, at]),
        title,
      ]),
    );
    locals.push(local);
    at += local.length;
  }
  const central = joined(centrals);
  const count = centrals.length;
  return joined([
    ...locals,
    central,
    numbers(4, [END]),
    numbers(2, [0, 0, count, count]),
    numbers(4, [central.length, at]),
    numbers(2, [0]),
  ]);
}

/** @param {Uint8Array} bytes @returns {Promise<Record<string, Uint8Array>>} */
async function unzip(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== END) end -= 1;
  if (end < 0) throw new Error("Expected a .npz file, got something that is no zip.");
  /** @type {Record<string, Uint8Array>} */
  const files = {};
  let [at, budget] = [view.getUint32(end + 16, true), MAX_BYTES];
  for (let i = view.getUint16(end + 10, true); i > 0; i--) {
    if (at + 46 > bytes.length || view.getUint32(at, true) !== CENTRAL)
      throw new Error("Expected a whole .npz file, got a damaged one.");
    const [method, size, length] = [
      view.getUint16(at + 10, true),
      view.getUint32(at + 20, true),
      view.getUint16(at + 28, true),
    ];
    const local = view.getUint32(at + 42, true);
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + length));
    if (local + 30 > bytes.length) throw new Error("Expected a whole .npz file, got a damaged one.");
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    if (start + size > bytes.length || (method !== 0 && method !== 8))
      throw new Error(`Expected ${name} stored or deflated, got method ${method} of ${size} bytes.`);
    const packed = bytes.subarray(start, start + size);
    files[name] = method ? await inflated(packed, budget, name) : packed;
    budget -= files[name].length;
    at += 46 + length + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return files;
}

/**
 * @param {Uint8Array} packed
 * @param {number} budget bytes
 * @param {string} name
 * @returns {Promise<Uint8Array>}
 */
async function inflated(packed, budget, name) {
  const parts = [];
  let size = 0;
  try {
    const stream = new Blob([/** @type {Uint8Array<ArrayBuffer>} */ (packed)])
      .stream()
      .pipeThrough(new DecompressionStream("deflate-raw"));
    const reader = stream.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      size += part.value.length;
      if (size > budget) throw new RangeError();
      parts.push(part.value);
    }
  } catch (error) {
    throw new Error(
      error instanceof RangeError
        ? `Expected at most ${MAX_BYTES} bytes in the file, got more.`
        : `Expected ${name} to be readable, got a damaged file.`,
    );
  }
  return joined(parts);
}

/**
 * @param {number} size bytes of each, 2 or 4
 * @param {number[]} values
 * @returns {Uint8Array} little end first
 */
function numbers(size, values) {
  const view = new DataView(new ArrayBuffer(size * values.length));
  values.forEach((value, i) =>
    size === 2 ? view.setUint16(2 * i, value, true) : view.setUint32(4 * i, value, true),
  );
  return new Uint8Array(view.buffer);
}

/** @param {Uint8Array[]} parts @returns {Uint8Array} */
function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** @param {Uint8Array} data @returns {number} */
function crc32(data) {
  let crc = ~0;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
