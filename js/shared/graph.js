/** Ways through the host's graphs and subgraphs. Reads nodes and links, changes none. */

/**
 * The nodes that an execution id leads through: "12:7" is node 7 of the subgraph of node 12.
 * @param {ComfyGraph | null | undefined} root
 * @param {string} id
 * @returns {ComfyNode[]} the last one is the node; [] = there is none
 */
export function nodesOnPath(root, id) {
  /** @type {ComfyNode[]} */
  const found = [];
  let graph = root;
  for (const part of String(id).split(":")) {
    const node = graph?.getNodeById?.(Number.isNaN(Number(part)) ? part : Number(part));
    if (!node) return [];
    found.push(node);
    graph = node.subgraph;
  }
  return found;
}

/**
 * All nodes whose outputs a node is made from, its own not among them. Beyond the border of a subgraph it
 * goes on from the nodes that stand for that subgraph.
 * @param {ComfyNode} node
 * @param {ComfyGraph | null | undefined} root
 * @param {string} [input] through this input alone
 * @returns {Set<ComfyNode>}
 */
export function nodesUpstream(node, root, input = "") {
  /** @type {Set<ComfyNode>} */
  const seen = new Set();
  const open = sources(node, root, input);
  for (let next = open.pop(); next; next = open.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    open.push(...sources(next, root));
  }
  return seen;
}

/**
 * @param {ComfyNode} node
 * @param {ComfyGraph | null | undefined} root
 * @param {string} [input]
 * @returns {ComfyNode[]}
 */
function sources(node, root, input = "") {
  /** @type {ComfyNode[]} */
  const found = [];
  (node.inputs ?? []).forEach((slot, at) => {
    if (slot.link == null || (input && slot.name !== input)) return;
    const source = node.getInputNode(at);
    if (source) found.push(source);
    else found.push(...standingFor(node.graph, root));
  });
  return found;
}

/**
 * The nodes that stand for a subgraph.
 * @param {ComfyGraph | null | undefined} graph
 * @param {ComfyGraph | null | undefined} root
 * @returns {ComfyNode[]}
 */
function standingFor(graph, root) {
  if (!graph || !root || graph === root) return [];
  const graphs = [root, ...(root.subgraphs?.values() ?? [])];
  return graphs.flatMap((each) => (each.nodes ?? []).filter((node) => node.subgraph === graph));
}

/**
 * The nodes that an output feeds at once.
 * @param {ComfyNode} node
 * @param {number} [slot]
 * @returns {ComfyNode[]}
 */
export function feeds(node, slot = 0) {
  const { graph } = node;
  return (node.outputs?.[slot]?.links ?? []).flatMap((id) => {
    const link = graph?.getLink?.(id);
    const target = link && graph?.getNodeById?.(link.target_id);
    return target ? [target] : [];
  });
}
