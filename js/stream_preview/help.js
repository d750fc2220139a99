/** The help over the picture: what the colours mean and which keys do what; and which key means what. */

import { element } from "../track_editor/elements.js";
import { COLORS } from "./overlay.js";

/** @import {ReleaseMode} from "./controls.js" */
/** @import {Tool} from "./steering.js" */

/** @typedef {"pause" | "step" | "back" | "border" | "camera" | "handles" | "large" | "help" | "rest" | "escape" | "larger" | "smaller"} Deed */
/** @typedef {{tool: Tool} | {mode: ReleaseMode} | {deed: Deed}} Command */

/** @type {Record<string, Command>} */
const KEYS = {
  " ": { deed: "pause" },
  ".": { deed: "step" },
  ",": { deed: "back" },
  g: { tool: "grab" },
  i: { tool: "pin" },
  d: { tool: "path" },
  r: { tool: "grid" },
  e: { tool: "erase" },
  1: { mode: "keep" },
  2: { mode: "pin" },
  3: { mode: "fade" },
  b: { deed: "border" },
  c: { deed: "camera" },
  h: { deed: "handles" },
  f: { deed: "large" },
  "?": { deed: "help" },
  0: { deed: "rest" },
  "<": { deed: "smaller" },
  ">": { deed: "larger" },
  Escape: { deed: "escape" },
};

/** @param {{key: string, ctrlKey: boolean, metaKey: boolean, altKey: boolean}} key @returns {Command | null} null = not ours */
export function commandFor(key) {
  if (key.ctrlKey || key.metaKey || key.altKey) return null;
  const name = key.key.length === 1 ? key.key.toLowerCase() : key.key;
  return Object.hasOwn(KEYS, name) ? KEYS[name] : null;
}

const LEGEND = [
  ["online: in a hand", COLORS[2], ""],
  ["static: stays where it is", COLORS[1], "ms-square"],
  ["pre-drawn: follows its path", COLORS[0], ""],
  ["hidden: the model is not told", COLORS[3], "ms-hollow"],
];

const SHORTCUTS = [
  ["Space", "Pause, go on"],
  [".  ,", "Make one chunk; back one chunk"],
  ["G  I  D  R  E", "Grab, pin, draw a path, grid, erase"],
  ["1  2  3", "Let go: keep, pin, fade"],
  ["Wheel  <  >", "Radius"],
  ["Right-click", "Remove a handle"],
  ["B", "Pin the border of the picture"],
  ["Arrows", "Pan; with Shift: orbit"],
  ["+  -  [  ]", "Zoom, roll"],
  ["0", "Camera at rest"],
  ["C  H  F", "Camera, handles, large view"],
  ["Esc", "Let go of everything"],
];

/** @returns {HTMLElement} */
export function helpPanel() {
  const legend = LEGEND.map(([text, color, shape]) => {
    const dot = element("i", `ms-dot ${shape}`.trim());
    dot.style.setProperty("--ms-color", color);
    return element("span", "", [dot, text]);
  });
  const rows = SHORTCUTS.flatMap(([keys, text]) => [
    element("dt", "", keys.split(/\s{2,}/).flatMap((key) => [element("kbd", "", [key]), " "])),
    element("dd", "", [text]),
  ]);
  const root = element("div", "ms-help", [element("h4", "", ["Handles"]), element("div", "ms-legend", legend), element("h4", "", ["Keys, while the preview has the focus"]), element("dl", "", rows)]);
  root.hidden = true;
  root.dataset.captureWheel = "true";
  return root;
}
