import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { CAMERA_PRESETS } from "../../js/track_editor/cameras.js";
import { helpRows } from "../../js/track_editor/commands.js";
import { INTERPOLATIONS } from "../../js/track_editor/read_track.js";
import { EASES, SPEED_PRESETS } from "../../js/track_editor/speed.js";
import { ENGLISH, setLanguage, word } from "../../js/track_editor/vocabulary.js";
import { helpRows as previewHelpRows } from "../../js/stream_preview/commands.js";
import {
  ENGLISH as PREVIEW_ENGLISH,
  setLanguage as setPreviewLanguage,
  word as previewWord,
} from "../../js/stream_preview/vocabulary.js";
import { ENGLISH as CAMERA_ENGLISH } from "../../js/live_camera/vocabulary.js";
import { loadLanguage } from "../../js/shared/language.js";

const folder = new URL("../../locales/", import.meta.url);
const editor = new URL("../../js/track_editor/", import.meta.url);
const preview = new URL("../../js/stream_preview/", import.meta.url);
const tableOf = (language, view) =>
  JSON.parse(readFileSync(new URL(`${language}/main.json`, folder), "utf8")).motionstream[view];
const VIEWS = { editor: ENGLISH, preview: PREVIEW_ENGLISH, camera: CAMERA_ENGLISH };
const holes = (text) => [...text.matchAll(/\{\w+\}/g)].map(([hole]) => hole).sort();

for (const [view, english] of Object.entries(VIEWS)) {
  test(`the host's English is the ${view}'s own`, () => assert.deepEqual(tableOf("en", view), english));

  for (const language of readdirSync(folder)) {
    test(`${language} says everything in the ${view}, and fills in the same`, () => {
      const table = tableOf(language, view);
      assert.deepEqual(Object.keys(table).sort(), Object.keys(english).sort());
      for (const [key, text] of Object.entries(table)) {
        assert.ok(text.trim(), key);
        assert.deepEqual(holes(text), holes(english[key]), key);
      }
    });
  }
}

test("every word the editor asks for is there, and none is left over", () => {
  const code = readdirSync(editor)
    .filter((name) => name.endsWith(".js") && name !== "vocabulary.js")
    .map((name) => readFileSync(new URL(name, editor), "utf8"))
    .join("\n");
  const asked = new Set(
    [...code.matchAll(/word\(\s*(?:[\w.]+ \? )?"([^"]+)"(?: : "([^"]+)")?/g)]
      .flatMap(([, a, b]) => [a, b])
      .filter(Boolean),
  );
  for (const [, a, b] of code.matchAll(/word\((?:[^()]|\([^()]*\))*\? "([^"]+)" : "([^"]+)"\)/g))
    asked.add(a).add(b);
  for (const key of Object.keys(CAMERA_PRESETS)) asked.add(key);
  for (const name of EASES) asked.add(`ease_${name}`);
  for (const name of Object.keys(SPEED_PRESETS)) asked.add(`speed_${name}`);
  for (const name of INTERPOLATIONS) asked.add(`curve_${name}`);
  for (const { help } of helpRows()) asked.add(help);
  for (const tool of ["select", "draw", "path", "line", "pin", "grid", "region", "object"])
    asked.add(`tool_${tool}`).add(`hint_${tool}`);
  for (const name of ["time", "speed", "shape"]) asked.add(`tab_${name}`);
  for (const name of ["snap", "onion", "numbers"]) asked.add(name);
  asked.delete("hint_select");
  assert.deepEqual(
    [...asked].filter((key) => !(key in ENGLISH)),
    [],
  );
  assert.deepEqual(
    Object.keys(ENGLISH).filter((key) => !asked.has(key)),
    [],
  );
});

test("every word the preview asks for is there, and none is left over", () => {
  const files = readdirSync(preview).filter((name) => name.endsWith(".js") && name !== "vocabulary.js");
  const code = files.map((name) => readFileSync(new URL(name, preview), "utf8")).join("\n");
  const literals = new Set([...code.matchAll(/"([a-z][a-z_]*)"/g)].map(([, text]) => text));
  const asked = new Set(
    [...code.matchAll(/word\((?:[^()"`]|\([^()]*\))*"([a-z_]+)"(?: : "([a-z_]+)")?/g)]
      .flatMap(([, a, b]) => [a, b])
      .filter(Boolean),
  );
  for (const tool of ["grab", "pin", "path", "grid", "object", "erase"]) asked.add(`tool_${tool}`);
  for (const mode of ["keep", "pin", "fade"]) asked.add(`release_${mode}`);
  for (const status of [
    "idle",
    "live",
    "paused",
    "stopping",
    "away",
    "lost",
    "done",
    "stopped",
    "interrupted",
    "error",
  ])
    asked.add(`status_${status}`);
  for (const axis of ["zoom", "roll", "orbit"]) asked.add(axis);
  for (const { help } of previewHelpRows()) asked.add(help);
  assert.deepEqual(
    [...asked].filter((key) => !(key in PREVIEW_ENGLISH)),
    [],
  );
  assert.deepEqual(
    Object.keys(PREVIEW_ENGLISH).filter(
      (key) =>
        !asked.has(key) && !literals.has(key) && !["space", "wheel", "right_click", "arrows"].includes(key),
    ),
    [],
  );
});

test("no text of the preview stands outside its table", () => {
  for (const name of readdirSync(preview).filter(
    (each) => each.endsWith(".js") && each !== "vocabulary.js",
  )) {
    const code = readFileSync(new URL(name, preview), "utf8").replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
    const sentences = [...code.matchAll(/"([A-Z][a-z]+ [^"]*)"/g)]
      .map(([, text]) => text)
      .filter((text) => !/^Expected /.test(text));
    assert.deepEqual(sentences, [], name);
  }
});

/** A host that speaks a language. */
const host = (locale, answer) => ({
  app: { extensionManager: { setting: { get: () => locale } } },
  api: { fetchApi: async () => ({ json: async () => answer }) },
});

test("both views speak the language of the host, and English where the pack has none", async (t) => {
  const views = { editor: setLanguage, preview: setPreviewLanguage };
  const english = () => Object.values(views).forEach((each) => each({}));
  t.after(english);
  await loadLanguage(
    host("zh", { zh: { motionstream: { editor: { tracks: "轨迹" }, preview: { status_live: "直播中" } } } }),
    views,
  );
  assert.deepEqual([word("tracks"), word("undo")], ["轨迹", ENGLISH.undo]);
  assert.deepEqual([previewWord("status_live"), previewWord("pause")], ["直播中", "Pause"]);
  english();
  await loadLanguage(host("fr", { zh: {} }), views);
  assert.equal(word("tracks"), "Tracks");
  assert.equal(word("moves", { start: 3, end: 9 }), "Moves from frame 3 to 9");
});
