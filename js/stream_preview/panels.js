/**
 * The panels round the live picture: transport, tools, prompt, timeline, figures. Each owns its DOM, is brought up to date by `update(model)` and
 * asks for everything by the calls of `Actions`. None keeps a copy of what the model says.
 */

import { element, press, say } from "../track_editor/elements.js";
import { allow, entitle, glyph, glyphButton, reglyph } from "./glyphs.js";
import { largestRadius } from "./steering.js";
import { amount, clock, duration, obstacleOf } from "./words.js";

/** @import {ReleaseMode} from "./controls.js" */
/** @import {FrameHeader, Run, RunState} from "./protocol.js" */
/** @import {Steering, Tool} from "./steering.js" */
/** @import {Status} from "./words.js" */

/**
 * @typedef {object} Model
 * @property {Run | null} run
 * @property {Status} status
 * @property {RunState} state
 * @property {FrameHeader | null} header  of the frame shown
 * @property {Steering} steering
 * @property {boolean} handlesVisible
 * @property {boolean} cameraOpen
 * @property {boolean} large
 * @property {number} shownFps
 * @property {number | null} latency  ms
 * @property {number | null} usualLatency  ms
 *
 * @typedef {object} Actions
 * @property {() => void} pause  or resume
 * @property {(type: "step" | "stop" | "scene" | "pin_border") => void} plain
 * @property {(chunk: number) => void} rewind
 * @property {(text: string) => void} prompt
 * @property {(changes: Partial<Steering>) => void} steer
 * @property {() => void} toggleHandles
 * @property {() => void} toggleCamera
 * @property {() => void} toggleLarge
 * @property {() => void} toggleHelp
 * @property {(text: string) => void} advise  said over the picture; "" = nothing
 *
 * @typedef {{root: HTMLElement, update: (model: Model) => void}} Panel
 */

/** @param {string} className @param {HTMLElement[]} buttons */
const group = (className, ...buttons) => element("div", `ms-group ${className}`.trim(), buttons);

/** @param {Actions} actions @returns {Panel} */
export function transport(actions) {
  const pause = glyphButton("pause", "Pause (Space)", actions.pause, "Pause");
  const step = glyphButton("step", "Step", () => actions.plain("step"));
  const stop = glyphButton("stop", "Stop", () => actions.plain("stop"), "Stop and keep");
  const scene = glyphButton("scene", "Scene", () => actions.plain("scene"));
  const camera = glyphButton("camera", "Camera", actions.toggleCamera);
  const eye = glyphButton("eye", "Handles", actions.toggleHandles);
  const help = glyphButton("help", "Keys and colours (?)", actions.toggleHelp);
  const large = glyphButton("expand", "Large view (F)", actions.toggleLarge);
  const root = element("div", "ms-bar", [group("", pause, step), group("", stop), group("", scene), group("ms-push", camera, eye, help, large)]);
  const update = (/** @type {Model} */ model) => {
    const paused = model.status === "paused";
    reglyph(pause, paused ? "play" : "pause", paused ? "Resume" : "Pause");
    allow(pause, paused ? "Resume (Space)" : "Pause (Space)", obstacleOf(model, paused ? "resume" : "pause"));
    allow(step, "Step: make one chunk, then wait (.)", obstacleOf(model, "step"));
    allow(stop, "Stop here and keep the frames made so far", obstacleOf(model, "stop"));
    allow(scene, "Scene change: what comes next holds on to the newest frames instead of the first", obstacleOf(model, "scene"));
    allow(camera, "Camera (C)", obstacleOf(model, "camera"));
    press(camera, model.cameraOpen);
    press(eye, model.handlesVisible);
    entitle(eye, model.handlesVisible ? "Hide the handles (H)" : "Show the handles (H)");
    entitle(large, model.large ? "Close the large view (Esc)" : "Large view (F)");
    reglyph(large, model.large ? "close" : "expand");
  };
  return { root, update };
}

/** @type {[Tool, string, string][]} */
const TOOL_BUTTONS = [
  ["grab", "Grab: drag a handle, or the picture beside one (G)", "grab"],
  ["pin", "Pin: click what must stay, or paint several places (I)", "add"],
  ["path", "Path: draw where something goes; it starts at once (D)", "add"],
  ["grid", "Grid: drag a rectangle of resting points (R)", "add"],
  ["erase", "Erase: touch the handles to remove (E)", "remove"],
];

/** @type {[ReleaseMode, string, string][]} */
const MODES = [
  ["keep", "keep", "When let go: keep. It goes on along its own path, from there (1)"],
  ["pin", "pin", "When let go: pin. It stays where it was let go (2)"],
  ["fade", "fade", "When let go: fade. It stays for 12 frames, then it is free (3)"],
];

/** @param {Actions} actions @returns {Panel} */
export function tools(actions) {
  const kinds = TOOL_BUTTONS.map(([tool, title]) => glyphButton(tool, title, () => actions.steer({ tool })));
  const border = glyphButton("border", "Pin the border", () => actions.plain("pin_border"));
  const modes = MODES.map(([mode, name, title]) => glyphButton(name, title, () => actions.steer({ mode })));
  const caption = element("span", "ms-caption", ["let go:"]);
  const released = group("", caption, ...modes);
  const radius = slider("brush", (value) => actions.steer({ radius: value }));
  const seconds = secondsChoice((value) => actions.steer({ seconds: value }));
  const root = element("div", "ms-bar", [group("ms-tools", ...kinds, border), radius.root, element("div", "ms-slot", [released, seconds.root])]);
  const update = (/** @type {Model} */ model) => {
    const { steering, run } = model;
    TOOL_BUTTONS.forEach(([tool, title, control], i) => {
      allow(kinds[i], title, obstacleOf(model, control));
      press(kinds[i], steering.tool === tool);
    });
    MODES.forEach(([mode, , title], i) => {
      allow(modes[i], title, obstacleOf(model, "release"));
      press(modes[i], steering.mode === mode);
    });
    allow(border, "Pin the border of the picture (B)", obstacleOf(model, "pin_border"));
    released.hidden = steering.tool !== "grab";
    seconds.root.hidden = steering.tool !== "path";
    radius.root.classList.toggle("ms-blank", !["grab", "pin", "path"].includes(steering.tool));
    radius.update(steering.radius, largestRadius(run ?? { width: 128, height: 128 }), obstacleOf(model, steering.tool === "grab" ? "grab" : "add"));
    seconds.update(steering.seconds);
  };
  return { root, update };
}

/** @param {string} name of the glyph @param {(value: number) => void} change */
function slider(name, change) {
  const range = element("input");
  Object.assign(range, { type: "range", min: "0" });
  range.addEventListener("input", () => change(Number(range.value)));
  const shown = element("output");
  const root = element("label", "ms-slider", [glyph(name), range, shown]);
  const title = "Radius: how much is taken beside a handle, and how large a pinned or travelling patch is (wheel over the picture)";
  const update = (/** @type {number} */ value, /** @type {number} */ most, /** @type {string} */ obstacle) => {
    range.max = String(most);
    range.value = String(value);
    allow(range, title, obstacle);
    say(shown, `${Math.round(value)} px`);
  };
  return { root, update };
}

/** @param {(seconds: number) => void} change */
function secondsChoice(change) {
  const options = [0, 1, 2, 4, 8].map((seconds) => {
    const option = element("option", "", [seconds ? `${seconds} s` : "as drawn"]);
    option.value = String(seconds);
    return option;
  });
  const choice = element("select", "ms-select", options);
  entitle(choice, "How long a drawn path takes");
  choice.addEventListener("change", () => change(Number(choice.value)));
  return { root: element("label", "ms-choice", [choice]), update: (/** @type {number} */ seconds) => void (choice.value = String(seconds)) };
}

/** @param {Actions} actions @returns {Panel} */
export function promptBox(actions) {
  const box = element("input", "ms-prompt");
  Object.assign(box, { type: "text", maxLength: 2000, placeholder: "Prompt", spellcheck: false, autocomplete: "off" });
  const send = glyphButton("send", "Send", () => submit());
  const root = element("div", "ms-row", [box, send]);
  /** @type {string | null} what was sent and has not taken effect yet */
  let waiting = null;
  let current = "";
  const submit = () => {
    if (box.disabled || box.value === (waiting ?? current)) return;
    waiting = box.value;
    actions.prompt(waiting);
  };
  box.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter" && !event.isComposing) submit();
    if (event.key !== "Escape") return;
    event.preventDefault();
    box.value = waiting ?? current;
    box.blur();
  });
  let token = "";
  const update = (/** @type {Model} */ model) => {
    const fresh = (model.run?.token ?? "") !== token;
    token = model.run?.token ?? "";
    if (fresh) waiting = null;
    const told = model.state.prompt ?? (fresh ? "" : current);
    const edited = !fresh && (document.activeElement === box || box.value !== (waiting ?? current));
    if (told === waiting) waiting = null;
    current = told;
    if (!edited && waiting === null && box.value !== current) box.value = current;
    const obstacle = obstacleOf(model, "prompt");
    allow(box, "The prompt: Enter sends it, the next chunk follows it", obstacle);
    allow(send, "Send the prompt (Enter)", obstacle);
    press(send, waiting !== null);
  };
  return { root, update };
}

/** The chunks so far: dragged back and let go, the stream goes on from there. @param {Actions} actions @returns {Panel} */
export function timeline(actions) {
  const back = glyphButton("back", "Back", () => actions.rewind(last.chunk - 1));
  const range = element("input");
  Object.assign(range, { type: "range", min: "0", step: "1" });
  const shown = element("output");
  const root = element("div", "ms-time ms-chunks", [group("", back), range, shown]);
  let dragged = false;
  let last = { chunk: 0, oldest: 1, first: (/** @type {number} */ _chunk) => 0, fps: 16 };
  const place = () => Math.min(last.chunk, Math.max(last.oldest, Number(range.value)));
  const describe = () => say(shown, `${place()} · ${clock(last.first(place()) / last.fps)}`);
  range.addEventListener("input", () => {
    dragged = true;
    range.value = String(place());
    describe();
    actions.advise(place() < last.chunk ? `Let go, and the stream goes on from chunk ${place()}` : "");
  });
  range.addEventListener("change", () => {
    dragged = false;
    actions.advise("");
    if (place() < last.chunk) actions.rewind(place());
  });
  const update = (/** @type {Model} */ model) => {
    const { run, state } = model;
    const size = run?.chunk_frames || 12;
    const total = run?.frames ? Math.ceil((run.frames - 1) / size) : 0;
    const oldest = Math.max(1, state.oldest_chunk ?? state.chunk);
    last = { chunk: state.chunk, oldest, first: (chunk) => (chunk > 0 ? 1 + (chunk - 1) * size : 0), fps: run?.fps || 16 };
    const most = Math.max(1, total, state.chunk);
    if (!dragged) {
      range.max = String(most);
      range.value = String(state.chunk);
    }
    const obstacle = obstacleOf(model, "rewind") || (state.chunk > oldest ? "" : "there is nothing to go back to yet");
    allow(range, "Rewind: drag back and let go, and the stream takes another way from that chunk on", obstacle);
    allow(back, "Back one chunk, and make it anew (,)", obstacle);
    range.style.setProperty("--ms-track", band(oldest / most, state.chunk / most));
    describe();
  };
  return { root, update };
}

/** What can be gone back to, in the accent's colour. @param {number} from @param {number} to */
function band(from, to) {
  const rest = "color-mix(in srgb, var(--ms-text) 20%, transparent)";
  const [a, b] = [Math.round(from * 100), Math.round(to * 100)];
  return `linear-gradient(90deg, ${rest} ${a}%, var(--ms-accent) ${a}%, var(--ms-accent) ${b}%, ${rest} ${b}%)`;
}

/** @returns {Panel} */
export function figures() {
  const facts = { frame: fact("frame"), made: fact("made fps"), shown: fact("shown fps"), latency: fact("latency"), memory: fact("memory") };
  const root = element("div", "ms-facts ms-five", Object.values(facts).map((each) => each.root));
  const update = (/** @type {Model} */ { run, state, header, shownFps, latency, usualLatency }) => {
    const total = run?.frames ? ` / ${run.frames}` : "";
    facts.frame.say(header ? `${header.frame + 1}${total}` : "–", `The frame shown${total ? ", of the frames asked for" : " of a stream without an end"}`);
    facts.made.say(header ? header.fps.toFixed(1) : "–", `Frames generated per second so far${header ? `; a chunk takes ${duration(header.latency_ms)}` : ""}`);
    facts.shown.say(header ? shownFps.toFixed(1) : "–", "Frames shown here per second");
    const usual = usualLatency === null ? "" : `; usually ${duration(usualLatency)}`;
    facts.latency.say(latency === null ? "–" : duration(latency), `From a control to the first frame shown with it${usual}`);
    const bytes = state.cache_bytes + state.kept_bytes;
    facts.memory.say(bytes ? amount(bytes) : "–", `The model's memory of the past: ${amount(state.cache_bytes)}; frames kept for the result: ${amount(state.kept_bytes)}`);
  };
  return { root, update };
}

/** @param {string} name */
function fact(name) {
  const value = element("b", "", ["–"]);
  const root = element("div", "ms-fact", [value, element("span", "", [name])]);
  return {
    root,
    say: (/** @type {string} */ text, /** @type {string} */ title) => {
      say(value, text);
      if (root.title !== title) root.title = title;
    },
  };
}
