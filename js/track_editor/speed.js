/**
 * Speed curves: keys of (share of the time, share of the path), sampled and edited. Pure. The rules are
 * docs/track-document.md.
 */

/** @import {Ease, SpeedKey} from "./types.js" */

/** @type {readonly SpeedKey[]} */
export const STEADY = Object.freeze([
  { t: 0, s: 0, ease: "linear" },
  { t: 1, s: 1, ease: "linear" },
]);
/** @type {Ease[]} */
export const EASES = ["linear", "in", "out", "in-out", "smooth", "hold"];
const APART = 0.002; // of the time, between two keys that the editor sets

/** @param {Ease} ease @returns {SpeedKey[]} */
const eased = (ease) => [
  { t: 0, s: 0, ease },
  { t: 1, s: 1, ease: "linear" },
];

/** Presets by name; null = constant speed, which needs no keys. @type {Record<string, SpeedKey[] | null>} */
export const SPEED_PRESETS = {
  steady: null,
  "ease-in": eased("in"),
  "ease-out": eased("out"),
  "ease-in-out": eased("in-out"),
  pause: [
    { t: 0, s: 0, ease: "in-out" },
    { t: 0.4, s: 0.5, ease: "hold" },
    { t: 0.6, s: 0.5, ease: "in-out" },
    { t: 1, s: 1, ease: "linear" },
  ],
  burst: [
    { t: 0, s: 0, ease: "smooth" },
    { t: 0.4, s: 0.1, ease: "smooth" },
    { t: 0.6, s: 0.9, ease: "smooth" },
    { t: 1, s: 1, ease: "linear" },
  ],
  steps: [0, 1, 2, 3]
    .map((i) => ({ t: i / 4, s: i / 4, ease: /** @type {Ease} */ ("in-out") }))
    .concat([{ t: 1, s: 1, ease: "linear" }]),
};

/** @type {Record<Exclude<Ease, "smooth">, (w: number) => number>} */
const SHAPES = {
  linear: (w) => w,
  in: (w) => w * w,
  out: (w) => 1 - (1 - w) ** 2,
  "in-out": (w) => w * w * (3 - 2 * w),
  hold: (w) => (w >= 1 ? 1 : 0),
};

/**
 * @param {readonly SpeedKey[]} keys
 * @param {number} time 0..1
 * @returns {number} the share of the path gone
 */
export function speedShare(keys, time) {
  const last = keys.length - 1;
  if (last === 0 || time < keys[0].t) return keys[0].s;
  if (time >= keys[last].t) return keys[last].s;
  let i = 0;
  while (keys[i + 1].t <= time) i += 1;
  const [a, b] = [keys[i], keys[i + 1]];
  const run = b.t - a.t;
  const w = (time - a.t) / run;
  if (a.ease !== "smooth") return a.s + (b.s - a.s) * SHAPES[a.ease](w);
  const [w2, w3] = [w * w, w * w * w];
  return (
    (2 * w3 - 3 * w2 + 1) * a.s +
    (3 * w2 - 2 * w3) * b.s +
    run * ((w3 - 2 * w2 + w) * slopeAt(keys, i) + (w3 - w2) * slopeAt(keys, i + 1))
  );
}

/**
 * The slope at a key that keeps the curve from ever falling (Fritsch and Butland 1984).
 * @param {readonly SpeedKey[]} keys
 * @param {number} i
 */
function slopeAt(keys, i) {
  const piece = (/** @type {number} */ n) => (keys[n + 1].s - keys[n].s) / (keys[n + 1].t - keys[n].t);
  if (i === 0) return piece(0);
  if (i === keys.length - 1) return piece(i - 1);
  const [before, after] = [piece(i - 1), piece(i)];
  if (before <= 0 || after <= 0) return 0;
  const [h0, h1] = [keys[i].t - keys[i - 1].t, keys[i + 1].t - keys[i].t];
  const [w0, w1] = [2 * h1 + h0, h1 + 2 * h0];
  return (w0 + w1) / (w0 / before + w1 / after);
}

/**
 * @param {number} value
 * @param {number} least
 * @param {number} most
 */
const within = (value, least, most) => Math.min(most, Math.max(least, value));
/** @param {number} value */
const fine = (value) => Math.round(value * 1e4) / 1e4;

/**
 * @param {readonly SpeedKey[]} keys
 * @param {number} t
 * @param {number} s
 * @returns {{keys: SpeedKey[], index: number}} with one more, between its neighbours
 */
export function addKey(keys, t, s) {
  const near = keys.findIndex((key) => Math.abs(key.t - t) < APART);
  if (near >= 0) return { keys: moveKey(keys, near, keys[near].t, s), index: near };
  const index = keys.findIndex((key) => key.t > t);
  const place = index < 0 ? keys.length : index;
  const ease = keys[Math.max(0, place - 1)].ease;
  const grown = [
    ...keys.slice(0, place),
    { t, s, ease: ease === "hold" ? "smooth" : ease },
    ...keys.slice(place),
  ];
  return { keys: moveKey(grown, place, t, s), index: place };
}

/**
 * A key moves as far as its neighbours let it.
 * @param {readonly SpeedKey[]} keys
 * @param {number} index
 * @param {number} t
 * @param {number} s
 * @returns {SpeedKey[]}
 */
export function moveKey(keys, index, t, s) {
  const [before, after] = [keys[index - 1], keys[index + 1]];
  const moved = {
    ...keys[index],
    t: fine(within(t, before ? before.t + APART : 0, after ? after.t - APART : 1)),
    s: fine(within(s, before ? before.s : 0, after ? after.s : 1)),
  };
  return keys.map((key, i) => (i === index ? moved : key));
}

/**
 * @param {readonly SpeedKey[]} keys
 * @param {number} index
 * @returns {SpeedKey[] | null} null = nothing left to say: constant speed
 */
export function removeKey(keys, index) {
  const left = keys.filter((_, i) => i !== index);
  return left.length < 2 ? null : left;
}

/**
 * @param {readonly SpeedKey[]} keys
 * @param {number} index of the piece's first key
 * @param {Ease} ease
 */
export const easeKey = (keys, index, ease) => keys.map((key, i) => (i === index ? { ...key, ease } : key));

/** The preset a curve is, "" = one of its own. @param {readonly SpeedKey[] | null} keys */
export function presetOf(keys) {
  const text = JSON.stringify(keys);
  return Object.keys(SPEED_PRESETS).find((name) => JSON.stringify(SPEED_PRESETS[name]) === text) ?? "";
}
