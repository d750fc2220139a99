import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const WIDEST = 110;

/** Prettier keeps the code to this width, but leaves comments, strings and style sheets as they are. */
test(`no line of the JavaScript is wider than ${WIDEST} columns`, () => {
  const wide = [];
  for (const folder of ["../../js/", "./"]) {
    const root = new URL(folder, import.meta.url);
    for (const name of readdirSync(root, { recursive: true }).filter((each) => each.endsWith(".js"))) {
      const lines = readFileSync(new URL(name, root), "utf8").split("\n");
      lines.forEach((line, i) => [...line].length > WIDEST && wide.push(`${name}:${i + 1}`));
    }
  }
  assert.deepEqual(wide, []);
});
