/** The large editor: a second view of the same store in a modal dialog. */

import { element } from "../shared/elements.js";
import { TrackEditor } from "./editor.js";
import { button } from "./icons.js";
import { word } from "./vocabulary.js";

/** @import {EditorHost} from "./editor.js" */
/** @import {EditorStore} from "./store.js" */

/**
 * @param {EditorStore} store
 * @param {EditorHost} host
 * @param {string} title
 * @returns {() => void} closes it
 */
export function openDialog(store, host, title) {
  const editor = new TrackEditor(store, { ...host, large: null, pan: () => {} });
  const dialog = element("dialog", "ms-dialog");
  const close = () => dialog.close();
  dialog.append(
    element("header", "", [element("span", "", [title]), button("close", word("close"), close)]),
    editor.root,
  );
  dialog.addEventListener("keydown", (event) => event.stopPropagation());
  dialog.addEventListener("close", () => {
    editor.disconnect();
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
  editor.connect();
  editor.focus();
  return close;
}
