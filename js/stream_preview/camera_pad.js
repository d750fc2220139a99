/** The live camera's controls: a pad for panning, sliders for zoom, roll and orbit, a switch that lets them hold. Owns its DOM alone. */

import { element, press } from "../track_editor/elements.js";
import { allow, glyph, glyphButton } from "./glyphs.js";
import { obstacleOf } from "./words.js";

/** @import {Axis, Push, Rig} from "./camera.js" */
/** @import {Model} from "./panels.js" */

/**
 * @typedef {object} CameraActions
 * @property {(push: Partial<Push>) => void} push
 * @property {(axes: Axis[]) => void} letGo
 * @property {(hold: boolean) => void} hold
 * @property {() => void} rest
 */

/** @type {[Axis, string][]} */
const SLIDERS = [
  ["zoom", "Zoom: right is nearer (+ and -)"],
  ["roll", "Roll: turns the picture ([ and ])"],
  ["orbit", "Orbit: goes round the middle (Shift with left and right)"],
];
const TRAVEL = 0.38; // of the pad's width, from the middle to a full push

export class CameraPad {
  /** @param {CameraActions} actions */
  constructor(actions) {
    this.actions = actions;
    this.knob = element("i", "ms-knob");
    this.pad = element("div", "ms-pad", [this.knob]);
    this.pad.tabIndex = -1;
    this.sliders = SLIDERS.map(([axis, title]) => this.slider(axis, title));
    this.hold = glyphButton("hold", "Hold: the camera goes on when it is let go", () => actions.hold(!this.holds));
    this.still = glyphButton("rest", "Camera at rest (0)", actions.rest);
    const rows = element("div", "ms-axes", this.sliders.map(({ root }) => root));
    this.root = element("div", "ms-camera", [this.pad, rows, element("div", "ms-group ms-column", [this.hold, this.still])]);
    this.holds = false;
    /** @type {number | null} the pointer on the pad */
    this.pointer = null;
    this.able = false;
    this.pad.addEventListener("pointerdown", (event) => this.down(event));
    this.pad.addEventListener("pointermove", (event) => this.move(event));
    for (const end of /** @type {const} */ (["pointerup", "pointercancel"])) this.pad.addEventListener(end, (event) => this.up(event));
  }

  /** @param {Axis} axis @param {string} title */
  slider(axis, title) {
    const range = element("input");
    Object.assign(range, { type: "range", min: "-100", max: "100", step: "1", value: "0" });
    range.addEventListener("input", () => this.actions.push({ [axis]: Number(range.value) / 100 }));
    for (const end of ["change", "pointerup", "pointercancel"]) range.addEventListener(end, () => this.actions.letGo([axis]));
    range.addEventListener("dblclick", () => this.actions.push({ [axis]: 0 }));
    return { axis, range, title, root: element("label", "ms-axis", [glyph(axis), range]) };
  }

  /** @param {PointerEvent} event */
  down(event) {
    event.stopPropagation();
    if (!this.able || this.pointer !== null || event.button !== 0) return;
    this.pointer = event.pointerId;
    this.pad.setPointerCapture(event.pointerId);
    this.move(event);
  }

  /** @param {PointerEvent} event */
  move(event) {
    if (event.pointerId !== this.pointer) return;
    event.stopPropagation();
    const box = this.pad.getBoundingClientRect();
    const share = (/** @type {number} */ place, /** @type {number} */ from, /** @type {number} */ size) => (place - from - size / 2) / (size * TRAVEL);
    this.actions.push({ x: share(event.clientX, box.left, box.width), y: share(event.clientY, box.top, box.height) });
  }

  /** @param {PointerEvent} event */
  up(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = null;
    this.actions.letGo(["x", "y"]);
  }

  /** @param {Model} model @param {Rig} rig */
  update(model, rig) {
    const obstacle = obstacleOf(model, "camera");
    this.root.hidden = !model.cameraOpen;
    this.able = !obstacle;
    this.holds = rig.hold;
    this.pad.classList.toggle("ms-off", !this.able);
    this.pad.title = `Pan: the picture goes the way the knob does (arrow keys)${obstacle && `: ${obstacle}`}`;
    this.knob.style.transform = `translate(${(rig.push.x * TRAVEL * 100).toFixed(1)}cqw, ${(rig.push.y * TRAVEL * 100).toFixed(1)}cqh)`;
    for (const { axis, range, title } of this.sliders) {
      range.value = String(Math.round(rig.push[axis] * 100));
      allow(range, title, obstacle);
    }
    allow(this.hold, rig.hold ? "Spring back when let go" : "Hold: the camera goes on when it is let go", obstacle);
    allow(this.still, "Camera at rest (0)", obstacle);
    press(this.hold, rig.hold);
  }
}
