import assert from "node:assert/strict";
import { test } from "node:test";

import {
  createHands,
  learn,
  moved,
  pushOf,
  readMap,
  readMidi,
  readOsc,
  readPad,
  unlearn,
} from "../../js/stream_preview/hands_map.js";
import { parseOsc, parseText } from "../../js/stream_preview/protocol.js";

const VIDEO = { width: 129, height: 97 };

/** The hands after these sources have moved, and the events of all. */
function play(hands, ...moves) {
  const events = [];
  for (const [source, value] of moves) {
    const made = moved(hands, source, value, VIDEO, 5);
    hands = made.hands;
    events.push(...made.events);
  }
  return { hands, events };
}

test("a control learns the source that moves far enough, and follows it from then on", () => {
  const { hands } = play(createHands({}), ["midi 1 cc 7", 0.5]);
  const little = play(learn(hands, "zoom"), ["midi 1 cc 7", 0.55], ["midi 1 cc 8", 0.05]);
  assert.equal(little.hands.learning, "zoom");
  const far = play(little.hands, ["midi 1 cc 7", 0.9]);
  assert.deepEqual([far.hands.learning, far.hands.map], [null, { zoom: "midi 1 cc 7" }]);
  assert.deepEqual(far.events, []);
  const driven = play(far.hands, ["midi 1 cc 7", 1], ["midi 1 cc 8", 1]);
  assert.deepEqual(driven.events, [{ type: "camera-push", push: { zoom: 1 } }]);
  assert.deepEqual(unlearn(driven.hands, "zoom").map, {});
});

test("a stick round its middle rests, and is fully pushed at its ends", () => {
  assert.deepEqual([0.5, 0.53, 0, 1].map(pushOf), [0, 0, -1, 1]);
  assert.ok(pushOf(0.6) > 0 && pushOf(0.6) < 0.2);
});

test("a gamepad grabs, moves and lets go, and its other stick pans", () => {
  const { hands, events } = play(
    createHands(),
    ["pad axis 0", 0.25],
    ["pad button 0", 1],
    ["pad axis 0", 0.75],
    ["pad axis 1", 1],
    ["pad button 0", 0],
    ["pad axis 0", 0.1],
    ["pad axis 2", 1],
  );
  assert.deepEqual(
    events.map(({ type }) => type),
    ["press", "drag", "drag", "lift", "camera-push"],
  );
  assert.deepEqual(events[0].place.at, { x: 32, y: 48 });
  assert.deepEqual(events[1].place.places, [{ x: 96, y: 48 }]);
  assert.deepEqual(events[3].place.at, { x: 96, y: 96 });
  assert.equal(hands.holding, false);
});

test("a button acts once when it goes down", () => {
  const hands = createHands({ pause: "midi 1 note 60", scene: "osc /scene", strength: "osc /fader" });
  const { events } = play(
    hands,
    ["midi 1 note 60", 1],
    ["midi 1 note 60", 1],
    ["midi 1 note 60", 0],
    ["osc /scene", 1],
    ["osc /scene", 0.9],
    ["osc /fader", 0.333],
  );
  assert.deepEqual(events, [
    { type: "toggle-pause" },
    { type: "send", control: { type: "scene" } },
    { type: "send", control: { type: "strength", value: 0.33 } },
  ]);
});

test("numbers beyond the range are kept within it, and what is none is left out", () => {
  const hands = createHands({ strength: "osc /fader" });
  assert.equal(play(hands, ["osc /fader", 40]).events[0].control.value, 1);
  assert.deepEqual(play(hands, ["osc /fader", NaN]).events, []);
});

test("MIDI messages of three bytes are read, others are not", () => {
  assert.deepEqual(readMidi(new Uint8Array([0xb2, 74, 127])), ["midi 3 cc 74", 1]);
  assert.deepEqual(readMidi(new Uint8Array([0x90, 60, 1])), ["midi 1 note 60", 1]);
  assert.deepEqual(readMidi(new Uint8Array([0x90, 60, 0])), ["midi 1 note 60", 0]);
  assert.deepEqual(readMidi(new Uint8Array([0x80, 60, 64])), ["midi 1 note 60", 0]);
  assert.deepEqual(readMidi(new Uint8Array([0xe0, 127, 127])), ["midi 1 bend", 1]);
  for (const bad of [[], [0xb0], [0xb0, 1], [0xf8, 0, 0], [0xb0, 200, 1]])
    assert.equal(readMidi(new Uint8Array(bad)), null);
});

test("sticks, buttons and OSC values are sources by name", () => {
  const pad = { axes: [-1, 0, 1], buttons: [{ value: 0.5 }] };
  assert.deepEqual(readPad(pad), [
    ["pad axis 0", 0],
    ["pad axis 1", 0.5],
    ["pad axis 2", 1],
    ["pad button 0", 0.5],
  ]);
  assert.deepEqual(readOsc({ "/xy": [0.1, 0.2], "/bad": "x", "/none": [NaN] }), [
    ["osc /xy", 0.1],
    ["osc /xy 2", 0.2],
  ]);
  const text = '{"type": "osc", "values": {"/a": [1]}}';
  assert.deepEqual([parseOsc(text), parseText(text)], [{ "/a": [1] }, null]);
  assert.equal(parseOsc('{"type": "ignored"}'), null);
});

test("a map that was saved keeps what is sound of it", () => {
  assert.deepEqual(readMap({ zoom: "osc /a", no_such: "osc /b", roll: 3 }), { zoom: "osc /a" });
  for (const bad of [null, undefined, 3, "x", []]) assert.equal(readMap(bad), null);
});
