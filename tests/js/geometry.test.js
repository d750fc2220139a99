import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as areas from "../../js/track_editor/areas.js";
import * as curves from "../../js/track_editor/curves.js";
import { readDocument } from "../../js/track_editor/document.js";
import * as geometry from "../../js/shared/geometry.js";
import { hitTest, insertIndex, snapPoint } from "../../js/track_editor/hits.js";
import { positionAt, sampleDocument, sampleVisible } from "../../js/track_editor/sampling.js";

const golden = JSON.parse(readFileSync(new URL("../golden/spline.json", import.meta.url), "utf8"));

function assertNear(points, expected, text) {
  assert.equal(points.length, expected.length, text);
  points.forEach((point, i) => {
    const off = Math.max(Math.abs(point.x - expected[i][0]), Math.abs(point.y - expected[i][1]));
    assert.ok(
      off <= golden.tolerance,
      `${text}: point ${i} expected ${expected[i]}, got ${point.x},${point.y}`,
    );
  });
}

for (const shape of golden.curves) {
  test(`the curve "${shape.name}" is the golden one`, () => {
    const points = shape.points.map(([x, y]) => ({ x, y }));
    assertNear(curves.polyline(points, shape.interpolation, shape.tension), shape.polyline, shape.name);
  });
}

for (const item of golden.cases) {
  test(`the document "${item.name}" gives the golden points`, () => {
    const doc = readDocument(JSON.stringify(item.document));
    item.asked.forEach((frame, i) => {
      assertNear(sampleDocument(doc, frame, item.frames), item.xy[i], `${item.name}, frame ${frame}`);
      assert.deepEqual(sampleVisible(doc, frame), item.visible?.[i] ?? item.xy[i].map(() => true));
    });
  });
}

test("a point on a path travels at constant speed", () => {
  const track = {
    kind: "path",
    interpolation: "spline",
    points: [
      { x: 8, y: 64 },
      { x: 12, y: 60 },
      { x: 120, y: 64 },
    ],
    start: 0,
    end: null,
  };
  const places = Array.from({ length: 40 }, (_, frame) => positionAt(track, frame, 40));
  const steps = places.slice(1).map((place, i) => geometry.distance(places[i], place));
  assert.ok(Math.max(...steps) - Math.min(...steps) < 0.05, `${Math.min(...steps)} to ${Math.max(...steps)}`);
});

test("simplification keeps corners and drops what lies on the way", () => {
  const points = [...Array(21).keys()].map((i) => ({ x: i, y: 0.3 * (i % 2) })).concat([{ x: 20, y: 20 }]);
  assert.deepEqual(geometry.simplify(points, 1), [points[0], { x: 20, y: 0 }, { x: 20, y: 20 }]);
});

test("simplification of a closed stroke does not collapse", () => {
  const ring = [...Array(37).keys()].map((i) => ({
    x: 50 + 30 * Math.cos((i * Math.PI) / 18),
    y: 50 + 30 * Math.sin((i * Math.PI) / 18),
  }));
  assert.ok(geometry.simplify(ring, 1).length > 8);
});

test("a picture covers the video and is cut at its centre", () => {
  assert.deepEqual(geometry.coverCrop({ width: 200, height: 100 }, { width: 50, height: 50 }), {
    x: 50,
    y: 0,
    width: 100,
    height: 100,
  });
  assert.deepEqual(geometry.coverCrop({ width: 100, height: 300 }, { width: 50, height: 50 }), {
    x: 0,
    y: 100,
    width: 100,
    height: 100,
  });
});

test("a hit prefers the selected track's points, then lines, then brushes", () => {
  const doc = readDocument(
    JSON.stringify({
      version: 1,
      width: 100,
      height: 100,
      frames: 9,
      fps: 8,
      tracks: [
        {
          id: "a",
          points: [
            { x: 10, y: 10 },
            { x: 50, y: 10 },
            { x: 90, y: 10 },
          ],
        },
        { id: "b", kind: "pin", points: [{ x: 50, y: 12 }], brush: { radius: 20, spacing: 5 } },
      ],
    }),
  );
  const hit = (x, y, prefer) => {
    const found = hitTest(doc, { x, y }, 4, prefer);
    return found && [found.track.id, found.point];
  };
  assert.deepEqual(hit(50, 11, "a"), ["a", 1]);
  assert.deepEqual(hit(50, 11, null), ["b", 0]);
  assert.deepEqual(hit(70, 12, null), ["a", null]);
  assert.deepEqual(hit(50, 28, null), ["b", null]);
  assert.equal(hit(50, 60, null), null);
});

test("a new point is put between its neighbours on the curve", () => {
  const points = [
    { x: 0, y: 0 },
    { x: 50, y: 0 },
    { x: 50, y: 50 },
  ];
  for (const interpolation of ["linear", "spline", "cardinal", "bspline"]) {
    const track = { kind: "path", interpolation, points };
    assert.equal(insertIndex(track, { x: 20, y: 1 }), 1);
    assert.equal(insertIndex(track, { x: 51, y: 30 }), 2);
  }
});

test("a brush of the editor fills its disc with a modest number of points", () => {
  for (const radius of [2, 5, 10, 16, 40, 120]) {
    const count = areas.brushOffsets(geometry.brushOf(radius)).length;
    assert.ok(count >= 9 && count <= 29, `radius ${radius}: ${count}`);
  }
  assert.equal(geometry.brushOf(0), null);
});

test("ticks are never closer than asked", () => {
  assert.equal(geometry.tickStep(100, 10, 8), 1);
  assert.equal(geometry.tickStep(100, 50, 8), 4);
});

test("a place snaps to the middle of the picture and to other points, each way by itself", () => {
  const doc = readDocument(
    JSON.stringify({
      version: 1,
      width: 101,
      height: 81,
      frames: 9,
      fps: 8,
      tracks: [{ id: "a", points: [{ x: 20, y: 30 }] }],
    }),
  );
  assert.deepEqual(
    snapPoint(doc, { x: 51, y: 29 }, 3, () => false),
    { at: { x: 50, y: 30 }, guides: { x: 50, y: 30 } },
  );
  assert.deepEqual(
    snapPoint(doc, { x: 21, y: 60 }, 3, () => true),
    { at: { x: 21, y: 60 }, guides: { x: null, y: null } },
  );
});

test("the share of a way nearest to a place is found on it", () => {
  const way = curves.ruler([
    { x: 0, y: 0 },
    { x: 10, y: 0 },
    { x: 10, y: 30 },
  ]);
  assert.equal(way.length, 40);
  assert.equal(way.shareNear({ x: 12, y: 10 }), 0.5);
  assert.deepEqual(way.at(0.5), { x: 10, y: 10 });
});

test("a very long stroke is simplified without running out of stack", () => {
  const spiral = Array.from({ length: 50_000 }, (_, i) => ({
    x: i * 0.01 * Math.cos(i / 40),
    y: i * 0.01 * Math.sin(i / 40),
  }));
  assert.ok(geometry.simplify(spiral, 1).length > 1000);
});
