import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { CAMERA_PRESETS } from "../../js/track_editor/cameras.js";
import { SHORTCUTS } from "../../js/track_editor/keys.js";
import { INTERPOLATIONS } from "../../js/track_editor/read_track.js";
import { EASES, SPEED_PRESETS } from "../../js/track_editor/speed.js";
import { ENGLISH, learnLanguage, speak, word } from "../../js/track_editor/words.js";

const folder = new URL("../../locales/", import.meta.url);
const editor = new URL("../../js/track_editor/", import.meta.url);
const tableOf = (language) => JSON.parse(readFileSync(new URL(`${language}/main.json`, folder), "utf8")).motionstream.editor;
const holes = (text) => [...text.matchAll(/\{\w+\}/g)].map(([hole]) => hole).sort();

test("the host's English is the editor's own", () => assert.deepEqual(tableOf("en"), ENGLISH));

for (const language of readdirSync(folder)) {
  test(`${language} says everything, and fills in the same`, () => {
    const table = tableOf(language);
    assert.deepEqual(Object.keys(table).sort(), Object.keys(ENGLISH).sort());
    for (const [key, text] of Object.entries(table)) assert.deepEqual(holes(text), holes(ENGLISH[key]), key);
  });
}

test("every word the editor asks for is there, and none is left over", () => {
  const code = readdirSync(editor).filter((name) => name.endsWith(".js") && name !== "words.js").map((name) => readFileSync(new URL(name, editor), "utf8")).join("\n");
  const asked = new Set([...code.matchAll(/word\(\s*(?:[\w.]+ \? )?"([^"]+)"(?: : "([^"]+)")?/g)].flatMap(([, a, b]) => [a, b]).filter(Boolean));
  for (const [, a, b] of code.matchAll(/word\([^()]*\? "([^"]+)" : "([^"]+)"\)/g)) asked.add(a).add(b);
  for (const key of Object.keys(CAMERA_PRESETS)) asked.add(key);
  for (const name of EASES) asked.add(`ease_${name}`);
  for (const name of Object.keys(SPEED_PRESETS)) asked.add(`speed_${name}`);
  for (const name of INTERPOLATIONS) asked.add(`curve_${name}`);
  for (const [, key] of SHORTCUTS) asked.add(key);
  for (const tool of ["select", "draw", "path", "line", "pin", "grid", "region"]) asked.add(`tool_${tool}`).add(`hint_${tool}`);
  for (const name of ["time", "speed", "shape"]) asked.add(`tab_${name}`);
  for (const name of ["snap", "onion", "numbers"]) asked.add(name);
  asked.delete("hint_select");
  assert.deepEqual([...asked].filter((key) => !(key in ENGLISH)), []);
  assert.deepEqual(Object.keys(ENGLISH).filter((key) => !asked.has(key)), []);
});

/** A host that speaks a language. */
const host = (locale, answer) => ({ app: { extensionManager: { setting: { get: () => locale } } }, api: { fetchApi: async () => ({ json: async () => answer }) } });

test("the editor speaks the language of the host, and English where the pack has none", async (t) => {
  t.after(() => speak({}));
  await learnLanguage(host("zh", { zh: { motionstream: { editor: { tracks: "轨迹" } } } }));
  assert.deepEqual([word("tracks"), word("undo")], ["轨迹", ENGLISH.undo]);
  speak({});
  await learnLanguage(host("fr", { zh: {} }));
  assert.equal(word("tracks"), "Tracks");
  assert.equal(word("moves", { start: 3, end: 9 }), "Moves from frame 3 to 9");
});
