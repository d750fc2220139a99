import assert from "node:assert/strict";
import { test } from "node:test";

import { event, install } from "./fake_dom.js";
import { NodeOutputs } from "../../js/shared/outputs.js";
import { Memory, Workflows } from "../../js/shared/workflows.js";
import { LiveViews } from "../../js/shared/host_canvas.js";
import { RunHub } from "../../js/stream_preview/run_hub.js";
import { SharedTakes } from "../../js/stream_preview/share.js";
import { addPreview } from "../../js/stream_preview/widget.js";

const RUN = {
  token: "t",
  prompt_id: "p",
  node_id: "7",
  width: 128,
  height: 128,
  fps: 16,
  frames: 0,
  chunk_frames: 12,
  controls: ["pause", "stop"],
};
const settled = () => new Promise((go) => setImmediate(go));

/** A node as the host makes it, before it is in a graph. */
const nodeOf = (id) => ({
  id,
  type: "MotionStreamPreview",
  graph: null,
  inputs: [{ name: "images", type: "IMAGE", link: null }],
  getInputNode: () => null,
  addDOMWidget(name, type, root, options) {
    return { name, type, root, options };
  },
});

function services() {
  const page = install();
  const api = Object.assign(new EventTarget(), {
    clientId: "c",
    apiURL: (route) => route,
    fetchApi: async () => ({ ok: true, status: 200, json: async () => ({ runs: [] }) }),
  });
  const hub = new RunHub(api);
  hub.start();
  const graph = { getNodeById: (id) => ({ id, graph }) };
  const app = { graph };
  const workflows = new Workflows(app, api, undefined);
  const outputs = new NodeOutputs(app, api, workflows);
  const pictures = new Memory(12, (kept) => kept.frame?.picture.close());
  return {
    page,
    api,
    hub,
    app,
    liveViews: new LiveViews(),
    workflows,
    outputs,
    pictures,
    takes: new SharedTakes(app, api),
  };
}

test("a preview taken out of the graph leaves nothing behind, over two hundred runs", async () => {
  const made = services();
  const { page, api, hub, app, liveViews } = made;
  const counts = () => ({
    hub: hub.listeners.size,
    runs: hub.runs.size,
    liveViews: liveViews.views.size,
    window: window.alive,
    document: document.alive,
    frames: page.frames.size,
    observers: page.observers,
  });
  const before = counts();
  for (let number = 0; number < 200; number++) {
    const node = nodeOf(number);
    const widget = addPreview(node, made);
    node.graph = app.graph;
    node.onAdded();
    const token = `run ${number}`;
    api.dispatchEvent(event("motionstream.run", { detail: { ...RUN, token } }));
    await settled();
    await page.sockets
      .at(-1)
      .deliver(JSON.stringify({ type: "state", status: "running", chunk: 3, epoch: 1 }));
    page.tick();
    assert.ok(hub.listeners.size === 1 && liveViews.views.size === 1 && window.alive > before.window);
    if (number % 2) page.sockets.at(-1).close(); // lost: a second try waits
    if (number % 3) api.dispatchEvent(event("motionstream.end", { detail: { token, status: "done" } }));
    node.onRemoved();
    hub.forget(token);
    assert.equal(
      widget.root.all().reduce((sum, each) => sum + (each.className === "ms-panel" ? each.alive : 0), 0),
      0,
    );
  }
  await settled();
  assert.deepEqual(counts(), before);
  assert.ok(
    page.sockets.length >= 200 &&
      page.sockets.every((socket) => socket.readyState === 3 && !socket.onmessage && !socket.onclose),
  );
});

test("a preview that an undo puts back follows the run again, once", async () => {
  const made = services();
  const { page, api, hub, app, liveViews } = made;
  const node = nodeOf(1);
  addPreview(node, made);
  node.graph = app.graph;
  for (let times = 0; times < 3; times++) {
    node.onAdded();
    node.onAdded();
    node.onRemoved();
  }
  node.onAdded();
  api.dispatchEvent(event("motionstream.run", { detail: RUN }));
  await settled();
  assert.equal(hub.listeners.size, 1);
  assert.equal(page.sockets.filter((socket) => socket.readyState === 1).length, 1);
  node.onRemoved();
});
