/**
 * A backdrop of the person's own: a picture, or a video whose frame follows the playhead. For the eyes only.
 * No part of the document.
 */

import { viewRoute } from "../shared/routes.js";
import { shrunk } from "./backdrop.js";
import { word } from "./vocabulary.js";

/** @import {Picture} from "./backdrop.js" */

export class OwnBackdrop {
  /** @param {ComfyApi} api */
  constructor(api) {
    this.api = api;
    /** @type {Picture | null} */
    this.picture = null;
    /** @type {HTMLVideoElement | null} */
    this.video = null;
    /** @type {string | null} */
    this.url = null;
    this.wanted = 0;
    /** @type {() => void} */
    this.changed = () => {};
  }

  /** @param {File} file a picture or a video @throws {Error} when the browser cannot show it */
  async show(file) {
    const url = URL.createObjectURL(file);
    try {
      if (file.type.startsWith("image/")) return this.adopt(url, shrunk(await loadedImage(url)), null);
      const video = await loadedVideo(url).catch(async () => loadedVideo(await this.uploaded(file)));
      return this.adopt(url, { image: video, width: video.videoWidth, height: video.videoHeight }, video);
    } catch {
      URL.revokeObjectURL(url);
      throw new Error(word("bad_video"));
    }
  }

  /**
   * A page whose rules forbid videos from memory may still play one from the host.
   * @param {File} file
   * @returns {Promise<string>}
   */
  async uploaded(file) {
    const body = new FormData();
    body.append("image", file, file.name);
    body.append("type", "temp");
    const answer = await this.api.fetchApi("/upload/image", { method: "POST", body });
    if (!answer.ok) throw new Error(String(answer.status));
    const { name, subfolder, type } = await answer.json();
    return this.api.apiURL(viewRoute({ filename: name, subfolder, type }));
  }

  /**
   * @param {string} url
   * @param {Picture} picture
   * @param {HTMLVideoElement | null} video
   */
  adopt(url, picture, video) {
    this.clear();
    this.url = url;
    this.picture = picture;
    this.video = video;
    video?.addEventListener("seeked", () => {
      this.changed();
      if (Math.abs(video.currentTime - this.wanted) > 0.02) video.currentTime = this.wanted;
    });
    this.changed();
  }

  clear() {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = this.picture = this.video = null;
    this.changed();
  }

  /** The frame of the video at this time. The last one asked for wins. @param {number} seconds */
  seek(seconds) {
    const { video } = this;
    if (!video) return;
    this.wanted = Math.min(Math.max(0, video.duration - 0.01), seconds);
    if (!video.seeking && Math.abs(video.currentTime - this.wanted) > 0.02) video.currentTime = this.wanted;
  }
}

/** @param {string} url @returns {Promise<HTMLImageElement>} */
async function loadedImage(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

/** @param {string} url @returns {Promise<HTMLVideoElement>} */
function loadedVideo(url) {
  const video = Object.assign(document.createElement("video"), {
    muted: true,
    playsInline: true,
    preload: "auto",
    src: url,
  });
  return new Promise((resolve, reject) => {
    video.addEventListener("loadeddata", () => resolve(video), { once: true });
    video.addEventListener("error", () => reject(new Error("video")), { once: true });
  });
}
