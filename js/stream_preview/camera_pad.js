/**
 * The live camera's controls: a pad for panning, sliders for zoom, roll and orbit, a switch that lets them
 * hold. Owns its DOM alone.
 */

import { element } from "../shared/elements.js";
import { setAvailable } from "./available.js";
import { commandButton } from "./command_button.js";
import { HOLD, REST } from "./commands.js";
import { icon } from "./icons.js";
import { obstacleOf } from "./obstacles.js";
import { word } from "./vocabulary.js";

/** @import {Axis} from "./camera.js" */
/** @import {PreviewState} from "./state.js" */
/** @import {PreviewStore} from "./store.js" */

/** @type {Axis[]} */
const SLIDERS = ["zoom", "roll", "orbit"];
const TRAVEL = 0.38; // of the pad's width, from the middle to a full push

export class CameraPad {
  /** @param {PreviewStore} store */
  constructor(store) {
    this.store = store;
    this.knob = element("i", "ms-knob");
    this.pad = element("div", "ms-pad", [this.knob]);
    this.pad.tabIndex = -1;
    this.sliders = SLIDERS.map((axis) => this.slider(axis));
    this.buttons = [commandButton(store, HOLD), commandButton(store, REST)];
    const rows = element(
      "div",
      "ms-axes",
      this.sliders.map(({ root }) => root),
    );
    const column = element(
      "div",
      "ms-group ms-column",
      this.buttons.map(({ root }) => root),
    );
    this.root = element("div", "ms-camera", [this.pad, rows, column]);
    /** @type {number | null} the pointer on the pad */
    this.pointer = null;
    this.pad.addEventListener("pointerdown", (event) => this.down(event));
    this.pad.addEventListener("pointermove", (event) => this.move(event));
    for (const end of /** @type {const} */ (["pointerup", "pointercancel"]))
      this.pad.addEventListener(end, (event) => this.up(event));
  }

  /** @param {Axis} axis */
  slider(axis) {
    const range = element("input");
    Object.assign(range, { type: "range", min: "-100", max: "100", step: "1", value: "0" });
    const push = (/** @type {number} */ value) =>
      this.store.dispatch({ type: "camera-push", push: { [axis]: value } });
    range.addEventListener("input", () => push(Number(range.value) / 100));
    for (const end of ["change", "pointerup", "pointercancel"])
      range.addEventListener(end, () => this.store.dispatch({ type: "camera-release", axes: [axis] }));
    range.addEventListener("dblclick", () => push(0));
    return { axis, range, root: element("label", "ms-axis", [icon(axis), range]) };
  }

  /** @param {PointerEvent} event */
  down(event) {
    event.stopPropagation();
    if (obstacleOf(this.store.state, "camera") || this.pointer !== null || event.button !== 0) return;
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
    this.store.dispatch({
      type: "camera-push",
      push: {
        x: share(event.clientX, box.left, box.width),
        y: share(event.clientY, box.top, box.height),
      },
    });
  }

  /** @param {PointerEvent} event */
  up(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = null;
    this.store.dispatch({ type: "camera-release", axes: ["x", "y"] });
  }

  /** @param {PreviewState} state */
  update(state) {
    const { push } = state.rig;
    const obstacle = obstacleOf(state, "camera");
    this.root.hidden = !state.cameraOpen;
    this.pad.classList.toggle("ms-off", Boolean(obstacle));
    this.pad.title = obstacle ? word("because", { what: word("pan"), why: obstacle }) : word("pan");
    const offset = (/** @type {number} */ share) => (share * TRAVEL * 100).toFixed(1);
    this.knob.style.transform = `translate(${offset(push.x)}cqw, ${offset(push.y)}cqh)`;
    for (const { axis, range } of this.sliders) {
      range.value = String(Math.round(push[axis] * 100));
      setAvailable(range, word(axis), obstacle);
    }
    for (const { update } of this.buttons) update(state);
  }
}
