/** The help over the picture: what the colours mean and which keys do what; and which key means what. */

import { element } from "../shared/elements.js";
import { COLORS } from "./overlay.js";
import { word } from "./vocabulary.js";

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
  ["legend_online", COLORS[2], ""],
  ["legend_static", COLORS[1], "ms-square"],
  ["legend_predrawn", COLORS[0], ""],
  ["legend_hidden", COLORS[3], "ms-hollow"],
];

/** Keys as they are named (words among them are ENGLISH's) and what they do, by its word. */
export const SHORTCUTS = [
  ["space", "key_space"],
  [".  ,", "key_step"],
  ["G  I  D  R  E", "key_tools"],
  ["1  2  3", "key_release"],
  ["wheel  <  >", "key_radius"],
  ["right_click", "key_right"],
  ["B", "key_border"],
  ["arrows", "key_arrows"],
  ["+  -  [  ]", "key_zoom"],
  ["0", "key_rest"],
  ["C  H  F", "key_views"],
  ["Esc", "key_escape"],
];

/** @returns {HTMLElement} */
export function helpPanel() {
  const legend = LEGEND.map(([text, color, shape]) => {
    const dot = element("i", `ms-dot ${shape}`.trim());
    dot.style.setProperty("--ms-color", color);
    return element("span", "", [dot, word(text)]);
  });
  const rows = SHORTCUTS.flatMap(([keys, text]) => [
    element(
      "dt",
      "",
      keys.split(/\s{2,}/).flatMap((key) => [element("kbd", "", [word(key)]), " "]),
    ),
    element("dd", "", [word(text)]),
  ]);
  const root = element("div", "ms-help", [
    element("h4", "", [word("legend")]),
    element("div", "ms-legend", legend),
    element("h4", "", [word("keys_title")]),
    element("dl", "", rows),
  ]);
  root.hidden = true;
  root.dataset.captureWheel = "true";
  return root;
}
