import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { emptyDocument, fitDocument, readDocument, writeDocument } from "../../js/track_editor/document.js";
import { hitTest } from "../../js/track_editor/hits.js";
import { readNpz, writeNpz } from "../../js/track_editor/npz.js";
import { sampleDocument, sampleVisible } from "../../js/track_editor/sampling.js";
import { initialState, reduce } from "../../js/track_editor/state.js";
import { readTracks, samplesOf } from "../../js/track_editor/transfer.js";
import { fitView, selectionFrame } from "../../js/track_editor/view.js";
import { eventOf, maker } from "./random_documents.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const python = join(root, ".venv", "bin", "python");

/**
 * What a reader gives, or the error it says. Anything but an error that says what was expected is a fault.
 */
function tried(read, text) {
  try {
    return read(text);
  } catch (error) {
    assert.ok(
      error.constructor === Error && /^Expected /.test(error.message),
      `${error.stack}\n${text.slice(0, 500)}`,
    );
    return null;
  }
}

function assertSound(doc, frame) {
  const points = sampleDocument(doc, frame);
  assert.equal(points.length, sampleVisible(doc, frame).length);
  for (const { x, y } of points) assert.ok(Number.isFinite(x) && Number.isFinite(y), JSON.stringify(doc));
}

test("2,000 documents out of joint are read and can be used, or are refused with a reason", () => {
  let read = 0;
  for (let seed = 0; seed < 2000; seed++) {
    const make = maker(seed);
    const text = JSON.stringify(seed % 10 ? make.broken(make.document()) : make.junk());
    const doc = tried(readDocument, text);
    tried((value) => readTracks(value, emptyDocument()), text);
    if (!doc) continue;
    read += 1;
    const frames = Math.min(doc.frames, 1e6);
    for (const frame of [0, frames / 3, frames - 1]) assertSound(doc, frame);
    assertSound(fitDocument(doc, { width: 64, height: 300, frames: 9, fps: 8 }), 4);
    assert.equal(writeDocument(readDocument(writeDocument(doc))), writeDocument(doc));
  }
  assert.ok(read > 300, `${read}`);
});

test("10,000 random events leave a sound document, a history that ends and a selection that exists", () => {
  for (let seed = 0; seed < 50; seed++) {
    const make = maker(seed);
    let state = initialState(emptyDocument());
    for (let i = 0; i < 200; i++) {
      const event = eventOf(make, state);
      state = reduce(state, event);
      const ids = state.doc.tracks.map((track) => track.id);
      assert.ok(
        state.selection.tracks.every((id) => ids.includes(id) || state.drag),
        JSON.stringify(event),
      );
      assert.equal(new Set(ids).size, ids.length);
      if (state.doc.tracks.length > 30) state = reduce(state, { type: "clear" });
    }
    assert.ok(state.past.length <= 100);
    const written = JSON.parse(writeDocument(state.doc));
    const cut = state.doc.tracks.some(({ kind }) => kind === "object");
    assert.equal(written.version, cut ? 2 : 1);
    // In memory a document has no version of its own.
    assert.deepEqual(readDocument(JSON.stringify(written)), { ...written, version: 1 });
    assertSound(state.doc, state.frame);
    const view = fitView({ width: 300, height: 300 }, state.doc);
    selectionFrame(view, state);
    hitTest(state.doc, make.point(), 9, state.selection.track);
  }
});

test("damaged .npz files are refused with a reason", async () => {
  const make = maker(5);
  const whole = writeNpz(
    samplesOf(
      readDocument(
        JSON.stringify({ ...make.document(), tracks: [make.track(), { points: [{ x: 3, y: 4 }] }] }),
      ),
    ),
  );
  for (let i = 0; i < 300; i++) {
    const torn = make.next() < 0.3 ? whole.slice(0, make.whole(0, whole.length)) : whole.slice();
    for (let n = 0; n < 4 && torn.length; n++) torn[make.whole(0, torn.length - 1)] = make.whole(0, 255);
    await readNpz(torn, emptyDocument()).catch((error) =>
      assert.match(`${error}`, /^Error: Expected /, error.stack),
    );
  }
});

test(
  "Python finds the points that the browser finds, in 150 random documents",
  { skip: !existsSync(python) && "no Python set up" },
  () => {
    const cases = [];
    for (let seed = 0; seed < 150; seed++) {
      const value = maker(7000 + seed).document();
      const doc = readDocument(JSON.stringify(value));
      const asked = [0, Math.floor(doc.frames / 3), doc.frames - 1];
      cases.push({
        document: value,
        asked,
        xy: asked.map((frame) => sampleDocument(doc, frame).map(({ x, y }) => [x, y])),
        visible: asked.map((frame) => sampleVisible(doc, frame)),
      });
    }
    const script = `
import json, sys
import numpy as np
from motionstream_core.tracks.document.parse import document_to_tracks, parse_document
worst, compared = 0.0, 0
for case in json.load(sys.stdin):
    try:
        made = document_to_tracks(parse_document(json.dumps(case["document"])))
    except ValueError as error:
        assert "on the canvas" in str(error) or "expected at least one" in str(error), error
        continue
    assert made.visible[case["asked"]].tolist() == case["visible"]
    error = np.abs(made.xy[case["asked"]].numpy() - np.array(case["xy"])).max()
    worst, compared = max(worst, float(error)), compared + 1
print(worst, compared)`;
    const said = execFileSync(python, ["-c", script], {
      cwd: root,
      input: JSON.stringify(cases),
      encoding: "utf8",
      maxBuffer: 2 ** 28,
    });
    const [worst, compared] = said.trim().split(" ").map(Number);
    assert.ok(worst <= 1e-4 && compared > 100, said);
  },
);
