/**
 * The keyboard of the preview: listens while the preview has the focus and runs the command that a key means.
 * Camera keys push for as long as they are held.
 */

import { axisOf } from "./camera.js";
import { run } from "./command_button.js";
import { commandFor } from "./commands.js";
import { obstacleOf } from "./obstacles.js";

/** @import {Axis} from "./camera.js" */
/** @import {PreviewStore} from "./store.js" */

export class PreviewKeyboard {
  /**
   * @param {PreviewStore} store
   * @param {() => void} focus gives the preview the keys
   */
  constructor(store, focus) {
    this.store = store;
    this.focus = focus;
    /** @type {Map<string, Axis>} camera keys that are down, by their place on the keyboard */
    this.held = new Map();
  }

  /**
   * @param {HTMLElement} panel
   * @param {AbortSignal} signal
   */
  connect(panel, signal) {
    panel.addEventListener("mousedown", (event) => this.keepFocus(event), { signal });
    panel.addEventListener("keydown", (event) => this.down(event), { signal });
    panel.addEventListener("keyup", (event) => this.up(event), { signal });
    panel.addEventListener("pointerup", (event) => this.leaveField(event), { signal });
    panel.addEventListener("change", (event) => this.leaveField(event), { signal });
    panel.addEventListener("focusout", () => this.release([...this.held.keys()]), { signal });
  }

  /**
   * A press on anything but a field leaves the keys with the preview.
   * Only the press's default is prevented, because the host needs the event.
   * @param {MouseEvent} event
   */
  keepFocus(event) {
    if (event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) return;
    event.preventDefault();
    this.focus();
  }

  /**
   * A slider or a choice that was used leaves the keys with the preview, too.
   * @param {Event} event
   */
  leaveField({ target, type }) {
    const slider = target instanceof HTMLInputElement && target.type === "range" && type === "pointerup";
    if (slider || (target instanceof HTMLSelectElement && type === "change")) this.focus();
  }

  /** @param {KeyboardEvent} event */
  down(event) {
    if (["Delete", "Backspace"].includes(event.key)) event.stopPropagation();
    if (isFieldKey(event)) return event.stopPropagation();
    const used = this.camera(event) || this.command(event);
    if (!used) return undefined;
    event.preventDefault();
    return event.stopPropagation();
  }

  /**
   * @param {KeyboardEvent} event
   * @returns {boolean} the key is a camera's
   */
  camera(event) {
    const { state } = this.store;
    const found = event.ctrlKey || event.metaKey || event.altKey ? null : axisOf(event);
    if (!found || obstacleOf(state, "camera")) return false;
    if (event.repeat && !state.rig.hold) return true;
    const [axis, direction] = found;
    this.held.set(event.code, axis);
    this.store.dispatch({ type: "camera-key", axis, direction });
    return true;
  }

  /** @param {KeyboardEvent} event */
  up(event) {
    if (this.held.has(event.code)) this.release([event.code]);
  }

  /** @param {string[]} codes of camera keys that come up */
  release(codes) {
    const axes = codes.flatMap((code) => this.held.get(code) ?? []);
    for (const code of codes) this.held.delete(code);
    if (axes.length) this.store.dispatch({ type: "camera-release", axes });
  }

  /**
   * @param {KeyboardEvent} event
   * @returns {boolean} false = the key is the host's
   */
  command(event) {
    const command = commandFor(event);
    if (!command) return false;
    if (event.repeat && !command.repeats) return true;
    const done = run(this.store, command);
    return done || !command.yields;
  }
}

/**
 * Keys that a field or a button needs for itself.
 * @param {KeyboardEvent} event
 */
function isFieldKey({ target, key }) {
  if (target instanceof HTMLButtonElement) return key === " " || key === "Enter";
  if (target instanceof HTMLSelectElement) return true;
  if (!(target instanceof HTMLInputElement)) return false;
  return target.type !== "range" || /^(Arrow|Home|End|Page)/.test(key);
}
