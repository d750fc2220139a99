/** The list of keys over the canvas. */

import { element, keyList } from "../shared/elements.js";
import { helpRows } from "./commands.js";
import { button } from "./icons.js";
import { word } from "./vocabulary.js";

/** @returns {HTMLElement} hidden at first */
export function helpPanel() {
  const root = element("div", "ms-help");
  const close = button("close", word("close"), () => (root.hidden = true));
  root.append(
    element("header", "", [element("h4", "", [word("keys_title")]), close]),
    keyList(helpRows().map(({ keys, help }) => ({ keys, text: word(help) }))),
  );
  root.dataset.captureWheel = "true";
  root.hidden = true;
  return root;
}
