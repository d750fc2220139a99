/** Objects cut out of the picture: masks, their outlines, and what the editor does with them. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { trackOffsets } from "../../js/track_editor/areas.js";
import { linkedMask } from "../../js/track_editor/cutting.js";
import { emptyDocument, fitDocument, readDocument, writeDocument } from "../../js/track_editor/document.js";
import { hitTest } from "../../js/track_editor/hits.js";
import { maskOf } from "../../js/track_editor/objects.js";
import { emptyMask, maskOfRuns, traceMask } from "../../js/shared/masks.js";
import { fillOutlines, inObject, paintMask, sizeOf } from "../../js/track_editor/outlines.js";
import { initialState, reduce, selectedTrack } from "../../js/track_editor/state.js";

const play = (state, ...events) => events.reduce(reduce, state);
const disc = (width, height, x, y, radius) => paintMask(emptyMask(width, height), [{ x, y }], radius, true);
const fresh = () => initialState(emptyDocument());
const cut = (mask, way = "new") => ({ type: "cut-out", mask, way });
const rim = (width, height, x, y, radius) =>
  paintMask(disc(width, height, x, y, radius), [{ x, y }], radius / 2, false);
const differing = (a, b) => a.cells.reduce((sum, cell, i) => sum + Number(cell !== b.cells[i]), 0);

test("a mask and the outlines traced of it fill the same cells, holes and all", () => {
  const mask = rim(64, 48, 30, 22, 14);
  const lines = traceMask(mask);
  assert.equal(lines.length, 2);
  assert.ok(lines.flat().length < 120, `${lines.flat().length}`);
  const back = fillOutlines(
    lines.map((line) => line.map(({ x, y }) => ({ x: x - 0.5, y: y - 0.5 }))),
    64,
    48,
  );
  assert.ok(differing(mask, back) < 0.02 * sizeOf(mask), `${differing(mask, back)}`);
});

test("squares that touch at a corner, specks and an empty mask have sound outlines", () => {
  const mask = emptyMask(8, 8);
  for (const [x, y] of [
    [1, 1],
    [2, 1],
    [1, 2],
    [2, 2],
    [3, 3],
    [4, 3],
    [3, 4],
    [4, 4],
    [7, 7],
  ])
    mask.cells[y * 8 + x] = 1;
  const lines = traceMask(mask).map((line) => line.map(({ x, y }) => ({ x: x - 0.5, y: y - 0.5 })));
  assert.equal(sizeOf(fillOutlines(lines, 8, 8)), 8);
  assert.deepEqual(traceMask(emptyMask(5, 5)), []);
});

test("runs that do not fill their mask are refused", () => {
  assert.equal(sizeOf(maskOfRuns({ width: 4, height: 2, runs: [3, 2, 3] })), 2);
  assert.throws(() => maskOfRuns({ width: 4, height: 2, runs: [3, 2] }), /runs of 4x2/);
});

test("a cut becomes a selected object whose points and mask are the cut's; one undo takes it back", () => {
  const mask = disc(512, 512, 160, 200, 60);
  const state = reduce(fresh(), cut(mask));
  const track = selectedTrack(state);
  assert.equal(track?.kind, "object");
  assert.deepEqual(
    track.points.map(({ x, y }) => [Math.round(x), Math.round(y)]),
    [[40, 50]],
  );
  const offsets = trackOffsets(track);
  assert.ok(offsets.length > 12 && offsets.length < 40 && offsets.every((at) => inObject(track.object, at)));
  const area = sizeOf(maskOf(track, state.doc)) / 4;
  assert.ok(Math.abs(area - Math.PI * 15 ** 2) < 20, `${area}`);
  assert.equal(hitTest(state.doc, { x: 40, y: 60 }, 2, null)?.track.id, track.id);
  assert.equal(hitTest(state.doc, { x: 40, y: 70 }, 2, null), null);
  assert.equal(reduce(state, { type: "undo" }).doc.tracks.length, 0);
});

test("version 2 is written where there is an object, version 1 where there is none, both are read", () => {
  const state = reduce(fresh(), cut(disc(128, 128, 40, 50, 15)));
  const text = writeDocument(state.doc);
  assert.equal(JSON.parse(text).version, 2);
  assert.deepEqual(readDocument(text), state.doc);
  assert.equal(JSON.parse(writeDocument(reduce(state, { type: "undo" }).doc)).version, 1);
  for (const object of [undefined, { outlines: [] }, { outlines: [[{ x: 0, y: 0 }]], spacing: 4 }]) {
    const tracks = [{ kind: "object", points: [{ x: 1, y: 1 }], object }];
    const bad = JSON.stringify({ ...emptyDocument(), tracks });
    assert.throws(() => readDocument(bad), /Expected the object of track 1 with outlines/);
  }
});

test("more of an object and less of it, by a cut and by the brush, are one step each", () => {
  const first = reduce(fresh(), cut(disc(128, 128, 40, 50, 15)));
  const area = (state) => sizeOf(maskOf(selectedTrack(state), state.doc)) / 4;
  const more = reduce(first, cut(disc(128, 128, 90, 50, 10), "add"));
  assert.ok(Math.abs(area(more) - area(first) - Math.PI * 100) < 15);
  assert.equal(more.doc.tracks.length, 1);
  const less = reduce(more, cut(disc(128, 128, 90, 50, 12), "less"));
  assert.ok(Math.abs(area(less) - area(first)) < 6);
  const stroke = (use) => [
    { type: "stroke-start", at: { x: 40, y: 80 }, use },
    { type: "stroke-extend", at: { x: 70, y: 80 } },
    { type: "stroke-end" },
  ];
  const painted = play(less, { type: "brush", radius: 5 }, ...stroke("area"));
  assert.ok(area(painted) > area(less) + 300, `${area(painted)}`);
  const erased = play(painted, ...stroke("less"));
  assert.ok(Math.abs(area(erased) - area(less)) < 12, `${area(erased)} ${area(less)}`);
  assert.equal(erased.past.length, 5);
  // What would leave nothing changes nothing.
  assert.equal(reduce(erased, cut(disc(128, 128, 64, 64, 90), "less")).doc, erased.doc);
});

test("an object follows a resize, a mirror and a locked track stays as it is", () => {
  const state = reduce(fresh(), cut(disc(128, 128, 40, 50, 15)));
  const wide = fitDocument(state.doc, { width: 256, height: 256, frames: 49, fps: 16 });
  assert.ok(Math.abs(sizeOf(maskOf(wide.tracks[0], wide)) / 4 - 4 * Math.PI * 225) < 60);
  const [before] = state.doc.tracks;
  const mirrored = selectedTrack(reduce(state, { type: "mirror", axis: "x" }));
  const left = (track) => Math.min(...track.object.outlines.flat().map(({ x }) => x));
  const right = (track) => Math.max(...track.object.outlines.flat().map(({ x }) => x));
  assert.ok(Math.abs(left(mirrored) + right(before)) < 0.02);
  const locked = reduce(state, { type: "edit-selected", changes: { locked: true } });
  assert.equal(
    reduce(locked, cut(disc(128, 128, 90, 50, 10), "add")).doc.tracks[0].object,
    locked.doc.tracks[0].object,
  );
});

test("of the masks that a link has brought the smallest under the click is meant", () => {
  const coded = (mask) => {
    const runs = [0];
    let inside = 0;
    for (const cell of mask.cells) {
      if (cell !== inside) runs.push(0);
      inside = cell;
      runs[runs.length - 1] += 1;
    }
    return { width: mask.width, height: mask.height, runs };
  };
  const masks = [coded(disc(64, 64, 30, 30, 20)), coded(disc(64, 64, 30, 30, 8))];
  const doc = emptyDocument();
  assert.equal(sizeOf(linkedMask(masks, doc, { at: { x: 60, y: 60 } })), sizeOf(disc(64, 64, 30, 30, 8)));
  assert.equal(sizeOf(linkedMask(masks, doc, { at: { x: 90, y: 60 } })), sizeOf(disc(64, 64, 30, 30, 20)));
  assert.equal(linkedMask(masks, doc, { at: { x: 3, y: 3 } }), null);
  assert.equal(linkedMask(undefined, doc, { at: { x: 60, y: 60 } }), null);
});
