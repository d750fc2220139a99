/**
 * The parts of the preview on the page: made here, and brought up to date by `update`. Owns the DOM. Decides
 * nothing.
 */

import { element, keyCatcher, setText } from "../shared/elements.js";
import { keepTouches } from "../shared/screen.js";
import { CameraPad } from "./camera_pad.js";
import { statusWord } from "./format.js";
import { handsPanel } from "./hands_panel.js";
import { helpPanel } from "./help.js";
import { isActive } from "./obstacles.js";
import { figures, promptBox, timeline, tools, transport } from "./panels.js";
import { savedPanel } from "./saved.js";
import { Stage } from "./stage.js";
import { strengthSlider } from "./strength.js";
import { word } from "./vocabulary.js";
import { watchPanel } from "./watch.js";

/** @import {FramePlayer} from "./player.js" */
/** @import {PreviewState} from "./state.js" */
/** @import {PreviewStore} from "./store.js" */

/**
 * @typedef {object} Page  what the parts ask of the preview
 * @property {(dx: number, dy: number) => void} pan  the host's canvas, screen pixels
 * @property {import("./saved.js").SavedHost} saved
 * @property {import("./hands_input.js").HandsInput} hands
 * @property {(urgent: boolean) => void} redraw  urgent: the panels, too
 */

export class Layout {
  /**
   * @param {PreviewStore} store
   * @param {FramePlayer} player
   * @param {Page} page
   */
  constructor(store, player, page) {
    this.stage = new Stage(store, player, {
      ...page,
      focus: () => this.focus(),
      focused: () => this.focused,
    });
    this.panels = [
      transport(store),
      tools(store),
      promptBox(store),
      strengthSlider(store),
      timeline(store),
      watchPanel(store),
      handsPanel(store, page.hands),
      figures(),
      savedPanel(store, page.saved),
    ];
    const [bar, kit, prompt, strength, chunks, watch, hands, facts, saved] = this.panels.map(
      (panel) => panel.root,
    );
    this.pad = new CameraPad(store);
    this.pill = element("div", "ms-pill");
    this.hint = element("div", "ms-hint");
    this.help = helpPanel();
    this.stage.root.append(this.pill, this.hint, this.help);
    const main = element("div", "ms-main", [this.stage.root, chunks, watch]);
    const side = element("div", "ms-side", [facts, saved, bar, kit, this.pad.root, hands, prompt, strength]);
    this.keys = keyCatcher(word("label"));
    this.panel = element("div", "ms-panel", [this.keys, element("div", "ms-live", [main, side])]);
    this.panel.tabIndex = -1;
    this.root = element("div", "ms-root ms-view", [this.panel]);
  }

  /** @param {AbortSignal} signal */
  connect(signal) {
    this.stage.connect(signal);
    this.panel.addEventListener("focus", () => this.focus(), { signal });
    keepTouches([this.stage.over, this.pad.pad], signal);
  }

  disconnect() {
    this.stage.disconnect();
  }

  focus() {
    this.keys.focus({ preventScroll: true });
  }

  /** @returns {boolean} */
  get focused() {
    return this.panel.contains(document.activeElement);
  }

  /**
   * @param {PreviewState} state
   * @param {number} shownFps frames shown per second
   * @param {string} advice over the picture; "" = none
   */
  update(state, shownFps, advice) {
    this.pill.dataset.state = state.status;
    const recording = state.run?.recording && isActive(state.status);
    this.pill.classList.toggle("ms-rec", Boolean(recording));
    setText(this.pill, statusWord(state.status) + (recording ? " · REC" : ""));
    this.pill.title = recording ? word("recording", { name: state.run?.recording ?? "" }) : "";
    setText(this.hint, state.problem || advice);
    this.hint.classList.toggle("ms-bad", Boolean(state.problem));
    this.help.hidden = !state.helpOpen;
    for (const panel of this.panels) panel.update(state, shownFps);
    this.pad.update(state);
  }
}
