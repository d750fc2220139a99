/** The list of tracks: one row a layer, in the order of the document. */

import { element } from "../shared/elements.js";
import { button, icon, setIcon } from "./icons.js";
import { gaps, share } from "./timeline.js";
import { word } from "./vocabulary.js";

/** @import {EditorState, Track, TrackChanges} from "./types.js" */
/** @import {EditorStore} from "./store.js" */
/** @import {Panel} from "./toolbar.js" */

const ROW = 30; // px from one row to the next, as the style sheet has it

/** @param {EditorStore} store @returns {Panel} */
export function trackList(store) {
  const root = element("div", "ms-tracks");
  root.dataset.captureWheel = "true";
  root.dataset.empty = word("no_tracks");
  /** @type {Map<string, ReturnType<typeof trackRow>>} */
  const rows = new Map();
  /** @type {EditorState | null} */
  let shown = null;
  const update = (/** @type {EditorState} */ state) => {
    if (shown && shown.doc === state.doc && shown.selection === state.selection) return;
    shown = state;
    const ids = new Set(state.doc.tracks.map((track) => track.id));
    for (const [id, row] of rows) {
      if (ids.has(id)) continue;
      row.root.remove();
      rows.delete(id);
    }
    state.doc.tracks.forEach((track, i) => {
      const row = rows.get(track.id) ?? trackRow(store, track.id);
      rows.set(track.id, row);
      if (root.children[i] !== row.root) root.insertBefore(row.root, root.children[i] ?? null);
      row.update(track, state);
    });
  };
  return { root, update };
}

/** @param {EditorStore} store @param {string} id */
function trackRow(store, id) {
  const edit = (/** @type {TrackChanges} */ changes, /** @type {string} */ key = "") =>
    store.dispatch({ type: "edit", track: id, changes, ...(key && { key }) });
  const current = () => store.state.doc.tracks.find((track) => track.id === id);
  const color = element("input");
  Object.assign(color, { type: "color", title: word("color") });
  color.addEventListener("input", () => edit({ color: color.value }, `color ${id}`));
  const name = element("input", "ms-name");
  name.title = word("name");
  name.addEventListener("change", () => edit({ name: name.value.trim() || id }));
  const kind = element("span", "ms-kind");
  const span = element("span", "ms-span", [element("i"), element("b")]);
  const lock = button("unlock", "", () => edit({ locked: !current()?.locked }));
  const eye = button("eye", "", () => edit({ visible: !current()?.visible }));
  const remove = button("clear", word("delete_track"), () =>
    store.dispatch({ type: "delete-track", track: id }),
  );
  remove.classList.add("ms-danger");
  const grip = element("span", "ms-grip", [icon("grip")]);
  grip.title = word("grip");
  const root = element("div", "ms-track", [grip, color, name, kind, span, lock, eye, remove]);
  reorderBy(grip, root, store, id);
  root.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest("button, .ms-grip")) return;
    const add = event.shiftKey || event.ctrlKey || event.metaKey;
    if (add || store.state.selection.track !== id || store.state.selection.tracks.length > 1)
      store.dispatch({ type: "select", track: id, add });
  });
  let shownKind = "";
  let scrolled = false;
  const update = (/** @type {Track} */ track, /** @type {EditorState} */ state) => {
    const chosen = state.selection.tracks.includes(id);
    root.style.setProperty("--ms-color", track.color);
    root.classList.toggle("ms-chosen", chosen);
    root.classList.toggle("ms-muted", !track.visible || track.hidden === true);
    if (chosen && !scrolled && root.parentElement && state.selection.track === id)
      root.parentElement.scrollTop = root.offsetTop - root.parentElement.offsetTop - ROW;
    scrolled = chosen;
    if (color.value !== track.color) color.value = track.color;
    if (document.activeElement !== name && name.value !== track.name) name.value = track.name;
    const shape = track.hidden
      ? "ghost"
      : track.kind === "freehand"
        ? "draw"
        : track.kind === "path"
          ? track.interpolation
          : track.kind;
    if (shape !== shownKind) kind.replaceChildren(icon(shape));
    shownKind = shape;
    showSpan(span, track, state.doc.frames - 1);
    setIcon(lock, track.locked ? "lock" : "unlock", word(track.locked ? "unlock" : "lock"));
    lock.classList.toggle("ms-faint", !track.locked);
    setIcon(eye, track.visible ? "eye" : "hidden", word(track.visible ? "mute" : "unmute"));
  };
  return { root, update };
}

/**
 * When it moves, and when it is not seen.
 * @param {HTMLElement} span
 * @param {Track} track
 * @param {number} last
 */
function showSpan(span, track, last) {
  const rests = track.kind === "pin" || (track.points.length < 2 && !track.turn && (track.scale ?? 1) === 1);
  const [from, to] = rests ? [0, 100] : share(track, last);
  span.style.setProperty("--ms-from", `${from}%`);
  span.style.setProperty("--ms-to", `${100 - to}%`);
  span.style.setProperty("--ms-gaps", gaps(track, last) || "none");
  span.title = rests ? word("rests") : word("moves", { start: track.start, end: track.end ?? last });
}

/**
 * The grip pulls a row to another place. The step is taken when it is let go.
 * @param {HTMLElement} grip
 * @param {HTMLElement} row
 * @param {EditorStore} store
 * @param {string} id
 */
function reorderBy(grip, row, store, id) {
  /** @type {{y: number, from: number, zoom: number} | null} */
  let held = null;
  const by = (/** @type {PointerEvent} */ event) =>
    held ? Math.round((event.clientY - held.y) / (ROW * held.zoom)) : 0;
  grip.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    grip.setPointerCapture(event.pointerId);
    const zoom = row.getBoundingClientRect().height / Math.max(1, row.offsetHeight);
    held = { y: event.clientY, from: store.state.doc.tracks.findIndex((track) => track.id === id), zoom };
    row.classList.add("ms-held");
  });
  grip.addEventListener("pointermove", (event) => {
    if (held) row.style.translate = `0 ${by(event) * ROW}px`;
  });
  const end = (/** @type {PointerEvent} */ event) => {
    if (!held) return;
    const to = held.from + (event.type === "pointerup" ? by(event) : 0);
    held = null;
    row.classList.remove("ms-held");
    row.style.translate = "";
    store.dispatch({ type: "reorder", track: id, to });
  };
  grip.addEventListener("pointerup", end);
  grip.addEventListener("pointercancel", end);
}
