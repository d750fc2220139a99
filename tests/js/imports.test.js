import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const root = new URL("../../js/", import.meta.url);
/** Which rooms a room may import from, beside itself. "" = the top level. */
const ALLOWED = {
  shared: [],
  track_editor: ["shared"],
  stream_preview: ["shared"],
  live_camera: ["shared"],
  "": ["shared", "track_editor", "stream_preview", "live_camera"],
};
/** What the host serves, seen from the top level. */
const HOST = ["../../scripts/api.js", "../../scripts/app.js"];
const files = readdirSync(root, { recursive: true }).filter((name) => name.endsWith(".js"));
const roomOf = (path) => (path.includes("/") ? path.slice(0, path.indexOf("/")) : "");
const code = (name) => readFileSync(new URL(name, root), "utf8");
const resolved = (name, path) => new URL(path, new URL(name, root)).href.slice(root.href.length);

/** The modules that a file names, in its code and in its types, as paths under js/. */
const named = (name) =>
  [...code(name).matchAll(/(?:\bfrom\s+|\bimport\(\s*|^import\s+)"(\.[^"]+)"/gm)]
    .map(([, path]) => path)
    .filter((path) => roomOf(name) || !HOST.includes(path))
    .map((path) => resolved(name, path));

/** Those that it needs when it runs. */
const needed = (name) =>
  [...code(name).matchAll(/^(?:import|export)\b[^;"]*"(\.[^"]+)";/gm)].map(([, path]) =>
    resolved(name, path),
  );

test("every room imports from itself and from the rooms below it alone", () => {
  const wrong = files.flatMap((name) =>
    named(name)
      .filter((path) => ![roomOf(name), ...ALLOWED[roomOf(name)]].includes(roomOf(path)))
      .map((path) => `${name} -> ${path}`),
  );
  assert.deepEqual(wrong, []);
});

test("every module that is named is there", () => {
  const missing = files.flatMap((name) => named(name).filter((path) => !files.includes(path)));
  assert.deepEqual(missing, []);
});

test("no module needs itself in a circle", () => {
  const done = new Set();
  const walk = (name, above) => {
    assert.ok(!above.includes(name), [...above, name].join(" -> "));
    if (done.has(name) || !files.includes(name)) return;
    for (const next of needed(name)) walk(next, [...above, name]);
    done.add(name);
  };
  for (const name of files) walk(name, []);
});
