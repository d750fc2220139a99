import assert from "node:assert/strict";
import { test } from "node:test";

import { chain, isLinked, sourceNode } from "../../js/shared/host_canvas.js";
import { backdropRoute, parseImageName } from "../../js/track_editor/backdrop.js";
import { follows } from "../../js/stream_preview/widget.js";

const loader = (value) => ({
  id: 1,
  type: "LoadImage",
  comfyClass: "LoadImage",
  widgets: [{ name: "image", value }],
  inputs: [],
});
const reroute = (source) => ({
  id: 2,
  type: "Reroute",
  inputs: [{ name: "", link: 1 }],
  getInputNode: () => source,
});
const editor = (source, link = 5) => ({
  id: 3,
  type: "MotionStreamTrackEditor",
  graph: { id: "g" },
  inputs: [{ name: "image", type: "IMAGE", link }],
  getInputNode: () => source,
});

test("the name of a loaded image gives its folder and kind", () => {
  assert.deepEqual(parseImageName("a.png"), { filename: "a.png", subfolder: "", type: "input" });
  assert.deepEqual(parseImageName("x/y/a b.png [temp]"), {
    filename: "a b.png",
    subfolder: "x/y",
    type: "temp",
  });
});

test("a connected LoadImage is the backdrop at once, through reroutes", () => {
  assert.equal(
    backdropRoute(editor(loader("in/a b.png")), {}),
    "/view?filename=a+b.png&subfolder=in&type=input",
  );
  assert.equal(
    backdropRoute(editor(reroute(reroute(loader("a.png")))), {}),
    "/view?filename=a.png&subfolder=&type=input",
  );
  assert.equal(
    backdropRoute(editor({ ...reroute(reroute(loader("a.png"))), type: "Reroute (rgthree)" }), {}),
    "/view?filename=a.png&subfolder=&type=input",
  );
});

test("another source is the backdrop after a run, in the root graph and in a subgraph", () => {
  const file = { filename: "b.png", subfolder: "", type: "temp" };
  const other = { id: 9, type: "EmptyImage", inputs: [] };
  assert.equal(backdropRoute(editor(other), { nodeOutputs: {} }), null);
  for (const key of ["3", "g:3"]) {
    assert.equal(
      backdropRoute(editor(other), { nodeOutputs: { [key]: { motionstream_backdrop: [file] } } }),
      "/view?filename=b.png&subfolder=&type=temp",
    );
  }
  assert.equal(
    backdropRoute(editor(null), { nodeOutputs: { 3: { motionstream_backdrop: [file] } } }),
    "/view?filename=b.png&subfolder=&type=temp",
  );
  assert.equal(
    backdropRoute(editor(null, null), { nodeOutputs: { 3: { motionstream_backdrop: [file] } } }),
    null,
  );
});

test("a ring of reroutes has no source, and does not hang", () => {
  const ring = { id: 2, type: "Reroute", inputs: [{ name: "", link: 1 }] };
  ring.getInputNode = () => ring;
  assert.equal(sourceNode(editor(ring), "image")?.type, "Reroute");
});

test("a preview follows the sampler upstream, and any run where there is none", () => {
  const preview = (source) => ({ id: 8, inputs: [{ name: "images", link: 2 }], getInputNode: () => source });
  const sampler = { id: 12, type: "MotionStreamSampler", inputs: [] };
  assert.equal(follows(preview(sampler), { node_id: "12" }), true);
  assert.equal(follows(preview(sampler), { node_id: "4:12" }), true);
  assert.equal(follows(preview(sampler), { node_id: "13" }), false);
  assert.equal(follows(preview(null), { node_id: "13" }), true);
});

test("a chained callback keeps the one before it, its result and its this", () => {
  const calls = [];
  const node = {
    onAdded(x) {
      calls.push(["before", this === node, x]);
      return 7;
    },
  };
  chain(node, "onAdded", (x) => calls.push(["after", x]));
  chain(node, "onRemoved", () => calls.push(["removed"]));
  assert.equal(node.onAdded(1), 7);
  node.onRemoved();
  assert.deepEqual(calls, [["before", true, 1], ["after", 1], ["removed"]]);
});

test("a linked widget is known by its input", () => {
  assert.equal(
    isLinked({ inputs: [{ name: "document", widget: { name: "document" }, link: 4 }] }, "document"),
    true,
  );
  assert.equal(
    isLinked({ inputs: [{ name: "document", widget: { name: "document" }, link: null }] }, "document"),
    false,
  );
  assert.equal(isLinked({}, "document"), false);
});
