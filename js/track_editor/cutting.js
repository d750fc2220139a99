/**
 * Select object: what a click or a box on the picture has meant, as a mask over the whole video. The host's
 * server cuts it out. Masks that a linked MASK has brought come first.
 */

import { coverCrop } from "../shared/geometry.js";
import { sizeOf } from "./outlines.js";
import { maskOfRuns } from "../shared/masks.js";
import { word } from "./vocabulary.js";

/** @import {Picture} from "./backdrop.js" */
/** @import {Mask} from "../shared/masks.js" */
/** @import {Box, TrackDocument, VideoPoint} from "./types.js" */

/** @typedef {{at: VideoPoint} | {box: Box}} Meant  video pixels */

const ROUTE = "/motionstream/cut";
const SHARPEST = 512; // px: the longer side of the picture that is sent, unless the video is larger
const LARGEST = 1024;

/**
 * The mask of a linked input that a click has meant: the smallest one under it.
 * @param {unknown} found  the node's output `motionstream_masks`
 * @param {TrackDocument} doc
 * @param {Meant} meant
 * @returns {Mask | null}
 */
export function linkedMask(found, doc, meant) {
  if (!Array.isArray(found) || !("at" in meant)) return null;
  const under = found
    .filter(({ width, height }) => Math.abs(width * doc.height - height * doc.width) <= doc.width)
    .map(maskOfRuns)
    .filter(({ width, height, cells }) => {
      const x = Math.floor(((meant.at.x + 0.5) * width) / doc.width);
      const y = Math.floor(((meant.at.y + 0.5) * height) / doc.height);
      return x >= 0 && y >= 0 && x < width && y < height && cells[y * width + x] > 0;
    });
  return under.sort((a, b) => sizeOf(a) - sizeOf(b))[0] ?? null;
}

/**
 * @param {ComfyApi} api
 * @param {Picture | null} picture below the tracks
 * @param {TrackDocument} doc
 * @param {Meant} meant
 * @returns {Promise<Mask>}
 * @throws {Error} for a person: there is no picture, or nothing stands out there
 */
export async function cutFrom(api, picture, doc, meant) {
  if (!picture) throw new Error(word("cut_no_picture"));
  const sent = pictureSent(picture, doc);
  const place = (/** @type {VideoPoint} */ { x, y }) => [
    ((x + 0.5) * sent.width) / doc.width - 0.5,
    ((y + 0.5) * sent.height) / doc.height - 0.5,
  ];
  const where =
    "at" in meant
      ? { at: place(meant.at) }
      : {
          box: [
            ...place({ x: meant.box.left, y: meant.box.top }),
            ...place({ x: meant.box.right, y: meant.box.bottom }),
          ],
        };
  const response = await api.fetchApi(ROUTE, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ picture: sent.text, ...where }),
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? word("cut_failed", { status: response.status }));
  const mask = maskOfRuns(answer);
  if (!sizeOf(mask)) throw new Error(word("cut_nothing"));
  return mask;
}

/**
 * The part of the picture that the video shows.
 * @param {Picture} picture
 * @param {TrackDocument} doc
 * @returns {{text: string, width: number, height: number}} text: a PNG in base64
 */
function pictureSent(picture, doc) {
  const crop = coverCrop(picture, doc);
  const own = Math.max(crop.width, crop.height);
  const side = Math.min(LARGEST, Math.max(doc.width, doc.height, Math.min(own, SHARPEST)));
  const scale = side / Math.max(doc.width, doc.height);
  const width = Math.max(1, Math.round(doc.width * scale));
  const height = Math.max(1, Math.round(doc.height * scale));
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const ctx = canvas.getContext("2d");
  if (!ctx) throw new Error(word("cut_no_picture"));
  ctx.imageSmoothingQuality = "high";
  ctx.drawImage(picture.image, crop.x, crop.y, crop.width, crop.height, 0, 0, width, height);
  return { text: canvas.toDataURL("image/png").split(",")[1], width, height };
}
