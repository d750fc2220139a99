/** The camera's view as a widget of its node. The only file of the camera that touches nodes. */

import { addViewWidget, chain, forwardWheel } from "../shared/host_canvas.js";
import { CameraView } from "./camera_view.js";

/** @import {LiveViews} from "../shared/host_canvas.js" */
/** @import {CameraHub} from "./camera_hub.js" */

const NAME = "motionstream_camera";
const MIN_HEIGHT = 220;

/**
 * @param {ComfyNode} node
 * @param {{app: ComfyApp, cameras: CameraHub, liveViews: LiveViews}} services
 */
export function addCamera(node, { app, cameras, liveViews }) {
  const device = () => node.widgets?.find(({ name }) => name === "device");
  const view = new CameraView(
    cameras,
    () => String(device()?.value ?? "").trim() || "camera",
    (chosen) => {
      const widget = device();
      if (!widget) return;
      widget.value = chosen;
      widget.callback?.(chosen);
    },
  );
  forwardWheel(app, view.root);
  const widget = addViewWidget(node, NAME, "MOTIONSTREAM_CAMERA", view.root, MIN_HEIGHT);
  let inGraph = false;
  const enter = () => {
    if (inGraph) return;
    inGraph = true;
    liveViews.add(view.root, node, NAME);
    view.connect();
  };
  chain(node, "onAdded", enter);
  chain(node, "onConfigure", () => view.update());
  chain(node, "onRemoved", () => {
    if (!inGraph) return;
    inGraph = false;
    liveViews.remove(view.root);
    view.leave();
  });
  if (node.graph) enter();
  return widget;
}
