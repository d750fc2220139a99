import assert from "node:assert/strict";
import { test } from "node:test";

import { chain, isLinked, sourceNode } from "../../js/shared/host_canvas.js";
import { backdropRoute, parseImageName } from "../../js/track_editor/backdrop.js";
import { event } from "./fake_dom.js";
import { NodeOutputs } from "../../js/shared/outputs.js";
import { fillPrefixes, filledPrefix } from "../../js/shared/prefixes.js";
import { Workflows } from "../../js/shared/workflows.js";
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
  assert.equal(backdropRoute(editor(other), undefined), null);
  assert.equal(
    backdropRoute(editor(other), { motionstream_backdrop: [file] }),
    "/view?filename=b.png&subfolder=&type=temp",
  );
  assert.equal(
    backdropRoute(editor(null), { motionstream_backdrop: [file] }),
    "/view?filename=b.png&subfolder=&type=temp",
  );
  assert.equal(backdropRoute(editor(null, null), { motionstream_backdrop: [file] }), null);
});

test("a ring of reroutes has no source, and does not hang", () => {
  const ring = { id: 2, type: "Reroute", inputs: [{ name: "", link: 1 }] };
  ring.getInputNode = () => ring;
  assert.equal(sourceNode(editor(ring), "image")?.type, "Reroute");
});

/** A graph of nodes by id, each with the nodes that feed it. */
function graphOf(links, subgraphs = {}) {
  const graph = { nodes: [], subgraphs: new Map() };
  graph.getNodeById = (id) => graph.nodes.find((node) => node.id === id);
  for (const [id, from] of Object.entries(links)) {
    const inputs = from.map((source, at) => ({ name: at ? `in${at}` : "images", link: source && 1 }));
    const node = { id: Number(id), graph, inputs, subgraph: subgraphs[id] };
    node.getInputNode = (at) => graph.getNodeById(from[at]) ?? null;
    graph.nodes.push(node);
    if (node.subgraph) graph.subgraphs.set(id, node.subgraph);
  }
  return graph;
}

test("a preview follows what it is made from, and without a link what is in its own graph", () => {
  // 1 → 2 → 8; 3 is beside; preview 9 has no link; 5 holds a subgraph of sampler 7 and preview 6.
  const inner = graphOf({ 6: [7], 7: ["border"] });
  const root = graphOf({ 1: [], 2: [1], 8: [2], 3: [], 9: [null], 5: [3], 4: [5] }, { 5: inner });
  const asked = (graph, id, run) => follows(graph.getNodeById(id), { node_id: run }, root);
  assert.equal(asked(root, 8, "1"), true, "through a node between");
  assert.equal(asked(root, 8, "3"), false, "beside it");
  assert.equal(asked(root, 8, "77"), false, "of no node of this graph");
  assert.equal(asked(root, 9, "3"), true);
  assert.equal(asked(root, 9, "5:7"), false, "of another graph");
  assert.equal(asked(root, 4, "5:7"), true, "inside of the node that feeds it");
  assert.equal(asked(inner, 6, "5:7"), true);
  assert.equal(asked(inner, 6, "3"), true, "beyond the border");
  assert.equal(asked(inner, 6, "1"), false);
});

/** Workflows whose host opens what it is told to. */
function pageOf() {
  const manager = { workflow: { activeWorkflow: null } };
  const app = {
    extensionManager: manager,
    loadGraphData: async (data, clean, restore, workflow) => {
      seen.push(workflows.current);
      await null;
      manager.workflow.activeWorkflow = workflow ?? { path: data };
    },
  };
  const seen = [];
  let prompts = 0;
  const api = Object.assign(new EventTarget(), {
    queuePrompt: async () => ({ prompt_id: `p${++prompts}` }),
  });
  const store = new Map();
  const storage = {
    getItem: (key) => store.get(key) ?? null,
    setItem: (key, value) => store.set(key, value),
  };
  const workflows = new Workflows(app, api, storage);
  workflows.install();
  return { app, api, manager, workflows, seen, storage };
}

test("each open workflow has an id of its own, before its graph is built", async () => {
  const { app, manager, workflows, seen } = pageOf();
  await app.loadGraphData("a.json");
  const first = workflows.current;
  const opened = manager.workflow.activeWorkflow;
  await app.loadGraphData("a (2).json");
  const second = workflows.current;
  assert.notEqual(first, second);
  await app.loadGraphData("", true, true, opened);
  assert.equal(workflows.current, first);
  await app.loadGraphData("", false, false, opened);
  assert.deepEqual(seen, [first, second, first, first], "as it is built");
  opened.path = "saved.json";
  assert.equal(workflows.current, first, "saved under another name");
  await app.loadGraphData("a.json");
  assert.notEqual(workflows.current, first, "another one under its old name");
});

test("a prompt belongs to the workflow it was queued from, also after a reload", async () => {
  const { app, api, workflows, storage, manager } = pageOf();
  await app.loadGraphData("a.json");
  const [a, first] = [workflows.current, manager.workflow.activeWorkflow];
  const sent = api.queuePrompt();
  assert.equal(workflows.of("p1"), null, "on its way");
  await sent;
  await app.loadGraphData("b.json");
  assert.equal(workflows.of("p1"), a);
  assert.equal(workflows.of("of nobody"), workflows.current);
  const again = new Workflows(app, {}, storage);
  assert.equal(again.of("p1"), again.current, "a reload gives graphs new paths");
  await again.loaded(first, () => void (manager.workflow.activeWorkflow = first));
  assert.equal(again.of("p1"), again.current);
});

test("what a node gave is kept by workflow, whichever one is shown then", async () => {
  const { app, api, workflows } = pageOf();
  const outputs = new NodeOutputs(app, api, workflows);
  outputs.start();
  await app.loadGraphData("a.json");
  await api.queuePrompt();
  await app.loadGraphData("b.json");
  app.graph = graphOf({ 3: [] });
  const node = app.graph.getNodeById(3);
  const output = { motionstream_backdrop: [{ filename: "a.png" }] };
  app.nodeOutputs = { 3: output }; // the host gives it to the graph that is shown
  api.dispatchEvent(event("executed", { detail: { node: "3", prompt_id: "p1", output } }));
  assert.equal(outputs.of(node), undefined);
  app.nodeOutputs = { 3: { motionstream_backdrop: [{ filename: "b.png" }] } };
  assert.equal(outputs.of(node).motionstream_backdrop[0].filename, "b.png", "of an earlier page");
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

test("a prefix names the widgets of nodes as the host's own prefixes do", () => {
  const node = (title, values, properties = {}) => ({
    title,
    properties,
    widgets: Object.entries(values).map(([name, value]) => ({ name, value })),
  });
  const nodes = [
    node("KSampler", { seed: 7, name: "a/b:c" }),
    node("other", { seed: 8 }, { "Node name for S&R": "Streaming Sampler" }),
  ];
  const filled = (prefix) => filledPrefix(prefix, nodes);
  assert.equal(filled("takes/%Streaming Sampler.seed%/x"), "takes/8/x");
  assert.equal(filled("%KSampler.seed%_%KSampler.name%"), "7_a_b_c");
  assert.equal(
    filled("%KSampler.none%-%Nobody.seed%-%date:yyyy%"),
    "%KSampler.none%-%Nobody.seed%-%date:yyyy%",
  );
  const sampler = {
    comfyClass: "MotionStreamSampler",
    widgets: [{ name: "record", value: "%KSampler.seed%" }],
  };
  fillPrefixes(sampler, { graph: { nodes } });
  assert.equal(sampler.widgets[0].serializeValue(), "7");
});
