import assert from "node:assert/strict";
import { test } from "node:test";

import { camera, plain } from "../../js/stream_preview/controls.js";
import { COMMANDS, commandFor, helpRows } from "../../js/stream_preview/commands.js";
import { reduce } from "../../js/stream_preview/reduce.js";
import { adviceOf, initialState, NOTHING_TOLD } from "../../js/stream_preview/state.js";
import { ENGLISH } from "../../js/stream_preview/vocabulary.js";

const ALL = [
  "pause",
  "resume",
  "stop",
  "step",
  "rewind",
  "scene",
  "prompt",
  "camera",
  "grab",
  "move",
  "release",
];
const RUN = { token: "t1", width: 128, height: 96, fps: 16, frames: 0, chunk_frames: 12 };
const run = (more = {}) => ({ ...RUN, controls: [...ALL, "add", "remove", "pin_border"], ...more });
const told = (more = {}) => ({
  ...NOTHING_TOLD,
  chunk: 5,
  epoch: 1,
  oldest_chunk: 2,
  prompt: "a kite",
  ...more,
});
const heard = (more = {}) => ({ type: "news", news: { type: "state", state: told(more) } });
const header = (more = {}) => ({ frame: 12, epoch: 1, handles: [[3, 64, 64, 0]], ...more });
const place = (x, y) => ({ pointer: 1, at: { x, y }, reach: 4, time: 0 });

/** Frozen to the last leaf, so that a reducer that writes into its input throws. */
function frozen(value) {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}

/** The state after these events, and the effects of the last one. */
function play(...events) {
  let step = { state: frozen(initialState(0)), effects: [] };
  for (const event of events) step = frozen(reduce(step.state, frozen(event), event.now ?? 0));
  return step;
}

const LIVE = [{ type: "run-start", run: run() }, heard(), { type: "frame-shown", header: header() }];
const sentTypes = ({ effects }) =>
  effects.filter((each) => each.do === "send").map(({ control }) => control.type);

test("a run begins with nothing of the one before, but for the radius of a video of the same size", () => {
  const small = { type: "steer", changes: { radius: 3 } };
  const again = play(...LIVE, small, { type: "run-start", run: run({ token: "t2" }), now: 70 });
  assert.deepEqual(again.effects, [{ do: "begin", run: run({ token: "t2" }) }]);
  assert.equal(again.state.steering.radius, 3);
  assert.deepEqual([again.state.shown, again.state.epoch, again.state.began], [null, 0, 70]);
  const other = play(...LIVE, small, { type: "run-start", run: run({ width: 480, height: 832 }) });
  assert.equal(other.state.steering.radius, 43);
});

test("what a run does not take is not sent, and leaves no trace", () => {
  const before = play({ type: "run-start", run: run({ controls: ["pause"] }) });
  const after = reduce(before.state, { type: "send", control: plain("scene") }, 1);
  assert.deepEqual(after, { state: before.state, effects: [] });
});

test("a press and a lift send a grab and a release, and both hands are seen in the state", () => {
  const held = play(...LIVE, { type: "press", place: place(65, 64) });
  assert.deepEqual(sentTypes(held), ["grab"]);
  assert.equal(held.state.steering.hands[0].handle, 3);
  const open = play(...LIVE, { type: "press", place: place(65, 64) }, { type: "lift", place: place(65, 64) });
  assert.deepEqual([sentTypes(open), open.state.steering.hands], [["release"], []]);
});

test("handles that are not shown are not in the way", () => {
  const hide = { type: "show", part: "handlesVisible", on: false };
  const { state } = play(...LIVE, hide, { type: "press", place: place(64, 64) });
  assert.equal(state.steering.hands[0].handle, null);
  assert.deepEqual(sentTypes(play(...LIVE, { type: "remove-at", place: place(64, 64) })), ["remove"]);
  assert.deepEqual(sentTypes(play(...LIVE, hide, { type: "remove-at", place: place(64, 64) })), []);
});

test("a press anywhere on what was cut out takes its handle, beside it what is within the radius", () => {
  const square = [-9, 9].flatMap((x) => (x < 0 ? [-9, 9] : [9, -9]).map((y) => ({ x, y })));
  const cut = { type: "news", news: { type: "objects", objects: [{ handle: 3, outlines: [square] }] } };
  const taken = (x, y) => play(...LIVE, cut, { type: "press", place: place(x, y) }).effects[0].control;
  assert.equal(taken(71, 57).handle, 3);
  assert.equal(taken(75, 57).handle, undefined);
  const none = { type: "ignored", controls: [{ type: "add", id: null, code: "no_target", reason: "" }] };
  assert.equal(play(...LIVE, { type: "news", news: none }).state.problem, ENGLISH.nothing_there);
});

test("a tool is kept while it is in use", () => {
  const change = { type: "steer", changes: { tool: "pin" } };
  assert.equal(play(...LIVE, change).state.steering.tool, "pin");
  assert.equal(play(...LIVE, { type: "press", place: place(5, 5) }, change).state.steering.tool, "grab");
});

test("the camera stays as it was pushed until the sampler has it, or has gone on without it", () => {
  const push = { type: "camera-push", push: { zoom: 1 } };
  const pushed = play(...LIVE, push);
  assert.deepEqual(sentTypes(pushed), ["camera"]);
  assert.equal(play(...LIVE, push, heard()).state.rig.push.zoom, 1);
  const has = { ...pushed.effects[0].control, type: undefined };
  const arrived = play(...LIVE, push, heard({ camera: has, epoch: 2 }));
  assert.deepEqual([arrived.state.cameraSent, arrived.state.rig.push.zoom], [null, 1]);
  const overtaken = play(...LIVE, push, heard({ epoch: 3 }));
  assert.equal(overtaken.state.rig.push.zoom, 0);
  assert.deepEqual(sentTypes(play(...LIVE, push, push)), [], "the same once");
});

test("a refusal is told; of a run that is over, nothing more is sent", () => {
  const refuse = (code) => ({
    type: "refused",
    control: camera(told().camera),
    answer: { code, error: "why" },
  });
  const late = play(...LIVE, refuse("run_ended"));
  assert.deepEqual(
    late.effects.map((each) => each.do),
    ["clear-outbox", "expire-problem"],
  );
  assert.match(late.state.problem, /ended/);
  const bad = play(...LIVE, refuse("bad_control"));
  assert.deepEqual(bad.effects, [{ do: "expire-problem" }]);
  assert.equal(
    play(...LIVE, refuse("bad_control"), { type: "taken", control: plain("step") }).state.problem,
    "",
  );
});

test("a prompt waits until the sampler says it, and another one is heard of", () => {
  const sent = play(...LIVE, { type: "prompt", text: "night" });
  assert.deepEqual([sent.state.promptSent, sentTypes(sent)], ["night", ["prompt"]]);
  const taken = play(...LIVE, { type: "prompt", text: "night" }, heard({ prompt: "night" }));
  assert.deepEqual([taken.state.promptSent, taken.state.prompt], [null, "night"]);
  const unknown = play(...LIVE, heard({ prompt: null }));
  assert.equal(unknown.state.prompt, "a kite");
});

test("a link that is away comes back; one that is gone forgets the run", () => {
  const away = { type: "link", link: "away", problem: "" };
  assert.equal(play(...LIVE, away).state.status, "away");
  assert.equal(play(...LIVE, away, { type: "link", link: "open", problem: "" }).state.status, "live");
  const gone = play(...LIVE, { type: "link", link: "gone", problem: "broken" });
  assert.deepEqual([gone.state.status, gone.state.problem], ["lost", "broken"]);
  assert.deepEqual(
    gone.effects.map((each) => each.do),
    ["expire-problem", "forget", "clear-outbox"],
  );
});

test("the large view opens the camera and leaves it as it was", () => {
  const open = play(...LIVE, { type: "large", on: true });
  assert.deepEqual([open.state.cameraOpen, open.effects], [true, [{ do: "open-large" }, { do: "focus" }]]);
  assert.deepEqual(play(...LIVE, { type: "large", on: true }, { type: "large", on: true }).effects, []);
  const closed = play(...LIVE, { type: "large", on: true }, { type: "large-closed" });
  assert.deepEqual([closed.state.cameraOpen, closed.state.large], [false, null]);
});

test("a view that leaves the page lets go of what it holds", () => {
  const left = play(...LIVE, { type: "press", place: place(65, 64) }, { type: "disconnect" });
  assert.deepEqual(
    left.effects.map((each) => each.control?.type ?? each.do),
    ["close-link", "release"],
  );
  assert.deepEqual([left.state.status, left.state.shown], ["idle", null]);
  assert.equal(
    play(...LIVE, { type: "run-end", status: "done" }, { type: "disconnect" }).state.status,
    "done",
  );
});

test("a hint is given until the person has touched something, and for a while alone", () => {
  const { state } = play(...LIVE);
  assert.equal(adviceOf(state, 100), ENGLISH.hint_drag);
  assert.equal(adviceOf(state, 9000), "");
  assert.equal(adviceOf(play(...LIVE, { type: "send", control: plain("scene") }).state, 100), "");
  assert.equal(adviceOf(initialState(), 0), ENGLISH.hint_run);
});

test("no key means two things, and every title names the key of its command", () => {
  const keys = COMMANDS.flatMap((command) => command.keys);
  assert.equal(new Set(keys).size, keys.length);
  const names = { " ": "Space", Escape: "Esc" };
  for (const command of COMMANDS.filter(({ repeats, yields }) => !repeats && !yields)) {
    const titles = [play().state, play(...LIVE).state].map(command.label);
    const named = command.keys.map((key) => names[key] ?? key.toUpperCase());
    for (const title of titles)
      assert.deepEqual(/\((\S+)\)$/.exec(title)?.slice(1) ?? [], named, `${command.name}: ${title}`);
  }
});

test("the help is made from the commands, and says every key but its own", () => {
  const rows = Object.fromEntries(helpRows().map(({ keys, help }) => [help, keys.join(" ")]));
  assert.deepEqual(rows, {
    key_space: "space",
    key_step: ". ,",
    key_undo: "Ctrl+Z",
    key_tools: "G I D R O E",
    key_release: "1 2 3",
    key_radius: "wheel < >",
    key_right: "right_click",
    key_border: "B",
    key_arrows: "arrows",
    key_zoom: "+ - [ ]",
    key_rest: "0",
    key_views: "C H U F",
    key_out: "W X P",
    key_escape: "Esc",
  });
});

test("undo goes back to before the last act, a whole drag at once, and on to the one before", () => {
  const undo = commandFor({ key: "z", ctrlKey: true, metaKey: false, altKey: false });
  const target = (state) => undo.perform(state)?.control.chunk ?? null;
  const grab = { type: "press", place: place(5, 5) };
  const move = { type: "drag", place: { ...place(9, 9), places: [place(9, 9).at] } };
  const drag = [grab, move, { type: "lift", place: place(9, 9) }];
  assert.equal(target(play(...LIVE).state), null);
  const twice = [...LIVE, { type: "prompt", text: "night" }, heard({ chunk: 9 }), ...drag];
  assert.deepEqual(play(...twice).state.acts, [5, 9]);
  assert.equal(target(play(...twice).state), 9);
  const undone = play(...twice, undo.perform(play(...twice).state));
  assert.deepEqual([undone.effects[0].control.type, target(undone.state)], ["rewind", 5]);
  assert.equal(target(play(...twice, heard({ chunk: 12, oldest_chunk: 10 })).state), null, "too long ago");
  assert.equal(undo.perform(play(...LIVE, grab).state).type, "release-all");
});

test("what a rewind cut off is a take of its own", () => {
  const take = {
    token: "t1 0",
    node: "5",
    performance: "{}",
    seed: "3",
    frames: 37,
    seconds: 2,
    picture: "",
  };
  assert.deepEqual(play(...LIVE, { type: "cut-off", take }).state.takes, [take]);
});

test("Escape lets go first, then closes the help, and is the host's when there is neither", () => {
  const escape = commandFor({ key: "Escape", ctrlKey: false, metaKey: false, altKey: false });
  const help = { type: "show", part: "helpOpen", on: true };
  assert.equal(escape.perform(play(...LIVE).state), null);
  assert.deepEqual(escape.perform(play(...LIVE, help).state), { ...help, on: false });
  assert.deepEqual(escape.perform(play(...LIVE, help, { type: "press", place: place(5, 5) }).state), {
    type: "release-all",
  });
});

test("looking back shows the past until a frame of what follows comes", () => {
  const frame = (epoch) => ({
    type: "frame-shown",
    header: { frame: 1, chunk: 5, fps: 16, epoch, handles: [] },
  });
  const next = (state, event) => reduce(state, event, 0).state;
  let state = { ...initialState(0), epoch: 3 };
  state = next(state, { type: "scrub", chunk: 2, held: true });
  state = next(state, frame(3));
  assert.equal(next(state, frame(9)).scrub.chunk, 2, "held");
  state = next(state, { type: "scrub", chunk: 2, held: false });
  assert.equal(next(state, frame(3)).scrub.chunk, 2, "frames of before");
  assert.equal(next(state, frame(4)).scrub, null);
});

test("a watch link is asked for while a run goes on, and is gone with it", () => {
  const asked = play(...LIVE, { type: "watch-asked", on: true });
  assert.deepEqual(asked.effects, [{ do: "watch", run: asked.state.run, on: true }]);
  const linked = play(...LIVE, { type: "watch", address: "http://host/watch?watch=a" });
  assert.equal(linked.state.watch, "http://host/watch?watch=a");
  const ended = play(...LIVE, { type: "watch", address: "x" }, { type: "run-end", status: "done" });
  assert.equal(ended.state.watch, "");
  const late = play(...LIVE, { type: "run-end", status: "done" }, { type: "watch", address: "x" });
  assert.equal(late.state.watch, "");
  const key = { key: "w", ctrlKey: false, metaKey: false, altKey: false };
  assert.equal(commandFor(key).perform(late.state), null);
  assert.deepEqual(commandFor(key).perform(linked.state), { type: "watch-asked", on: true });
});

test("devices of the host's machine are asked for by name, and forgotten with the run", () => {
  const known = { type: "devices", known: ["NDI"], on: [] };
  const asked = play(...LIVE, known, { type: "device-asked", device: "NDI", on: true });
  assert.deepEqual(asked.effects, [{ do: "device", run: asked.state.run, device: "NDI", on: true }]);
  assert.deepEqual(asked.state.devices, { known: ["NDI"], on: [] });
  const failed = play(...LIVE, known, { type: "device-failed", detail: "no such camera" });
  assert.match(failed.state.problem, /no such camera/);
  assert.deepEqual(play(...LIVE, known, { type: "run-end", status: "done" }).state.devices.known, []);
});
