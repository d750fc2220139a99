/**
 * The preview as a widget of its node: which runs it follows, when it lives. The only file of the preview
 * that touches nodes.
 */

import { element } from "../shared/elements.js";
import { nodesOnPath, nodesUpstream } from "../shared/graph.js";
import { addViewWidget, chain, forwardWheel, isLinked, panCanvas, viewKey } from "../shared/host_canvas.js";
import { viewRoute } from "../shared/routes.js";
import { StreamPreview } from "./preview.js";

/** @import {LiveViews} from "../shared/host_canvas.js" */
/** @import {NodeOutputs} from "../shared/outputs.js" */
/** @import {Memory, Workflows} from "../shared/workflows.js" */
/** @import {Kept} from "./preview.js" */
/** @import {Run} from "./protocol.js" */
/** @import {RunHub} from "./run_hub.js" */
/** @import {SharedTakes} from "./share.js" */

const NAME = "motionstream_view"; // a widget named like an input would take its place in the Vue renderer
const MIN_HEIGHT = 440;
const ASSETS = "Workspace.ToggleSidebarTab.assets"; // a command of the host
const LAST_KEY = "motionstream_last";
const HANDS_KEY = "motionstream_hands"; // in the workflow
const HANDS_SETTING = "MotionStream.Hands"; // of the person
/** What the host is told of the preview's settings. They are no part of its settings dialog. */
export const PREVIEW_SETTINGS = [{ id: HANDS_SETTING, name: "Hands", type: "hidden", defaultValue: null }];

/**
 * @typedef {object} Services  of the page
 * @property {ComfyApp} app
 * @property {ComfyApi} api
 * @property {RunHub} hub
 * @property {LiveViews} liveViews
 * @property {Workflows} workflows
 * @property {NodeOutputs} outputs
 * @property {SharedTakes} takes
 * @property {Memory<Kept>} pictures  what previews showed whose nodes were taken away, by workflow and node
 */

/**
 * @param {ComfyNode} node
 * @param {Services} services
 */
export function addPreview(node, services) {
  const { app, api, hub, liveViews, workflows, outputs, pictures, takes } = services;
  const root = () => app.rootGraph ?? app.graph;
  let workflow = "";
  const view = new StreamPreview(
    api,
    hub,
    (run) => workflows.of(run.prompt_id) === workflow && follows(node, run, root()),
    (dx, dy) => panCanvas(app, dx, dy),
    {
      play: (file) => playFile(api.apiURL(viewRoute(file)), file.filename),
      showAssets: () => void app.extensionManager?.command?.execute?.(ASSETS),
      replay: (take, goOn) => {
        const { performance, seed, frames } = take;
        // A take of an endless run ends where it was stopped.
        workflows.override(take.node, { performance, seed: Number(seed), frames: goOn ? 0 : frames });
        void app.queuePrompt?.(0, 1);
      },
      share: (take) => void takes.share(take),
    },
    {
      read: () => node.properties?.[HANDS_KEY] ?? app.extensionManager?.setting?.get(HANDS_SETTING),
      write: (map) => {
        node.properties = { ...node.properties, [HANDS_KEY]: map };
        void app.extensionManager?.setting?.set?.(HANDS_SETTING, map);
      },
    },
  );
  forwardWheel(app, view.root);
  const widget = addViewWidget(node, NAME, "MOTIONSTREAM_VIEW", view.root, MIN_HEIGHT);
  const key = () => `${workflow}|${viewKey(node, NAME)}`;
  const changed = () => {
    view.reconsider();
    const { run } = view.state;
    const left = run && outputs.ofRun(workflow, run.prompt_id, run.node_id);
    if (left) view.keep(left);
    const opened = workflows.loading ? undefined : takes.opened.get(workflow);
    if (opened && leadsTo(node, opened.node, root())) view.keepOpened(opened);
    const file = workflows.loading ? null : outputs.of(node)?.[LAST_KEY]?.[0];
    if (typeof file?.filename === "string") void view.recall(api.apiURL(viewRoute(file)));
  };
  /** @type {(() => void)[]} */
  let ends = [];
  let inGraph = false;
  // The host adds nodes to a graph first and links them then, all at once.
  const enter = () => {
    if (inGraph) return;
    inGraph = true;
    workflow = workflows.current;
    liveViews.add(view.root, node, NAME);
    queueMicrotask(() => {
      if (!inGraph || ends.length) return;
      ends = [workflows.subscribe(changed), outputs.subscribe(changed)];
      view.connect(pictures.take(key()));
      changed();
    });
  };
  chain(node, "onAdded", enter);
  chain(node, "onConnectionsChange", () => queueMicrotask(() => inGraph && view.reconsider()));
  chain(node, "onRemoved", () => {
    if (!inGraph) return;
    inGraph = false;
    liveViews.remove(view.root);
    for (const end of ends) end();
    ends = [];
    pictures.set(key(), view.leave());
  });
  if (node.graph) enter();
  return widget;
}

/**
 * A recorded file in a player over the page.
 * @param {string} url
 * @param {string} name
 */
function playFile(url, name) {
  const video = element("video", "ms-player");
  Object.assign(video, { src: url, controls: true, autoplay: true, loop: true, title: name });
  const dialog = element("dialog", "ms-player-dialog", [video]);
  dialog.addEventListener("keydown", (event) => event.stopPropagation());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/**
 * Whether a preview shows a run of its workflow: that of a node upstream of it, or, where nothing is
 * connected, of a node in its own graph. Inside a subgraph a run's node id is a path, "12:7".
 * @param {ComfyNode} node
 * @param {Run} run
 * @param {ComfyGraph | null | undefined} root
 */
export function follows(node, run, root) {
  return leadsTo(node, run.node_id, root);
}

/**
 * Whether a preview shows what a node makes, by its execution id.
 * @param {ComfyNode} node
 * @param {string} id
 * @param {ComfyGraph | null | undefined} root
 */
function leadsTo(node, id, root) {
  const path = nodesOnPath(root, id);
  if (!path.length) return false;
  if (!isLinked(node, "images")) return path[path.length - 1].graph === node.graph;
  const upstream = nodesUpstream(node, root, "images");
  return path.some((maker) => upstream.has(maker));
}
