/** The list of keys over the canvas. */

import { element } from "../shared/elements.js";
import { button } from "./icons.js";
import { SHORTCUTS } from "./keys.js";
import { word } from "./vocabulary.js";

/** @returns {HTMLElement} hidden at first */
export function helpPanel() {
  const rows = SHORTCUTS.flatMap(([keys, text]) => [
    element(
      "dt",
      "",
      keys.split(/\s{2,}/).flatMap((key) => [element("kbd", "", [key]), " "]),
    ),
    element("dd", "", [word(text)]),
  ]);
  const root = element("div", "ms-help");
  const close = button("close", word("close"), () => (root.hidden = true));
  root.append(
    element("header", "", [element("h4", "", [word("keys_title")]), close]),
    element("dl", "", rows),
  );
  root.dataset.captureWheel = "true";
  root.hidden = true;
  return root;
}
