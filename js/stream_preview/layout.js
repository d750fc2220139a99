/** The parts of the preview on the page: made here, and brought up to date by `show`. Owns the DOM; decides nothing. */

import { element, setText } from "../shared/elements.js";
import { keepTouches } from "../shared/screen.js";
import { CameraPad } from "./camera_pad.js";
import { statusWord } from "./format.js";
import { helpPanel } from "./help.js";
import { figures, promptBox, timeline, tools, transport } from "./panels.js";
import { Stage } from "./stage.js";
import { word } from "./vocabulary.js";

/** @import {Rig} from "./camera.js" */
/** @import {CameraActions} from "./camera_pad.js" */
/** @import {Actions, Model} from "./panels.js" */
/** @import {StreamPreview} from "./preview.js" */

export class Layout {
  /** @param {StreamPreview} preview @param {Actions} actions @param {CameraActions} cameraActions @param {(dx: number, dy: number) => void} pan the host's canvas, screen pixels */
  constructor(preview, actions, cameraActions, pan) {
    this.stage = new Stage(preview, pan);
    this.panels = [transport(actions), tools(actions), promptBox(actions), timeline(actions), figures()];
    const [bar, kit, words, chunks, facts] = this.panels.map((panel) => panel.root);
    this.pad = new CameraPad(cameraActions);
    this.pill = element("div", "ms-pill");
    this.hint = element("div", "ms-hint");
    this.help = helpPanel();
    this.stage.root.append(this.pill, this.hint, this.help);
    const main = element("div", "ms-main", [this.stage.root, chunks]);
    const side = element("div", "ms-side", [facts, bar, kit, this.pad.root, words]);
    this.panel = element("div", "ms-panel", [element("div", "ms-live", [main, side])]);
    this.panel.tabIndex = 0;
    this.panel.setAttribute("aria-label", word("label"));
    this.root = element("div", "ms-root ms-view", [this.panel]);
  }

  /** @param {AbortSignal} signal */
  connect(signal) {
    this.stage.connect(signal);
    keepTouches([this.stage.over, this.pad.pad], signal);
  }

  focus() {
    this.panel.focus({ preventScroll: true });
  }

  /** @returns {boolean} */
  get focused() {
    return this.panel.contains(document.activeElement);
  }

  toggleHelp() {
    this.help.hidden = !this.help.hidden;
  }

  /** @returns {boolean} it was open */
  closeHelp() {
    const open = !this.help.hidden;
    this.help.hidden = true;
    return open;
  }

  /** @param {Model} model @param {Rig} rig @param {string} problem "" = none @param {string} advice */
  show(model, rig, problem, advice) {
    this.pill.dataset.state = model.status;
    setText(this.pill, statusWord(model.status));
    setText(this.hint, problem || advice);
    this.hint.classList.toggle("ms-bad", Boolean(problem));
    for (const panel of this.panels) panel.update(model);
    this.pad.update(model, rig);
  }
}
