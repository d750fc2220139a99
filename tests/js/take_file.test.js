import assert from "node:assert/strict";
import { test } from "node:test";

import { SharedTakes } from "../../js/stream_preview/share.js";
import { compareWeights, EXTRA, readTakeFile, withTake } from "../../js/stream_preview/take_file.js";

const DOT = "data:image/png;base64,iVBORw0KGgo=";
const take = {
  token: "t",
  node: "3",
  performance: '{"controls": []}',
  seed: "18446744073709551615",
  frames: 49,
  seconds: 3.0625,
  picture: DOT,
};
const picture = { node: "2", widget: "image", name: "kite.png", data: DOT };
const weights = { node: "1", widget: "weights", name: "a.safetensors", bytes: 5, sha256: "a".repeat(64) };
const file = () => JSON.parse(JSON.stringify({ take, pictures: [picture], weights: [weights] }));

test("a take goes into a workflow's extra and comes out of it, without the token of its run", () => {
  const workflow = { nodes: [], extra: { ds: { scale: 1 } } };
  const made = JSON.parse(JSON.stringify(withTake(workflow, file())));
  assert.deepEqual(workflow.extra, { ds: { scale: 1 } });
  assert.deepEqual(made.extra.ds, { scale: 1 });
  assert.deepEqual(readTakeFile(made.extra[EXTRA]), { ...file(), take: { ...take, token: "" } });
});

const told = (change) => {
  const value = withTake({}, file()).extra[EXTRA];
  change(value);
  return () => readTakeFile(value);
};

for (const [name, change, message] of [
  ["another kind", (v) => (v.kind = "x"), /a take: expected the kind motionstream-take, got "x"/],
  ["a newer version", (v) => (v.version = 2), /expected version 1, got 2/],
  ["no performance", (v) => delete v.take.performance, /performance: expected text, got undefined/],
  ["a seed in words", (v) => (v.take.seed = "1; x"), /seed: expected a whole number/],
  [
    "a script as a picture",
    (v) => (v.pictures[0].data = "data:text/html,<b>"),
    /expected a PNG, JPEG or WebP/,
  ],
  ["an address as a thumbnail", (v) => (v.take.picture = "https://x/y.png"), /expected a PNG, JPEG or WebP/],
  ["a name that leaves the folder", (v) => (v.pictures[0].name = "../x.png"), /expected a plain file name/],
  ["a hidden name", (v) => (v.pictures[0].name = ".x"), /expected a plain file name/],
  [
    "too many pictures",
    (v) => (v.pictures = Array(17).fill(picture)),
    /pictures: expected at most 16, got 17/,
  ],
  ["no length", (v) => (v.take.seconds = null), /seconds: expected a number from 0, got null/],
  ["an odd hash", (v) => (v.weights[0].sha256 = "zz"), /sha256: expected 64 digits/],
  ["pictures that are no list", (v) => (v.pictures = {}), /pictures: expected a list/],
])
  test(`${name} is refused in words`, () => assert.throws(told(change), message));

test("weights are the same, others or missing", () => {
  assert.equal(compareWeights(weights, { bytes: 5, sha256: "a".repeat(64) }), "same");
  assert.equal(compareWeights(weights, { bytes: 5, sha256: "b".repeat(64) }), "other");
  assert.equal(compareWeights(weights, { bytes: 5, sha256: "" }), "same");
  assert.equal(compareWeights(weights, null), "missing");
});

/** A page whose workflow was just opened. `answers` by route. */
function page(extra, answers) {
  const widget = { name: "image", value: "old.png", options: { values: ["old.png"] } };
  const nodes = {
    2: { id: 2, type: "LoadImage", widgets: [widget] },
    3: { id: 3, type: "MotionStreamSampler" },
  };
  const said = [];
  const root = { extra, getNodeById: (id) => nodes[id] };
  const app = { rootGraph: root, extensionManager: { toast: { add: (message) => said.push(message) } } };
  const asked = [];
  const fetchApi = async (route, options) => {
    asked.push([route, options?.method ?? "GET"]);
    const [status, body] = answers(route);
    return { ok: status < 300, status, json: async () => body };
  };
  return { takes: new SharedTakes(app, { fetchApi }), widget, said, asked, root };
}

test("an opened take brings its picture, names what is missing, and waits for a click", async () => {
  const { takes, widget, said, asked, root } = page(withTake({}, file()).extra, (route) =>
    route.startsWith("/upload") ? [200, { name: "kite (1).png" }] : [404, {}],
  );
  await takes.open("7");
  assert.equal(widget.value, "kite (1).png");
  assert.deepEqual(widget.options.values, ["old.png", "kite (1).png"]);
  assert.equal(takes.opened.get("7").seed, take.seed);
  assert.equal(said.length, 1);
  assert.equal(said[0].severity, "warn");
  assert.match(said[0].detail, /a\.safetensors: these weights are not here/);
  assert.equal(root.extra[EXTRA], undefined, "what is saved later is the person's own");
  await takes.open("7");
  assert.deepEqual(asked, [
    ["/upload/image", "POST"],
    ["/motionstream/weights?name=a.safetensors", "GET"],
  ]);
});

test("a workflow without a take is left alone, and a broken take is said", async () => {
  const plain = page({ ds: 1 }, () => [500, {}]);
  await plain.takes.open("1");
  assert.deepEqual([plain.said, plain.asked], [[], []]);
  const broken = page({ [EXTRA]: { kind: "x" } }, () => [500, {}]);
  await broken.takes.open("1");
  assert.equal(broken.said[0].severity, "error");
  assert.equal(broken.takes.opened.size, 0);
});
