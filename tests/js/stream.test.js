import assert from "node:assert/strict";
import { test } from "node:test";

import { createQueue, push, rate, shownRate, take } from "../../js/stream_preview/frame_queue.js";
import {
  NO_LATENCY,
  dropWaiting,
  newestLatency,
  recordSent,
  recordShown,
  typicalLatency,
} from "../../js/stream_preview/latency.js";
import * as protocol from "../../js/stream_preview/protocol.js";

/**
 * Runs the queue at 60 Hz against frames that arrive at given times. Gives the times and numbers of the
 * frames shown.
 */
function watch(queue, arrivals, until, made) {
  const shown = [];
  let dropped = 0;
  for (let now = 0; now <= until; now += 1000 / 60) {
    while (arrivals.length && arrivals[0].time <= now) {
      const result = push(queue, arrivals.shift().frame, made);
      queue = result.queue;
      dropped += result.dropped.length;
    }
    const taken = take(queue, now);
    queue = taken.queue;
    if (taken.item !== null) shown.push({ time: now, frame: taken.item });
  }
  return { shown, dropped, queue };
}

const burst = (time, from, count) => Array.from({ length: count }, (_, i) => ({ time, frame: from + i }));

test("a burst is shown one by one at the video's rate", () => {
  const { shown } = watch(createQueue(16), burst(0, 0, 12), 2000, 30);
  assert.deepEqual(
    shown.map((each) => each.frame),
    [...Array(12).keys()],
  );
  const length = shown[11].time - shown[0].time;
  assert.ok(Math.abs(length - (11 * 1000) / 16) < 30, `${length} ms`);
});

test("frames made slower than the video are spread over the time until the next burst", () => {
  const arrivals = [0, 1, 2, 3].flatMap((i) => burst(i * 1500, i * 12, 12));
  const { shown } = watch(createQueue(16), arrivals, 6000, 8);
  const gaps = shown.slice(1).map((each, i) => each.time - shown[i].time);
  assert.equal(shown.length, 48);
  assert.ok(Math.max(...gaps) < 200, `the longest gap is ${Math.max(...gaps)} ms`);
});

test("a stall drops the oldest frames, never the newest, and keeps the order", () => {
  const { shown, dropped } = watch(createQueue(16, 24), burst(0, 0, 100), 4000, 16);
  assert.equal(dropped, 76);
  assert.deepEqual(
    shown.map((each) => each.frame),
    Array.from({ length: 24 }, (_, i) => 76 + i),
  );
});

test("a queue that is nearly full is played faster", () => {
  let queue = createQueue(16, 24);
  for (let i = 0; i < 17; i++) queue = push(queue, i, 20).queue;
  assert.equal(rate(queue), 20);
  assert.equal(rate({ ...queue, items: queue.items.slice(0, 10) }), 16);
});

test("after a pause frames go on at their pace instead of all at once", () => {
  const { shown } = watch(createQueue(10), [...burst(0, 0, 3), ...burst(5000, 3, 6)], 6000, 10);
  const after = shown.filter((each) => each.frame >= 3);
  assert.ok(after[1].time - after[0].time > 80);
});

test("frames of an older epoch are dropped when a newer one arrives, and when they come late", () => {
  let queue = createQueue(16);
  for (let i = 0; i < 6; i++) queue = push(queue, `old ${i}`, 16, 3).queue;
  const flushed = push(queue, "new", 16, 4);
  assert.deepEqual(flushed.queue.items, ["new"]);
  assert.equal(flushed.dropped.length, 6);
  const late = push(flushed.queue, "late", 16, 3);
  assert.deepEqual(late.dropped, ["late"]);
  assert.deepEqual(late.queue.items, ["new"]);
});

test("after a rewind the numbers of the frames fall and the queue does not mind", () => {
  let queue = push(createQueue(16), { frame: 90 }, 16, 1).queue;
  for (const frame of [13, 14, 15]) queue = push(queue, { frame }, 16, 2).queue;
  assert.deepEqual(
    queue.items.map((item) => item.frame),
    [13, 14, 15],
  );
});

test("latency is the time to the first frame of a newer epoch, of the control that waited longest", () => {
  let latency = recordSent(recordSent(NO_LATENCY, "grab", 1000, 4), "move", 1100, 4);
  latency = recordSent(latency, "camera", 1500, 5);
  assert.equal(newestLatency(recordShown(latency, 4, 1200)), null);
  latency = recordShown(latency, 5, 1600);
  assert.equal(newestLatency(latency), 600);
  assert.deepEqual(latency.waiting, [{ time: 1500, epoch: 5 }]);
  assert.equal(newestLatency(recordShown(latency, 6, 1700)), 200);
  assert.equal(typicalLatency(recordShown(latency, 6, 1700)), 600);
});

test("pauses are not measured, nor what waits through one", () => {
  for (const type of ["pause", "resume", "step", "stop"])
    assert.equal(recordSent(NO_LATENCY, type, 0, 0), NO_LATENCY);
  assert.equal(
    newestLatency(recordShown(dropWaiting(recordSent(NO_LATENCY, "prompt", 0, 0)), 1, 5000)),
    null,
  );
});

test("pushing and taking leave the queue they were given as it was", () => {
  const queue = Object.freeze({ ...createQueue(16), items: Object.freeze([1, 2]) });
  push(queue, 3, 1);
  take(queue, 100);
  assert.deepEqual(queue.items, [1, 2]);
});

test("the shown rate counts the frames of the last seconds", () => {
  assert.equal(shownRate([0, 100, 200, 300], 300), 10);
  assert.equal(shownRate([0, 100, 200, 300], 9000), 0);
  assert.equal(shownRate([], 0), 0);
});

const HEADER = { frame: 3, chunk: 1, fps: 15.5, t_made: 1e12, latency_ms: 310, queued: 2 };
const JPEG = [0xff, 0xd8, 0xff, 0xd9];

function packed(header, body = JPEG, length = null) {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(4 + text.length + body.length);
  new DataView(bytes.buffer).setUint32(0, length ?? text.length, true);
  bytes.set(text, 4);
  bytes.set(body, 4 + text.length);
  return bytes.buffer;
}

test("a frame is its header and its JPEG", () => {
  const { header, jpeg } = protocol.parseFrame(packed(HEADER));
  assert.deepEqual(header, { ...HEADER, epoch: 0, handles: [] });
  assert.deepEqual([...jpeg], JPEG);
});

test("a frame brings its epoch and its handles", () => {
  const handles = [
    [0, 22.5, 33, 0],
    [7, -3, 128.25, 2],
  ];
  const { header } = protocol.parseFrame(packed({ ...HEADER, epoch: 9, handles }));
  assert.equal(header.epoch, 9);
  assert.deepEqual(header.handles, handles);
  assert.deepEqual(protocol.KINDS, ["predrawn", "static", "online", "hidden"]);
});

const BROKEN = {
  nothing: new ArrayBuffer(0),
  "three bytes": new ArrayBuffer(3),
  "a header longer than the message": packed(HEADER, JPEG, 5000),
  "a header of four gigabytes": packed(HEADER, JPEG, 0xffffffff),
  "a header without a picture": packed(HEADER, []),
  "a header that is no JSON": packed("{frame:"),
  "a header that is a list": packed("[1]"),
  "a header without its fps": packed({ ...HEADER, fps: undefined }),
  "a header with text for a number": packed({ ...HEADER, frame: "3" }),
  "an epoch that is text": packed({ ...HEADER, epoch: "2" }),
  "an epoch that is no whole number": packed({ ...HEADER, epoch: 1.5 }),
  "handles that are an object": packed({ ...HEADER, handles: {} }),
  "a handle without its kind": packed({ ...HEADER, handles: [[1, 2, 3]] }),
  "a handle of an unknown kind": packed({ ...HEADER, handles: [[1, 2, 3, 4]] }),
  "a handle at no place": packed({ ...HEADER, handles: [[1, null, 3, 0]] }),
  "a picture that is no JPEG": packed(HEADER, [0x89, 0x50, 0x4e, 0x47]),
};

for (const [name, buffer] of Object.entries(BROKEN)) {
  test(`${name} is refused as a frame`, () =>
    assert.throws(() => protocol.parseFrame(buffer), protocol.ProtocolError));
}

test("states are read in both spellings, unknown kinds are passed over, nonsense is refused", () => {
  const untold = {
    chunk: 0,
    epoch: 0,
    prompt: null,
    camera: protocol.STILL,
    oldest_chunk: null,
    cache_bytes: 0,
    kept_bytes: 0,
    control: null,
    speed: null,
    strength: null,
  };
  assert.deepEqual(protocol.parseText('{"type":"state","status":"paused","chunk":4}').state, {
    ...untold,
    status: "paused",
    chunk: 4,
  });
  assert.deepEqual(protocol.parseText('{"type":"state","paused":true}').state, {
    ...untold,
    status: "paused",
  });
  assert.equal(protocol.parseText('{"type":"news"}'), null);
  for (const text of ["", "null", "[]", '{"type":"state","status":"dancing"}'])
    assert.throws(() => protocol.parseText(text), protocol.ProtocolError);
});

test("a state says all that docs/live.md names, and wrong types are refused", () => {
  const camera = { pan: [12, -3], zoom: 0.5, roll: -10, orbit: 2 };
  const state = {
    status: "running",
    chunk: 8,
    epoch: 3,
    prompt: "a kite",
    camera,
    oldest_chunk: 2,
    cache_bytes: 1000,
    kept_bytes: 2000,
    control: "guided",
    speed: "compiling",
    strength: 0.5,
  };
  assert.deepEqual(protocol.parseText(JSON.stringify({ type: "state", ...state })).state, state);
  assert.deepEqual(
    protocol.parseText('{"type":"state","status":"running","camera":{"zoom":1}}').state.camera,
    {
      pan: [0, 0],
      zoom: 1,
      roll: 0,
      orbit: 0,
    },
  );
  const wrong = {
    chunk: "8",
    epoch: -1,
    prompt: 5,
    camera: [1],
    oldest_chunk: "first",
    cache_bytes: "many",
    kept_bytes: -5,
    control: 3,
    speed: 4,
  };
  for (const [key, value] of Object.entries(wrong))
    assert.throws(
      () => protocol.parseText(JSON.stringify({ type: "state", ...state, [key]: value })),
      protocol.ProtocolError,
      key,
    );
  for (const bad of [{ pan: [1] }, { pan: "left" }, { zoom: "in" }])
    assert.throws(
      () => protocol.parseText(JSON.stringify({ type: "state", ...state, camera: bad })),
      protocol.ProtocolError,
    );
});

test("what was cut out comes as outlines round its handle, and what did nothing with its reason", () => {
  const runs = [20 * 10 + 4, ...Array.from({ length: 5 }, () => [6, 14]).flat()];
  runs[runs.length - 1] += 400 - runs.reduce((sum, run) => sum + run, 0);
  const object = { handle: 7, width: 20, height: 20, runs, at: [6, 12] };
  const news = protocol.parseText(JSON.stringify({ type: "objects", objects: [object] }));
  assert.equal(news.objects[0].handle, 7);
  const places = news.objects[0].outlines.flat();
  const least = (axis) => Math.min(...places.map((place) => place[axis]));
  const most = (axis) => Math.max(...places.map((place) => place[axis]));
  // Columns 4 to 9 and rows 10 to 14, whose borders lie half a pixel out, less the handle's place.
  assert.deepEqual([least("x"), most("x"), least("y"), most("y")], [-2.5, 3.5, -2.5, 2.5]);
  for (const wrong of [{ runs: [3] }, { at: [1] }, { handle: -1 }, { width: 2 ** 20, height: 2 ** 20 }])
    assert.throws(
      () => protocol.parseText(JSON.stringify({ type: "objects", objects: [{ ...object, ...wrong }] })),
      protocol.ProtocolError,
    );
  const ignored = { type: "add", id: null, code: "no_target", reason: "nothing there" };
  assert.deepEqual(protocol.parseText(JSON.stringify({ type: "ignored", chunk: 3, controls: [ignored] })), {
    type: "ignored",
    controls: [ignored],
  });
});

test("what a rewind cut off comes with its performance, seed and frames", () => {
  const take = { type: "take", performance: '{"controls": []}', seed: "18446744073709551615", frames: 97 };
  assert.deepEqual(protocol.parseText(JSON.stringify(take)), take);
  assert.throws(() => protocol.parseText(JSON.stringify({ ...take, seed: 3 })), protocol.ProtocolError);
});

test("runs and their ends are checked", () => {
  const run = { token: "abc", prompt_id: "p", node_id: 7, width: 128, height: 128, fps: 16, frames: 49 };
  assert.equal(protocol.parseRun(run).node_id, "7");
  assert.deepEqual(protocol.parseRun(run).controls, ["pause", "resume", "stop"]);
  assert.equal(protocol.parseRun({ ...run, chunk_frames: 12, controls: ["grab"] }).chunk_frames, 12);
  assert.equal(protocol.parseRun(run).first_frames, 1, "an older server does not say");
  assert.equal(protocol.parseRun({ ...run, first_frames: 5 }).first_frames, 5);
  for (const bad of [{ controls: "grab" }, { controls: [1] }, { chunk_frames: "12" }, { first_frames: 0.5 }])
    assert.throws(() => protocol.parseRun({ ...run, ...bad }), protocol.ProtocolError);
  assert.deepEqual(protocol.parseRuns({ runs: [] }), []);
  assert.deepEqual(protocol.parseEnd({ token: "abc", status: "done" }), { token: "abc", status: "done" });
  for (const bad of [null, {}, { ...run, token: "" }, { ...run, fps: "16" }])
    assert.throws(() => protocol.parseRun(bad), protocol.ProtocolError);
  for (const bad of [null, { token: "abc" }, { token: 1, status: "done" }])
    assert.throws(() => protocol.parseEnd(bad), protocol.ProtocolError);
  assert.throws(() => protocol.parseRuns({}), protocol.ProtocolError);
});

test("the client's words are those of the protocol", () => {
  assert.deepEqual(JSON.parse(protocol.ackMessage(5)), { type: "ack", frame: 5 });
  assert.equal(
    protocol.streamUrl({ protocol: "https:", host: "h:1" }, "/api/motionstream/stream", "a&b"),
    "wss://h:1/api/motionstream/stream?token=a%26b",
  );
});
