/**
 * One document's state and its listeners. The node's editor and the large editor in a dialog are two views of
 * one store.
 */

import { freshDocument, readDocument, writeDocument } from "./document.js";
import { initialState, reduce } from "./state.js";

/** @import {EditorEvent, EditorState, Size} from "./types.js" */

export class EditorStore {
  constructor() {
    this.state = initialState(freshDocument());
    /** What is wrong with the text that was loaded; "" = nothing. @type {string} */
    this.problem = "";
    this.text = "";
    /** @type {Set<() => void>} */
    this.listeners = new Set();
    /** Called when a step is complete and the host should remember it. @type {() => void} */
    this.onCommit = () => {};
  }

  /** @param {() => void} listener @returns {() => void} takes it away again */
  subscribe(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** @param {EditorEvent} event */
  dispatch(event) {
    const before = this.state;
    this.adopt(reduce(before, event));
    if (this.state.doc !== before.doc && !this.state.drag) this.onCommit();
    else if (event.type === "drag-end" && before.drag && before.doc !== before.drag.base) this.onCommit();
  }

  /**
   * Text from outside. Text that cannot be read stays as it is until it is replaced.
   * @param {string} text
   * @param {Size} [size] of an empty document
   */
  load(text, size) {
    if (text === this.text) return;
    try {
      const document = readDocument(text, size);
      this.problem = "";
      this.state = reduce(this.state, { type: "load", document });
    } catch (error) {
      this.problem = /** @type {Error} */ (error).message;
    }
    this.text = text;
    this.tell();
  }

  /** The state of an editor that this one takes the place of. @param {EditorState} state */
  inherit(state) {
    if (this.problem) return;
    this.state = reduce(state, { type: "load", document: this.state.doc });
    this.tell();
  }

  /**
   * The video's size.
   * @param {Size} size
   * @param {EditorState["picture"]} [picture] below the tracks
   */
  resize(size, picture = null) {
    if (!this.problem) this.adopt(reduce(this.state, { type: "resize", size, picture }));
  }

  /** An empty document in place of one that cannot be read. */
  startAnew() {
    this.problem = "";
    const { width, height, frames, fps } = this.state.doc;
    this.adopt(initialState(freshDocument({ width, height, frames, fps })));
    this.onCommit();
  }

  /** @param {EditorState} state */
  adopt(state) {
    if (this.problem) return;
    if (state.doc !== this.state.doc) this.text = writeDocument(state.doc);
    this.state = state;
    this.tell();
  }

  tell() {
    for (const listener of [...this.listeners]) listener();
  }
}
