import assert from "node:assert/strict";
import { test } from "node:test";

import { panOf, withPan } from "../../js/track_editor/cameras.js";
import { emptyDocument, fitDocument, readDocument, writeDocument } from "../../js/track_editor/document.js";
import { distance } from "../../js/shared/geometry.js";
import * as commands from "../../js/track_editor/commands.js";
import { Pinch } from "../../js/track_editor/pinch.js";
import { positionAt, progress, sampleDocument } from "../../js/track_editor/sampling.js";
import { readRanges, toggledFrom, writeRanges } from "../../js/track_editor/shown.js";
import {
  SPEED_PRESETS,
  STEADY,
  addKey,
  moveKey,
  presetOf,
  removeKey,
  speedShare,
} from "../../js/track_editor/speed.js";
import { toVideo, toView } from "../../js/shared/view.js";
import { initialState, reduce, selectedTracks } from "../../js/track_editor/state.js";
import { cornerOf, middleOf } from "../../js/track_editor/transform.js";
import {
  WHOLE,
  fitView,
  handlesOf,
  panViewport,
  selectionFrame,
  zoomViewport,
} from "../../js/track_editor/view.js";

const { COMMANDS, commandFor, helpRows } = commands;
/** Commands that have a button. */
const BUTTONS = [
  ...commands.TOOLS,
  ...commands.OPTIONS,
  ...[
    "UNDO",
    "REDO",
    "CLEAR",
    "DUPLICATE",
    "MIRROR_X",
    "MIRROR_Y",
    "ROTATE",
    "HIDE",
    "BORDER",
    "LARGE",
    "HELP",
  ].map((name) => commands[name]),
];
const play = (state, ...events) => events.reduce(reduce, state);
const at = (x, y) => ({ x, y });
const key = (name, state, more = {}) =>
  commandFor({
    key: name,
    ctrlKey: false,
    metaKey: false,
    shiftKey: false,
    altKey: false,
    ...more,
  })?.perform(state, more.shiftKey ?? false) ?? null;

function stroke(use, ...points) {
  const [first, ...rest] = points;
  return [
    { type: "stroke-start", at: first, use },
    ...rest.map((place) => ({ type: "stroke-extend", at: place })),
    { type: "stroke-end" },
  ];
}

/** Two straight lines and a pin, nothing selected. */
const scene = () =>
  play(
    initialState(emptyDocument()),
    ...stroke("line", at(10, 10), at(50, 10)),
    ...stroke("line", at(10, 60), at(50, 100)),
    { type: "pin", at: at(100, 20) },
    { type: "select", track: null },
  );

test("a box selects what has a point in it, with shift on top of what is selected", () => {
  const state = play(scene(), ...stroke("box", at(0, 0), at(20, 70)));
  assert.deepEqual(state.selection.tracks, ["t1", "t2"]);
  const more = play(
    state,
    { type: "stroke-start", at: at(90, 10), use: "box" },
    { type: "stroke-extend", at: at(110, 30) },
    { type: "stroke-end", add: true },
  );
  assert.deepEqual(more.selection.tracks, ["t1", "t2", "t3"]);
  assert.deepEqual(
    play(more, { type: "stroke-start", at: at(70, 70), use: "box" }, { type: "stroke-end" }).selection.tracks,
    [],
  );
});

test("a click with shift takes a track in or out of the selection", () => {
  const both = play(scene(), { type: "select", track: "t1" }, { type: "select", track: "t3", add: true });
  assert.deepEqual([both.selection.tracks, both.selection.track], [["t1", "t3"], "t3"]);
  assert.deepEqual(reduce(both, { type: "select", track: "t3", add: true }).selection.tracks, ["t1"]);
});

test("dragging one of several selected tracks moves all, a locked one stays", () => {
  const state = play(
    scene(),
    { type: "edit", track: "t3", changes: { locked: true } },
    { type: "select-all" },
    { type: "drag-start", track: "t1", point: null, at: at(30, 10) },
    { type: "drag-move", at: at(35, 17) },
    { type: "drag-end" },
  );
  assert.deepEqual(
    state.doc.tracks.map((track) => track.points[0]),
    [at(15, 17), at(15, 67), at(100, 20)],
  );
  assert.deepEqual(state.selection.tracks, ["t1", "t2", "t3"]);
});

test("a locked track is neither dragged nor changed point by point", () => {
  const state = play(
    scene(),
    { type: "edit", track: "t1", changes: { locked: true } },
    { type: "select", track: "t1" },
  );
  const events = [
    [
      { type: "drag-start", track: "t1", point: 0, at: at(10, 10) },
      { type: "drag-move", at: at(40, 40) },
      { type: "drag-end" },
    ],
    [{ type: "nudge", dx: 1, dy: 0 }],
    [{ type: "mirror", axis: "x" }],
    [{ type: "insert", track: "t1", index: 1, at: at(1, 1) }],
    [{ type: "delete-point", track: "t1", point: 0 }],
  ];
  for (const step of events) assert.deepEqual(play(state, ...step).doc, state.doc);
});

test("a corner pulled with the opposite one still, and in proportion", () => {
  const grab = { type: "transform-start", mode: "scale", corner: at(1, 1), at: at(50, 100) };
  const state = play(
    scene(),
    { type: "select-many", tracks: ["t2"] },
    grab,
    { type: "drag-move", at: at(90, 100) },
    { type: "drag-end" },
  );
  assert.deepEqual(state.doc.tracks[1].points, [at(10, 60), at(90, 100)]);
  const even = play(
    scene(),
    { type: "select-many", tracks: ["t2"] },
    grab,
    { type: "drag-move", at: at(70, 100), even: true },
    { type: "drag-end" },
  );
  assert.deepEqual(even.doc.tracks[1].points, [at(10, 60), at(70, 120)]);
});

test("a quarter turn four times over changes nothing", () => {
  const before = play(scene(), { type: "select-all" });
  const turn = { type: "rotate", degrees: 90 };
  const places = (state) => state.doc.tracks.flatMap((track) => track.points);
  places(play(before, turn, turn, turn, turn)).forEach((point, i) =>
    assert.ok(distance(point, places(before)[i]) < 0.05),
  );
  assert.ok(distance(places(reduce(before, turn))[0], places(before)[0]) > 10);
});

test("a mirrored brush that turned clockwise turns the other way, and its region is mirrored too", () => {
  const state = play(
    scene(),
    ...stroke("area", at(70, 70), at(90, 70), at(90, 90)),
    { type: "edit-selected", changes: { turn: 30 } },
    { type: "mirror", axis: "x" },
  );
  const [track] = selectedTracks(state);
  assert.equal(track.turn, -30);
  const before = play(scene(), ...stroke("area", at(70, 70), at(90, 70), at(90, 90))).doc.tracks[3].region
    .lines[0];
  assert.deepEqual(
    track.region.lines[0].map(({ x }) => x),
    before.map(({ x }) => -x),
  );
});

test("a straight line held with shift keeps to the eight directions", () => {
  const state = play(
    initialState(emptyDocument()),
    { type: "stroke-start", at: at(10, 10), use: "line" },
    { type: "stroke-extend", at: at(50, 13), even: true },
    { type: "stroke-end" },
  );
  assert.deepEqual(state.doc.tracks[0].points[1], at(50, 10));
  assert.equal(state.doc.tracks[0].kind, "line");
});

test("a point snaps to another track's place and to the picture's middle, and says so while held", () => {
  const snap = play(
    scene(),
    { type: "option", option: "snap", on: true },
    { type: "drag-start", track: "t1", point: 1, at: at(50, 10) },
  );
  const held = play(snap, { type: "drag-move", at: at(98, 63), reach: 4 });
  assert.deepEqual([held.doc.tracks[0].points[1], held.guides], [at(100, 63.5), at(100, 63.5)]);
  assert.equal(reduce(held, { type: "drag-end" }).guides, null);
  assert.deepEqual(
    play(snap, { type: "drag-move", at: at(98, 63), reach: 0 }).doc.tracks[0].points[1],
    at(98, 63),
  );
});

test("a region is painted, added to, and given a way that it follows as one", () => {
  const painted = play(
    initialState(emptyDocument()),
    { type: "tool", tool: "region" },
    ...stroke("area", at(30, 30), at(50, 30)),
    ...stroke("area", at(30, 45), at(50, 45)),
  );
  assert.equal(painted.doc.tracks.length, 1);
  assert.equal(painted.doc.tracks[0].region.lines.length, 2);
  const sent = play(painted, ...stroke("path", painted.doc.tracks[0].points[0], at(60, 60), at(90, 70)));
  const [first, last] = [sampleDocument(sent.doc, 0), sampleDocument(sent.doc, 48)];
  const shift = at(last[0].x - first[0].x, last[0].y - first[0].y);
  assert.ok(first.length > 10 && shift.x > 40);
  first.forEach((point, i) => assert.ok(distance(at(point.x + shift.x, point.y + shift.y), last[i]) < 1e-9));
  assert.equal(play(sent, ...stroke("area", at(110, 110), at(115, 112))).doc.tracks.length, 2);
});

test("a grid fills its rectangle", () => {
  const [grid] = play(initialState(emptyDocument()), ...stroke("grid", at(20, 20), at(80, 50))).doc.tracks;
  const doc = { ...emptyDocument(), tracks: [grid] };
  const points = sampleDocument(doc, 7);
  assert.equal(points.length, grid.grid.columns * grid.grid.rows);
  assert.deepEqual([points[0], points[points.length - 1]], [at(20, 20), at(80, 50)]);
});

test("camera presets add up in one camera, that lets go of the border and moves the other tracks", () => {
  const state = play(
    scene(),
    { type: "pin-border", on: true },
    { type: "camera", preset: "pan-right" },
    { type: "select", track: null },
    { type: "camera", preset: "zoom-in" },
    { type: "camera", preset: "roll-left" },
  );
  const cameras = state.doc.tracks.filter((track) => track.kind === "camera");
  assert.equal(cameras.length, 1);
  assert.equal(state.doc.pin_border, false);
  assert.ok(panOf(cameras[0]).x > 10 && cameras[0].scale > 1.2 && cameras[0].turn > 0);
  const pin = state.doc.tracks.findIndex((track) => track.kind === "pin");
  const only = { ...state.doc, tracks: [{ ...state.doc.tracks[pin], brush: null }, cameras[0]] };
  assert.ok(distance(sampleDocument(only, 0)[0], sampleDocument(only, 48)[0]) > 2);
  assert.deepEqual(withPan(cameras[0], { x: 0, y: 0 }).points.length, 1);
});

test("a runner let go at a place is there at that frame", () => {
  const state = play(
    scene(),
    { type: "seek", frame: 12 },
    { type: "retime-start", track: "t1", at: at(20, 10) },
    { type: "drag-move", at: at(40, 14) },
    { type: "drag-end" },
  );
  assert.ok(distance(positionAt(state.doc.tracks[0], 12, 49), at(40, 10)) < 0.05);
  assert.ok(distance(positionAt(state.doc.tracks[0], 48, 49), at(50, 10)) < 1e-9);
});

test("speed curves never fall, keys keep their order, and presets are known by their keys", () => {
  const grown = addKey(addKey(STEADY, 0.5, 0.9).keys, 0.7, 0.1).keys;
  for (const keys of [grown, ...Object.values(SPEED_PRESETS).filter(Boolean), moveKey(grown, 1, 5, -5)]) {
    const shares = Array.from({ length: 301 }, (_, i) => speedShare(keys, i / 300));
    shares
      .slice(1)
      .forEach((share, i) => assert.ok(share >= shares[i] - 1e-12, `${JSON.stringify(keys)} falls at ${i}`));
    keys.slice(1).forEach((one, i) => assert.ok(one.t > keys[i].t && one.s >= keys[i].s));
  }
  for (const name of Object.keys(SPEED_PRESETS)) assert.equal(presetOf(SPEED_PRESETS[name]), name);
  assert.equal(removeKey(STEADY, 0), null);
  assert.equal(presetOf(grown), "");
});

test("a key set where there is one moves it", () => {
  assert.equal(addKey(STEADY, 1, 0.5).keys.length, 2);
  assert.equal(progress({ start: 0, end: null, speed: addKey(STEADY, 1, 0.5).keys }, 48, 49), 0.5);
});

test("visibility: toggled from a frame on to the next change, written and read back", () => {
  const hidden = toggledFrom(null, 20, 49);
  assert.deepEqual(hidden, [[0, 19]]);
  assert.deepEqual(toggledFrom(hidden, 30, 49), [
    [0, 19],
    [30, 48],
  ]);
  assert.equal(toggledFrom(toggledFrom(null, 20, 49), 20, 49), null);
  assert.deepEqual(toggledFrom(null, 0, 49), [[0, 0]]);
  assert.equal(
    writeRanges([
      [0, 19],
      [30, 30],
    ]),
    "0–19, 30",
  );
  assert.deepEqual(readRanges(" 0-19, 30 ; 40–99", 49), [
    [0, 19],
    [30, 30],
    [40, 48],
  ]);
  assert.equal(readRanges("", 49), null);
  for (const text of ["x", "1-", "5-2", "900-999"]) assert.equal(readRanges(text, 49), undefined, text);
});

test("layers change places and keep everything else", () => {
  const state = play(scene(), { type: "reorder", track: "t3", to: -5 });
  assert.deepEqual(
    state.doc.tracks.map((track) => track.id),
    ["t3", "t1", "t2"],
  );
  assert.deepEqual(reduce(state, { type: "reorder", track: "t1", to: 1 }), state);
});

test("pasted tracks get free ids, names and colours and are selected", () => {
  const before = scene();
  const after = reduce(before, { type: "paste", tracks: before.doc.tracks });
  assert.equal(new Set(after.doc.tracks.map((track) => track.id)).size, 6);
  assert.equal(new Set(after.doc.tracks.map((track) => track.name)).size, 6);
  assert.equal(new Set(after.doc.tracks.map((track) => track.color)).size, 6);
  assert.deepEqual(after.selection.tracks, ["t4", "t5", "t6"]);
});

test("a document of every kind is fitted to another size and back", () => {
  const state = play(
    scene(),
    ...stroke("area", at(30, 30), at(50, 30)),
    { type: "camera", preset: "zoom-in" },
    ...stroke("grid", at(20, 20), at(80, 50)),
    { type: "edit-selected", changes: { shown: [[0, 24]] } },
  );
  const wide = fitDocument(state.doc, { width: 256, height: 256, frames: 97, fps: 16 });
  assert.deepEqual(wide.tracks[5].shown, [[0, 48]]);
  assert.deepEqual(wide.tracks[5].grid, { width: 120, height: 60, columns: 6, rows: 3 });
  assert.deepEqual(fitDocument(wide, state.doc), state.doc);
});

test("old documents are written as they were read, without a single new key", () => {
  const old = {
    version: 1,
    width: 128,
    height: 128,
    frames: 49,
    fps: 16,
    tracks: [
      {
        id: "t1",
        name: "Track 1",
        color: "#34c759",
        kind: "path",
        points: [at(20, 64)],
        interpolation: "spline",
        brush: null,
        start: 0,
        end: null,
        visible: true,
      },
    ],
    pin_border: false,
  };
  assert.equal(writeDocument(readDocument(JSON.stringify(old))), JSON.stringify(old));
});

test("the frame round a selection has handles where it lies, and none is shown for a single point", () => {
  const view = fitView({ width: 280, height: 280 }, emptyDocument());
  const state = play(scene(), { type: "tool", tool: "select" }, { type: "select", track: "t2" });
  const frame = selectionFrame(view, state);
  assert.equal(handlesOf(frame).length, 9);
  assert.ok(distance(middleOf(frame), toView(view, at(30, 80))) < 1e-9);
  assert.ok(distance(handlesOf(frame)[4].at, cornerOf(frame, at(1, 1))) < 1e-9);
  assert.equal(selectionFrame(view, reduce(state, { type: "select", track: "t2", point: 0 })), null);
  assert.equal(selectionFrame(view, reduce(state, { type: "select", track: "t3" })), null);
});

test("a zoom keeps the place under the pointer, and the picture never leaves the view", () => {
  const area = { width: 300, height: 200 };
  const spot = at(220, 60);
  const viewport = zoomViewport(zoomViewport(WHOLE, 3, spot, area), 1.5, spot, area);
  const place = (of) => toVideo(fitView(area, emptyDocument(), of), spot);
  assert.ok(distance(place(viewport), place(WHOLE)) < 1e-9);
  assert.deepEqual(zoomViewport(viewport, 0.01, spot, area), WHOLE);
  assert.deepEqual(panViewport(WHOLE, 50, 50, area), WHOLE);
  assert.ok(Math.abs(panViewport(viewport, 1e6, 0, area).x) <= (area.width * viewport.zoom) / 2);
});

test("two fingers apart by twice as much zoom in by two, together they move", () => {
  const pinch = new Pinch();
  pinch.down(1, at(0, 0));
  assert.equal(pinch.move(1, at(5, 0)), null);
  pinch.down(2, at(15, 0));
  assert.deepEqual(pinch.move(2, at(25, 0)), { factor: 2, dx: 5, dy: 0, at: at(15, 0) });
  pinch.up(1);
  assert.equal(pinch.on, false);
});

test("new keys: tools, curves, options, layers, mirrors, time and zoom", () => {
  const state = play(scene(), { type: "select", track: "t1" });
  const event = (name, more) => key(name, state, more);
  assert.deepEqual(
    ["l", "g", "r"].map((name) => event(name).tool),
    ["line", "grid", "region"],
  );
  assert.deepEqual(event("s"), { type: "interpolation", interpolation: "cardinal" });
  assert.deepEqual(event("n"), { type: "option", option: "snap", on: true });
  assert.deepEqual(event("H", { shiftKey: true }), { type: "mirror", axis: "x" });
  assert.deepEqual(event("h"), { type: "edit-selected", changes: { hidden: true } });
  assert.deepEqual(event("k"), { type: "edit-selected", changes: { locked: true } });
  assert.deepEqual(event("x"), { type: "toggle-shown" });
  assert.deepEqual(event("PageDown"), { type: "shift-order", by: 1 });
  assert.deepEqual(event("."), { type: "seek", frame: 1 });
  assert.deepEqual(event("a", { ctrlKey: true }), { type: "select-all" });
  assert.deepEqual(key("0", state), { type: "zoom", factor: 0 });
  assert.equal(key("k", scene()), null);
  for (const name of ["c", "v", "x"])
    assert.equal(key(name, state, { ctrlKey: true }), null, "the clipboard has events of its own");
});

test("no key of the editor means two things, and every title names the key of its command", () => {
  const keys = COMMANDS.flatMap((command) => command.keys);
  assert.equal(new Set(keys).size, keys.length);
  for (const { name, keys, label } of BUTTONS) {
    const named = keys.slice(0, 1).map((key) => key.replace(/.$/, (last) => last.toUpperCase()));
    assert.deepEqual(/\(([^)]+)\)/.exec(label(scene()))?.slice(1) ?? [], named, name);
  }
});

test("the editor's help is made from its commands", () => {
  const rows = helpRows().map(({ keys, help }) => [keys.join("  "), help]);
  assert.deepEqual(rows, [
    ["V  D  P  L  I  G  R  C", "key_tools"],
    ["Click, then Enter", "key_path"],
    ["Double-click", "key_double"],
    ["Right-click", "key_right"],
    ["Shift click", "key_shift_click"],
    ["Shift", "key_shift"],
    ["Drag the runner", "key_runner"],
    ["Shift  Alt", "key_object"],
    ["Del", "key_delete"],
    ["Arrows", "key_arrows"],
    ["Ctrl Z  Ctrl Y", "key_undo"],
    ["Ctrl C  Ctrl X  Ctrl V", "key_clip"],
    ["Ctrl A", "key_all"],
    ["Ctrl D", "key_duplicate"],
    ["Shift H  Shift V  Shift R", "key_mirror"],
    ["Page Up  Page Down", "key_layer"],
    ["K  H  X", "key_lock"],
    ["[  ]", "key_brush"],
    ["S", "key_curve"],
    ["B  N  O", "key_toggles"],
    ["Space", "key_space"],
    [",  .  Home  End", "key_time"],
    ["+  −  0", "key_zoom"],
    ["F", "key_large"],
    ["Esc", "key_escape"],
  ]);
});
