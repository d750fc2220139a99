/**
 * Gamepads, MIDI and OSC as hands on a stream: which knob or stick drives which control, learned by moving
 * it. Pure. Every source is a name and a number of 0..1: "pad axis 0", "midi 1 cc 74", "osc /1/fader".
 */

/** @import {PreviewEvent} from "./state.js" */

/**
 * @typedef {"pan_x" | "pan_y" | "zoom" | "roll" | "orbit" | "strength" | "hand_x" | "hand_y" | "hand_hold"
 *   | "pause" | "scene"} Target
 * @typedef {Partial<Record<Target, string>>} HandsMap  the source of each
 *
 * @typedef {object} HandsState
 * @property {HandsMap} map
 * @property {Target | null} learning  the next source that moves drives it
 * @property {Record<string, number>} first  where sources were when learning began
 * @property {Record<string, number>} values  where they are
 * @property {boolean} holding  a hand holds something
 */

/** @type {Target[]} */
export const TARGETS = [
  "hand_x",
  "hand_y",
  "hand_hold",
  "pan_x",
  "pan_y",
  "zoom",
  "roll",
  "orbit",
  "strength",
  "pause",
  "scene",
];

/** What a gamepad does that nobody has taught anything: the left stick a hand, the right one the camera. */
export const USUAL_MAP = Object.freeze(
  /** @type {HandsMap} */ ({
    hand_x: "pad axis 0",
    hand_y: "pad axis 1",
    hand_hold: "pad button 0",
    pan_x: "pad axis 2",
    pan_y: "pad axis 3",
  }),
);

const MOVED = 0.15; // of its way, before a source counts as the one that was meant
const PRESSED = 0.5;
const DEAD = 0.1; // of a stick's or knob's half way, where it rests
const POINTER = -7; // of no screen
const REACH_SHARE = 0.15; // of the shorter side
/** @type {Record<string, import("./camera.js").Axis>} */
const AXES = { pan_x: "x", pan_y: "y", zoom: "zoom", roll: "roll", orbit: "orbit" };

/** @returns {HandsState} */
export const createHands = (map = USUAL_MAP) => ({
  map: { ...map },
  learning: null,
  first: {},
  values: {},
  holding: false,
});

/**
 * What is sound of a map that was saved.
 * @param {unknown} value
 * @returns {HandsMap | null} null = nothing was saved
 */
export function readMap(value) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const found = Object.entries(value).filter(
    ([target, source]) =>
      TARGETS.includes(/** @type {Target} */ (target)) && typeof source === "string" && source.length <= 160,
  );
  return Object.fromEntries(found);
}

/** −1..1 of 0..1, at rest round the middle. @param {number} value */
export function pushOf(value) {
  const push = 2 * value - 1;
  if (Math.abs(push) <= DEAD) return 0;
  return (Math.sign(push) * (Math.abs(push) - DEAD)) / (1 - DEAD);
}

/**
 * @param {HandsState} hands
 * @param {Target | null} target
 * @returns {HandsState} the next source that moves drives it. null = no more
 */
export const learn = (hands, target) => ({ ...hands, learning: target, first: { ...hands.values } });

/**
 * @param {HandsState} hands
 * @param {Target} target
 * @returns {HandsState}
 */
export function unlearn(hands, target) {
  const map = { ...hands.map };
  delete map[target];
  return { ...hands, map, learning: null };
}

/**
 * A source has moved.
 * @param {HandsState} hands
 * @param {string} source
 * @param {number} value 0..1
 * @param {{width: number, height: number}} video
 * @param {number} now ms
 * @returns {{hands: HandsState, events: PreviewEvent[], learned: boolean}}
 */
export function moved(hands, source, value, video, now) {
  const before = hands.values[source];
  if (before === value || !Number.isFinite(value)) return { hands, events: [], learned: false };
  const values = { ...hands.values, [source]: Math.min(1, Math.max(0, value)) };
  const { learning } = hands;
  if (learning) {
    const first = hands.first[source] ?? before ?? (source.includes("axis") ? 0.5 : 0);
    const far = Math.abs(value - first) >= MOVED;
    const next = { ...hands, values, first: { ...hands.first, [source]: first } };
    if (!far) return { hands: next, events: [], learned: false };
    return {
      hands: { ...next, learning: null, map: { ...hands.map, [learning]: source } },
      events: [],
      learned: true,
    };
  }
  let next = { ...hands, values };
  /** @type {PreviewEvent[]} */
  const events = [];
  for (const target of TARGETS) {
    if (hands.map[target] !== source) continue;
    const made = targetMoved(next, target, values[source], before ?? 0, video, now);
    next = made.hands;
    events.push(...made.events);
  }
  return { hands: next, events, learned: false };
}

/**
 * @param {HandsState} hands
 * @param {Target} target
 * @param {number} value 0..1
 * @param {number} before
 * @param {{width: number, height: number}} video
 * @param {number} now ms
 * @returns {{hands: HandsState, events: PreviewEvent[]}}
 */
function targetMoved(hands, target, value, before, video, now) {
  const pressed = value >= PRESSED && before < PRESSED;
  if (target in AXES) {
    const push = { [AXES[target]]: pushOf(value) };
    return { hands, events: [{ type: "camera-push", push }] };
  }
  if (target === "strength") {
    const control = { type: "strength", value: Math.round(100 * value) / 100 };
    return { hands, events: [{ type: "send", control }] };
  }
  if (target === "pause") return { hands, events: pressed ? [{ type: "toggle-pause" }] : [] };
  if (target === "scene")
    return { hands, events: pressed ? [{ type: "send", control: { type: "scene" } }] : [] };
  const place = placeOf(hands, video, now);
  if (target === "hand_hold") {
    if (pressed) return { hands: { ...hands, holding: true }, events: [{ type: "press", place }] };
    if (!hands.holding || value >= PRESSED) return { hands, events: [] };
    return { hands: { ...hands, holding: false }, events: [{ type: "lift", place }] };
  }
  return { hands, events: hands.holding ? [{ type: "drag", place: { ...place, places: [place.at] } }] : [] };
}

/**
 * Where the hand is: the middle of the picture where nothing drives it.
 * @param {HandsState} hands
 * @param {{width: number, height: number}} video
 * @param {number} now ms
 */
export function placeOf({ map, values }, video, now) {
  const along = (/** @type {string | undefined} */ source) => (source ? (values[source] ?? 0.5) : 0.5);
  const at = { x: along(map.hand_x) * (video.width - 1), y: along(map.hand_y) * (video.height - 1) };
  return { pointer: POINTER, at, reach: REACH_SHARE * Math.min(video.width, video.height), time: now };
}

/**
 * A MIDI message as a source. A note is on at any strength.
 * @param {Uint8Array} data
 * @returns {[source: string, value: number] | null} null = of another kind
 */
export function readMidi(data) {
  if (data.length < 3 || data[1] > 127 || data[2] > 127) return null;
  const channel = (data[0] & 0x0f) + 1;
  switch (data[0] & 0xf0) {
    case 0xb0:
      return [`midi ${channel} cc ${data[1]}`, data[2] / 127];
    case 0xe0:
      return [`midi ${channel} bend`, (data[1] + 128 * data[2]) / 16383];
    case 0x90:
      return [`midi ${channel} note ${data[1]}`, data[2] > 0 ? 1 : 0];
    case 0x80:
      return [`midi ${channel} note ${data[1]}`, 0];
    default:
      return null;
  }
}

/**
 * A gamepad's sticks and buttons as sources.
 * @param {{axes: readonly number[], buttons: readonly {value: number}[]}} pad
 * @returns {[source: string, value: number][]}
 */
export const readPad = ({ axes, buttons }) => [
  ...axes.slice(0, 8).map((axis, at) => /** @type {[string, number]} */ ([`pad axis ${at}`, (axis + 1) / 2])),
  ...buttons
    .slice(0, 20)
    .map((each, at) => /** @type {[string, number]} */ ([`pad button ${at}`, each.value])),
];

/**
 * What an OSC program has said, as sources. Numbers are of 0..1, as most programs send them.
 * @param {unknown} values by address
 * @returns {[source: string, value: number][]}
 */
export function readOsc(values) {
  if (typeof values !== "object" || values === null) return [];
  return Object.entries(values).flatMap(([address, numbers]) =>
    Array.isArray(numbers)
      ? numbers
          .filter(Number.isFinite)
          .map(
            (value, at) =>
              /** @type {[string, number]} */ ([`osc ${address}${at ? ` ${at + 1}` : ""}`, value]),
          )
      : [],
  );
}
