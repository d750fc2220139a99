/**
 * The preview as a widget of its node: which runs it follows, when it lives. The only file of the preview
 * that touches nodes.
 */

import { chain, forwardWheel, panCanvas, sourceNode } from "../shared/host_canvas.js";
import { StreamPreview } from "./preview.js";

/** @import {LiveViews} from "../shared/host_canvas.js" */
/** @import {Run} from "./protocol.js" */
/** @import {RunHub} from "./run_hub.js" */

const NAME = "motionstream_view"; // a widget named like an input would take its place in the Vue renderer
const SAMPLER = "MotionStreamSampler";
const MIN_HEIGHT = 440;

/**
 * @param {ComfyNode} node
 * @param {{app: ComfyApp, api: ComfyApi, hub: RunHub, liveViews: LiveViews}} services
 */
export function addPreview(node, { app, api, hub, liveViews }) {
  const view = new StreamPreview(
    api,
    hub,
    (run) => follows(node, run),
    (dx, dy) => panCanvas(app, dx, dy),
  );
  forwardWheel(app, view.root);
  const widget = node.addDOMWidget(NAME, "MOTIONSTREAM_VIEW", view.root, {
    getValue: () => "",
    setValue: () => {},
    getMinHeight: () => MIN_HEIGHT,
    hideOnZoom: false,
    serialize: false,
  });
  widget.serialize = false;
  const enter = () => {
    liveViews.add(view.root, node, NAME);
    view.connect();
  };
  chain(node, "onAdded", enter);
  chain(node, "onRemoved", () => {
    liveViews.remove(view.root);
    view.destroy();
  });
  if (node.graph) enter();
  return widget;
}

/**
 * The run of the sampler upstream. Any run of this tab where no sampler is found. Inside a subgraph a run's
 * node id is a path, "12:7".
 * @param {ComfyNode} node
 * @param {Run} run
 */
export function follows(node, run) {
  const source = sourceNode(node, "images");
  if (!source || (source.comfyClass ?? source.type) !== SAMPLER) return true;
  return run.node_id.split(":").at(-1) === String(source.id);
}
