import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { emptyDocument, readDocument } from "../../js/track_editor/document.js";
import { EDITOR_SETTINGS, Library, tracksIn } from "../../js/track_editor/library.js";
import { readNpz, writeNpz } from "../../js/track_editor/npz.js";
import { sampleDocument, sampleVisible } from "../../js/track_editor/sampling.js";
import { copyText, readTracks, sampledJson, samplesOf, tracksOf } from "../../js/track_editor/transfer.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const python = join(root, ".venv", "bin", "python");
const workflow = JSON.parse(readFileSync(join(root, "workflows", "paint-a-track.json"), "utf8"));
const shipped = readDocument(
  workflow.nodes.find((node) => node.type === "MotionStreamTrackEditor").widgets_values[0],
);
const SIZE = { width: 128, height: 128, frames: 49, fps: 16 };

const moving = readDocument(
  JSON.stringify({
    ...emptyDocument(),
    tracks: [
      {
        points: [
          { x: 16, y: 100 },
          { x: 40, y: 30 },
          { x: 90, y: 24 },
          { x: 112, y: 96 },
        ],
        interpolation: "spline",
        start: 6,
        end: 40,
        shown: [
          [0, 30],
          [36, 48],
        ],
        speed: [
          { t: 0, s: 0, ease: "in-out" },
          { t: 0.5, s: 0.2, ease: "smooth" },
          { t: 1, s: 1 },
        ],
      },
      { kind: "pin", points: [{ x: 64, y: 70.5 }] },
    ],
  }),
);

function assertSame(made, wanted, tolerance) {
  for (let frame = 0; frame < wanted.frames; frame++) {
    const [a, b] = [sampleDocument(made, frame), sampleDocument(wanted, frame)];
    assert.equal(a.length, b.length);
    a.forEach((point, i) =>
      assert.ok(
        Math.hypot(point.x - b[i].x, point.y - b[i].y) <= tolerance,
        `frame ${frame}, point ${i}: ${JSON.stringify([point, b[i]])}`,
      ),
    );
    assert.deepEqual(sampleVisible(made, frame), sampleVisible(wanted, frame));
  }
}

test("sampled tracks come back where they were at every frame, to a quarter of a pixel", () => {
  assertSame({ ...moving, tracks: tracksOf(samplesOf(moving), SIZE) }, moving, 0.25);
  assert.deepEqual(readTracks(sampledJson(moving, "kjnodes"), SIZE)[0].shown, moving.tracks[0].shown);
  const seen = { ...moving, tracks: moving.tracks.map((track) => ({ ...track, shown: null })) };
  assertSame({ ...seen, tracks: readTracks(sampledJson(seen, "ati"), SIZE) }, seen, 0.25);
});

test("spellings of ATI, KJNodes, LTX and CoTracker are read, hidden points too", () => {
  const flat = '[{"x": 1, "y": 2}, {"x": 3, "y": 4}]';
  const [one] = readTracks(flat, SIZE);
  assert.deepEqual(one.points, [
    { x: 1, y: 2 },
    { x: 3, y: 4 },
  ]);
  assert.equal(one.end, 1);
  assert.equal(readTracks(`[${flat}, ${flat}]`, SIZE).length, 2);
  assert.equal(readTracks(JSON.stringify([flat, flat]), SIZE).length, 2);
  assert.equal(readTracks("[{'x': 1, 'y': 2}]", SIZE)[0].kind, "pin");
  assert.deepEqual(readTracks("[[[1, 2], [5, 6, 0], null, [-100, -100], [-10000, -10000]]]", SIZE)[0].shown, [
    [0, 0],
  ]);
  assert.equal(readTracks(copyText(shipped, shipped.tracks), SIZE).length, shipped.tracks.length);
});

const BAD = {
  "no JSON": ["hello", /Expected JSON, got "hello"/],
  "a number": ["7", /Expected a track document or lists of sampled points, got 7/],
  nothing: ["[]", /Expected at least one track, got none/],
  "an empty track": ["[[]]", /Expected points in every track, got an empty list/],
  "points among tracks": ['[{"x":1,"y":2},[{"x":1,"y":2}]]', /Expected points alone or tracks alone/],
  "a place in words": [
    '[{"x":"1","y":2}]',
    /Expected x and y to be numbers, got {"x":"1","y":2} in track 1 at frame 0/,
  ],
  "a document of another version": [
    '{"version":7,"tracks":[]}',
    /Expected a track document of version 1 or 2, got version 7/,
  ],
  "lists without end": [`${"[".repeat(40)}${"]".repeat(40)}`, /nested at most 16 deep/],
  "too many tracks": [
    JSON.stringify(Array.from({ length: 501 }, () => [{ x: 1, y: 1 }])),
    /Expected at most 500 tracks to edit, got 501/,
  ],
};

for (const [name, [text, message]] of Object.entries(BAD)) {
  test(`${name}: refused with what was expected and got`, () =>
    assert.throws(() => readTracks(text, SIZE), message));
}

test("an .npz is read back as it was written, and a damaged one is refused", async () => {
  const samples = samplesOf(moving);
  const bytes = writeNpz(samples);
  const read = await readNpz(bytes, SIZE);
  assert.deepEqual([read.width, read.height, read.fps, read.visible], [128, 128, 16, samples.visible]);
  read.xy.forEach((track, n) =>
    track.forEach((place, t) => assert.ok(Math.abs(place.x - samples.xy[n][t].x) < 1e-4)),
  );
  await assert.rejects(readNpz(bytes.slice(0, 500), SIZE), /Expected a .npz file/);
  await assert.rejects(readNpz(new Uint8Array(10), SIZE), /Expected a .npz file/);
  const torn = bytes.slice();
  torn.set([9, 9, 9, 9], 40);
  await assert.rejects(readNpz(torn, SIZE), /Expected xy.npy to be a NumPy array/);
});

test(
  "Python reads the .npz of the editor, and the editor that of Python",
  { skip: !existsSync(python) && "no Python set up" },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "tracks-"));
    writeFileSync(join(folder, "made.npz"), writeNpz(samplesOf(moving)));
    const script =
      "import sys; from motionstream_core.tracks.track_arrays import load_npz, save_npz; " +
      "t = load_npz(sys.argv[1]); save_npz(t, sys.argv[2]); " +
      "print(t.frames, t.count, t.width, t.height, t.fps, int(t.visible.sum()))";
    const said = execFileSync(python, ["-c", script, join(folder, "made.npz"), join(folder, "back.npz")], {
      cwd: root,
      encoding: "utf8",
    });
    const seen = samplesOf(moving).visible.flat().filter(Boolean).length;
    assert.equal(said.trim(), `49 2 128 128 16.0 ${seen}`);
    const back = await readNpz(new Uint8Array(readFileSync(join(folder, "back.npz"))), SIZE);
    assert.deepEqual(back.visible, samplesOf(moving).visible);
  },
);

test("what is copied is a document of the selected tracks alone, in the size they were made for", () => {
  const doc = readDocument(copyText(shipped, shipped.tracks.slice(0, 1)));
  assert.deepEqual(
    [doc.tracks, doc.width, doc.pin_border],
    [shipped.tracks.slice(0, 1), shipped.width, false],
  );
});

/** A host with nothing but settings. */
function fakeApp() {
  const kept = {};
  return {
    kept,
    extensionManager: {
      setting: { get: (id) => kept[id], set: (id, value) => void (kept[id] = structuredClone(value)) },
    },
  };
}

test("recent tracks and presets live in the host's settings, none twice, the newest first", () => {
  const app = fakeApp();
  const library = new Library(app);
  library.remember(moving, moving.tracks);
  library.remember(moving, moving.tracks.slice(0, 1));
  assert.deepEqual(
    library.recent.map((item) => item.name),
    ["Track 1", "Track 2"],
  );
  assert.ok(library.keep("mine", moving, moving.tracks));
  assert.equal(tracksIn(library.presets[0]).tracks.length, 2);
  library.forget("mine");
  assert.deepEqual(library.presets, []);
  assert.deepEqual(
    Object.keys(app.kept).sort(),
    EDITOR_SETTINGS.map((setting) => setting.id)
      .sort()
      .reverse()
      .reverse(),
  );
  for (let i = 0; i < 40; i++) library.remember(moving, [{ ...moving.tracks[0], points: [{ x: i, y: 1 }] }]);
  assert.equal(library.recent.length, 12);
});

test("settings that hold anything else are passed over", () => {
  for (const value of [null, 7, "x", [null, 3, {}, { name: 1, text: 2 }]]) {
    const app = fakeApp();
    app.kept["MotionStream.TrackEditor.Recent"] = value;
    assert.deepEqual(new Library(app).recent, []);
  }
  assert.equal(tracksIn({ name: "x", text: "{" }), null);
});
