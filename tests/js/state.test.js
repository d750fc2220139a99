import assert from "node:assert/strict";
import { test } from "node:test";

import { emptyDocument, fitDocument, readDocument, writeDocument } from "../../js/track_editor/document.js";
import { commandFor } from "../../js/track_editor/commands.js";
import { isGroundLoose } from "../../js/track_editor/ground.js";
import { latticeMoves } from "../../js/track_editor/warp.js";
import { fingerprint, isSame } from "../../js/track_editor/fingerprint.js";
import { initialState, reduce } from "../../js/track_editor/state.js";
import { SPEED_PRESETS } from "../../js/track_editor/speed.js";
import { EditorStore } from "../../js/track_editor/store.js";

const play = (state, ...events) => events.reduce(reduce, state);
const at = (x, y) => ({ x, y });

/** Frozen to the last leaf, so that a reducer that writes into its input throws. */
function frozen(value) {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}

/** Two tracks and a pin. The middle point of t1 is selected, nothing in the history. */
function scene() {
  return frozen({ ...scene0(), past: [], future: [], lastKey: null });
}

function scene0() {
  return play(
    initialState(emptyDocument()),
    { type: "path-click", at: at(10, 10) },
    { type: "path-click", at: at(60, 20) },
    { type: "path-click", at: at(90, 80) },
    { type: "path-finish" },
    { type: "stroke-start", at: at(20, 100) },
    { type: "stroke-extend", at: at(40, 90) },
    { type: "stroke-extend", at: at(70, 110) },
    { type: "stroke-end" },
    { type: "pin", at: at(64, 64) },
    { type: "select", track: "t1", point: 1 },
  );
}

const CHANGES = {
  "a freehand stroke": [
    { type: "stroke-start", at: at(1, 1) },
    { type: "stroke-extend", at: at(30, 40) },
    { type: "stroke-end" },
  ],
  "a new path": [{ type: "path-click", at: at(5, 5) }],
  "a pin": [{ type: "pin", at: at(5, 5) }],
  "a point dragged": [
    { type: "drag-start", track: "t1", point: 1, at: at(60, 20) },
    { type: "drag-move", at: at(62, 30) },
    { type: "drag-move", at: at(70, 33) },
    { type: "drag-end" },
  ],
  "a track dragged": [
    { type: "drag-start", track: "t2", point: null, at: at(30, 95) },
    { type: "drag-move", at: at(35, 90) },
    { type: "drag-end" },
  ],
  "a nudge": [{ type: "nudge", dx: 1, dy: -1 }],
  "two nudges in a row": [
    { type: "nudge", dx: 1, dy: 0 },
    { type: "nudge", dx: 1, dy: 0 },
  ],
  "a point inserted": [{ type: "insert", track: "t1", index: -1, at: at(35, 15) }],
  "the selected point deleted": [{ type: "delete" }],
  "a point deleted": [{ type: "delete-point", track: "t2", point: 1 }],
  "a track deleted": [{ type: "delete-track", track: "t2" }],
  "a track duplicated": [{ type: "duplicate" }],
  "a name": [{ type: "edit", track: "t1", changes: { name: "Boat" } }],
  "a colour picked in many steps": [
    { type: "edit", track: "t1", changes: { color: "#112233" }, key: "c" },
    { type: "edit", track: "t1", changes: { color: "#445566" }, key: "c" },
  ],
  times: [{ type: "edit", track: "t1", changes: { start: 5 } }],
  "a mute": [{ type: "edit", track: "t1", changes: { visible: false } }],
  "a brush slid": [
    { type: "brush", radius: 4 },
    { type: "brush", radius: 9 },
    { type: "brush", radius: 14 },
  ],
  "straight lines": [{ type: "interpolation", interpolation: "linear" }],
  "border pins": [{ type: "pin-border", on: true }],
  clear: [{ type: "clear" }],
  "a line": [
    { type: "stroke-start", at: at(1, 1), use: "line" },
    { type: "stroke-extend", at: at(30, 40) },
    { type: "stroke-extend", at: at(60, 40) },
    { type: "stroke-end" },
  ],
  "a grid": [
    { type: "stroke-start", at: at(10, 10), use: "grid" },
    { type: "stroke-extend", at: at(60, 40) },
    { type: "stroke-end" },
  ],
  "a region painted": [
    { type: "stroke-start", at: at(10, 10), use: "area" },
    { type: "stroke-extend", at: at(30, 12) },
    { type: "stroke-end" },
  ],
  "a camera": [{ type: "camera", preset: "zoom-in" }],
  "two tracks dragged": [
    { type: "select-many", tracks: ["t1", "t3"] },
    { type: "drag-start", track: "t1", point: null, at: at(30, 15) },
    { type: "drag-move", at: at(40, 30) },
    { type: "drag-end" },
  ],
  "tracks scaled by a corner": [
    { type: "select-many", tracks: ["t1", "t2"] },
    { type: "transform-start", mode: "scale", corner: at(1, 1), at: at(90, 110) },
    { type: "drag-move", at: at(110, 120), even: true },
    { type: "drag-end" },
  ],
  "tracks turned by hand": [
    { type: "select-many", tracks: ["t1", "t2"] },
    { type: "transform-start", mode: "rotate", corner: at(0, -1), at: at(50, 0) },
    { type: "drag-move", at: at(90, 30) },
    { type: "drag-end" },
  ],
  "a track retimed by its runner": [
    { type: "seek", frame: 24 },
    { type: "retime-start", track: "t1", at: at(60, 20) },
    { type: "drag-move", at: at(80, 70) },
    { type: "drag-end" },
  ],
  "many nudged": [{ type: "select-all" }, { type: "nudge", dx: 1, dy: 0 }, { type: "nudge", dx: 1, dy: 0 }],
  "a mirror across": [{ type: "mirror", axis: "x" }],
  "a mirror down": [{ type: "mirror", axis: "y" }],
  "a quarter turn": [{ type: "rotate", degrees: 90 }],
  "a growth": [{ type: "scale", factor: 1.5 }],
  "several deleted": [{ type: "select-many", tracks: ["t1", "t3"] }, { type: "delete" }],
  "several duplicated": [{ type: "select-all" }, { type: "duplicate" }],
  "a paste": [{ type: "paste", tracks: [scene0().doc.tracks[0]] }],
  "a layer moved": [{ type: "reorder", track: "t1", to: 2 }],
  "a layer up": [
    { type: "select", track: "t2" },
    { type: "shift-order", by: -1 },
  ],
  "a lock": [{ type: "edit-selected", changes: { locked: true } }],
  "a track hidden in the editor": [{ type: "edit-selected", changes: { hidden: true } }],
  "a speed curve": [{ type: "edit", track: "t1", changes: { speed: SPEED_PRESETS.pause } }],
  "a speed key dragged": [1, 2, 3].map((s) => ({
    type: "edit",
    track: "t1",
    changes: {
      speed: [
        { t: 0, s: 0, ease: "in" },
        { t: 1, s: s / 3, ease: "linear" },
      ],
    },
    key: "speed t1",
  })),
  "visibility from the playhead on": [{ type: "seek", frame: 20 }, { type: "toggle-shown" }],
  "visibility ranges": [
    {
      type: "edit-selected",
      changes: {
        shown: [
          [0, 4],
          [9, 12],
        ],
      },
    },
  ],
  "a turn and a growth on the way": [{ type: "edit-selected", changes: { turn: 45, scale: 2 } }],
  "a tension": [{ type: "interpolation", interpolation: "cardinal" }],
};

for (const [name, events] of Object.entries(CHANGES)) {
  test(`${name}: one undo takes it back, one redo brings it again`, () => {
    const before = scene();
    const after = play(before, ...events);
    assert.notDeepEqual(after.doc, before.doc);
    assert.equal(after.past.length, 1);
    const undone = reduce(after, { type: "undo" });
    assert.deepEqual(undone.doc, before.doc);
    assert.equal(undone.past.length, 0);
    assert.deepEqual(reduce(undone, { type: "redo" }).doc, after.doc);
  });
}

const QUIET = {
  "a choice of tool": [{ type: "tool", tool: "path" }],
  "a selection": [{ type: "select", track: "t3" }],
  "a seek": [{ type: "seek", frame: 12 }],
  "many selected": [
    { type: "select-all" },
    { type: "select", track: "t2", add: true },
    { type: "select-many", tracks: ["t1"] },
  ],
  "a box over nothing": [
    { type: "stroke-start", at: at(100, 1), use: "box" },
    { type: "stroke-extend", at: at(120, 9) },
    { type: "stroke-end" },
  ],
  "an option": [{ type: "option", option: "snap", on: true }],
  "a frame pulled there and back": [
    { type: "select-all" },
    { type: "transform-start", mode: "scale", corner: at(1, 1), at: at(90, 110) },
    { type: "drag-move", at: at(99, 99) },
    { type: "drag-cancel" },
  ],
  "a paste of nothing": [{ type: "paste", tracks: [] }],
  "a camera move that does not exist": [{ type: "camera", preset: "toString" }],
  "a stroke given up": [
    { type: "stroke-start", at: at(1, 1) },
    { type: "stroke-extend", at: at(30, 40) },
    { type: "stroke-cancel" },
  ],
  "a drag given up": [
    { type: "drag-start", track: "t1", point: 1, at: at(60, 20) },
    { type: "drag-move", at: at(62, 30) },
    { type: "drag-cancel" },
  ],
  "a press without a drag": [
    { type: "drag-start", track: "t1", point: 1, at: at(60, 20) },
    { type: "drag-end" },
  ],
  "a drag there and back": [
    { type: "drag-start", track: "t1", point: 1, at: at(60, 20) },
    { type: "drag-move", at: at(62, 30) },
    { type: "drag-move", at: at(60, 20) },
    { type: "drag-end" },
  ],
  "an edit that changes nothing": [{ type: "edit", track: "t1", changes: { visible: true } }],
  "events of a track that is gone": [
    { type: "delete-track", track: "t9" },
    { type: "delete-point", track: "t9", point: 0 },
    { type: "insert", track: "t9", index: 0, at: at(1, 1) },
    { type: "drag-start", track: "t9", point: 0, at: at(1, 1) },
  ],
  "an undo without a history": [{ type: "undo" }, { type: "redo" }],
};

for (const [name, events] of Object.entries(QUIET)) {
  test(`${name} leaves the document and its history as they were`, () => {
    const before = scene();
    const after = play(before, ...events);
    assert.deepEqual(after.doc, before.doc);
    assert.equal(after.past.length, 0);
  });
}

test("a path is built click by click, and a click on its last point ends it", () => {
  const state = play(
    initialState(emptyDocument()),
    { type: "path-click", at: at(1, 2) },
    { type: "path-click", at: at(50, 2), near: 3 },
    { type: "path-click", at: at(51, 3), near: 3 },
  );
  assert.equal(state.open, null);
  assert.deepEqual(state.doc.tracks[0].points, [at(1, 2), at(50, 2)]);
  assert.equal(state.doc.tracks[0].interpolation, "spline");
  assert.equal(state.past.length, 2);
});

test("a point dragged in the same press that made it is one step", () => {
  const state = play(
    initialState(emptyDocument()),
    { type: "pin", at: at(10, 10) },
    { type: "drag-start", track: "t1", point: 0, at: at(10, 10), recorded: true },
    { type: "drag-move", at: at(30, 40) },
    { type: "drag-end" },
  );
  assert.deepEqual(state.doc.tracks[0].points, [at(30, 40)]);
  assert.equal(state.past.length, 1);
});

test("choosing another tool ends an open path and keeps its points", () => {
  const state = play(
    initialState(emptyDocument()),
    { type: "path-click", at: at(1, 2) },
    { type: "path-click", at: at(50, 2) },
    { type: "tool", tool: "draw" },
  );
  assert.equal(state.open, null);
  assert.equal(state.doc.tracks[0].points.length, 2);
});

test("a freehand stroke is simplified to a pixel", () => {
  const line = Array.from({ length: 60 }, (_, i) => ({
    type: "stroke-extend",
    at: at(10 + i, 20 + 0.4 * (i % 2)),
  }));
  const state = play(initialState(emptyDocument()), { type: "stroke-start", at: at(10, 20) }, ...line, {
    type: "stroke-end",
  });
  assert.equal(state.doc.tracks[0].kind, "freehand");
  assert.equal(state.doc.tracks[0].points.length, 2);
});

test("the last point of a track takes the track with it", () => {
  const state = play(scene(), { type: "select", track: "t3", point: 0 }, { type: "delete" });
  assert.deepEqual(
    state.doc.tracks.map((track) => track.id),
    ["t1", "t2"],
  );
  assert.equal(state.selection.track, null);
});

test("tracks get free ids, names and colours", () => {
  const { tracks } = scene().doc;
  assert.deepEqual(
    tracks.map((track) => [track.id, track.name]),
    [
      ["t1", "Track 1"],
      ["t2", "Track 2"],
      ["t3", "Pin 1"],
    ],
  );
  assert.equal(new Set(tracks.map((track) => track.color)).size, 3);
});

test("times stay inside the video and in order", () => {
  const edit = (changes) =>
    play(
      scene(),
      { type: "edit", track: "t1", changes: { start: 10, end: 30 } },
      { type: "edit", track: "t1", changes },
    ).doc.tracks[0];
  assert.equal(edit({ start: 99 }).start, 30);
  assert.equal(edit({ end: 3 }).end, 10);
  assert.equal(edit({ end: 99 }).end, null);
  assert.equal(edit({ start: -4 }).start, 0);
});

test("a resize scales the document, many lose nothing, and an undo comes back at the new size", () => {
  const before = scene();
  const size = (width, height, frames) => ({ type: "resize", size: { width, height, frames, fps: 16 } });
  const wide = play(before, size(256, 128, 97));
  assert.deepEqual(wide.doc.tracks[0].points[1], at(120, 20));
  assert.equal(wide.past.length, 0);
  assert.deepEqual(play(before, size(7, 9, 5), size(31, 17, 3), size(128, 128, 49)).doc, before.doc);
  const undone = play(before, { type: "nudge", dx: 5, dy: 0 }, size(256, 256, 49), { type: "undo" });
  assert.deepEqual(undone.doc, fitDocument(before.doc, { width: 256, height: 256, frames: 49, fps: 16 }));
});

test("a document from outside that is a step of the history is an undo, any other a new beginning", () => {
  const before = scene();
  const after = play(before, { type: "nudge", dx: 5, dy: 0 });
  const undone = reduce(after, { type: "load", document: readDocument(writeDocument(before.doc)) });
  assert.equal(undone.future.length, 1);
  assert.deepEqual(reduce(undone, { type: "load", document: after.doc }).past, [before.doc]);
  const other = reduce(after, { type: "load", document: emptyDocument() });
  assert.deepEqual([other.past, other.future], [[], []]);
});

test("the history has an end", () => {
  let state = scene();
  for (let i = 0; i < 250; i++) state = play(state, { type: "pin-border", on: i % 2 === 0 });
  assert.equal(state.past.length, 100);
});

test("text that is no document is kept as it is, named, and not written over", () => {
  const store = new EditorStore();
  const commits = [];
  store.onCommit = () => commits.push(store.text);
  for (const text of [
    "{",
    "[]",
    '{"version":3}',
    '{"version":1,"width":0,"height":1,"frames":1,"fps":1,"tracks":[]}',
    '{"version":1,"width":8,"height":8,"frames":1,"fps":1,"tracks":[{"points":[{"x":null,"y":1}]}]}',
  ]) {
    store.load(text);
    assert.match(store.problem, /^Expected /);
    store.dispatch({ type: "pin", at: at(1, 1) });
    assert.equal(store.text, text);
  }
  store.startAnew();
  assert.equal(store.problem, "");
  assert.equal(commits.length, 1);
  assert.deepEqual(JSON.parse(store.text).tracks, []);
});

test("a document that is loaded and not touched is written as it came", () => {
  const text =
    '{ "version": 1, "width": 128, "height": 128, "frames": 49, "fps": 16, ' +
    '"tracks": [ {"points": [{"x":1,"y":2}], "mine": 7} ] }';
  const store = new EditorStore();
  store.load(text);
  assert.equal(store.text, text);
  store.dispatch({ type: "pin", at: at(3, 4) });
  assert.equal(JSON.parse(store.text).tracks[0].mine, 7);
});

test("the host hears of a step when it is complete, once", () => {
  const store = new EditorStore();
  let commits = 0;
  store.onCommit = () => (commits += 1);
  store.dispatch({ type: "pin", at: at(10, 10) });
  assert.equal(commits, 1);
  store.dispatch({ type: "drag-start", track: "t1", point: 0, at: at(10, 10) });
  store.dispatch({ type: "drag-move", at: at(20, 20) });
  assert.equal(commits, 1);
  store.dispatch({ type: "drag-end" });
  assert.equal(commits, 2);
  store.dispatch({ type: "select", track: "t1" });
  store.resize({ width: 64, height: 64, frames: 9, fps: 8 });
  assert.equal(commits, 2);
});

test("keys: undo, tools and deletion are ours, what the editor does not know is the host's", () => {
  const key = (name, more = {}) =>
    commandFor({
      key: name,
      ctrlKey: false,
      metaKey: false,
      shiftKey: false,
      altKey: false,
      ...more,
    })?.perform(scene(), more.shiftKey ?? false) ?? null;
  assert.deepEqual(key("z", { ctrlKey: true }), { type: "undo" });
  assert.deepEqual(key("Z", { metaKey: true, shiftKey: true }), { type: "redo" });
  assert.deepEqual(key("p"), { type: "tool", tool: "path" });
  assert.deepEqual(key("Delete"), { type: "delete" });
  assert.deepEqual(key("ArrowLeft", { shiftKey: true }), { type: "nudge", dx: -10, dy: 0 });
  assert.deepEqual(key("Escape"), { type: "select", track: null });
  assert.equal(key("s", { ctrlKey: true }), null);
  assert.equal(key("Enter", { ctrlKey: true }), null);
  assert.equal(key("q"), null);
});

test("an editor that takes another's place keeps its tool and its history", () => {
  const old = new EditorStore();
  old.dispatch({ type: "pin", at: at(10, 10) });
  const before = old.text;
  old.dispatch({ type: "pin", at: at(20, 20) });
  old.dispatch({ type: "tool", tool: "path" });
  const next = new EditorStore();
  next.load(before);
  next.inherit(old.state);
  assert.equal(next.state.tool, "path");
  assert.equal(next.state.past.length, 1);
  assert.equal(next.state.future.length, 1);
  assert.equal(next.text, before);
  next.dispatch({ type: "redo" });
  assert.equal(next.state.doc.tracks.length, 2);
});

test("documents are the same by what they say, and each is written out once", () => {
  const doc = scene().doc;
  const copy = readDocument(writeDocument(doc));
  assert.ok(isSame(doc, copy));
  const moved = play(scene(), { type: "nudge", dx: 0.01, dy: 0 }).doc;
  assert.equal(isSame(doc, moved), false);
  let written = 0;
  const counted = { toJSON: () => (written += 1) };
  fingerprint(counted);
  isSame(counted, copy);
  assert.equal(written, 1);
});

test("a new document and the bin keep the border pinned", () => {
  const store = new EditorStore();
  assert.equal(store.state.doc.pin_border, true);
  store.dispatch({ type: "pin", at: { x: 5, y: 5 } });
  store.dispatch({ type: "clear" });
  assert.deepEqual([store.state.doc.tracks.length, store.state.doc.pin_border], [0, true]);
  store.load("");
  store.startAnew();
  assert.equal(store.state.doc.pin_border, true);
});

test("the ground is loose where something moves and nothing rests", () => {
  const path = {
    kind: "path",
    points: [
      { x: 1, y: 1 },
      { x: 9, y: 1 },
    ],
    visible: true,
  };
  const loose = (tracks, pin_border = false) => isGroundLoose({ tracks, pin_border });
  assert.equal(loose([path]), true);
  assert.equal(loose([path], true), false);
  assert.equal(loose([]), false);
  assert.equal(loose([{ ...path, visible: false }]), false);
  assert.equal(loose([path, { ...path, points: [{ x: 3, y: 3 }], kind: "grid" }]), false, "a resting grid");
  assert.equal(loose([path, { ...path, points: [{ x: 3, y: 3 }], kind: "grid", turn: 90 }]), true);
  assert.equal(loose([path, { ...path, kind: "camera" }]), false, "it is meant to move");
  assert.equal(loose([path, { ...path, kind: "pin", visible: false }]), true, "a pin left out holds nothing");
});

test("the picture that plays goes with the points near it, and rests at pins", () => {
  const video = { width: 100, height: 50 };
  const at = (moves, x, y) => [moves[2 * (y * 11 + x)], moves[2 * (y * 11 + x) + 1]];
  const alone = latticeMoves(video, [{ x: 50, y: 25 }], [{ x: 60, y: 20 }], 10);
  for (const place of [
    [0, 0],
    [10, 10],
    [5, 5],
  ]) {
    assert.ok(Math.abs(at(alone, ...place)[0] - 10) < 1e-3 && Math.abs(at(alone, ...place)[1] + 5) < 1e-3);
  }
  const pinned = latticeMoves(
    video,
    [
      { x: 50, y: 25 },
      { x: 0, y: 0 },
    ],
    [
      { x: 60, y: 25 },
      { x: 0, y: 0 },
    ],
    10,
  );
  assert.ok(at(pinned, 6, 5)[0] > 9 && at(pinned, 0, 0)[0] < 0.01);
  assert.equal(latticeMoves(video, [], [], 1)[0], 0);
});

test("clicks with the draw tool are points of a path, and a drag is a stroke of its own", () => {
  const stroke = (state, ...points) => {
    let next = reduce(state, { type: "stroke-start", at: points[0] });
    for (const at of points.slice(1)) next = reduce(next, { type: "stroke-extend", at });
    return reduce(next, { type: "stroke-end", near: 3 });
  };
  let state = initialState(emptyDocument());
  state = stroke(state, { x: 10, y: 10 });
  state = stroke(state, { x: 60, y: 20 });
  state = stroke(state, { x: 90, y: 80 });
  assert.equal(state.doc.tracks.length, 1);
  assert.deepEqual(state.doc.tracks[0].points, [
    { x: 10, y: 10 },
    { x: 60, y: 20 },
    { x: 90, y: 80 },
  ]);
  const ended = stroke(state, { x: 90, y: 80 });
  assert.deepEqual(
    [ended.open, ended.doc.tracks[0].points.length],
    [null, 3],
    "the last point again ends it",
  );
  const drawn = stroke(state, { x: 20, y: 100 }, { x: 50, y: 100 }, { x: 100, y: 90 });
  assert.deepEqual(
    drawn.doc.tracks.map((track) => track.kind),
    ["path", "freehand"],
  );
  assert.equal(drawn.open, null);
});
