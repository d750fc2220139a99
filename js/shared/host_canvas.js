/**
 * What both views need of ComfyUI's canvas: the elements that are live, the repair of stale ones, chained
 * callbacks, panning, links. No side effect at import.
 */

/** Elements of our widgets whose nodes are in the graph. */
export class LiveViews {
  constructor() {
    /** @type {Map<HTMLElement, {node: ComfyNode, name: string}>} */
    this.views = new Map();
  }

  /**
   * @param {HTMLElement} root
   * @param {ComfyNode} node
   * @param {string} name of the widget
   */
  add(root, node, name) {
    this.views.set(root, { node, name });
    root.dataset.motionstreamView = viewKey(node, name);
  }

  /** @param {HTMLElement} root */
  remove(root) {
    this.views.delete(root);
  }

  /**
   * The Vue renderer keeps the element of the node that stood in a place before an undo rebuilt it (frontend
   * 1.58): puts the live element where the stale one of the same node and widget is.
   */
  heal() {
    for (const [root, { node, name }] of this.views) {
      root.dataset.motionstreamView = viewKey(node, name);
      if (root.isConnected) continue;
      const places = /** @type {NodeListOf<HTMLElement>} */ (
        document.querySelectorAll(`[data-motionstream-view="${CSS.escape(viewKey(node, name))}"]`)
      );
      const stale = [...places].find((place) => !this.views.has(place));
      stale?.replaceWith(root);
    }
  }

  healSoon() {
    requestAnimationFrame(() => requestAnimationFrame(() => this.heal()));
  }
}

/**
 * The name of a widget's place, the same before and after the host has rebuilt the graph.
 * @param {ComfyNode} node
 * @param {string} name
 */
export const viewKey = (node, name) =>
  `${node.graph?.isRootGraph === false ? node.graph.id : ""}/${node.id}/${name}`;

/**
 * Calls `after` whenever the host calls this method of `owner`, after what was there before.
 * @param {any} owner
 * @param {string} method
 * @param {(...parameters: any[]) => void} after
 */
export function chain(owner, method, after) {
  const before = owner[method];
  owner[method] = function (/** @type {any[]} */ ...parameters) {
    const result = before?.apply(this, parameters);
    after(...parameters);
    return result;
  };
}

/**
 * @param {ComfyApp} app
 * @param {number} dx screen pixels
 * @param {number} dy
 */
export function panCanvas(app, dx, dy) {
  const canvas = app.canvas;
  if (!canvas) return;
  canvas.ds.offset[0] += dx / canvas.ds.scale;
  canvas.ds.offset[1] += dy / canvas.ds.scale;
  canvas.setDirty(true, true);
}

/**
 * A view in a node: a widget that holds nothing of the workflow.
 * @param {ComfyNode} node
 * @param {string} name
 * @param {string} type
 * @param {HTMLElement} root
 * @param {number} minHeight  px
 * @returns {ComfyWidget}
 */
export function addViewWidget(node, name, type, root, minHeight) {
  const widget = node.addDOMWidget(name, type, root, {
    getValue: () => "",
    setValue: () => {},
    getMinHeight: () => minHeight,
    hideOnZoom: false,
    serialize: false,
  });
  widget.serialize = false;
  return widget;
}

/**
 * The classic renderer does not hear the wheel over our elements: hands it on to its canvas, unless what lies
 * under the pointer scrolls. The Vue renderer does this by itself.
 * @param {ComfyApp} app
 * @param {HTMLElement} root
 */
export function forwardWheel(app, root) {
  root.addEventListener(
    "wheel",
    (event) => {
      const list = event.target instanceof Element ? event.target.closest("[data-capture-wheel]") : null;
      if (list && list.scrollHeight > list.clientHeight) event.stopPropagation();
      else if (!globalThis.LiteGraph?.vueNodesMode) app.canvas?.processMouseWheel?.(event);
    },
    { passive: false },
  );
}

const REROUTES = new Set(["Reroute", "Reroute (rgthree)"]);

/**
 * The node whose output feeds an input, seen through Reroute nodes; null = none, or beyond the border of a
 * subgraph.
 * @param {ComfyNode} node
 * @param {string} input
 */
export function sourceNode(node, input) {
  const slot = node.inputs?.findIndex((each) => (each.widget?.name ?? each.name) === input) ?? -1;
  let source = slot >= 0 ? node.getInputNode(slot) : null;
  for (let steps = 0; source && REROUTES.has(source.type) && steps < 64; steps++)
    source = source.getInputNode(0);
  return source;
}

/** @param {ComfyNode} node @param {string} input */
export const isLinked = (node, input) =>
  node.inputs?.some(
    (candidate) => (candidate.widget?.name ?? candidate.name) === input && candidate.link != null,
  ) ?? false;
