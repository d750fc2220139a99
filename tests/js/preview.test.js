import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { event, install } from "./fake_dom.js";
import { backOff } from "../../js/stream_preview/link.js";
import { StreamPreview } from "../../js/stream_preview/preview.js";
import { savedPanel } from "../../js/stream_preview/saved.js";
import { PreviewStore } from "../../js/stream_preview/store.js";
import { RunHub } from "../../js/stream_preview/run_hub.js";
import { handlesOf } from "../../js/stream_preview/state.js";

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
  "add",
  "remove",
  "pin_border",
];
const RUN = {
  token: "t1",
  prompt_id: "p",
  node_id: "7",
  width: 128,
  height: 128,
  fps: 16,
  frames: 0,
  chunk_frames: 12,
  controls: ALL,
};
const settled = () => new Promise((go) => setImmediate(go));

/** A view of one run, its server played by the test. */
async function watching({ run = RUN, status = 200, error = "" } = {}) {
  const page = install();
  const server = { status, error, listed: [run], posts: [], reachable: true };
  const api = Object.assign(new EventTarget(), {
    clientId: "c",
    apiURL: (route) => route,
    fetchApi: async (route, options) => {
      if (!server.reachable) throw new TypeError("no network");
      if (route.startsWith("/motionstream/runs"))
        return { ok: true, status: 200, json: async () => ({ runs: server.listed }) };
      server.posts.push(JSON.parse(options.body));
      return {
        ok: server.status === 200,
        status: server.status,
        json: async () => ({ error: server.error }),
      };
    },
  });
  const hub = new RunHub(api);
  hub.start();
  const view = new StreamPreview(api, hub, () => true);
  view.connect();
  await settled();
  const state = (more = {}) =>
    page.sockets.at(-1).deliver(
      JSON.stringify({
        type: "state",
        status: "running",
        chunk: 5,
        epoch: 1,
        oldest_chunk: 2,
        prompt: "a kite",
        cache_bytes: 1e6,
        kept_bytes: 2e6,
        ...more,
      }),
    );
  const frame = (more = {}) =>
    page.sockets.at(-1).deliver(
      packed({
        frame: 12,
        chunk: 4,
        fps: 15.5,
        t_made: 1,
        latency_ms: 600,
        queued: 0,
        epoch: 1,
        handles: [[3, 64, 64, 0]],
        ...more,
      }),
    );
  const button = (name) =>
    view.root.all().find((each) => each.tagName === "BUTTON" && each.title.startsWith(name));
  const types = () => server.posts.map((post) => post.type);
  return { page, server, api, hub, view, state, frame, button, types };
}

function packed(header) {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(4 + text.length + 4);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 4);
  bytes.set([0xff, 0xd8, 0xff, 0xd9], 4 + text.length);
  return bytes.buffer;
}

const facts = (view) =>
  view.root
    .all()
    .filter((each) => each.tagName === "B")
    .map((each) => each.textContent);
/** The stage is 400 × 300, the video 128 × 128: where a pixel of the video is on it. */
const on = (x, y, more = {}) => ({
  pointerId: 1,
  pointerType: "mouse",
  button: 0,
  clientX: 50 + ((x + 0.5) * 300) / 128,
  clientY: ((y + 0.5) * 300) / 128,
  ...more,
});

test("frames are shown, acknowledged and described", async () => {
  const { page, view, state, frame } = await watching();
  await state();
  await frame();
  page.tick();
  assert.deepEqual(page.sockets[0].sent, [{ type: "ack", frame: 12 }]);
  assert.deepEqual(facts(view), ["13", "15.5", "0.0", "–", "3.0 MB", "–", "–"]);
  assert.equal(view.layout.pill.textContent, "Live");
});

test("the view says which path computes, and why where it fell back", async () => {
  const { page, view, state } = await watching();
  for (const [speed, shown] of [
    ["compiling", "compiling"],
    ["fast", "fast"],
    ["plain: the compiler failed", "plain"],
  ]) {
    await state({ speed });
    page.tick();
    assert.equal(facts(view).at(-1), shown);
  }
  const { root } = view.layout;
  const figure = root.all().find((each) => each.textContent === "plainspeed");
  assert.equal(figure.hidden, false);
  await state({ speed: "plain" });
  page.tick();
  assert.equal(figure.hidden, true, "who has asked for nothing is told nothing");
});

test("the view says what makes the video follow the tracks", async () => {
  const { page, view, state } = await watching();
  for (const [control, said] of [
    ["track head", "trained"],
    ["guided", "guided"],
    ["none", "none"],
    ["of a later version", "–"],
  ]) {
    await state({ control });
    page.tick();
    assert.equal(facts(view)[5], said);
  }
});

test("the bar pauses, steps, resumes and stops, by mouse and by key", async () => {
  const { page, view, state, button, types } = await watching();
  await state();
  page.tick();
  button("Pause").click();
  await settled();
  await state({ status: "paused" });
  page.tick();
  assert.equal(view.layout.pill.textContent, "Paused");
  const panel = view.layout.panel;
  panel.dispatchEvent(event("keydown", { key: ".", code: "Period" }));
  await settled();
  panel.dispatchEvent(event("keydown", { key: " ", code: "Space" }));
  await settled();
  button("Stop").click();
  await settled();
  page.tick();
  assert.deepEqual(types(), ["pause", "step", "resume", "stop"]);
  assert.equal(view.state.status, "stopping");
  assert.equal(button("Stop").disabled, true);
});

test("what the run does not take is disabled and says why", async () => {
  const { page, view, state, button, types } = await watching({
    run: { ...RUN, controls: ["pause", "resume", "stop", "step"] },
  });
  await state();
  page.tick();
  assert.equal(button("Pause").disabled, false);
  for (const name of ["Grab", "Pin:", "Erase", "Camera (C)", "Scene", "Send"]) {
    assert.equal(button(name).disabled, true, name);
    assert.match(button(name).title, /: (the model takes no motion|connect a CLIP|this run does not)/, name);
  }
  view.layout.stage.over.dispatchEvent(event("pointerdown", on(64, 64)));
  assert.deepEqual(types(), []);
});

test("a drag over a handle grabs it, takes it along and lets it go as the bar says", async () => {
  const { page, view, state, frame, button, server } = await watching();
  await state();
  await frame();
  page.tick();
  button("When let go: keep").click();
  const canvas = view.layout.stage.over;
  canvas.dispatchEvent(event("pointerdown", on(65, 64)));
  for (const x of [70, 80]) canvas.dispatchEvent(event("pointermove", on(x, 70)));
  canvas.dispatchEvent(event("pointerup", on(80, 70)));
  canvas.dispatchEvent(event("lostpointercapture", on(80, 70)));
  for (let i = 0; i < 4; i++) await settled();
  const [grab, move, release, ...rest] = server.posts;
  assert.deepEqual([grab.type, grab.handle, grab.token], ["grab", 3, "t1"]);
  assert.deepEqual(move.to, [
    [69, 70],
    [79, 70],
  ]);
  assert.deepEqual([release.type, release.mode, release.hand], ["release", "keep", grab.hand]);
  assert.deepEqual(rest, []);
});

test("latency runs from a control to the first frame shown of a newer epoch", async () => {
  const { page, view, state, frame, button } = await watching();
  await state();
  await frame();
  page.tick();
  button("Pin the border").click();
  const begun = performance.now();
  await frame({ frame: 13 });
  page.tick(begun + 400);
  assert.equal(facts(view)[3], "–");
  await frame({ frame: 14, epoch: 2 });
  page.tick(begun + 900);
  assert.ok(Math.abs(parseFloat(facts(view)[3]) - 900) < 30, facts(view)[3]);
});

test("frames of an older epoch are let go without being shown", async () => {
  const { page, view, state, frame } = await watching();
  await state();
  for (const frameNumber of [12, 13, 14]) await frame({ frame: frameNumber });
  await frame({ frame: 3, epoch: 2 });
  assert.equal(page.pictures, 1);
  page.tick();
  assert.equal(facts(view)[0], "4");
});

test("a new run begins without the figures and the handles of the one before", async () => {
  const { page, view, state, frame, hub } = await watching();
  await state();
  await frame();
  page.tick();
  assert.equal(handlesOf(view.state).length, 1);
  hub.began({ ...RUN, token: "t2" });
  page.tick();
  assert.deepEqual(handlesOf(view.state), []);
  assert.equal(facts(view)[0], "–");
});

test("in a pause the last frames come at the video's own pace, however slowly they were made", async () => {
  const { page, view, state, frame } = await watching();
  await state({ status: "paused" });
  for (let number = 0; number < 12; number++) await frame({ frame: number, fps: 2 });
  const begun = performance.now();
  for (let ms = 0; ms < 1000; ms += 1000 / 60) page.tick(begun + ms);
  assert.equal(facts(view)[0], "12");
});

test("a refusal is shown in words and goes away when a control is taken", async () => {
  const { page, view, state, button, server } = await watching({ status: 429 });
  server.status = 400;
  server.error = "scene: expected a chunk";
  await state();
  page.tick();
  button("Scene").click();
  await settled();
  page.tick();
  assert.equal(view.layout.hint.textContent, "The sampler did not take this (scene: expected a chunk).");
  server.status = 200;
  button("Pause").click();
  await settled();
  page.tick();
  assert.doesNotMatch(view.layout.hint.textContent, /did not take/);
  view.destroy();
});

test("the prompt is sent once, and another tab's prompt is shown", async () => {
  const { page, view, state, server } = await watching();
  await state();
  page.tick();
  const box = view.root.all().find((each) => each.type === "text");
  assert.equal(box.value, "a kite");
  box.value = "night";
  for (let i = 0; i < 2; i++) box.dispatchEvent(event("keydown", { key: "Enter" }));
  await settled();
  assert.deepEqual(
    server.posts.map((post) => post.text),
    ["night"],
  );
  await state({ prompt: "night", epoch: 2 });
  page.tick();
  await state({ prompt: "winter", epoch: 3 });
  page.tick();
  assert.equal(box.value, "winter");
});

test("a prompt whose text nobody knows leaves the box empty and says so", async () => {
  const { page, view, state } = await watching();
  await state({ prompt: null });
  page.tick();
  const box = view.root.all().find((each) => each.type === "text");
  assert.deepEqual(
    [box.value, box.placeholder, box.disabled],
    ["", "The workflow's prompt goes on; write another one here", false],
  );
  await state({ prompt: "a kite", epoch: 2 });
  page.tick();
  assert.deepEqual([box.value, box.placeholder], ["a kite", "Prompt"]);
});

test("the camera pushes while a key is held, springs back, and follows what another tab does", async () => {
  const { page, view, state, server } = await watching();
  await state();
  page.tick();
  const { panel } = view.layout;
  panel.dispatchEvent(event("keydown", { key: "ArrowRight", code: "ArrowRight" }));
  await settled();
  panel.dispatchEvent(event("keyup", { key: "ArrowRight", code: "ArrowRight" }));
  await new Promise((go) => setTimeout(go, 130));
  assert.deepEqual(
    server.posts.map((post) => post.pan),
    [
      [36, 0],
      [0, 0],
    ],
  );
  await state({ epoch: 3, camera: { pan: [0, 0], zoom: 1 } });
  assert.equal(view.state.rig.push.zoom, 1);
});

test("a lost connection is made again while the run goes on, with longer and longer waits", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { page, view, state, server } = await watching();
    await state();
    server.reachable = false;
    page.sockets[0].close();
    await settled();
    assert.equal(view.state.status, "away");
    for (let i = 0; i < 3; i++) {
      mock.timers.tick(backOff(i));
      await settled();
    }
    assert.equal(page.sockets.length, 1);
    server.reachable = true;
    mock.timers.tick(backOff(3));
    await settled();
    assert.equal(page.sockets.length, 2);
    await state();
    assert.equal(view.state.status, "live");
    assert.deepEqual([0, 1, 9].map(backOff), [500, 1000, 10_000]);
    view.destroy();
  } finally {
    mock.timers.reset();
  }
});

test("a run that is not known any more gets one more try and is then given up", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { page, view, state, server, hub } = await watching();
    await state();
    server.listed = [];
    page.sockets[0].close();
    await settled();
    mock.timers.tick(600);
    await settled();
    assert.equal(page.sockets.length, 2);
    page.sockets[1].close();
    await settled();
    assert.equal(view.state.status, "lost");
    assert.equal(hub.runs.size, 0);
    view.destroy();
  } finally {
    mock.timers.reset();
  }
});

test("the host's own reconnection is followed at once", async () => {
  const { page, view, state, api } = await watching();
  await state();
  page.sockets[0].close();
  await settled();
  api.dispatchEvent(new Event("reconnected"));
  await settled();
  await settled();
  assert.equal(page.sockets.length, 2);
  view.destroy();
});

test("the end of a run is no lost connection", async () => {
  const { page, view, state, button, api } = await watching();
  await state({ status: "stopped" });
  page.sockets[0].close();
  await settled();
  page.tick();
  assert.equal(view.layout.pill.textContent, "Stopped, frames kept");
  assert.equal(button("Pause").disabled, true);
  api.dispatchEvent(event("motionstream.end", { detail: { token: "t1", status: "stopped" } }));
  assert.equal(view.state.status, "stopped");
});

test("in a hidden tab frames are acknowledged, and the newest alone is decoded later", async () => {
  const { page, view, state, frame } = await watching();
  await state();
  document.hidden = true;
  for (let number = 0; number < 40; number++) await frame({ frame: number });
  assert.equal(page.pictures, 0);
  assert.equal(page.sockets[0].sent.length, 40);
  document.hidden = false;
  document.dispatchEvent(new Event("visibilitychange"));
  await settled();
  page.tick();
  assert.equal(facts(view)[0], "40");
});

test("the large view takes the panel and gives it back", async () => {
  const { page, view, state } = await watching();
  await state();
  view.store.dispatch({ type: "large", on: true });
  assert.equal(view.root.contains(view.layout.panel), false);
  const dialog = document.body.children[0];
  assert.equal(dialog.open, true);
  dialog.close();
  page.tick();
  assert.equal(view.layout.panel.parentElement, view.root);
  assert.equal(document.body.children.length, 0);
});

test("nothing is left after destroy, even in the middle of a drag, over fifty runs", async () => {
  const { page, view, state, frame, hub, server } = await watching();
  for (let number = 0; number < 50; number++) {
    hub.began({ ...RUN, token: `run ${number}` });
    await state();
    await frame();
    await frame({ frame: 13 });
    page.tick();
  }
  view.store.dispatch({ type: "large", on: true });
  view.layout.stage.over.dispatchEvent(event("pointerdown", on(64, 64)));
  view.destroy();
  // How many turns of the loop the posts take depends on the machine.
  for (let i = 0; i < 200 && server.posts.at(-1)?.type !== "release"; i++) await settled();
  for (let i = 0; i < 4; i++) await settled();
  assert.deepEqual(
    server.posts.slice(-2).map((post) => post.type),
    ["grab", "release"],
  );
  const counts = {
    pictures: page.pictures,
    observers: page.observers,
    frames: page.frames.size,
    window: window.alive,
    document: document.alive,
    over: view.layout.stage.over.alive,
    panel: view.layout.panel.alive,
    screen: page.screen.alive,
  };
  assert.deepEqual(counts, {
    pictures: 0,
    observers: 0,
    frames: 0,
    window: 0,
    document: 0,
    over: 0,
    panel: 0,
    screen: 0,
  });
  assert.ok(page.sockets.every((socket) => socket.readyState === 3 && !socket.onmessage && !socket.onclose));
  assert.equal(hub.listeners.size, 0);
  assert.equal(view.layout.panel.parentElement, view.root);
  view.connect();
  assert.equal(window.alive, 5, "the wheel, and four kinds of touches");
  view.destroy();
});

test("a run leaves its file and a take that can be played again; a new run begins without", async () => {
  const asked = [];
  const host = {
    play: (file) => asked.push(["play", file.filename]),
    showAssets: () => asked.push(["assets"]),
    replay: (take, goOn) => asked.push(["replay", take.seed, goOn]),
    share: (take) => asked.push(["share", take.seed]),
  };
  const store = new PreviewStore(() => {});
  const panel = savedPanel(store, host);
  const run = { ...RUN, token: "a", fps: 16 };
  const take = { token: "a", node: "7", performance: "{}", seed: "5", frames: 32, seconds: 2, picture: "" };
  store.dispatch({ type: "run-start", run });
  panel.update(store.state);
  assert.equal(panel.root.hidden, true, "while it runs");
  store.dispatch({ type: "run-end", status: "stopped" });
  store.dispatch({ type: "saved", file: { filename: "x_00001_.mp4", subfolder: "", type: "output" }, take });
  panel.update(store.state);
  assert.equal(panel.root.hidden, false);
  assert.match(panel.root.textContent, /Saved x_00001_.mp4/);
  for (const button of panel.root.all().filter((each) => each.tagName === "BUTTON")) button.click();
  assert.deepEqual(asked, [
    ["play", "x_00001_.mp4"],
    ["assets"],
    ["replay", "5", false],
    ["replay", "5", true],
    ["share", "5"],
    ["replay", "5", false],
  ]);
  store.dispatch({ type: "run-start", run: { ...run, token: "b" } });
  assert.equal(store.state.saved.file, null);
  assert.equal(store.state.takes.length, 1, "takes are kept");
  for (let i = 0; i < 12; i++)
    store.dispatch({ type: "saved", file: null, take: { ...take, token: `${i}` } });
  assert.deepEqual(
    store.state.takes.map((each) => each.token),
    ["11", "10", "9", "8", "7", "6", "5", "4"],
  );
});

test("the timeline says when a chunk begins, whatever the first one has", async () => {
  for (const [first_frames, said] of [
    [undefined, "5 · 0:03"],
    [29, "5 · 0:04"],
  ]) {
    const { page, view, state } = await watching({ run: { ...RUN, first_frames } });
    await state();
    page.tick();
    const outputs = view.root.all().filter((each) => each.tagName === "OUTPUT");
    assert.ok(
      outputs.some((each) => each.textContent === said),
      outputs.map((each) => each.textContent).join(" | "),
    );
  }
});
