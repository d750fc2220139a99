import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as camera from "../../js/stream_preview/camera.js";
import * as controls from "../../js/stream_preview/controls.js";
import { commandFor } from "../../js/stream_preview/commands.js";
import * as steering from "../../js/stream_preview/steering.js";
import { letterbox, toVideo, toView } from "../../js/shared/view.js";
import { amount, clock } from "../../js/stream_preview/format.js";
import { obstacleOf } from "../../js/stream_preview/obstacles.js";

const HANDLES = [
  [0, 20, 30, 0],
  [1, 60, 60, 1],
  [2, 100, 100, 3],
];
const at = (x, y) => ({ x, y });
const pressed = (state, x, y, more = {}) =>
  steering.press(state, {
    pointer: 1,
    at: at(x, y),
    time: 0,
    handles: HANDLES,
    reach: 4,
    taken: steering.handleAt(HANDLES, at(x, y), 4),
    ...more,
  });
const dragged = (state, places, more = {}) =>
  steering.drag(state, { pointer: 1, places, handles: HANDLES, reach: 4, ...more });
const lifted = (state, more = {}) => steering.lift(state, { pointer: 1, time: 500, ...more });

/** One press, drag and lift with a tool -> all controls sent. */
function gesture(tool, places, changes = {}) {
  const begun = pressed({ ...steering.createSteering(), tool, ...changes }, places[0].x, places[0].y);
  const gone = dragged(begun.steering, places.slice(1));
  const ended = lifted(gone.steering);
  assert.deepEqual(ended.steering.hands, []);
  assert.equal(ended.steering.draft, null);
  return [...begun.controls, ...gone.controls, ...ended.controls];
}

test("a press on a handle takes it, and it keeps its distance from the pointer", () => {
  const sent = gesture("grab", [at(22, 31), at(32, 41), at(42, 51)]);
  assert.deepEqual(sent, [
    { type: "grab", hand: 0, handle: 0 },
    {
      type: "move",
      hand: 0,
      to: [
        [30, 40],
        [40, 50],
      ],
    },
    { type: "release", hand: 0, mode: "pin" },
  ]);
});

test("a press beside every handle takes what is within the radius", () => {
  const sent = gesture("grab", [at(80, 20), at(81, 20)], { radius: 9, mode: "fade" });
  assert.deepEqual(sent[0], { type: "grab", hand: 0, at: [80, 20], radius: 9 });
  assert.deepEqual(sent.at(-1), { type: "release", hand: 0, mode: "fade" });
});

test("the nearest handle within reach is taken, a hidden one never", () => {
  assert.equal(steering.handleAt(HANDLES, at(21, 30), 4)?.[0], 0);
  assert.equal(steering.handleAt([[5, 20, 31, 1], ...HANDLES], at(20, 31), 4)?.[0], 5);
  assert.equal(steering.handleAt(HANDLES, at(30, 30), 4), null);
  assert.equal(steering.handleAt(HANDLES, at(100, 100), 4), null);
});

test("several pointers are several hands, at most ten, and each is let go alone", () => {
  let state = steering.createSteering(8);
  const hands = [];
  for (let pointer = 0; pointer < 12; pointer++) {
    const step = pressed(state, 80, 10, { pointer });
    state = step.steering;
    hands.push(...step.controls.map((control) => control.hand));
  }
  assert.deepEqual(hands, [8, 9, 0, 1, 2, 3, 4, 5, 6, 7]);
  const step = lifted(state, { pointer: 2 });
  assert.deepEqual(step.controls, [{ type: "release", hand: 0, mode: "pin" }]);
  assert.equal(step.steering.hands.length, 9);
  assert.equal(pressed(step.steering, 80, 10, { pointer: 99 }).controls[0].hand, 0);
});

test("letting go of everything releases every hand and drops a drawing", () => {
  const held = pressed(pressed(steering.createSteering(), 80, 10).steering, 20, 30, { pointer: 2 }).steering;
  assert.deepEqual(
    steering
      .releaseAll({ ...held, mode: "keep" })
      .controls.map((control) => [control.type, control.hand, control.mode]),
    [
      ["release", 0, "keep"],
      ["release", 1, "keep"],
    ],
  );
  assert.deepEqual(
    steering.releaseAll(pressed({ ...steering.createSteering(), tool: "path" }, 1, 1).steering).controls,
    [],
  );
});

test("a pin is a click; several places painted in one go are one handle", () => {
  assert.deepEqual(gesture("pin", [at(50, 50)], { radius: 0 }), [
    { type: "add", kind: "pin", points: [[50, 50]] },
  ]);
  assert.deepEqual(gesture("pin", [at(50, 50)], { radius: 12 })[0].brush, { radius: 12, spacing: 6 });
  const painted = gesture("pin", [at(10, 50), at(15, 50), at(25, 50), at(40, 50)]);
  assert.deepEqual(painted, [
    {
      type: "add",
      kind: "pin",
      points: [
        [10, 50],
        [25, 50],
        [40, 50],
      ],
    },
  ]);
});

test("a path takes as long as its drawing, or as was chosen, and its first and last point stay", () => {
  const places = Array.from({ length: 40 }, (_, i) => at(10 + i, 20 + (i % 7)));
  const [path] = gesture("path", places);
  assert.equal(path.seconds, 0.5);
  assert.deepEqual(
    [path.points[0], path.points.at(-1)],
    [
      [10, 20],
      [49, 24],
    ],
  );
  assert.equal(gesture("path", places, { seconds: 4 })[0].seconds, 4);
  assert.deepEqual(gesture("path", [at(10, 10)]), []);
});

test("a grid fills its rectangle evenly, never with more than 400 points, and a click makes none", () => {
  const [grid] = gesture("grid", [at(20, 70), at(100, 110)]);
  assert.equal(grid.kind, "grid");
  assert.equal(grid.points.length, 6 * 4);
  assert.deepEqual(
    [grid.points[0], grid.points.at(-1)],
    [
      [20, 70],
      [100, 110],
    ],
  );
  assert.ok(steering.gridPoints([at(0, 0), at(832, 480)]).length <= 400);
  assert.deepEqual(gesture("grid", [at(20, 70)]), []);
});

test("the eraser removes every handle it touches, once", () => {
  assert.deepEqual(gesture("erase", [at(20, 30), at(21, 30), at(60, 59), at(20, 31)]), [
    { type: "remove", handle: 0 },
    { type: "remove", handle: 1 },
  ]);
});

test("steering leaves the state it was given as it was", () => {
  const state = Object.freeze({ ...steering.createSteering(), hands: Object.freeze([]) });
  pressed(state, 20, 30);
  assert.deepEqual(state.hands, []);
});

test("controls are rounded, cut to what the sampler takes, and carry token and id", () => {
  assert.deepEqual(controls.move(1, [at(1.23456, -0.0001)]).to, [[1.23, 0]]);
  const many = Array.from({ length: 500 }, (_, i) => at(i, 0));
  const { to } = controls.move(1, many);
  assert.equal(to.length, 64);
  assert.deepEqual(
    [to[0], to.at(-1)],
    [
      [0, 0],
      [499, 0],
    ],
  );
  assert.equal(controls.prompt("x".repeat(3000)).text.length, 2000);
  assert.deepEqual(controls.camera({ pan: [1e9, 0], zoom: 99, roll: -1e4, orbit: 1 }), {
    type: "camera",
    pan: [1e5, 0],
    zoom: 8,
    roll: -720,
    orbit: 1,
  });
  assert.equal(controls.rewind(0).chunk, 1);
  assert.equal(controls.grabPlace(0, at(1, 1), 0).radius, 0.5);
  assert.deepEqual(JSON.parse(controls.controlBody("t", controls.plain("stop"), "a-1")), {
    token: "t",
    type: "stop",
    id: "a-1",
  });
  assert.equal("id" in JSON.parse(controls.controlBody("t", controls.plain("stop"))), false);
});

test("every refusal is said in plain words", () => {
  const said = (status, body = null) => controls.refusal(controls.parseAnswer(status, body));
  for (const status of [400, 403, 404, 409, 413, 415, 429, 500]) assert.match(said(status), /^[A-Z].*\.$/);
  assert.match(said(400, { error: "hand: expected 0 to 9", code: "bad_control" }), /hand: expected 0 to 9/);
  assert.match(said(409, { error: "in any words", code: "run_ended" }), /ended/);
  assert.match(controls.refusal({ code: controls.UNREACHED, error: "" }), /does not answer/);
});

test("an answer is known by its code, and by its status where something else answered", () => {
  assert.deepEqual(controls.parseAnswer(200, { ok: true }), { code: "", error: "" });
  assert.deepEqual(controls.parseAnswer(409, { error: "late", code: "run_ended" }), {
    code: "run_ended",
    error: "late",
  });
  assert.equal(controls.parseAnswer(429, null).code, controls.TOO_MANY);
  assert.equal(controls.parseAnswer(502, "<html>").code, "502");
});

test("every code of the server is in its description, and no other", () => {
  const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
  const codes = [...read("nodes/_server.py").matchAll(/^ {4}"(\w+)": 4\d\d,$/gm)].map(([, code]) => code);
  const sent = codes.filter((code) => code !== "not_a_socket");
  const described = [...read("docs/live.md").matchAll(/^\| `(\w+)` \| 4\d\d /gm)].map(([, code]) => code);
  assert.deepEqual(sent.sort(), described.sort());
});

test("a push springs back unless the camera holds, and the speeds grow from the middle", () => {
  const video = { width: 480, height: 832 };
  let rig = camera.pushRig(camera.createRig(), { x: 0.5, y: -2, zoom: 0.5 });
  assert.deepEqual(camera.speedsFromRig(rig, video), { pan: [104, -416], zoom: 0.25, roll: 0, orbit: 0 });
  assert.deepEqual(
    camera.rigFromSpeeds(camera.createRig(), camera.speedsFromRig(rig, video), video).push,
    rig.push,
  );
  assert.deepEqual(camera.releaseAxes(rig, ["x", "y"]).push, { ...camera.AT_REST, zoom: 0.5 });
  rig = camera.holdRig(rig, true);
  assert.equal(camera.releaseAxes(rig, ["x", "y"]), rig);
  assert.deepEqual(camera.holdRig(rig, false).push, camera.AT_REST);
});

test("the keys of the camera: arrows, plus and minus, brackets, Shift for the orbit", () => {
  const key = (name, shiftKey = false) => camera.axisOf({ key: name, shiftKey });
  assert.deepEqual(
    [key("ArrowLeft"), key("ArrowUp"), key("ArrowRight", true), key("+", true), key("-"), key("["), key("x")],
    [["x", -1], ["y", -1], ["orbit", 1], ["zoom", 1], ["zoom", -1], ["roll", -1], null],
  );
  const rig = camera.createRig();
  assert.equal(camera.pushByKey(rig, "roll", -1).push.roll, -0.75);
  const held = camera.holdRig(rig, true);
  assert.equal(camera.pushByKey(camera.pushByKey(held, "roll", 1), "roll", 1).push.roll, 0.5);
});

test("keys of the preview are plain keys; the host keeps its own", () => {
  const key = (name, more = {}) =>
    commandFor({ key: name, ctrlKey: false, metaKey: false, altKey: false, ...more });
  assert.equal(key(" ").name, "pause");
  assert.equal(key("G").name, "grab");
  assert.equal(key("2").name, "release-pin");
  assert.equal(key("z", { ctrlKey: true }).name, "undo");
  assert.equal(key("c", { ctrlKey: true }), null);
  assert.equal(key("g", { altKey: true }), null);
  assert.equal(key("constructor"), null);
});

test("the picture fills the stage without a margin, and places go there and back", () => {
  const view = letterbox({ width: 400, height: 300 }, { width: 128, height: 128 });
  assert.deepEqual([view.left, view.top, view.width], [50, 0, 300]);
  assert.deepEqual(toView(view, at(0, 0)), { x: 50 + 300 / 256, y: 300 / 256 });
  const back = toVideo(view, toView(view, at(12.5, 99)));
  assert.ok(Math.hypot(back.x - 12.5, back.y - 99) < 1e-9);
});

test("what cannot be used says why", () => {
  const run = { controls: ["pause", "stop"] };
  assert.equal(obstacleOf({ run, status: "live" }, "pause"), "");
  assert.match(obstacleOf({ run, status: "live" }, "prompt"), /CLIP/);
  assert.match(obstacleOf({ run, status: "paused" }, "grab"), /no motion/);
  assert.match(obstacleOf({ run, status: "done" }, "pause"), /ended/);
  assert.match(obstacleOf({ run, status: "away" }, "pause"), /connection/);
  assert.match(obstacleOf({ run: null, status: "idle" }, "pause"), /no run/);
});

test("amounts and times are short", () => {
  assert.deepEqual(
    [amount(2_340_000), amount(56_700_000), amount(1_250_000_000), amount(900)],
    ["2.3 MB", "57 MB", "1.3 GB", "1 kB"],
  );
  assert.deepEqual([clock(0), clock(65.9), clock(3600)], ["0:00", "1:05", "60:00"]);
});
