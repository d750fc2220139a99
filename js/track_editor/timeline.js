/** The playhead: play, scrub, and when the selected track moves and is seen. */

import { element, setText } from "../shared/elements.js";
import { button, setIcon } from "./icons.js";
import { selectedTrack } from "./state.js";
import { word } from "./vocabulary.js";

/** @import {EditorState, Track} from "./types.js" */
/** @import {EditorStore} from "./store.js" */
/** @import {Panel} from "./toolbar.js" */

/**
 * @param {EditorStore} store
 * @param {() => void} play
 * @returns {Panel & {playing: (on: boolean) => void}}
 */
export function timeline(store, play) {
  const toggle = button("play", word("play"), play);
  const range = element("input");
  Object.assign(range, { type: "range", min: "0", title: word("frame_shown") });
  range.setAttribute("aria-label", word("frame_shown"));
  range.addEventListener("input", () => store.dispatch({ type: "seek", frame: Number(range.value) }));
  const shown = element("output");
  const update = (/** @type {EditorState} */ state) => {
    const last = state.doc.frames - 1;
    range.max = String(last);
    range.value = String(state.frame);
    const track = selectedTrack(state);
    range.style.setProperty("--ms-track", track && track.kind !== "pin" ? band(track, last) : "");
    setText(shown, `${Math.round(state.frame)} / ${last} · ${(state.frame / state.doc.fps).toFixed(2)} s`);
  };
  const playing = (/** @type {boolean} */ on) =>
    setIcon(toggle, on ? "pause" : "play", on ? word("pause") : word("play"));
  return {
    root: element("div", "ms-time", [element("div", "ms-group", [toggle]), range, shown]),
    update,
    playing,
  };
}

/**
 * The share of the time in which the track moves, in its colour.
 * @param {Track} track
 * @param {number} last
 */
function band(track, last) {
  const [from, to] = share(track, last);
  const rest = "color-mix(in srgb, var(--ms-text) 22%, transparent)";
  const { color } = track;
  return `linear-gradient(90deg, ${rest} ${from}%, ${color} ${from}%, ${color} ${to}%, ${rest} ${to}%)`;
}

/**
 * @param {Pick<Track, "start" | "end">} track
 * @param {number} last
 * @returns {[number, number]} per cent
 */
export function share(track, last) {
  const percent = (/** @type {number} */ frame) =>
    Math.min(100, Math.max(0, (100 * frame) / Math.max(1, last)));
  return [percent(track.start), percent(track.end ?? last)];
}

/**
 * Where a track is hidden, as stripes over its bar; "" = nowhere.
 * @param {Track} track
 * @param {number} last
 * @returns {string}
 */
export function gaps(track, last) {
  if (!track.shown) return "";
  const edges = track.shown.map(([first, end]) => share({ start: first - 0.5, end: end + 0.5 }, last));
  const stops = ["#000 0"];
  for (const [from, to] of edges)
    stops.push(`#000 ${from}%`, `transparent ${from}%`, `transparent ${to}%`, `#000 ${to}%`);
  return `linear-gradient(90deg, ${[...stops, "#000 100%"].join(", ")})`;
}
