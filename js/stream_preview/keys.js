/** The keyboard of the preview: listens while the preview has the focus and runs what a key means. Camera keys push for as long as they are held. */

import { axisOf, keyed, letGo } from "./camera.js";
import * as controls from "./controls.js";
import { obstacleOf } from "./format.js";
import { commandFor } from "./help.js";
import { stepped } from "./stage.js";
import { largestRadius } from "./steering.js";

/** @import {Axis} from "./camera.js" */
/** @import {Deed} from "./help.js" */
/** @import {StreamPreview} from "./preview.js" */

export class PreviewKeys {
  /** @param {StreamPreview} preview */
  constructor(preview) {
    this.preview = preview;
    /** @type {Map<string, Axis>} camera keys that are down, by their place on the keyboard */
    this.held = new Map();
  }

  /** @param {HTMLElement} panel @param {AbortSignal} signal */
  connect(panel, signal) {
    panel.addEventListener("mousedown", (event) => this.keepFocus(event), { signal });
    panel.addEventListener("keydown", (event) => this.down(event), { signal });
    panel.addEventListener("keyup", (event) => this.up(event), { signal });
    panel.addEventListener("pointerup", (event) => this.leaveField(event), { signal });
    panel.addEventListener("change", (event) => this.leaveField(event), { signal });
    panel.addEventListener("focusout", () => this.letGo([...this.held.keys()]), { signal });
  }

  /** A press on anything but a field leaves the keys with the preview. Only the press's default is prevented: the host needs the event. @param {MouseEvent} event */
  keepFocus(event) {
    if (event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) return;
    event.preventDefault();
    this.preview.layout.focus();
  }

  /** A slider or a choice that was used leaves the keys with the preview, too. @param {Event} event */
  leaveField({ target, type }) {
    const slider = target instanceof HTMLInputElement && target.type === "range" && type === "pointerup";
    if (slider || (target instanceof HTMLSelectElement && type === "change")) this.preview.layout.focus();
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

  /** @param {KeyboardEvent} event @returns {boolean} */
  camera(event) {
    const { preview } = this;
    const found = event.ctrlKey || event.metaKey || event.altKey ? null : axisOf(event);
    if (!found || obstacleOf(preview, "camera")) return false;
    if (event.repeat && !preview.rig.hold) return true;
    this.held.set(event.code, found[0]);
    preview.pushCamera(keyed(preview.rig, ...found));
    return true;
  }

  /** @param {KeyboardEvent} event */
  up(event) {
    if (this.held.has(event.code)) this.letGo([event.code]);
  }

  /** @param {string[]} codes */
  letGo(codes) {
    const axes = codes.flatMap((code) => this.held.get(code) ?? []);
    for (const code of codes) this.held.delete(code);
    if (axes.length) this.preview.pushCamera(letGo(this.preview.rig, axes));
  }

  /** @param {KeyboardEvent} event @returns {boolean} */
  command(event) {
    const command = commandFor(event);
    if (!command) return false;
    if ("tool" in command) this.preview.steer({ tool: command.tool });
    else if ("mode" in command) this.preview.steer({ mode: command.mode });
    else
      return event.repeat && command.deed !== "larger" && command.deed !== "smaller"
        ? true
        : this.deed(command.deed);
    return true;
  }

  /** @param {Deed} deed @returns {boolean} false = nothing to do, the key is the host's */
  deed(deed) {
    const { preview } = this;
    const { state, steering, run } = preview;
    if (deed === "pause") preview.togglePause();
    else if (deed === "step") preview.send(controls.plain("step"));
    else if (deed === "back") this.back(state.chunk - 1, state.oldest_chunk ?? state.chunk);
    else if (deed === "border") preview.send(controls.plain("pin_border"));
    else if (deed === "camera") preview.set({ cameraOpen: !preview.cameraOpen });
    else if (deed === "handles") preview.set({ handlesVisible: !preview.handlesVisible });
    else if (deed === "large") preview.toggleLarge();
    else if (deed === "help") preview.layout.toggleHelp();
    else if (deed === "rest") preview.restCamera();
    else if (deed === "escape") return preview.releaseAll() || preview.layout.closeHelp();
    else if (run)
      preview.steer({ radius: stepped(steering.radius, deed === "larger" ? 1 : -1, largestRadius(run)) });
    return true;
  }

  /** @param {number} chunk @param {number} oldest */
  back(chunk, oldest) {
    if (chunk >= Math.max(1, oldest)) this.preview.send(controls.rewind(chunk));
  }
}

/** Keys that a field or a button needs for itself. @param {KeyboardEvent} event */
function isFieldKey(event) {
  const { target, key } = event;
  if (target instanceof HTMLButtonElement) return key === " " || key === "Enter";
  if (target instanceof HTMLSelectElement) return true;
  return (
    target instanceof HTMLInputElement && (target.type !== "range" || /^(Arrow|Home|End|Page)/.test(key))
  );
}
