/** Random track documents and events for the fuzz tests, the same at every run. */

import { emptyMask } from "../../js/shared/masks.js";
import { paintMask } from "../../js/track_editor/outlines.js";
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
  const point = (side = 128) => ({
    x: round(between(-0.2 * side, 1.2 * side)),
    y: round(between(-0.2 * side, 1.2 * side)),
  });
  const many = (low, high, make) => Array.from({ length: whole(low, high) }, make);

  function speed() {
    const times = [...new Set(many(1, 6, () => round(next())))].sort((a, b) => a - b);
    const ways = times.map(() => round(next())).sort((a, b) => a - b);
    return times.map((t, i) => ({ t, s: ways[i], ease: oneOf(EASES) }));
  }

  function track() {
    const kind = oneOf(["path", "freehand", "pin", "line", "grid", "region", "camera", "object"]);
    const made = {
      kind,
      points: many(kind === "path" ? 0 : 1, 6, () => point()),
      interpolation: oneOf(["linear", "spline", "cardinal", "bspline"]),
      start: maybe(0.4, () => whole(-3, 30)),
      end: maybe(0.4, () => whole(0, 60)),
      visible: maybe(0.1, () => false),
      tension: maybe(0.4, next),
      brush: maybe(0.4, () => ({ radius: round(between(0, 12)), spacing: round(between(2, 6)) })),
      speed: maybe(0.5, speed),
      shown: maybe(0.3, () => many(1, 3, () => [whole(0, 20), whole(10, 60)])),
      turn: maybe(0.4, () => whole(-400, 400)),
      scale: maybe(0.4, () => round(between(0.2, 3))),
      grid:
        kind === "grid" || kind === "camera"
          ? { width: whole(0, 90), height: whole(0, 90), columns: whole(1, 5), rows: whole(1, 5) }
          : undefined,
      region:
        kind === "region"
          ? {
              lines: many(1, 3, () => many(1, 4, () => point(40))),
              radius: round(between(1, 12)),
              spacing: round(between(2, 7)),
            }
          : undefined,
      object:
        kind === "object"
          ? {
              outlines: many(1, 3, () => many(3, 8, () => point(40))),
              spacing: round(between(2, 9)),
            }
          : undefined,
      carries: kind === "camera" ? maybe(0.6, () => true) : undefined,
    };
    return JSON.parse(JSON.stringify(made));
  }

  const document = () => ({
    version: 2,
    width: whole(16, 200),
    height: whole(16, 200),
    frames: whole(1, 60),
    fps: 16,
    tracks: many(1, 5, track),
    pin_border: next() < 0.3,
  });

  /** Anything that JSON can hold. */
  function junk(depth = 0) {
    const kinds = [
      () => null,
      () => true,
      () => whole(-9, 9),
      () => next() * 10 ** whole(-320, 308),
      () => oneOf(["", "x", "spline", "camera", "1e999", "__proto__", "constructor"]),
      () => ({}),
      () => [],
    ];
    if (depth < 3)
      kinds.push(
        () => many(0, 3, () => junk(depth + 1)),
        () =>
          Object.fromEntries(
            many(0, 3, () => [oneOf(["x", "y", "t", "s", "points", "toString"]), junk(depth + 1)]),
          ),
      );
    return oneOf(kinds)();
  }

  /** A sound value with some of its parts put out of joint. */
  function broken(value) {
    if (next() < 0.006) return junk();
    if (Array.isArray(value)) return value.flatMap((item) => (next() < 0.005 ? [] : [broken(item)]));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .filter(() => next() > 0.005)
        .map(([key, item]) => [key, broken(item)]),
    );
  }

  return { next, between, whole, oneOf, maybe, point, many, track, document, junk, broken, speed };
}

/** An event of any kind for the editor's reducer, sensible or not. */
export function eventOf(make, state) {
  const ids = [...state.doc.tracks.map((track) => track.id), "t99"];
  const at = () => make.point();
  const id = () => make.oneOf(ids);
  const even = make.next() < 0.3;
  return make.oneOf([
    () => ({
      type: "tool",
      tool: make.oneOf(["select", "draw", "path", "line", "pin", "grid", "region", "object"]),
    }),
    () => ({
      type: "select",
      track: make.next() < 0.2 ? null : id(),
      point: make.next() < 0.5 ? null : make.whole(0, 9),
      add: even,
    }),
    () => ({ type: "select-all" }),
    () => ({ type: "select-many", tracks: [id(), id()] }),
    () => ({
      type: "stroke-start",
      at: at(),
      use: make.oneOf(["track", "line", "grid", "box", "area", "less", "cut", "path"]),
    }),
    () => ({ type: "stroke-extend", at: at(), even, reach: 5 }),
    () => ({ type: "stroke-extend", at: at() }),
    () => ({ type: "stroke-end", add: even }),
    () => ({ type: "stroke-cancel" }),
    () => ({ type: "path-click", at: at(), near: 2, reach: 4 }),
    () => ({ type: "path-finish" }),
    () => ({ type: "pin", at: at() }),
    () => ({ type: "drag-start", track: id(), point: make.next() < 0.5 ? null : make.whole(0, 9), at: at() }),
    () => ({
      type: "transform-start",
      mode: make.oneOf(["scale", "rotate"]),
      corner: { x: make.whole(-1, 1), y: make.whole(-1, 1) },
      at: at(),
    }),
    () => ({ type: "retime-start", track: id(), at: at() }),
    () => ({ type: "drag-move", at: at(), even, reach: 5 }),
    () => ({ type: "drag-end" }),
    () => ({ type: "drag-cancel" }),
    () => ({ type: "nudge", dx: 3, dy: -2 }),
    () => ({ type: "mirror", axis: make.oneOf(["x", "y"]) }),
    () => ({ type: "rotate", degrees: make.whole(-200, 200) }),
    () => ({ type: "scale", factor: make.between(-0.5, 2) }),
    () => ({ type: "insert", track: id(), index: make.whole(-1, 9), at: at() }),
    () => ({ type: "delete" }),
    () => ({ type: "delete-point", track: id(), point: make.whole(0, 9) }),
    () => ({ type: "delete-track", track: id() }),
    () => ({ type: "duplicate" }),
    () => ({ type: "paste", tracks: state.doc.tracks.slice(0, 2) }),
    () => ({ type: "reorder", track: id(), to: make.whole(-2, 9) }),
    () => ({ type: "shift-order", by: make.whole(-2, 2) }),
    () => ({ type: "edit", track: id(), changes: { start: make.whole(-9, 99), end: make.whole(-9, 99) } }),
    () => ({ type: "edit-selected", changes: { speed: make.speed(), locked: even } }),
    () => ({
      type: "camera",
      preset: make.oneOf(["pan-left", "zoom-in", "zoom-out", "roll-right", "nothing"]),
    }),
    () => ({
      type: "cut-out",
      mask: paintMask(emptyMask(64, 48), [make.point(64), make.point(48)], make.between(0, 9), true),
      way: make.oneOf(["new", "add", "less"]),
    }),
    () => ({ type: "toggle-shown" }),
    () => ({ type: "brush", radius: make.whole(0, 30) }),
    () => ({ type: "interpolation", interpolation: make.oneOf(["linear", "spline", "cardinal", "bspline"]) }),
    () => ({ type: "pin-border", on: even }),
    () => ({ type: "option", option: "snap", on: even }),
    () => ({ type: "undo" }),
    () => ({ type: "redo" }),
    () => ({ type: "seek", frame: make.between(-9, 99) }),
    () => (make.next() < 0.1 ? { type: "clear" } : { type: "undo" }),
    () => ({
      type: "resize",
      size: { width: make.whole(16, 300), height: make.whole(16, 300), frames: make.whole(1, 99), fps: 16 },
    }),
  ])();
}
