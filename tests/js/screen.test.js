import assert from "node:assert/strict";
import { test } from "node:test";

import { followScreen, keepTouches, wheelPixels } from "../../js/shared/screen.js";

/**
 * A wheel as Firefox has it: whoever reads deltaMode first gets lines from then on, whoever reads deltaY
 * first gets pixels.
 */
function firefoxWheel(lines) {
  let mode = null;
  return {
    get deltaMode() {
      mode ??= 1;
      return mode;
    },
    get deltaY() {
      mode ??= 0;
      return mode === 1 ? lines : lines * 16;
    },
  };
}

test("a wheel counts in pixels, whether the browser says pixels, lines or pages", () => {
  assert.equal(wheelPixels({ deltaY: -120, deltaMode: 0 }), -120);
  assert.equal(wheelPixels({ deltaY: -120 }), -120);
  assert.equal(wheelPixels(firefoxWheel(3)), 48);
  const asked = firefoxWheel(3);
  assert.equal(asked.deltaMode, 1, "somebody has asked before us");
  assert.equal(wheelPixels(asked), 54);
  assert.ok(wheelPixels({ deltaY: 1, deltaMode: 2 }) > 200);
});

test("another screen is heard of each time it changes, until the view leaves", (t) => {
  const asked = [];
  globalThis.window = {
    devicePixelRatio: 1,
    matchMedia: (query) => asked[asked.push({ query, target: new EventTarget() }) - 1].target,
  };
  t.after(() => delete globalThis.window);
  const leave = new AbortController();
  let heard = 0;
  followScreen(() => heard++, leave.signal);
  for (const ratio of [2, 1.5]) {
    globalThis.window.devicePixelRatio = ratio;
    asked.at(-1).target.dispatchEvent(new Event("change"));
  }
  assert.equal(heard, 2);
  assert.deepEqual(
    asked.map(({ query }) => query),
    ["(resolution: 1dppx)", "(resolution: 2dppx)", "(resolution: 1.5dppx)"],
  );
  leave.abort();
  asked.at(-1).target.dispatchEvent(new Event("change"));
  assert.equal(heard, 2);
});

test("fingers on our elements are kept from the page, others are not, until the view leaves", (t) => {
  const listeners = new Map();
  globalThis.window = {
    addEventListener: (kind, listener, options) => listeners.set(kind, { listener, options }),
  };
  t.after(() => delete globalThis.window);
  const [ours, other] = [new EventTarget(), new EventTarget()];
  const leave = new AbortController();
  keepTouches([ours], leave.signal);
  const reaches = (target, kind) => {
    let stopped = false;
    listeners.get(kind).listener({ target, stopPropagation: () => (stopped = true) });
    return !stopped;
  };
  for (const kind of ["touchstart", "touchmove", "touchend", "touchcancel"]) {
    assert.deepEqual([reaches(ours, kind), reaches(other, kind)], [false, true]);
    assert.ok(listeners.get(kind).options.capture, "before the host, which listens at the page");
    assert.equal(listeners.get(kind).options.signal, leave.signal);
  }
});
