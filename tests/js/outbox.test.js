import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { move, plain } from "../../js/stream_preview/controls.js";
import { retryOf, enqueue, Outbox, delayOf } from "../../js/stream_preview/outbox.js";

const TAKEN = { code: "", error: "" };
const at = (...xs) => xs.map((x) => ({ x, y: 0 }));
const xs = (control) => control.to.map(([x]) => x);

/** An outbox whose answers are given by hand, and what came of it. */
function outbox(answers = () => TAKEN) {
  const seen = { posted: [], taken: [], refused: [] };
  let now = 0;
  const box = new Outbox(
    {
      post: async (control, id) => {
        seen.posted.push({ control, id });
        const answer = await answers(control, id, seen.posted.length);
        if (answer instanceof Error) throw answer;
        return answer;
      },
      taken: (control) => seen.taken.push(control.type),
      refused: (control, answer) => seen.refused.push([control.type, answer.code]),
    },
    { now: () => now, name: "n" },
  );
  return { box, seen, pass: (ms) => (now += ms) };
}

const settled = () => new Promise((go) => setImmediate(go));

test("waiting moves of a hand are one message, and other hands and the order are kept", () => {
  let queue = [];
  for (const control of [move(0, at(1)), move(1, at(5)), move(0, at(2, 3)), plain("scene"), move(0, at(4))])
    queue = enqueue(queue, control);
  assert.deepEqual(
    queue.map((control) => control.type),
    ["move", "move", "scene", "move"],
  );
  assert.deepEqual(xs(queue[0]), [1, 2, 3]);
});

test("a hundred waiting places are thinned to 64 and end where the pointer is", () => {
  let queue = [];
  for (let x = 0; x < 100; x++) queue = enqueue(queue, move(0, at(x)));
  assert.equal(queue.length, 1);
  assert.equal(queue[0].to.length, 64);
  assert.equal(xs(queue[0]).at(-1), 99);
});

test("of waiting settings of the camera the last one counts", () => {
  const queue = [1, 2, 3].reduce((all, zoom) => enqueue(all, { type: "camera", zoom }), []);
  assert.deepEqual(queue, [{ type: "camera", zoom: 3 }]);
});

test("moves keep 34 ms between them, but do not hold up what waits behind them", () => {
  const last = { move: 100 };
  assert.equal(delayOf([move(0, at(1))], last, 110), 24);
  assert.equal(delayOf([move(0, at(1)), { type: "release", hand: 0 }], last, 110), 0);
  assert.equal(delayOf([plain("pause")], last, 110), 0);
});

test("at most 30 moves a second go out, with every place in them", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { box, seen, pass } = outbox();
    for (let i = 0; i < 240; i++) {
      box.send(move(0, at(i)));
      pass(1000 / 240);
      mock.timers.tick(1000 / 240);
      await settled();
    }
    box.send({ type: "release", hand: 0 });
    for (let i = 0; i < 4; i++) await settled();
    const moves = seen.posted.filter(({ control }) => control.type === "move");
    assert.ok(moves.length <= 31, `${moves.length} messages in a second`);
    assert.deepEqual(
      moves.flatMap(({ control }) => xs(control)),
      [...Array(240).keys()],
    );
    assert.equal(seen.posted.at(-1).control.type, "release");
  } finally {
    mock.timers.reset();
  }
});

test("controls arrive in order, one at a time", async () => {
  const waiting = [];
  const { box, seen } = outbox(() => new Promise((go) => waiting.push(go)));
  for (const type of ["pause", "step", "stop"]) box.send(plain(type));
  await settled();
  assert.equal(seen.posted.length, 1);
  while (waiting.length) {
    waiting.shift()(TAKEN);
    await settled();
  }
  assert.deepEqual(seen.taken, ["pause", "step", "stop"]);
  assert.deepEqual(
    seen.posted.map(({ id }) => id),
    ["n-1", "n-2", "n-3"],
  );
});

test("a lost answer is asked for again under the same id, and may be taken already", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { box, seen } = outbox((_control, _id, count) =>
      count === 1 ? new TypeError("lost") : { code: "id_taken", error: "in any words" },
    );
    box.send(plain("scene"));
    await settled();
    mock.timers.tick(300);
    await settled();
    assert.deepEqual(
      seen.posted.map(({ id }) => id),
      ["n-1", "n-1"],
    );
    assert.deepEqual([seen.taken, seen.refused], [["scene"], []]);
  } finally {
    mock.timers.reset();
  }
});

test("a refusal is told once and the next control goes out", async () => {
  const { box, seen } = outbox((control) => (control.type === "scene" ? { code: "bad_control" } : TAKEN));
  box.send(plain("scene"));
  box.send(plain("pause"));
  await settled();
  await settled();
  assert.deepEqual(seen.refused, [["scene", "bad_control"]]);
  assert.deepEqual(seen.taken, ["pause"]);
});

test("a full mailbox is asked again, a dead server is given up after five tries", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    for (const [code, tries] of [
      ["too_many", 5],
      ["unreached", 5],
    ]) {
      const { box, seen } = outbox(() => ({ code }));
      box.send(plain("pause"));
      for (let i = 0; i < 8; i++) {
        await settled();
        mock.timers.tick(5000);
      }
      assert.equal(seen.posted.length, tries);
      assert.deepEqual(seen.refused, [["pause", code]]);
    }
  } finally {
    mock.timers.reset();
  }
});

test("moves that may have been taken are not walked twice", () =>
  assert.deepEqual(xs(retryOf(move(0, at(1, 2, 3)))), [3]));

test("what is cleared is neither sent nor heard of", async () => {
  const waiting = [];
  const { box, seen } = outbox(() => new Promise((go) => waiting.push(go)));
  box.send(plain("pause"));
  box.send(plain("stop"));
  box.clear();
  waiting[0]({ code: "run_ended" });
  await settled();
  assert.deepEqual([seen.posted.length, seen.taken, seen.refused], [1, [], []]);
  box.send(plain("scene"));
  await settled();
  assert.equal(seen.posted.at(-1).control.type, "scene");
});
