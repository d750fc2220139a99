/** The editor's menu: files in and out, the backdrop, recent tracks and presets. */

import { trackLine } from "./curves.js";
import { fitDocument, writeDocument } from "./document.js";
import { saveFile } from "../shared/save_file.js";
import { pickFile } from "./files.js";
import { tracksIn } from "./library.js";
import { writeNpz } from "./npz.js";
import { selectedTracks } from "./state.js";
import { sampledJson, samplesOf } from "./transfer.js";
import { word } from "./vocabulary.js";

/** @import {EditorHost} from "./editor.js" */
/** @import {EditorStore} from "./store.js" */
/** @import {LibraryItem} from "./library.js" */
/** @import {Entry, Section} from "./menu.js" */
/** @import {TrackDocument} from "./types.js" */

const TRACK_FILES = ".json,.txt,.npz,image/*,video/*";
const SMALL = { width: 40, height: 26 };

/**
 * @param {EditorStore} store
 * @param {EditorHost} host
 * @param {(file: File) => void} take
 * @returns {Section[]}
 */
export function editorMenu(store, host, take) {
  const pick = async (/** @type {string} */ accept) => {
    const file = await pickFile(accept);
    if (file) take(file);
  };
  const { doc } = store.state;
  const json = (/** @type {string} */ name, /** @type {string} */ text) =>
    saveFile(name, text, "application/json");
  /** @type {Entry[]} */
  const saves = [
    { icon: "save", text: word("save_document"), action: () => json("tracks.json", writeDocument(doc)) },
    { icon: "save", text: word("save_ati"), action: () => json("tracks-ati.json", sampledJson(doc, "ati")) },
    {
      icon: "save",
      text: word("save_kj"),
      action: () => json("tracks-kjnodes.json", sampledJson(doc, "kjnodes")),
    },
    {
      icon: "save",
      text: word("save_npz"),
      action: () =>
        saveFile(
          "tracks.npz",
          /** @type {Uint8Array<ArrayBuffer>} */ (writeNpz(samplesOf(doc))),
          "application/octet-stream",
        ),
    },
  ];
  const empty = !doc.tracks.some((track) => track.visible && track.points.length) && !doc.pin_border;
  /** @type {Entry[]} */
  const backdrops = [
    { icon: "picture", text: word("backdrop_file"), action: () => void pick("image/*,video/*") },
  ];
  if (host.own?.picture)
    backdrops.push({ icon: "close", text: word("backdrop_own"), action: () => host.own?.clear() });
  return [
    {
      title: word("menu_file"),
      entries: [
        {
          icon: "folder",
          text: word("import"),
          title: word("import_help"),
          action: () => void pick(TRACK_FILES),
        },
        ...(empty ? [] : saves),
      ],
    },
    { title: word("menu_backdrop"), entries: backdrops },
    ...libraryMenu(store, host),
  ];
}

/**
 * @param {EditorStore} store
 * @param {EditorHost} host
 * @returns {Section[]}
 */
function libraryMenu(store, host) {
  const { library } = host;
  if (!library) return [];
  const chosen = selectedTracks(store.state);
  /** @type {Entry[]} */
  const keep = chosen.length
    ? [
        {
          icon: "star",
          text: word("preset_save"),
          action: () =>
            void library.keep(
              chosen
                .map((track) => track.name)
                .join(", ")
                .slice(0, 60),
              store.state.doc,
              chosen,
            ),
        },
      ]
    : [];
  const presets = library.presets.flatMap((item) =>
    insertEntry(store, item, () => library.forget(item.name)),
  );
  return [
    { title: word("menu_presets"), entries: [...keep, ...presets], empty: word("preset_none") },
    {
      title: word("menu_recent"),
      entries: library.recent.flatMap((item) => insertEntry(store, item)),
      empty: word("recent_none"),
    },
  ];
}

/**
 * @param {EditorStore} store
 * @param {LibraryItem} item
 * @param {() => void} [remove]
 * @returns {Entry[]} none for one that cannot be read
 */
function insertEntry(store, item, remove) {
  const doc = tracksIn(item);
  if (!doc) return [];
  const action = () => store.dispatch({ type: "paste", tracks: fitDocument(doc, store.state.doc).tracks });
  return [
    {
      picture: thumbnail(doc),
      text: item.name,
      action,
      ...(remove && { remove, title: word("preset_delete") }),
    },
  ];
}

/** @param {TrackDocument} doc @returns {SVGSVGElement} its paths, small */
function thumbnail(doc) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${doc.width} ${doc.height}`);
  svg.setAttribute("class", "ms-thumb");
  for (const [name, value] of Object.entries(SMALL)) svg.setAttribute(name, String(value));
  const stroke = Math.max(doc.width / SMALL.width, doc.height / SMALL.height) * 2;
  for (const track of doc.tracks.slice(0, 20)) {
    const line = trackLine(track);
    const shape = document.createElementNS(svg.namespaceURI, "polyline");
    const points = line.length === 1 ? [line[0], { x: line[0].x + 0.01, y: line[0].y }] : line;
    for (const [name, value] of Object.entries({
      points: points.map(({ x, y }) => `${x},${y}`).join(" "),
      fill: "none",
      stroke: track.color,
      "stroke-width": line.length === 1 ? stroke * 2 : stroke,
      "stroke-linecap": "round",
    })) {
      shape.setAttribute(name, String(value));
    }
    svg.append(shape);
  }
  return /** @type {SVGSVGElement} */ (svg);
}
