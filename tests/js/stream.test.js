import assert from "node:assert/strict";
import { test } from "node:test";

import { createQueue, push, rate, shownRate, take } from "../../js/stream_preview/frame_queue.js";
import * as protocol from "../../js/stream_preview/protocol.js";

/** Runs the queue at 60 Hz against frames that arrive at given times; gives the times and numbers of the frames shown. */
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
  assert.deepEqual(shown.map((each) => each.frame), [...Array(12).keys()]);
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
  assert.deepEqual(shown.map((each) => each.frame), Array.from({ length: 24 }, (_, i) => 76 + i));
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
  assert.deepEqual(header, HEADER);
  assert.deepEqual([...jpeg], JPEG);
});

const BROKEN = {
  "nothing": new ArrayBuffer(0),
  "three bytes": new ArrayBuffer(3),
  "a header longer than the message": packed(HEADER, JPEG, 5000),
  "a header of four gigabytes": packed(HEADER, JPEG, 0xffffffff),
  "a header without a picture": packed(HEADER, []),
  "a header that is no JSON": packed("{frame:"),
  "a header that is a list": packed("[1]"),
  "a header without its fps": packed({ ...HEADER, fps: undefined }),
  "a header with text for a number": packed({ ...HEADER, frame: "3" }),
  "a picture that is no JPEG": packed(HEADER, [0x89, 0x50, 0x4e, 0x47]),
};

for (const [name, buffer] of Object.entries(BROKEN)) {
  test(`${name} is refused as a frame`, () => assert.throws(() => protocol.parseFrame(buffer), protocol.ProtocolError));
}

test("states are read in both spellings, unknown kinds are passed over, nonsense is refused", () => {
  assert.deepEqual(protocol.parseText('{"type":"state","status":"paused","chunk":4}'), { status: "paused", chunk: 4 });
  assert.deepEqual(protocol.parseText('{"type":"state","paused":true}'), { status: "paused", chunk: 0 });
  assert.equal(protocol.parseText('{"type":"news"}'), null);
  for (const text of ["", "null", "[]", '{"type":"state","status":"dancing"}']) assert.throws(() => protocol.parseText(text), protocol.ProtocolError);
});

test("runs and their ends are checked", () => {
  const run = { token: "abc", prompt_id: "p", node_id: 7, width: 128, height: 128, fps: 16, frames: 49 };
  assert.equal(protocol.parseRun(run).node_id, "7");
  assert.deepEqual(protocol.parseRuns({ runs: [] }), []);
  assert.deepEqual(protocol.parseEnd({ token: "abc", status: "done" }), { token: "abc", status: "done" });
  for (const bad of [null, {}, { ...run, token: "" }, { ...run, fps: "16" }]) assert.throws(() => protocol.parseRun(bad), protocol.ProtocolError);
  for (const bad of [null, { token: "abc" }, { token: 1, status: "done" }]) assert.throws(() => protocol.parseEnd(bad), protocol.ProtocolError);
  assert.throws(() => protocol.parseRuns({}), protocol.ProtocolError);
});

test("the client's words are those of the protocol", () => {
  assert.deepEqual(JSON.parse(protocol.ackMessage(5)), { type: "ack", frame: 5 });
  assert.deepEqual(JSON.parse(protocol.controlBody("abc", "stop")), { token: "abc", type: "stop" });
  assert.equal(protocol.streamUrl({ protocol: "https:", host: "h:1" }, "/api/motionstream/stream", "a&b"), "wss://h:1/api/motionstream/stream?token=a%26b");
});
