/** The help over the picture: what the colours mean, and which keys do what. */

import { element, keyList } from "../shared/elements.js";
import { helpRows } from "./commands.js";
import { COLORS } from "./overlay.js";
import { word } from "./vocabulary.js";

const LEGEND = [
  ["legend_online", COLORS[2], ""],
  ["legend_static", COLORS[1], "ms-square"],
  ["legend_predrawn", COLORS[0], ""],
  ["legend_hidden", COLORS[3], "ms-hollow"],
];

/** @returns {HTMLElement} hidden at first */
export function helpPanel() {
  const legend = LEGEND.map(([text, color, shape]) => {
    const dot = element("i", `ms-dot ${shape}`.trim());
    dot.style.setProperty("--ms-color", color);
    return element("span", "", [dot, word(text)]);
  });
  const rows = helpRows().map(({ keys, help }) => ({ keys: keys.map((key) => word(key)), text: word(help) }));
  const root = element("div", "ms-help", [
    element("h4", "", [word("legend")]),
    element("div", "ms-legend", legend),
    element("h4", "", [word("keys_title")]),
    keyList(rows),
  ]);
  root.hidden = true;
  root.dataset.captureWheel = "true";
  return root;
}
