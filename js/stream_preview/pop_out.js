/**
 * The picture in a window of its own that stays on top (Document Picture-in-Picture), and the picture over
 * the whole screen. Both move or enlarge the stage itself, so hands work there as they do in the node.
 */

import { element } from "../shared/elements.js";
import { word } from "./vocabulary.js";

const SIDE = 480; // px, the longer side of a new window
/** Windows that show a picture now, whether or not the page behind them is to be seen. */
let open = 0;

/** Somebody can see pictures of this page. */
export const isSeen = () => !document.hidden || open > 0;

/** @typedef {{requestWindow(size: {width: number, height: number}): Promise<Window>}} PictureWindows */

/** @returns {PictureWindows | undefined} undefined = this browser has none */
export const pictureWindows = () =>
  /** @type {{documentPictureInPicture?: PictureWindows}} */ (/** @type {unknown} */ (globalThis))
    .documentPictureInPicture;

/**
 * @typedef {object} PoppedOut
 * @property {Window} window
 * @property {() => void} close  the stage is back in its place
 */

/**
 * @param {HTMLElement} stage
 * @param {{width: number, height: number}} video
 * @param {() => void} closed
 * @returns {Promise<PoppedOut>}
 */
export async function popOut(stage, video, closed) {
  const windows = pictureWindows();
  if (!windows) throw new Error("Expected a browser with Document Picture-in-Picture, got another one.");
  const scale = SIDE / Math.max(video.width, video.height);
  const opened = await windows.requestWindow({
    width: Math.round(video.width * scale),
    height: Math.round(video.height * scale),
  });
  for (const sheet of document.querySelectorAll("style[id^=motionstream]"))
    opened.document.head.append(sheet.cloneNode(true));
  const shell = element("div", "ms-root ms-view ms-popped");
  const note = element("div", "ms-elsewhere", [word("elsewhere_window")]);
  stage.replaceWith(note);
  shell.append(stage);
  opened.document.body.append(shell);
  open += 1;
  let away = true;
  const back = () => {
    if (!away) return;
    away = false;
    open -= 1;
    note.replaceWith(stage);
    closed();
  };
  opened.addEventListener("pagehide", back);
  const close = () => {
    back();
    opened.close();
  };
  return { window: opened, close };
}

/**
 * The stage over the whole screen, or back in its place.
 * @param {HTMLElement} stage
 */
export async function toggleFullScreen(stage) {
  const { ownerDocument } = stage;
  if (ownerDocument.fullscreenElement) await ownerDocument.exitFullscreen();
  else await stage.requestFullscreen();
}
