/**
 * The keyboard of the editor: who has the focus, which keys are fields', and the space bar, which plays when
 * it is tapped and moves the canvas while it is held.
 */

import { keyCatcher } from "../shared/elements.js";
import { commandFor } from "./commands.js";

/** @import {ViewEvent} from "./commands.js" */
/** @import {EditorEvent, EditorState} from "./types.js" */

/**
 * @typedef {object} KeyboardHost  what the keyboard needs of the editor
 * @property {() => EditorState | null} state  null = the document cannot be edited
 * @property {(event: EditorEvent | ViewEvent) => void} run
 * @property {() => void} tapped  the space bar
 */

export class EditorKeyboard {
  /**
   * @param {string} label of the editor
   * @param {KeyboardHost} host
   */
  constructor(label, host) {
    this.host = host;
    this.catcher = keyCatcher(label);
    this.space = { held: false, used: false };
  }

  /**
   * @param {HTMLElement} root
   * @param {AbortSignal} signal
   */
  connect(root, signal) {
    root.addEventListener("mousedown", (event) => this.keepFocus(event), { signal });
    root.addEventListener("keydown", (event) => this.down(event), { signal });
    root.addEventListener("keyup", (event) => this.up(event), { signal });
    root.addEventListener("focusout", () => (this.space.held = false), { signal });
  }

  focus() {
    this.catcher.focus({ preventScroll: true });
  }

  /**
   * A press on anything but a field leaves the keys with the editor.
   * Only the press's default is prevented, because the host needs the event.
   * @param {MouseEvent} event
   */
  keepFocus(event) {
    if (event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) return;
    event.preventDefault();
    this.focus();
  }

  /** @param {KeyboardEvent} event */
  down(event) {
    if (isFieldKey(event)) return void event.stopPropagation();
    if (event.target instanceof HTMLButtonElement && event.ctrlKey) return undefined;
    if (event.key === " ") return this.spaceDown(event);
    const state = this.host.state();
    const made = state && commandFor(event)?.perform(state, event.shiftKey);
    if (made || ["Delete", "Backspace"].includes(event.key)) event.stopPropagation();
    if (!made) return undefined;
    event.preventDefault();
    return this.host.run(made);
  }

  /** @param {KeyboardEvent} event */
  spaceDown(event) {
    event.stopPropagation();
    if (event.target instanceof HTMLButtonElement) return;
    event.preventDefault();
    if (!event.repeat) this.space = { held: true, used: false };
  }

  /** @param {KeyboardEvent} event */
  up(event) {
    if (event.key !== " " || !this.space.held) return;
    event.stopPropagation();
    if (!this.space.used) this.host.tapped();
    this.space = { held: false, used: false };
  }
}

/**
 * Keys that an input field needs for itself.
 * @param {KeyboardEvent} event
 */
function isFieldKey({ target, key }) {
  if (target instanceof HTMLSelectElement) return true;
  if (!(target instanceof HTMLInputElement)) return false;
  return target.type !== "range" || /^(Arrow|Home|End|Page)/.test(key);
}
