/** Files of the person: picked, dropped, pasted or saved. Says what is in them. Changes no document. */

import { readNpz } from "./npz.js";
import { readTracks, tracksOf } from "./transfer.js";

/** @import {Size, Track} from "./types.js" */

const MAX_BYTES = 2 ** 28;

/** @param {string} accept @returns {Promise<File | null>} null = none was chosen */
export function pickFile(accept) {
  const input = Object.assign(document.createElement("input"), { type: "file", accept });
  return new Promise((resolve) => {
    input.addEventListener("change", () => resolve(input.files?.[0] ?? null));
    input.addEventListener("cancel", () => resolve(null));
    input.click();
  });
}

/** @param {File} file */
export const isPicture = (file) => /^(image|video)\//.test(file.type);

/**
 * @param {File} file
 * @param {Size} size
 * @returns {Promise<Track[]>}
 * @throws {Error} naming what was expected and found
 */
export async function tracksInFile(file, size) {
  if (file.size > MAX_BYTES) throw new Error(`Expected at most ${MAX_BYTES} bytes, got ${file.size}.`);
  if (!/\.npz$/i.test(file.name)) return readTracks(await file.text(), size);
  return tracksOf(await readNpz(new Uint8Array(await file.arrayBuffer()), size), size);
}
