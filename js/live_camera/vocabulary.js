/** What the camera's view says, in English. How another language comes in is in ../shared/language.js. */

import { vocabulary } from "../shared/language.js";

export const ENGLISH = {
  label: "Camera of the stream",
  device: "Which camera, or the screen",
  camera: "The browser's usual camera",
  screen: "A screen, a window or a tab",
  on: "Camera on",
  off: "Camera off",
  idle: "It comes on with a run. Camera on shows it now.",
  asking: "Waiting for your permission",
  ready: "Ready for a run",
  sending: "{camera} pictures a second, {used} used",
  held: "{camera} pictures a second, {used} used. The last one is shown again where none is new.",
  hidden: "This tab is hidden, and the browser gives one picture a second",
  refused: "The browser does not allow it. Allow the camera for this page and press Camera on.",
  missing: "There is no such camera",
  gone: "The camera is gone. The stream goes on with its last picture.",
  busy: "Another program holds the camera",
  insecure: "A browser gives a camera to https pages and to localhost alone",
};

export const { word, setLanguage } = vocabulary(ENGLISH);
