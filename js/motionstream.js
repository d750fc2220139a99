/**
 * The pack's one extension, and its only module that does something when it is imported: ComfyUI imports
 * every .js file it serves.
 */

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { CameraHub } from "./live_camera/camera_hub.js";
import { setLanguage as setCameraLanguage } from "./live_camera/vocabulary.js";
import { addCamera } from "./live_camera/widget.js";
import { LiveViews } from "./shared/host_canvas.js";
import { fillPrefixes } from "./shared/prefixes.js";
import { NodeOutputs } from "./shared/outputs.js";
import { Memory, Workflows } from "./shared/workflows.js";
import { setLanguage as setPreviewLanguage } from "./stream_preview/vocabulary.js";
import { RunHub } from "./stream_preview/run_hub.js";
import { SharedTakes } from "./stream_preview/share.js";
import { PREVIEW_SETTINGS, addPreview } from "./stream_preview/widget.js";
import { EDITOR_SETTINGS, Library } from "./track_editor/library.js";
import { createTrackWidget } from "./track_editor/widget_bridge.js";
import { setLanguage as setEditorLanguage } from "./track_editor/vocabulary.js";
import { loadLanguage } from "./shared/language.js";

const EDITOR = "MotionStreamTrackEditor";
const PREVIEW = "MotionStreamPreview";
const CAMERA = "MotionStreamLiveCamera";
/** @type {Record<string, [number, number]>} */
const SIZES = { [EDITOR]: [480, 980], [PREVIEW]: [420, 640], [CAMERA]: [320, 400] };

const liveViews = new LiveViews();
const workflows = new Workflows(app, api);
workflows.install();
const outputs = new NodeOutputs(app, api, workflows);
const hub = new RunHub(api);
const takes = new SharedTakes(app, api);
const cameras = new CameraHub(api);
/** What the views of nodes that the host took away were like, by workflow and node. */
const memory = new Memory(64);
const backdrops = new Memory(16, (backdrop) => backdrop.clear());
const pictures = new Memory(12, (kept) => kept.frame?.picture.close());
const library = new Library(app);

app.registerExtension({
  name: "motionstream",
  settings: [...EDITOR_SETTINGS, ...PREVIEW_SETTINGS],
  async setup() {
    outputs.start();
    hub.start();
    cameras.start();
    await loadLanguage(
      { app, api },
      {
        editor: setEditorLanguage,
        preview: setPreviewLanguage,
        camera: setCameraLanguage,
      },
    );
  },
  getCustomWidgets() {
    return {
      MOTIONSTREAM_TRACKS: (node, name, inputData) => ({
        widget: createTrackWidget(node, name, inputData[1]?.default ?? "", {
          app,
          api,
          liveViews,
          memory,
          backdrops,
          library,
          workflows,
          outputs,
        }),
      }),
    };
  },
  nodeCreated(node) {
    if (node.comfyClass === PREVIEW)
      addPreview(node, { app, api, hub, liveViews, workflows, outputs, pictures, takes });
    if (node.comfyClass === CAMERA) addCamera(node, { app, cameras, liveViews });
    fillPrefixes(node, app);
    const size = SIZES[node.comfyClass ?? ""];
    if (size) node.setSize([Math.max(node.size[0], size[0]), Math.max(node.size[1], size[1])]);
  },
  afterConfigureGraph() {
    liveViews.healSoon();
    void takes.open(workflows.current).then((opened) => opened && workflows.tell());
  },
});
