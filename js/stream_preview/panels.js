/**
 * The panels round the live picture: transport, tools, prompt, timeline, figures. Each owns its DOM, is
 * brought up to date by `update(state)` and dispatches what the person asks for. None keeps a copy of what
 * the state says.
 */

import { element, group, setPressed, setText, setTitle } from "../shared/elements.js";
import { setAvailable } from "./available.js";
import { commandButton } from "./command_button.js";
import * as commands from "./commands.js";
import { amount, clock, duration } from "./format.js";
import { button, icon } from "./icons.js";
import { newestLatency, typicalLatency } from "./latency.js";
import { obstacleOf } from "./obstacles.js";
import { completed, promptPieces, wordsToOffer } from "./prompt_words.js";
import { oldestChunk, speedOf, TOOL_CONTROLS } from "./state.js";
import { largestRadius, WITH_RADIUS } from "./steering.js";
import { rewind } from "./controls.js";
import { word } from "./vocabulary.js";

/** @import {Command} from "./commands.js" */
/** @import {PreviewState} from "./state.js" */
/** @import {PreviewStore} from "./store.js" */

/** @typedef {{root: HTMLElement, update: (state: PreviewState, shownFps: number) => void}} Panel */

const NO_VIDEO = { width: 128, height: 128 };
const USUAL_CHUNK = 12; // frames, where a run does not say
const USUAL_FPS = 16;

/**
 * Buttons of commands.
 * @param {PreviewStore} store
 * @param {string} className of the group
 * @param {Command[]} list
 * @param {HTMLElement[]} before the buttons
 * @returns {Panel}
 */
function commandGroup(store, className, list, ...before) {
  const buttons = list.map((command) => commandButton(store, command));
  return {
    root: group(className, ...before, ...buttons.map(({ root }) => root)),
    update: (state) => buttons.forEach(({ update }) => update(state)),
  };
}

/**
 * @param {PreviewStore} store
 * @returns {Panel}
 */
export function transport(store) {
  const { PAUSE, STEP, STOP, SCENE, CAMERA, HANDLES, HELP, LARGE } = commands;
  const groups = [
    commandGroup(store, "", [PAUSE, STEP]),
    commandGroup(store, "", [STOP]),
    commandGroup(store, "", [SCENE]),
    commandGroup(store, "ms-push", [CAMERA, HANDLES, HELP, LARGE]),
  ];
  return {
    root: element(
      "div",
      "ms-bar",
      groups.map(({ root }) => root),
    ),
    update: (state, shownFps) => groups.forEach(({ update }) => update(state, shownFps)),
  };
}

/**
 * @param {PreviewStore} store
 * @returns {Panel}
 */
export function tools(store) {
  const kinds = commandGroup(store, "ms-tools", [...commands.TOOLS, commands.BORDER]);
  const caption = element("span", "ms-caption", [word("release")]);
  const modes = commandGroup(store, "", commands.RELEASES, caption);
  const radius = slider("brush", (value) => store.dispatch({ type: "steer", changes: { radius: value } }));
  const seconds = secondsChoice((value) => store.dispatch({ type: "steer", changes: { seconds: value } }));
  const root = element("div", "ms-bar", [
    kinds.root,
    radius.root,
    element("div", "ms-slot", [modes.root, seconds.root]),
  ]);
  const update = (/** @type {PreviewState} */ state, /** @type {number} */ shownFps) => {
    const { steering, run } = state;
    kinds.update(state, shownFps);
    modes.update(state, shownFps);
    modes.root.hidden = steering.tool !== "grab";
    seconds.root.hidden = steering.tool !== "path";
    radius.root.classList.toggle("ms-blank", !WITH_RADIUS.includes(steering.tool));
    const control = steering.tool === "grab" ? TOOL_CONTROLS.grab : TOOL_CONTROLS.pin;
    radius.update(steering.radius, largestRadius(run ?? NO_VIDEO), obstacleOf(state, control));
    seconds.update(steering.seconds);
  };
  return { root, update };
}

/**
 * @param {string} name of the icon
 * @param {(value: number) => void} change
 */
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

/**
 * @param {PreviewStore} store
 * @returns {Panel}
 */
export function promptBox(store) {
  const box = element("input", "ms-prompt");
  Object.assign(box, {
    type: "text",
    maxLength: 2000,
    placeholder: word("prompt"),
    spellcheck: false,
    autocomplete: "off",
  });
  const send = button("send", word("prompt_send"), () => submit());
  // What the box says, drawn behind it, so that single words can be struck through.
  const shown = element("div", "ms-said");
  const offers = element("div", "ms-offers");
  const root = element("div", "ms-asked", [
    element("div", "ms-row", [element("div", "ms-box", [shown, box]), send]),
    offers,
  ]);
  const mark = () => {
    const vocabulary = store.state.run?.vocabulary ?? [];
    const pieces = promptPieces(box.value, vocabulary);
    const unknown = pieces.filter(({ known }) => !known).map(({ text }) => text);
    if (shown.textContent !== box.value || shown.dataset.unknown !== unknown.join(" "))
      shown.replaceChildren(...pieces.map(({ text, known }) => element(known ? "span" : "s", "", [text])));
    shown.dataset.unknown = unknown.join(" ");
    shown.scrollLeft = box.scrollLeft;
    box.title = unknown.length ? word("words_unknown", { words: unknown.join(", ") }) : word("prompt_help");
    const typing = document.activeElement === box && !box.disabled;
    const offered = typing ? wordsToOffer(box.value.slice(0, box.selectionStart ?? 0), vocabulary) : [];
    offers.hidden = !offered.length;
    if (offers.dataset.words === offered.join(" ")) return;
    offers.dataset.words = offered.join(" ");
    offers.replaceChildren(...offered.map(offer));
  };
  /** @param {string} text */
  const offer = (text) => {
    const chip = element("button", "ms-offer", [text]);
    chip.type = "button";
    chip.tabIndex = -1;
    chip.addEventListener("pointerdown", (event) => {
      event.preventDefault(); // the box keeps the focus
      const made = completed(box.value, box.selectionStart ?? box.value.length, text);
      box.value = made.text;
      box.setSelectionRange(made.caret, made.caret);
      mark();
    });
    return chip;
  };
  for (const type of ["input", "scroll", "focus", "blur", "keyup", "click"])
    box.addEventListener(type, () => mark());
  const wanted = ({ prompt, promptSent } = store.state) => promptSent ?? prompt;
  const submit = () => {
    if (!box.disabled && box.value !== wanted()) store.dispatch({ type: "prompt", text: box.value });
  };
  box.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter" && !event.isComposing) submit();
    if (event.key !== "Escape") return;
    event.preventDefault();
    box.value = wanted();
    box.blur();
  });
  /** What the box showed, or was to show, at the last update. */
  let before = "";
  let token = "";
  const update = (/** @type {PreviewState} */ state) => {
    const fresh = (state.run?.token ?? "") !== token;
    token = state.run?.token ?? "";
    const edited = !fresh && (document.activeElement === box || box.value !== before);
    before = wanted(state);
    if (!edited && box.value !== before) box.value = before;
    const obstacle = obstacleOf(state, "prompt");
    box.placeholder = word(!obstacle && state.sampler.prompt === null ? "prompt_unknown" : "prompt");
    setAvailable(box, word("prompt_help"), obstacle);
    setAvailable(send, word("prompt_send"), obstacle);
    setPressed(send, state.promptSent !== null);
    mark();
  };
  return { root, update };
}

/**
 * The chunks so far: dragged back and let go, the stream goes on from there.
 * @param {PreviewStore} store
 * @returns {Panel}
 */
export function timeline(store) {
  const back = commandButton(store, commands.BACK);
  const undo = commandButton(store, commands.UNDO);
  const range = element("input");
  Object.assign(range, { type: "range", min: "0", step: "1" });
  const shown = element("output");
  const out = commandGroup(store, "", [commands.INPUTS, commands.LINK, commands.POP, commands.FULL]);
  const root = element("div", "ms-time ms-chunks", [group("", back.root, undo.root), range, shown, out.root]);
  let dragged = false;
  const newestChunk = () => store.state.sampler.chunk;
  const place = () => Math.min(newestChunk(), Math.max(oldestChunk(store.state), Number(range.value)));
  const describe = () => setText(shown, `${place()} · ${clock(timeOf(store.state, place()))}`);
  range.addEventListener("input", () => {
    dragged = true;
    range.value = String(place());
    describe();
    const text = place() < newestChunk() ? word("rewind_here", { chunk: place() }) : "";
    store.dispatch({ type: "note", text });
    store.dispatch({ type: "scrub", chunk: text ? place() : null, held: true });
  });
  range.addEventListener("change", () => {
    dragged = false;
    store.dispatch({ type: "note", text: "" });
    const back = place() < newestChunk();
    store.dispatch({ type: "scrub", chunk: back ? place() : null, held: false });
    if (back) store.dispatch({ type: "send", control: rewind(place()) });
  });
  const update = (/** @type {PreviewState} */ state) => {
    const { run, sampler } = state;
    const total = run?.frames ? Math.ceil((run.frames - firstFrames(state)) / chunkFrames(state)) : 0;
    const most = Math.max(1, total, sampler.chunk);
    if (!dragged) {
      range.max = String(most);
      range.value = String(sampler.chunk);
    }
    setAvailable(range, word("rewind"), commands.rewindObstacle(state));
    back.update(state);
    out.update(state, 0);
    undo.update(state);
    range.style.setProperty("--ms-track", band(oldestChunk(state) / most, sampler.chunk / most));
    describe();
  };
  return { root, update };
}

/** @param {PreviewState} state */
const chunkFrames = ({ run }) => run?.chunk_frames || USUAL_CHUNK;

/** @param {PreviewState} state */
const firstFrames = ({ run }) => run?.first_frames || 1;

/**
 * When a chunk begins. The first one has frames of its own number: the start image's is one.
 * @param {PreviewState} state
 * @param {number} chunk
 * @returns {number} seconds
 */
function timeOf(state, chunk) {
  const frame = chunk > 0 ? firstFrames(state) + (chunk - 1) * chunkFrames(state) : 0;
  return frame / (state.run?.fps || USUAL_FPS);
}

/**
 * What can be gone back to, in the accent's colour.
 * @param {number} from share of the timeline
 * @param {number} to
 */
function band(from, to) {
  const rest = "color-mix(in srgb, var(--ms-text) 20%, transparent)";
  const accent = "var(--ms-accent)";
  const a = Math.round(from * 100);
  const b = Math.round(to * 100);
  return `linear-gradient(90deg, ${rest} ${a}%, ${accent} ${a}%, ${accent} ${b}%, ${rest} ${b}%)`;
}

/**
 * @param {string | null} control what the server calls it
 * @returns {[name: string, help: string]}
 */
function controlSaid(control) {
  if (control === "track head") return [word("control_head"), word("control_head_help")];
  if (control === "guided") return [word("control_guided"), word("control_guided_help")];
  if (control === "none") return [word("control_none"), word("control_none_help")];
  return ["–", word("control_help")];
}

/**
 * @param {string | null} speed the path of the transformer, in words where it fell back
 * @returns {[name: string, help: string]}
 */
function speedSaid(speed) {
  if (speed === null) return ["–", word("speed_help")];
  const why = speed.startsWith("plain: ") ? speed : "";
  return [why ? "plain" : speed, why || word("speed_help")];
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
    speed: fact("speed"),
  };
  const slow = element("div", "ms-slow");
  const list = element(
    "div",
    "ms-facts ms-six",
    Object.values(facts).map((each) => each.root),
  );
  const root = element("div", "ms-figures", [list, slow]);
  const update = (/** @type {PreviewState} */ state, /** @type {number} */ shownFps) => {
    const { run, sampler, shown } = state;
    const latency = newestLatency(state.latency);
    const usual = typicalLatency(state.latency);
    const total = run?.frames ? ` / ${run.frames}` : "";
    facts.frame.say(shown ? `${shown.frame + 1}${total}` : "–", word(total ? "frame_of" : "frame_endless"));
    facts.made.say(
      shown ? shown.fps.toFixed(1) : "–",
      shown ? word("made_chunk", { time: duration(shown.latency_ms) }) : word("made_help"),
    );
    facts.shown.say(shown ? shownFps.toFixed(1) : "–", word("shown_help"));
    facts.latency.say(
      latency === null ? "–" : duration(latency),
      usual === null ? word("latency_help") : word("latency_usual", { time: duration(usual) }),
    );
    const bytes = sampler.cache_bytes + sampler.kept_bytes;
    facts.memory.say(
      bytes ? amount(bytes) : "–",
      word("memory_help", { cache: amount(sampler.cache_bytes), kept: amount(sampler.kept_bytes) }),
    );
    facts.control.say(...controlSaid(sampler.control));
    facts.speed.say(...speedSaid(sampler.speed));
    // Of no use to whoever has asked for nothing: the row is full without it.
    const asUsual = sampler.speed === null || sampler.speed === "plain";
    facts.speed.root.hidden = asUsual;
    list.classList.toggle("ms-seven", !asUsual);
    const speed = speedOf(state);
    slow.hidden = speed === null;
    setText(slow, speed === null ? "" : word("slow", { speed: speed.toFixed(speed < 0.1 ? 2 : 1) }));
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
