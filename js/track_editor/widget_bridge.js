/**
 * Between the editor and ComfyUI: the widget and its value, the node's number widgets, links, the host's
 * undo, the backdrop. The only file of the editor that touches nodes and widgets.
 */

import { chain, forwardWheel, isLinked, panCanvas, sourceNode, viewKey } from "../shared/host_canvas.js";
import { Backdrop, backdropRoute, loadWidget } from "./backdrop.js";
import { cutFrom, linkedMask } from "./cutting.js";
import { openDialog } from "./dialog.js";
import { TrackEditor } from "./editor.js";
import { fingerprint } from "./fingerprint.js";
import { feeds } from "../shared/graph.js";
import { linkedNumber, widgetsBehind } from "./linked_size.js";
import { OwnBackdrop } from "./own_backdrop.js";
import { EditorStore } from "./store.js";
import { word } from "./vocabulary.js";

/** @import {EditorState, Size} from "./types.js" */
/** @import {LiveViews} from "../shared/host_canvas.js" */
/** @import {NodeOutputs} from "../shared/outputs.js" */
/** @import {Memory, Workflows} from "../shared/workflows.js" */
/** @import {Library} from "./library.js" */

/**
 * @typedef {object} Services  of the page
 * @property {ComfyApp} app
 * @property {ComfyApi} api
 * @property {LiveViews} liveViews
 * @property {Memory<EditorState>} memory  what the editors of this page looked like, by workflow and node:
 *   the host rebuilds nodes at every undo
 * @property {Memory<OwnBackdrop>} backdrops  and their own backdrops
 * @property {Workflows} workflows
 * @property {NodeOutputs} outputs
 * @property {Library} library
 */

const MIN_HEIGHT = 440;
const SIZES = /** @type {const} */ (["width", "height", "frames", "fps"]);
const JOINS = "MotionStreamCombineTracks";
const SIZE_KEY = "motionstream_size";
const MASKS_KEY = "motionstream_masks";
const REMEMBER_MS = 4000;

/**
 * @param {ComfyNode} node
 * @param {string} name
 * @param {string} text
 * @param {Services} services
 * @returns {ComfyWidget}
 */
export function createTrackWidget(node, name, text, services) {
  const bridge = new WidgetBridge(node, name, services);
  bridge.store.load(text);
  const widget = node.addDOMWidget(name, "MOTIONSTREAM_TRACKS", bridge.editor.root, {
    getValue: () => bridge.store.text,
    setValue: (value) => bridge.setValue(value),
    getMinHeight: () => Math.max(MIN_HEIGHT, bridge.editor.leastHeight),
    hideOnZoom: false,
  });
  bridge.widget = widget;
  chain(node, "onAdded", () => bridge.enter());
  chain(node, "onRemoved", () => bridge.leave());
  chain(node, "onConfigure", () => bridge.configured());
  chain(node, "onConnectionsChange", () => bridge.refreshSoon());
  chain(node, "onExecuted", () => bridge.refreshSoon());
  return widget;
}

class WidgetBridge {
  /**
   * @param {ComfyNode} node
   * @param {string} name
   * @param {Services} services
   */
  constructor(node, name, services) {
    this.node = node;
    this.name = name;
    this.services = services;
    this.store = new EditorStore();
    this.store.onCommit = () => this.committed();
    this.backdrop = new Backdrop(() => {
      this.refreshSoon();
      this.store.tell();
    });
    /** @type {Map<string, {width: number, height: number} | null>} sizes of the host's pictures, by route */
    this.pictures = new Map();
    /** Sizes that come through a link and that nobody knows yet. @type {string[]} */
    this.unknown = [];
    /** @type {import("./editor.js").EditorHost} */
    this.host = {
      backdrop: () => this.host.own?.picture ?? this.backdrop.picture,
      obstacle: () => (isLinked(node, name) ? word("linked") : ""),
      joined: () => feeds(node).some((target) => target.type === JOINS || target.subgraph),
      caution: () => (this.unknown.length ? word("size_unknown", { names: this.unknown.join(", ") }) : ""),
      pan: (dx, dy) => panCanvas(services.app, dx, dy),
      large: () => this.openLarge(),
      notify: (problem) =>
        services.app.extensionManager?.toast?.add({
          severity: "warn",
          summary: word("tracks"),
          detail: problem,
          life: 8000,
        }),
      grown: () => services.app.canvas?.setDirty(true, true),
      library: services.library,
      own: new OwnBackdrop(services.api),
      cut: async (doc, meant) =>
        linkedMask(services.outputs.of(node)?.[MASKS_KEY], doc, meant) ??
        cutFrom(services.api, this.host.backdrop(), doc, meant),
    };
    /** @type {Set<string> | null} tracks that were there before this editor's own; null = not known yet */
    this.known = null;
    this.editor = new TrackEditor(this.store, this.host);
    forwardWheel(services.app, this.editor.root);
    /** @type {ComfyWidget | null} */
    this.widget = null;
    /** @type {WeakSet<ComfyWidget>} number and picture widgets that are watched already */
    this.watched = new WeakSet();
    this.inGraph = false;
    /** The workflow that the node is in. */
    this.workflow = "";
    /** @type {EditorState | undefined} of the editor that stood in this place before */
    this.before = undefined;
  }

  /** Of this node in its workflow. It stays the same while the node is in the graph. */
  get key() {
    return `${this.workflow}|${viewKey(this.node, this.name)}`;
  }

  /** The node has come into a graph. */
  enter() {
    if (this.inGraph) return;
    this.inGraph = true;
    this.workflow = this.services.workflows.current;
    this.services.liveViews.add(this.editor.root, this.node, this.name);
    this.before = this.services.memory.get(this.key);
    this.keepBackdrop();
    this.editor.connect();
    const { memory, outputs, workflows } = this.services;
    const ends = [
      this.store.subscribe(() => memory.set(this.key, this.store.state)),
      outputs.subscribe(() => this.refreshSoon()),
      workflows.subscribe(() => this.refreshSoon()),
    ];
    this.forget = () => ends.forEach((end) => end());
    this.refreshSoon();
  }

  leave() {
    if (!this.inGraph) return;
    this.inGraph = false;
    this.services.liveViews.remove(this.editor.root);
    this.forget?.();
    this.closeLarge?.();
    this.editor.disconnect();
    clearTimeout(this.remembering);
  }

  /** The backdrop of the editor that stood here before, or a new one for those that come after. */
  keepBackdrop() {
    const { backdrops } = this.services;
    const own = backdrops.get(this.key) ?? this.host.own;
    if (!own) return;
    backdrops.set(this.key, own);
    this.host.own = own;
    own.changed = () => this.store.tell();
  }

  /** Tracks made here are kept among the person's recent ones, once they are left alone for a while. */
  rememberSoon() {
    const { library, memory } = this.services;
    clearTimeout(this.remembering);
    this.remembering = setTimeout(() => {
      const { doc } = memory.get(this.key) ?? this.store.state;
      const fresh = doc.tracks.filter(
        (track) => track.kind !== "pin" && !this.known?.has(fingerprint(track.points)),
      );
      this.known = new Set(doc.tracks.map((track) => fingerprint(track.points)));
      library.remember(doc, fresh);
    }, REMEMBER_MS);
  }

  /** @param {unknown} value */
  setValue(value) {
    this.store.load(typeof value === "string" ? value : (JSON.stringify(value) ?? ""), this.size());
  }

  /**
   * The host has given the node its saved values: an editor that stood here before hands on its tool and its
   * history.
   */
  configured() {
    if (this.before) this.store.inherit(this.before);
    this.before = undefined;
    this.known = new Set(this.store.state.doc.tracks.map((track) => fingerprint(track.points)));
    this.refreshSoon();
  }

  refreshSoon() {
    queueMicrotask(() => this.inGraph && this.refresh());
  }

  refresh() {
    this.watch();
    const route = backdropRoute(this.node, this.services.outputs.of(this.node));
    this.backdrop.show(route && this.services.api.apiURL(route));
    // A picture on its way decides where the tracks lie in a video of another shape.
    if (!isLinked(this.node, this.name) && !this.backdrop.loading)
      this.store.resize(this.size(), this.backdrop.picture?.full ?? null);
    this.store.tell();
  }

  /** Follows the node's own numbers and the file of a connected LoadImage. */
  watch() {
    const picture = loadWidget(sourceNode(this.node, "image"));
    const numbers = this.node.widgets?.filter((widget) => SIZES.some((name) => name === widget.name)) ?? [];
    const linked = SIZES.flatMap((name) => widgetsBehind(this.node, name));
    for (const widget of [...numbers, ...linked, ...(picture ? [picture] : [])]) {
      if (this.watched.has(widget)) continue;
      this.watched.add(widget);
      chain(widget, "callback", () => this.refreshSoon());
    }
  }

  /**
   * The video's size as the node and what is linked to it say, else as it was in the last run. What nobody
   * knows stays the document's.
   * @returns {Size}
   */
  size() {
    const { width, height, frames, fps } = this.store.state.doc;
    const size = { width, height, frames, fps };
    const last = this.services.outputs.of(this.node)?.[SIZE_KEY]?.[0];
    this.unknown = [];
    for (const name of SIZES) {
      const linked = isLinked(this.node, name);
      const value = linked
        ? (linkedNumber(this.node, name, (route) => this.pictureSize(route)) ?? last?.[name])
        : Number(this.node.widgets?.find((widget) => widget.name === name)?.value);
      if (Number.isFinite(value) && value > 0) size[name] = value;
      else if (linked) this.unknown.push(name);
    }
    return size;
  }

  /**
   * The size of one of the host's pictures; null = not known yet.
   * @param {string} route
   */
  pictureSize(route) {
    const { pictures } = this;
    const known = pictures.get(route);
    if (known === undefined) {
      pictures.set(route, null);
      const image = new Image();
      image.onload = () => {
        pictures.set(route, { width: image.naturalWidth, height: image.naturalHeight });
        this.refreshSoon();
      };
      image.src = this.services.api.apiURL(route);
    }
    return known ?? null;
  }

  /** A step is complete: the host hears of it and keeps it in its own undo. */
  committed() {
    this.rememberSoon();
    this.widget?.callback?.(this.store.text);
    const tracker = this.services.app.extensionManager?.workflow?.activeWorkflow?.changeTracker;
    if (tracker?.captureCanvasState) tracker.captureCanvasState();
    else tracker?.checkState?.();
  }

  openLarge() {
    const close = openDialog(this.store, this.host, word("tracks"));
    this.closeLarge = close;
  }
}
