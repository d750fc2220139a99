/**
 * The panels round the live picture: transport, tools, prompt, timeline, figures. Each owns its DOM, is brought up to date by `update(model)` and
 * asks for everything by the calls of `Actions`. None keeps a copy of what the model says.
 */

import { element, group, setLabel, setPressed, setText, setTitle } from "../shared/elements.js";
import { button, icon, setIcon } from "./icons.js";
import { setAvailable } from "./available.js";
import { amount, clock, duration, obstacleOf } from "./format.js";
import { largestRadius } from "./steering.js";
import { word } from "./vocabulary.js";

/** @import {ReleaseMode} from "./controls.js" */
/** @import {FrameHeader, Run, RunState} from "./protocol.js" */
/** @import {Steering, Tool} from "./steering.js" */
/** @import {Status} from "./format.js" */

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

/** @param {Actions} actions @returns {Panel} */
export function transport(actions) {
  const pause = button("pause", word("pause_key"), actions.pause, word("pause"));
  const step = button("step", word("step"), () => actions.plain("step"));
  const stop = button("stop", word("stop_help"), () => actions.plain("stop"), word("stop"));
  const scene = button("scene", word("scene"), () => actions.plain("scene"));
  const camera = button("camera", word("camera"), actions.toggleCamera);
  const eye = button("eye", word("handles_hide"), actions.toggleHandles);
  const help = button("help", word("help"), actions.toggleHelp);
  const large = button("expand", word("large"), actions.toggleLarge);
  const root = element("div", "ms-bar", [
    group("", pause, step),
    group("", stop),
    group("", scene),
    group("ms-push", camera, eye, help, large),
  ]);
  const update = (/** @type {Model} */ model) => {
    const paused = model.status === "paused";
    setIcon(pause, paused ? "play" : "pause");
    setLabel(pause, word(paused ? "resume" : "pause"));
    setAvailable(
      pause,
      word(paused ? "resume_key" : "pause_key"),
      obstacleOf(model, paused ? "resume" : "pause"),
    );
    setAvailable(step, word("step"), obstacleOf(model, "step"));
    setAvailable(stop, word("stop_help"), obstacleOf(model, "stop"));
    setAvailable(scene, word("scene"), obstacleOf(model, "scene"));
    setAvailable(camera, word("camera"), obstacleOf(model, "camera"));
    setPressed(camera, model.cameraOpen);
    setPressed(eye, model.handlesVisible);
    setTitle(eye, word(model.handlesVisible ? "handles_hide" : "handles_show"));
    setTitle(large, word(model.large ? "large_close" : "large"));
    setIcon(large, model.large ? "close" : "expand");
  };
  return { root, update };
}

/** Tools and the control each needs. @type {[Tool, string][]} */
const TOOL_BUTTONS = [
  ["grab", "grab"],
  ["pin", "add"],
  ["path", "add"],
  ["grid", "add"],
  ["erase", "remove"],
];

/** @type {ReleaseMode[]} */
const MODES = ["keep", "pin", "fade"];

/** @param {Actions} actions @returns {Panel} */
export function tools(actions) {
  const kinds = TOOL_BUTTONS.map(([tool]) =>
    button(tool, word(`tool_${tool}`), () => actions.steer({ tool })),
  );
  const border = button("border", word("border"), () => actions.plain("pin_border"));
  const modes = MODES.map((mode) => button(mode, word(`release_${mode}`), () => actions.steer({ mode })));
  const caption = element("span", "ms-caption", [word("release")]);
  const released = group("", caption, ...modes);
  const radius = slider("brush", (value) => actions.steer({ radius: value }));
  const seconds = secondsChoice((value) => actions.steer({ seconds: value }));
  const root = element("div", "ms-bar", [
    group("ms-tools", ...kinds, border),
    radius.root,
    element("div", "ms-slot", [released, seconds.root]),
  ]);
  const update = (/** @type {Model} */ model) => {
    const { steering, run } = model;
    TOOL_BUTTONS.forEach(([tool, control], i) => {
      setAvailable(kinds[i], word(`tool_${tool}`), obstacleOf(model, control));
      setPressed(kinds[i], steering.tool === tool);
    });
    MODES.forEach((mode, i) => {
      setAvailable(modes[i], word(`release_${mode}`), obstacleOf(model, "release"));
      setPressed(modes[i], steering.mode === mode);
    });
    setAvailable(border, word("border"), obstacleOf(model, "pin_border"));
    released.hidden = steering.tool !== "grab";
    seconds.root.hidden = steering.tool !== "path";
    radius.root.classList.toggle("ms-blank", !["grab", "pin", "path"].includes(steering.tool));
    radius.update(
      steering.radius,
      largestRadius(run ?? { width: 128, height: 128 }),
      obstacleOf(model, steering.tool === "grab" ? "grab" : "add"),
    );
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
  const root = element("label", "ms-slider", [icon(name), range, shown]);
  const update = (
    /** @type {number} */ value,
    /** @type {number} */ most,
    /** @type {string} */ obstacle,
  ) => {
    range.max = String(most);
    range.value = String(value);
    setAvailable(range, word("radius"), obstacle);
    setText(shown, `${Math.round(value)} px`);
  };
  return { root, update };
}

/** @param {(seconds: number) => void} change */
function secondsChoice(change) {
  const options = [0, 1, 2, 4, 8].map((seconds) => {
    const option = element("option", "", [
      seconds ? word("seconds_count", { count: seconds }) : word("as_drawn"),
    ]);
    option.value = String(seconds);
    return option;
  });
  const choice = element("select", "ms-select", options);
  setTitle(choice, word("seconds"));
  choice.addEventListener("change", () => change(Number(choice.value)));
  return {
    root: element("label", "ms-choice", [choice]),
    update: (/** @type {number} */ seconds) => void (choice.value = String(seconds)),
  };
}

/** @param {Actions} actions @returns {Panel} */
export function promptBox(actions) {
  const box = element("input", "ms-prompt");
  Object.assign(box, {
    type: "text",
    maxLength: 2000,
    placeholder: word("prompt"),
    spellcheck: false,
    autocomplete: "off",
  });
  const send = button("send", word("prompt_send"), () => submit());
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
    box.placeholder = word(!obstacle && model.state.prompt === null ? "prompt_unknown" : "prompt");
    setAvailable(box, word("prompt_help"), obstacle);
    setAvailable(send, word("prompt_send"), obstacle);
    setPressed(send, waiting !== null);
  };
  return { root, update };
}

/** The chunks so far: dragged back and let go, the stream goes on from there. @param {Actions} actions @returns {Panel} */
export function timeline(actions) {
  const back = button("back", word("back"), () => actions.rewind(last.chunk - 1));
  const range = element("input");
  Object.assign(range, { type: "range", min: "0", step: "1" });
  const shown = element("output");
  const root = element("div", "ms-time ms-chunks", [group("", back), range, shown]);
  let dragged = false;
  let last = { chunk: 0, oldest: 1, first: (/** @type {number} */ _chunk) => 0, fps: 16 };
  const place = () => Math.min(last.chunk, Math.max(last.oldest, Number(range.value)));
  const describe = () => setText(shown, `${place()} · ${clock(last.first(place()) / last.fps)}`);
  range.addEventListener("input", () => {
    dragged = true;
    range.value = String(place());
    describe();
    actions.advise(place() < last.chunk ? word("rewind_here", { chunk: place() }) : "");
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
    last = {
      chunk: state.chunk,
      oldest,
      first: (chunk) => (chunk > 0 ? 1 + (chunk - 1) * size : 0),
      fps: run?.fps || 16,
    };
    const most = Math.max(1, total, state.chunk);
    if (!dragged) {
      range.max = String(most);
      range.value = String(state.chunk);
    }
    const obstacle = obstacleOf(model, "rewind") || (state.chunk > oldest ? "" : word("rewind_none"));
    setAvailable(range, word("rewind"), obstacle);
    setAvailable(back, word("back"), obstacle);
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

/** @param {string | null} control what the server calls it @returns {[name: string, help: string]} */
function controlSaid(control) {
  if (control === "track head") return [word("control_head"), word("control_head_help")];
  if (control === "guided") return [word("control_guided"), word("control_guided_help")];
  if (control === "none") return [word("control_none"), word("control_none_help")];
  return ["–", word("control_help")];
}

/** @returns {Panel} */
export function figures() {
  const facts = {
    frame: fact("frame"),
    made: fact("made"),
    shown: fact("shown"),
    latency: fact("latency"),
    memory: fact("memory"),
    control: fact("control"),
  };
  const root = element(
    "div",
    "ms-facts ms-six",
    Object.values(facts).map((each) => each.root),
  );
  const update = (/** @type {Model} */ { run, state, header, shownFps, latency, usualLatency }) => {
    const total = run?.frames ? ` / ${run.frames}` : "";
    facts.frame.say(header ? `${header.frame + 1}${total}` : "–", word(total ? "frame_of" : "frame_endless"));
    facts.made.say(
      header ? header.fps.toFixed(1) : "–",
      header ? word("made_chunk", { time: duration(header.latency_ms) }) : word("made_help"),
    );
    facts.shown.say(header ? shownFps.toFixed(1) : "–", word("shown_help"));
    facts.latency.say(
      latency === null ? "–" : duration(latency),
      usualLatency === null ? word("latency_help") : word("latency_usual", { time: duration(usualLatency) }),
    );
    const bytes = state.cache_bytes + state.kept_bytes;
    facts.memory.say(
      bytes ? amount(bytes) : "–",
      word("memory_help", { cache: amount(state.cache_bytes), kept: amount(state.kept_bytes) }),
    );
    facts.control.say(...controlSaid(state.control));
  };
  return { root, update };
}

/** @param {string} name its word */
function fact(name) {
  const value = element("b", "", ["–"]);
  const root = element("div", "ms-fact", [value, element("span", "", [word(name)])]);
  return {
    root,
    say: (/** @type {string} */ text, /** @type {string} */ title) => {
      setText(value, text);
      if (root.title !== title) root.title = title;
    },
  };
}
