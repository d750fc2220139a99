/**
 * The speed curve of the selected track: time across, path gone up. Keys are dragged, added with a
 * double-click, removed with a right-click.
 */

import { element } from "../shared/elements.js";
import {
  EASES,
  SPEED_PRESETS,
  STEADY,
  addKey,
  easeKey,
  moveKey,
  presetOf,
  removeKey,
  speedShare,
} from "./speed.js";
import { selectedTrack } from "./state.js";
import { word } from "./vocabulary.js";

/** @import {Ease, EditorState, SpeedKey, Track, VideoPoint} from "./types.js" */
/** @import {EditorStore} from "./store.js" */
/** @import {Panel} from "./toolbar.js" */

const PAD = { left: 8, right: 8, top: 8, bottom: 16 };
const REACH = 10;

/** @param {EditorStore} store @returns {Panel} */
export function speedPanel(store) {
  const canvas = element("canvas");
  canvas.title = word("speed_help");
  const presets = choice(
    word("speed"),
    Object.keys(SPEED_PRESETS).map((name) => [name, word(`speed_${name}`)]),
    (name) => apply(store, SPEED_PRESETS[name] ?? null),
  );
  const own = element("option", "", [word("speed_own")]);
  own.value = "";
  presets.append(own);
  const ease = choice(
    word("ease"),
    EASES.map((name) => [name, word(`ease_${name}`)]),
    (name) => setEase(store, picked, /** @type {Ease} */ (name)),
  );
  let picked = 0;
  const pick = (/** @type {number} */ index) => {
    picked = index;
    update(store.state);
  };
  listen(canvas, store, pick);
  const root = element("div", "ms-speed", [
    element("div", "ms-curve", [canvas]),
    element("div", "ms-column", [presets, ease]),
  ]);
  const update = (/** @type {EditorState} */ state) => {
    const track = selectedTrack(state);
    if (!track || root.hidden || !canvas.clientWidth) return;
    const keys = keysOf(track);
    picked = Math.min(picked, keys.length - 1);
    if (document.activeElement !== presets) presets.value = presetOf(track.speed ?? null);
    ease.value = keys[Math.min(picked, Math.max(0, keys.length - 2))].ease;
    draw(canvas, state, track, keys, picked);
  };
  return { root, update };
}

/** @param {Track} track */
const keysOf = (track) => track.speed ?? STEADY;

/**
 * @param {EditorStore} store
 * @param {readonly SpeedKey[] | null} keys
 * @param {string} [key]
 * @param {string} [id]
 */
function apply(store, keys, key, id) {
  const changes = { speed: keys && keys.map((one) => ({ ...one })) };
  if (id) store.dispatch({ type: "edit", track: id, changes, ...(key && { key }) });
  else store.dispatch({ type: "edit-selected", changes });
}

/**
 * @param {EditorStore} store
 * @param {number} picked
 * @param {Ease} ease
 */
function setEase(store, picked, ease) {
  const track = selectedTrack(store.state);
  if (track)
    apply(
      store,
      easeKey(keysOf(track), Math.min(picked, Math.max(0, keysOf(track).length - 2)), ease),
      "",
      track.id,
    );
}

/**
 * @param {string} title
 * @param {string[][]} options value and text
 * @param {(value: string) => void} change
 */
export function choice(title, options, change) {
  const made = element(
    "select",
    "ms-choice",
    options.map(([value, text]) => Object.assign(element("option", "", [text]), { value })),
  );
  made.title = title;
  made.setAttribute("aria-label", title);
  made.addEventListener("change", () => change(made.value));
  return made;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {EditorStore} store
 * @param {(index: number) => void} pick
 */
function listen(canvas, store, pick) {
  /** @type {{index: number, keys: SpeedKey[], id: string, stamp: number} | null} */
  let held = null;
  const place = (/** @type {MouseEvent} */ event) => {
    const box = canvas.getBoundingClientRect();
    const zoom = box.width / Math.max(1, canvas.clientWidth);
    return { x: (event.clientX - box.left) / zoom, y: (event.clientY - box.top) / zoom };
  };
  const under = (/** @type {MouseEvent} */ event) => {
    const track = selectedTrack(store.state);
    return track
      ? keysOf(track).findIndex(
          (key) =>
            Math.hypot(toCanvas(canvas, key).x - place(event).x, toCanvas(canvas, key).y - place(event).y) <=
            REACH,
        )
      : -1;
  };
  canvas.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    const track = selectedTrack(store.state);
    const index = under(event);
    if (event.button || !track || index < 0) return;
    canvas.setPointerCapture(event.pointerId);
    held = { index, keys: [...keysOf(track)], id: track.id, stamp: event.timeStamp };
    pick(index);
  });
  canvas.addEventListener("pointermove", (event) => {
    canvas.style.cursor = under(event) >= 0 ? "grab" : "copy";
    if (!held) return;
    const { t, s } = fromCanvas(canvas, place(event));
    apply(store, moveKey(held.keys, held.index, t, s), `speed ${held.id} ${held.stamp}`, held.id);
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (held = null));
  canvas.addEventListener("dblclick", (event) => {
    event.stopPropagation();
    const track = selectedTrack(store.state);
    if (!track || under(event) >= 0) return;
    const { t, s } = fromCanvas(canvas, place(event));
    const grown = addKey(keysOf(track), t, s);
    apply(store, grown.keys, "", track.id);
    pick(grown.index);
  });
  canvas.addEventListener("contextmenu", (event) => {
    event.preventDefault();
    event.stopPropagation();
    const [track, index] = [selectedTrack(store.state), under(event)];
    if (track && index >= 0) apply(store, removeKey(keysOf(track), index), "", track.id);
  });
}

/** @param {HTMLCanvasElement} canvas */
const plot = (canvas) => ({
  width: canvas.clientWidth - PAD.left - PAD.right,
  height: canvas.clientHeight - PAD.top - PAD.bottom,
});

/**
 * @param {HTMLCanvasElement} canvas
 * @param {{t: number, s: number}} key
 * @returns {VideoPoint}
 */
const toCanvas = (canvas, { t, s }) => ({
  x: PAD.left + t * plot(canvas).width,
  y: PAD.top + (1 - s) * plot(canvas).height,
});

/** @param {HTMLCanvasElement} canvas @param {VideoPoint} at */
const fromCanvas = (canvas, { x, y }) => ({
  t: (x - PAD.left) / plot(canvas).width,
  s: 1 - (y - PAD.top) / plot(canvas).height,
});

/**
 * @param {HTMLCanvasElement} canvas
 * @param {EditorState} state
 * @param {Track} track
 * @param {readonly SpeedKey[]} keys
 * @param {number} picked
 */
function draw(canvas, state, track, keys, picked) {
  const ratio = Math.min(
    4,
    Math.max(1, (canvas.getBoundingClientRect().width / canvas.clientWidth) * window.devicePixelRatio),
  );
  const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const ctx = canvas.getContext("2d");
  if (!ctx) return;
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
  drawScale(ctx, canvas, state, track);
  ctx.beginPath();
  const steps = 160;
  for (let i = 0; i <= steps; i++) {
    const at = toCanvas(canvas, { t: i / steps, s: speedShare(keys, i / steps) });
    ctx.lineTo(at.x, at.y);
  }
  ctx.strokeStyle = track.color;
  ctx.lineWidth = 2;
  ctx.lineJoin = "round";
  ctx.stroke();
  keys.forEach((key, i) => {
    const at = toCanvas(canvas, key);
    ctx.beginPath();
    ctx.arc(at.x, at.y, i === picked ? 5 : 4, 0, 2 * Math.PI);
    ctx.fillStyle = i === picked ? track.color : "#fff";
    ctx.fill();
    ctx.strokeStyle = i === picked ? "#fff" : track.color;
    ctx.stroke();
  });
}

/**
 * A curve that nobody has bent yet says how, in the corner that it leaves free.
 * @param {CanvasRenderingContext2D} ctx
 */
function drawHint(ctx) {
  ctx.font = "10.5px Inter, system-ui, sans-serif";
  ctx.textAlign = "left";
  ctx.textBaseline = "top";
  ctx.fillStyle = "rgba(255, 255, 255, 0.72)";
  ctx.fillText(word("speed_hint"), PAD.left + 4, PAD.top);
}

/**
 * Frames below, and where the playhead is.
 * @param {CanvasRenderingContext2D} ctx
 * @param {HTMLCanvasElement} canvas
 * @param {EditorState} state
 * @param {Track} track
 */
function drawScale(ctx, canvas, state, track) {
  if (!track.speed && plot(canvas).width > 130) drawHint(ctx);
  const end = track.end ?? state.doc.frames - 1;
  const { width, height } = plot(canvas);
  ctx.font = "10px Inter, system-ui, sans-serif";
  ctx.textBaseline = "alphabetic";
  const marks = Math.max(1, Math.min(6, Math.floor(width / 44)));
  for (let i = 0; i <= marks; i++) {
    const x = PAD.left + (width * i) / marks;
    ctx.fillStyle = "rgba(255, 255, 255, 0.08)";
    ctx.fillRect(x - 0.5, PAD.top, 1, height);
    ctx.fillStyle = "rgba(255, 255, 255, 0.6)";
    ctx.textAlign = i === 0 ? "left" : i === marks ? "right" : "center";
    ctx.fillText(
      String(Math.round(track.start + ((end - track.start) * i) / marks)),
      i === 0 ? 2 : i === marks ? canvas.clientWidth - 2 : x,
      canvas.clientHeight - 4,
    );
  }
  ctx.fillStyle = "rgba(255, 255, 255, 0.12)";
  ctx.fillRect(PAD.left, PAD.top + height, width, 1);
  const now = (state.frame - track.start) / Math.max(1, end - track.start);
  if (now < 0 || now > 1) return;
  ctx.fillStyle = "rgba(255, 255, 255, 0.75)";
  ctx.fillRect(PAD.left + now * width - 0.75, PAD.top, 1.5, height);
}
