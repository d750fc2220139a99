/**
 * Where the picture behind the tracks comes from: the connected LoadImage at once, any other source after a
 * run, through the node's own output `motionstream_backdrop`. Finds addresses and loads pictures. Knows
 * nothing of the editor.
 */

import { sourceNode } from "../shared/host_canvas.js";
import { viewRoute } from "../shared/routes.js";

/**
 * @typedef {object} Picture
 * @property {CanvasImageSource} image
 * @property {number} width  of the image, px
 * @property {number} height
 * @property {{width: number, height: number}} [full]  of the file it was made from
 */

const OUTPUT_KEY = "motionstream_backdrop";
const LARGEST = 1280; // px: a larger picture is kept small, it is drawn at every move of the pointer

/**
 * @param {string} value of a LoadImage widget: "folder/name.png [temp]"
 * @returns {{filename: string, subfolder: string, type: string}}
 */
export function parseImageName(value) {
  const [, path, type] = /^(.*?)(?: \[(input|output|temp)\])?$/s.exec(value) ?? [];
  const cut = path.lastIndexOf("/");
  return {
    filename: path.slice(cut + 1),
    subfolder: cut < 0 ? "" : path.slice(0, cut),
    type: type ?? "input",
  };
}

/**
 * @param {ComfyNode} node
 * @param {Record<string, any> | undefined} output  what the node gave when it ran last
 * @returns {string | null} the route of the picture to show
 */
export function backdropRoute(node, output) {
  const connected = node.inputs?.some((input) => input.name === "image" && input.link != null);
  if (!connected) return null;
  const image = loadWidget(sourceNode(node, "image"));
  if (image) return viewRoute(parseImageName(String(image.value)));
  const file = output?.[OUTPUT_KEY]?.[0];
  return typeof file?.filename === "string" ? viewRoute(file) : null;
}

/** The picture widget of a node that loads one file. @param {ComfyNode | null} source */
export function loadWidget(source) {
  if (!source || !/^LoadImage(Output)?$/.test(source.comfyClass ?? source.type)) return null;
  const widget = source.widgets?.find((candidate) => candidate.name === "image");
  return widget && typeof widget.value === "string" && widget.value ? widget : null;
}

/** A picture by address. The last one asked for wins. */
export class Backdrop {
  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
    /** @type {string | null} */
    this.url = null;
    /** @type {Picture | null} */
    this.picture = null;
    this.loading = false;
  }

  /** @param {string | null} url */
  show(url) {
    if (url === this.url) return;
    this.url = url;
    this.loading = url !== null;
    if (url === null) return this.set(null);
    const image = new Image();
    image.onload = () => url === this.url && this.set(shrunk(image));
    image.onerror = () => url === this.url && this.set(null);
    image.src = url;
    return undefined;
  }

  /** @param {Backdrop["picture"]} picture */
  set(picture) {
    this.picture = picture;
    this.loading = false;
    this.changed();
  }
}

/** @param {HTMLImageElement} image @returns {Picture} */
export function shrunk(image) {
  const { naturalWidth, naturalHeight } = image;
  const scale = Math.min(1, LARGEST / Math.max(naturalWidth, naturalHeight));
  const [width, height] = [
    Math.max(1, Math.round(naturalWidth * scale)),
    Math.max(1, Math.round(naturalHeight * scale)),
  ];
  const full = { width: naturalWidth, height: naturalHeight };
  if (scale === 1) return { image, width, height, full };
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const ctx = canvas.getContext("2d");
  if (!ctx) return { image, width: naturalWidth, height: naturalHeight };
  ctx.imageSmoothingQuality = "high";
  ctx.drawImage(image, 0, 0, width, height);
  return { image: canvas, width, height, full };
}
