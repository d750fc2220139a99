/**
 * `%Node.widget%` in the file prefixes of our nodes, filled in as the host does it for its own nodes, by
 * name. The server fills in `%date:…%` (nodes/_host/files.py). Changes nothing but what is sent.
 */

/** The inputs that are prefixes of files, by node. @type {Record<string, string[]>} */
const PREFIXES = { MotionStreamSampler: ["record"], MotionStreamSaveTracks: ["filename_prefix"] };
const FORBIDDEN = /[/?<>\\:*|"\x00-\x1F\x7F]/g; // in the name of a file

/**
 * @param {ComfyNode} node that has just been made
 * @param {ComfyApp} app
 */
export function fillPrefixes(node, app) {
  for (const name of PREFIXES[node.comfyClass ?? ""] ?? []) {
    const widget = node.widgets?.find((candidate) => candidate.name === name);
    if (!widget) continue;
    widget.serializeValue = () => filledPrefix(String(widget.value ?? ""), allNodes(app));
  }
}

/** @param {ComfyApp} app @returns {ComfyNode[]} of the root graph and of every subgraph */
function allNodes(app) {
  const root = app.rootGraph ?? app.graph;
  const graphs = root ? [root, ...(root.subgraphs?.values() ?? [])] : [];
  return graphs.flatMap((graph) => graph.nodes ?? []);
}

/**
 * @param {string} prefix
 * @param {ComfyNode[]} nodes  each found by its "Node name for S&R", else by its title
 * @returns {string}
 */
export function filledPrefix(prefix, nodes) {
  return prefix.replace(/%([^%.]+)\.([^%.]+)%/g, (whole, name, input) => {
    const named = nodes.filter((node) => node.properties?.["Node name for S&R"] === name);
    const [node] = named.length ? named : nodes.filter((each) => each.title === name);
    const widget = node?.widgets?.find((candidate) => candidate.name === input);
    return widget ? String(widget.value ?? "").replace(FORBIDDEN, "_") : whole;
  });
}
