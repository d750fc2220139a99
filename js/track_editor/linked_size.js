/**
 * A number that comes to a node through a link, as far as the page can know it before a run: from a
 * primitive, another editor, or the size of a loaded picture. Reads nodes, changes none.
 */

import { isLinked, sourceNode } from "../shared/host_canvas.js";
import { viewRoute } from "../shared/routes.js";
import { loadWidget, parseImageName } from "./backdrop.js";

const DEEPEST = 8; // nodes
const MEASURES = /get.?image.?size/i;

/**
 * @param {ComfyNode} node
 * @param {string} input
 * @param {(route: string) => {width: number, height: number} | null} pictureSize
 * @param {number} [deep]
 * @returns {number | null} null = the page cannot know it
 */
export function linkedNumber(node, input, pictureSize, deep = 0) {
  const source = deep < DEEPEST ? sourceNode(node, input) : null;
  if (!source) return null;
  const output = outputName(node, input, source);
  if (MEASURES.test(source.comfyClass ?? source.type)) {
    const picture = loadWidget(sourceNode(source, "image"));
    const size = picture && pictureSize(viewRoute(parseImageName(String(picture.value))));
    return size && (output === "width" || output === "height") ? size[output] : null;
  }
  const widget = valueWidget(source, output);
  if (!widget) return null;
  if (isLinked(source, widget.name)) return linkedNumber(source, widget.name, pictureSize, deep + 1);
  const value = Number(widget.value);
  return Number.isFinite(value) && value > 0 ? value : null;
}

/**
 * The widgets that decide a linked number.
 * @param {ComfyNode} node
 * @param {string} input
 * @returns {ComfyWidget[]}
 */
export function widgetsBehind(node, input) {
  const found = [];
  let [at, name] = [node, input];
  for (let deep = 0; deep < DEEPEST && isLinked(at, name); deep++) {
    const source = sourceNode(at, name);
    if (!source) break;
    const measures = MEASURES.test(source.comfyClass ?? source.type);
    const widget = measures
      ? loadWidget(sourceNode(source, "image"))
      : valueWidget(source, outputName(at, name, source));
    if (!widget) break;
    found.push(widget);
    [at, name] = [source, widget.name];
  }
  return found;
}

/**
 * The widget that an output hands on: that of a primitive, or the one of the same name on an editor of ours.
 * @param {ComfyNode} source
 * @param {string} output
 */
function valueWidget(source, output) {
  const kind = source.comfyClass ?? source.type;
  if (kind === "MotionStreamTrackEditor")
    return source.widgets?.find((widget) => widget.name === output) ?? null;
  if (kind === "PrimitiveNode") return source.widgets?.[0] ?? null;
  const alone =
    (source.outputs?.length ?? 0) === 1 && !source.inputs?.some((each) => each.link != null && !each.widget);
  return (alone && source.widgets?.find((widget) => widget.name === "value")) || null;
}

/**
 * The name of the output that feeds an input.
 * @param {ComfyNode} node
 * @param {string} input
 * @param {ComfyNode} source behind any reroutes
 * @returns {string} small letters
 */
function outputName(node, input, source) {
  const slot = node.inputs?.findIndex((each) => (each.widget?.name ?? each.name) === input) ?? -1;
  let link = node.getInputLink?.(slot);
  let at = node.getInputNode(slot);
  for (let steps = 0; at && at !== source && steps < 64; steps++) {
    link = at.getInputLink?.(0);
    at = at.getInputNode(0);
  }
  return String(source.outputs?.[link?.origin_slot ?? 0]?.name ?? "").toLowerCase();
}
