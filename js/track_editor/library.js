/**
 * Recent tracks and presets of the person, kept in the host's user settings. Reads and writes settings. Draws
 * nothing.
 */

import { readDocument } from "./document.js";
import { copyText } from "./transfer.js";

/** @import {Track, TrackDocument} from "./types.js" */

/** @typedef {{name: string, text: string}} LibraryItem  text = a track document */

const RECENT = "MotionStream.TrackEditor.Recent";
const PRESETS = "MotionStream.TrackEditor.Presets";
const MAX_RECENT = 12;
const MAX_PRESETS = 60;
const MAX_TEXT = 30_000;

/** For the host's settings. Neither is shown among them. */
export const EDITOR_SETTINGS = [RECENT, PRESETS].map((id) => ({
  id,
  name: id.split(".").pop() ?? id,
  type: "hidden",
  defaultValue: [],
}));

export class Library {
  /** @param {ComfyApp} app */
  constructor(app) {
    this.app = app;
  }

  get recent() {
    return this.read(RECENT);
  }

  get presets() {
    return this.read(PRESETS);
  }

  /** @param {string} id @returns {LibraryItem[]} what of the setting is sound */
  read(id) {
    const value = this.app.extensionManager?.setting?.get(id);
    return Array.isArray(value)
      ? value.filter(
          (item) =>
            typeof item?.name === "string" && typeof item?.text === "string" && item.text.length <= MAX_TEXT,
        )
      : [];
  }

  /** @param {string} id @param {LibraryItem[]} items */
  write(id, items) {
    void this.app.extensionManager?.setting?.set(id, items);
  }

  /**
   * The newest first, none twice.
   * @param {TrackDocument} doc
   * @param {Track[]} tracks
   */
  remember(doc, tracks) {
    const fresh = tracks
      .map((track) => ({ name: track.name, text: copyText(doc, [track]) }))
      .filter(({ text }) => text.length <= MAX_TEXT);
    const shape = (/** @type {LibraryItem} */ item) =>
      JSON.stringify(
        tracksIn(item)?.tracks.map(({ kind, points, speed, region, grid }) => [
          kind,
          points,
          speed,
          region,
          grid,
        ]),
      );
    const seen = new Set(fresh.map(shape));
    const older = this.recent.filter((item) => !seen.has(shape(item)));
    if (fresh.length) this.write(RECENT, [...fresh.reverse(), ...older].slice(0, MAX_RECENT));
  }

  /**
   * @param {string} name
   * @param {TrackDocument} doc
   * @param {Track[]} tracks
   * @returns {boolean} false = too large to keep
   */
  keep(name, doc, tracks) {
    const text = copyText(doc, tracks);
    if (text.length > MAX_TEXT) return false;
    this.write(
      PRESETS,
      [{ name, text }, ...this.presets.filter((item) => item.name !== name)].slice(0, MAX_PRESETS),
    );
    return true;
  }

  /** @param {string} name */
  forget(name) {
    this.write(
      PRESETS,
      this.presets.filter((item) => item.name !== name),
    );
  }
}

/** @param {LibraryItem} item @returns {TrackDocument | null} null = it cannot be read */
export function tracksIn({ text }) {
  try {
    return readDocument(text);
  } catch {
    return null;
  }
}
