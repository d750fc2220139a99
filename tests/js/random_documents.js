/** Random track documents and events for the fuzz tests, the same at every run. */

import { EASES } from "../../js/track_editor/speed.js";

/** @param {number} seed @returns {() => number} 0..1 (Park and Miller) */
export function random(seed) {
  let state = (seed % 2147483646) + 1;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

export function maker(seed) {
  const next = random(seed);
  const between = (low, high) => low + (high - low) * next();
  const whole = (low, high) => Math.floor(between(low, high + 1));
  const oneOf = (list) => list[whole(0, list.length - 1)];
  const maybe = (share, value) => (next() < share ? value() : undefined);
  const round = (value) => Math.round(value * 100) / 100;
  const point = (side = 128) => ({ x: round(between(-0.2 * side, 1.2 * side)), y: round(between(-0.2 * side, 1.2 * side)) });
  const many = (low, high, make) => Array.from({ length: whole(low, high) }, make);

  function speed() {
    const times = [...new Set(many(1, 6, () => round(next())))].sort((a, b) => a - b);
    const ways = times.map(() => round(next())).sort((a, b) => a - b);
    return times.map((t, i) => ({ t, s: ways[i], ease: oneOf(EASES) }));
  }

  function track() {
    const kind = oneOf(["path", "freehand", "pin", "line", "grid", "region", "camera"]);
    const made = {
      kind, points: many(kind === "path" ? 0 : 1, 6, () => point()), interpolation: oneOf(["linear", "spline", "cardinal", "bspline"]),
      start: maybe(0.4, () => whole(-3, 30)), end: maybe(0.4, () => whole(0, 60)), visible: maybe(0.1, () => false), tension: maybe(0.4, next),
      brush: maybe(0.4, () => ({ radius: round(between(0, 12)), spacing: round(between(2, 6)) })), speed: maybe(0.5, speed),
      shown: maybe(0.3, () => many(1, 3, () => [whole(0, 20), whole(10, 60)])), turn: maybe(0.4, () => whole(-400, 400)), scale: maybe(0.4, () => round(between(0.2, 3))),
      grid: kind === "grid" || kind === "camera" ? { width: whole(0, 90), height: whole(0, 90), columns: whole(1, 5), rows: whole(1, 5) } : undefined,
      region: kind === "region" ? { lines: many(1, 3, () => many(1, 4, () => point(40))), radius: round(between(1, 12)), spacing: round(between(2, 7)) } : undefined,
      carries: kind === "camera" ? maybe(0.6, () => true) : undefined,
    };
    return JSON.parse(JSON.stringify(made));
  }

  const document = () => ({ version: 1, width: whole(16, 200), height: whole(16, 200), frames: whole(1, 60), fps: 16, tracks: many(1, 5, track), pin_border: next() < 0.3 });

  /** Anything that JSON can hold. */
  function junk(depth = 0) {
    const kinds = [() => null, () => true, () => whole(-9, 9), () => next() * 10 ** whole(-320, 308), () => oneOf(["", "x", "spline", "camera", "1e999", "__proto__", "constructor"]), () => ({}), () => []];
    if (depth < 3) kinds.push(() => many(0, 3, () => junk(depth + 1)), () => Object.fromEntries(many(0, 3, () => [oneOf(["x", "y", "t", "s", "points", "toString"]), junk(depth + 1)])));
    return oneOf(kinds)();
  }

  /** A sound value with some of its parts put out of joint. */
  function broken(value) {
    if (next() < 0.006) return junk();
    if (Array.isArray(value)) return value.flatMap((item) => (next() < 0.005 ? [] : [broken(item)]));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).filter(() => next() > 0.005).map(([key, item]) => [key, broken(item)]));
  }

  return { next, between, whole, oneOf, maybe, point, many, track, document, junk, broken, speed };
}
