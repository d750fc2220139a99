/**
 * One view of a store: the canvas and the panels round it. Owns its DOM, its clock and its listeners.
 * connect() starts them and disconnect() ends them, so that a view that never enters a graph costs nothing.
 * Touches no widget: the host is asked through `EditorHost`.
 */

import { fitCanvas } from "../shared/canvas.js";
import { element, setText } from "../shared/elements.js";
import { followScreen, keepTouches, wheelPixels } from "../shared/screen.js";
import { installStyles } from "../shared/styles.js";
import { regionUnder } from "./drags.js";
import { editorMenu } from "./editor_menu.js";
import { isPicture, tracksInFile } from "./files.js";
import { isGroundLoose } from "./ground.js";
import { helpPanel } from "./help.js";
import { button } from "./icons.js";
import { inspector } from "./inspector.js";
import { EditorKeyboard } from "./keyboard.js";
import { trackList } from "./layers.js";
import { Playback } from "./playback.js";
import { PointerInput } from "./pointer.js";
import { render } from "./render.js";
import { selectedTrack, selectedTracks } from "./state.js";
import { StillLayer } from "./still_layer.js";
import { timeline } from "./timeline.js";
import { optionsBar, toolbar } from "./toolbar.js";
import { copyText, readTracks } from "./transfer.js";
import { WarpLayer } from "./warp.js";
import { WHOLE, panViewport, zoomViewport } from "./view.js";
import { word } from "./vocabulary.js";

/** @import {ViewEvent} from "./commands.js" */
/** @import {Meant} from "./cutting.js" */
/** @import {CutWay} from "./objects.js" */
/** @import {Mask} from "../shared/masks.js" */
/** @import {EditorEvent, EditorState, TrackDocument, VideoPoint} from "./types.js" */
/** @import {EditorStore} from "./store.js" */
/** @import {Library} from "./library.js" */
/** @import {OwnBackdrop} from "./own_backdrop.js" */
/** @import {RenderOptions} from "./render.js" */
/** @import {Viewport} from "./view.js" */

/**
 * @typedef {object} EditorHost
 * @property {() => RenderOptions["backdrop"]} backdrop
 * @property {() => string} obstacle  why the document cannot be edited here; "" = it can
 * @property {() => boolean} [joined]  other tracks join these before the model sees them
 * @property {() => string} [caution]  what is not known yet; "" = nothing
 * @property {(dx: number, dy: number) => void} pan  the host's canvas, screen pixels
 * @property {(() => void) | null} large  opens the large editor; null in it
 * @property {(problem: string) => void} [notify]  the person
 * @property {() => void} [grown]  the editor's least height has changed
 * @property {Library} [library]
 * @property {OwnBackdrop} [own]
 * @property {(doc: TrackDocument, meant: Meant) => Promise<Mask>} [cut]  a thing out of the picture
 */

/** The picture, the timeline, two tracks of the list and the gaps between, view pixels. */
const CONTENT_HEIGHT = 140 + 24 + 60 + 48;
const RESTING_HINTS = ["draw", "path", "line", "pin", "grid", "region", "object"];

export class TrackEditor {
  /** @param {EditorStore} store @param {EditorHost} host */
  constructor(store, host) {
    installStyles();
    this.store = store;
    this.host = host;
    this.canvas = element("canvas");
    this.hint = element("div", "ms-hint");
    this.help = helpPanel();
    this.noteText = element("div");
    this.startOver = button("clear", word("anew_help"), () => store.startAnew(), word("anew"));
    this.note = element("div", "ms-note", [this.noteText, this.startOver]);
    this.loose = element("div", "ms-loose", [
      element("span", "", [word("loose")]),
      button(
        "pin",
        word("border"),
        () => store.dispatch({ type: "pin-border", on: true }),
        word("loose_pin"),
      ),
      button("play", word("loose_all_help"), () => this.letMove(), word("loose_all")),
    ]);
    this.stage = element("div", "ms-stage", [this.canvas, this.hint, this.help]);
    this.time = timeline(store, () => this.togglePlay());
    const sections = () => editorMenu(store, host, (file) => void this.take(file));
    /** @param {EditorEvent | ViewEvent} event */
    const run = (event) => this.run(event);
    this.panels = [
      toolbar(store, run, sections, host.large !== null),
      optionsBar(store, run, (text) => host.notify?.(text)),
      this.time,
      trackList(store),
      inspector(store),
    ];
    const [bar, options, time, list, props] = this.panels.map((panel) => panel.root);
    const side = element("div", "ms-side", [list, props]);
    this.bars = element("div", "ms-bars", [bar, options]);
    this.props = props;
    const body = element("div", "ms-body", [element("div", "ms-main", [this.stage, this.loose, time]), side]);
    this.keyboard = new EditorKeyboard(word("label"), {
      state: () => (this.isEditable() ? store.state : null),
      run,
      tapped: () => this.togglePlay(),
    });
    this.root = element("div", host.large ? "ms-root" : "ms-root ms-large", [
      this.keyboard.catcher,
      this.bars,
      body,
      this.note,
    ]);
    this.pointers = new PointerInput(this.canvas, this.pointerHost());
    /** @type {VideoPoint | null} */
    this.hover = null;
    /** @type {Viewport} */
    this.viewport = WHOLE;
    this.layer = new StillLayer();
    this.warp = new WarpLayer();
    this.playback = new Playback(store);
    this.request = 0;
    this.cutting = false;
    /** View pixels that it takes to cut nothing off. */
    this.leastHeight = 0;
  }

  /** @returns {import("./pointer.js").PointerHost} */
  pointerHost() {
    return {
      store: this.store,
      spaceHeld: () => this.keyboard.space.held,
      onPress: () => {
        this.focus();
        if (!this.keyboard.space.held) this.play(false);
      },
      onHover: (hover) => {
        this.hover = hover;
        this.schedule();
      },
      cut: (meant, way) => void this.cut(meant, way),
      viewport: () => this.viewport,
      pan: (dx, dy) => {
        this.keyboard.space.used = true;
        if (this.host.large && this.viewport.zoom === 1) this.host.pan(dx, dy);
        else
          this.look(
            panViewport(this.viewport, dx / this.pointers.zoom(), dy / this.pointers.zoom(), this.area()),
          );
      },
      slide: (dx, dy) => this.look(panViewport(this.viewport, dx, dy, this.area())),
      zoom: (factor, at) => this.look(zoomViewport(this.viewport, factor, at, this.area())),
    };
  }

  /** @param {Viewport} viewport */
  look(viewport) {
    this.viewport = viewport;
    this.schedule();
  }

  /** View pixels. */
  area() {
    return { width: this.canvas.clientWidth, height: this.canvas.clientHeight };
  }

  /**
   * What has been meant becomes an object, or changes the selected one.
   * @param {Meant} meant
   * @param {CutWay} way
   */
  async cut(meant, way) {
    if (!this.host.cut || this.cutting) return;
    this.cutting = true;
    this.schedule();
    try {
      const mask = await this.host.cut(this.store.state.doc, meant);
      this.store.dispatch({ type: "cut-out", mask, way });
    } catch (error) {
      this.host.notify?.(/** @type {Error} */ (error).message);
    }
    this.cutting = false;
    this.schedule();
  }

  /** Round the middle of the view. @param {number} factor 0 = the whole picture */
  zoomBy(factor) {
    const { width, height } = this.area();
    this.look(
      factor
        ? zoomViewport(this.viewport, factor, { x: width / 2, y: height / 2 }, { width, height })
        : WHOLE,
    );
  }

  /** The large editor has the wheel to itself. In the node it is the host's. @param {WheelEvent} event */
  wheel(event) {
    if (this.host.large && !event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.look(
      zoomViewport(
        this.viewport,
        Math.exp(-wheelPixels(event) / 400),
        this.pointers.spot(event),
        this.area(),
      ),
    );
  }

  connect() {
    if (this.listeners) return;
    this.listeners = new AbortController();
    const { signal } = this.listeners;
    this.keyboard.connect(this.root, signal);
    this.root.addEventListener("pointerenter", () => this.schedule(), { signal });
    this.root.addEventListener("copy", (event) => this.copy(event), { signal });
    this.root.addEventListener(
      "cut",
      (event) => this.copy(event) && this.store.dispatch({ type: "delete" }),
      { signal },
    );
    this.root.addEventListener("paste", (event) => this.paste(event), { signal });
    this.root.addEventListener(
      "dragover",
      (event) =>
        event.dataTransfer?.types.includes("Files") && (event.preventDefault(), event.stopPropagation()),
      { signal },
    );
    this.root.addEventListener("drop", (event) => this.drop(event), { signal });
    this.canvas.addEventListener("wheel", (event) => this.wheel(event), { signal, passive: false });
    keepTouches([this.canvas], signal);
    window.addEventListener("wheel", () => this.sharpenSoon(), { signal, passive: true });
    followScreen(() => this.schedule(), signal);
    this.pointers.connect();
    this.unsubscribe = this.store.subscribe(() => this.schedule());
    this.observer = new ResizeObserver(() => {
      this.measure();
      this.schedule();
    });
    for (const part of [this.stage, this.bars, this.props]) this.observer.observe(part);
    this.schedule();
  }

  disconnect() {
    this.play(false);
    this.listeners?.abort();
    this.listeners = undefined;
    this.pointers.disconnect();
    this.unsubscribe?.();
    this.observer?.disconnect();
    cancelAnimationFrame(this.request);
    clearTimeout(this.sharpening);
    this.request = 0;
  }

  schedule() {
    if (!this.request && this.listeners) this.request = requestAnimationFrame((now) => this.draw(now));
  }

  /** After a zoom of the host the canvas has the wrong number of pixels. */
  sharpenSoon() {
    clearTimeout(this.sharpening);
    this.sharpening = setTimeout(() => this.schedule(), 200);
  }

  /** A narrow editor's bars take several rows, and its node must be as much higher. */
  measure() {
    const least = CONTENT_HEIGHT + this.bars.offsetHeight + this.props.offsetHeight;
    if (least === this.leastHeight) return;
    this.leastHeight = least;
    this.host.grown?.();
  }

  /** @param {number} now ms */
  draw(now) {
    this.request = 0;
    if (this.playback.on) {
      this.playback.advance(now);
      this.schedule();
    }
    const { state } = this.store;
    for (const panel of this.panels) panel.update(state);
    this.showNotes(state);
    const area = this.area();
    this.host.own?.seek(state.frame / state.doc.fps);
    const ctx = this.canvas.getContext("2d");
    if (!ctx || !area.width || !area.height) return;
    const ratio = fitCanvas(this.canvas, area);
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    render(ctx, area, state, {
      hover: this.hover,
      backdrop: this.host.backdrop(),
      playing: this.playback.on,
      viewport: this.viewport,
      layer: this.layer,
      warp: this.warp,
    });
  }

  /** @param {EditorState} state */
  showNotes(state) {
    const obstacle = this.host.obstacle();
    setText(this.noteText, obstacle || this.store.problem);
    this.note.hidden = !obstacle && !this.store.problem;
    this.startOver.hidden = Boolean(obstacle);
    setText(this.hint, this.hintFor(state));
    const drawing = state.stroke || state.drag || state.open;
    this.loose.hidden =
      state.options.drift ||
      Boolean(drawing || obstacle || this.host.joined?.()) ||
      !isGroundLoose(state.doc);
  }

  /** All of the picture is meant to move along. */
  letMove() {
    this.store.dispatch({ type: "option", option: "drift", on: true });
  }

  /** @param {EditorState} state @returns {string} */
  hintFor(state) {
    if (state.open) return word("hint_path");
    if (this.cutting) return word("hint_cutting");
    if (state.stroke) return "";
    const caution = this.host.caution?.();
    if (caution) return caution;
    const track = selectedTrack(state);
    if (state.tool === "region" && track && track.points.length === 1 && regionUnder(state, track.points[0]))
      return word("hint_way");
    if (track?.kind === "object" && track.points.length === 1 && ["object", "region"].includes(state.tool))
      return word("hint_cut");
    const fresh = ["line", "grid", "region", "object"].includes(state.tool) && !track;
    return RESTING_HINTS.includes(state.tool) && (fresh || !state.doc.tracks.length)
      ? word(`hint_${state.tool}`)
      : "";
  }

  /** Tracks, a picture or a video in a file. @param {File} file */
  async take(file) {
    try {
      if (isPicture(file)) await this.host.own?.show(file);
      else this.store.dispatch({ type: "paste", tracks: await tracksInFile(file, this.store.state.doc) });
    } catch (error) {
      this.host.notify?.(
        word("bad_file", { name: file.name, problem: /** @type {Error} */ (error).message }),
      );
    }
  }

  /** @param {ClipboardEvent} event @returns {boolean} true = tracks were copied */
  copy(event) {
    const tracks = selectedTracks(this.store.state);
    if (event.target !== this.keyboard.catcher || !tracks.length || this.store.problem) return false;
    event.clipboardData?.setData("text/plain", copyText(this.store.state.doc, tracks));
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  /** @param {ClipboardEvent} event */
  paste(event) {
    if (event.target !== this.keyboard.catcher || !this.isEditable()) return;
    event.preventDefault();
    event.stopPropagation();
    const [file] = event.clipboardData?.files ?? [];
    if (file) return void this.take(file);
    const text = event.clipboardData?.getData("text/plain") ?? "";
    try {
      if (text.trim())
        this.store.dispatch({ type: "paste", tracks: readTracks(text, this.store.state.doc), shift: true });
    } catch (error) {
      this.host.notify?.(/** @type {Error} */ (error).message);
    }
  }

  /** @param {DragEvent} event */
  drop(event) {
    const [file] = event.dataTransfer?.files ?? [];
    if (!file || !this.isEditable()) return;
    event.preventDefault();
    event.stopPropagation();
    void this.take(file);
  }

  isEditable() {
    return !this.store.problem && !this.host.obstacle();
  }

  /**
   * What a command gives: a change of the document, or of this view of it.
   * @param {EditorEvent | ViewEvent} event
   */
  run(event) {
    if (event.type === "help") this.help.hidden = !this.help.hidden;
    else if (event.type === "zoom") this.zoomBy(event.factor);
    else if (event.type === "large") this.host.large?.();
    else this.store.dispatch(event);
  }

  togglePlay() {
    this.play(!this.playback.on);
  }

  /** @param {boolean} on */
  play(on) {
    if (on === this.playback.on) return;
    this.time.playing(on);
    if (on) this.playback.begin(performance.now());
    else this.playback.end();
    this.schedule();
  }

  focus() {
    this.keyboard.focus();
  }
}
