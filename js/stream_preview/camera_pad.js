/** The live camera's controls: a pad for panning, sliders for zoom, roll and orbit, a switch that lets them hold. Owns its DOM alone. */

import { element, setPressed } from "../shared/elements.js";
import { button, icon } from "./icons.js";
import { setAvailable } from "./available.js";
import { obstacleOf } from "./format.js";
import { word } from "./vocabulary.js";

/** @import {Axis, Push, Rig} from "./camera.js" */
/** @import {Model} from "./panels.js" */

/**
 * @typedef {object} CameraActions
 * @property {(push: Partial<Push>) => void} push
 * @property {(axes: Axis[]) => void} letGo
 * @property {(hold: boolean) => void} hold
 * @property {() => void} rest
 */

/** @type {Axis[]} */
const SLIDERS = ["zoom", "roll", "orbit"];
const TRAVEL = 0.38; // of the pad's width, from the middle to a full push

export class CameraPad {
  /** @param {CameraActions} actions */
  constructor(actions) {
    this.actions = actions;
    this.knob = element("i", "ms-knob");
    this.pad = element("div", "ms-pad", [this.knob]);
    this.pad.tabIndex = -1;
    this.sliders = SLIDERS.map((axis) => this.slider(axis));
    this.hold = button("hold", word("hold"), () => actions.hold(!this.holds));
    this.still = button("rest", word("rest"), actions.rest);
    const rows = element(
      "div",
      "ms-axes",
      this.sliders.map(({ root }) => root),
    );
    this.root = element("div", "ms-camera", [
      this.pad,
      rows,
      element("div", "ms-group ms-column", [this.hold, this.still]),
    ]);
    this.holds = false;
    /** @type {number | null} the pointer on the pad */
    this.pointer = null;
    this.able = false;
    this.pad.addEventListener("pointerdown", (event) => this.down(event));
    this.pad.addEventListener("pointermove", (event) => this.move(event));
    for (const end of /** @type {const} */ (["pointerup", "pointercancel"]))
      this.pad.addEventListener(end, (event) => this.up(event));
  }

  /** @param {Axis} axis */
  slider(axis) {
    const range = element("input");
    Object.assign(range, { type: "range", min: "-100", max: "100", step: "1", value: "0" });
    range.addEventListener("input", () => this.actions.push({ [axis]: Number(range.value) / 100 }));
    for (const end of ["change", "pointerup", "pointercancel"])
      range.addEventListener(end, () => this.actions.letGo([axis]));
    range.addEventListener("dblclick", () => this.actions.push({ [axis]: 0 }));
    return { axis, range, root: element("label", "ms-axis", [icon(axis), range]) };
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
    const share = (/** @type {number} */ place, /** @type {number} */ from, /** @type {number} */ size) =>
      (place - from - size / 2) / (size * TRAVEL);
    this.actions.push({
      x: share(event.clientX, box.left, box.width),
      y: share(event.clientY, box.top, box.height),
    });
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
    this.pad.title = obstacle ? word("because", { what: word("pan"), why: obstacle }) : word("pan");
    this.knob.style.transform = `translate(${(rig.push.x * TRAVEL * 100).toFixed(1)}cqw, ${(rig.push.y * TRAVEL * 100).toFixed(1)}cqh)`;
    for (const { axis, range } of this.sliders) {
      range.value = String(Math.round(rig.push[axis] * 100));
      setAvailable(range, word(axis), obstacle);
    }
    setAvailable(this.hold, word(rig.hold ? "spring" : "hold"), obstacle);
    setAvailable(this.still, word("rest"), obstacle);
    setPressed(this.hold, rig.hold);
  }
}
