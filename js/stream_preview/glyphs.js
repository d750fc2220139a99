/** Buttons of the preview and their icons, 20 × 20, drawn for this pack: the inside of an SVG with stroke = currentColor. */

import { element } from "../track_editor/elements.js";
import { word } from "./english.js";

/** @type {Record<string, string>} */
const SHAPES = {
  play: '<path d="M6.500 4l9 6-9 6z" fill="currentColor"/>',
  pause: '<path d="M7 4.500v11M13 4.500v11" stroke-width="2.600"/>',
  stop: '<rect x="5.500" y="5.500" width="9" height="9" rx="1.200" fill="currentColor"/>',
  step: '<path d="M4.500 4.500l7 5.500-7 5.500z" fill="currentColor"/><path d="M15 4.500v11" stroke-width="2.400"/>',
  back: '<path d="M15.500 4.500l-7 5.500 7 5.500z" fill="currentColor"/><path d="M5 4.500v11" stroke-width="2.400"/>',
  scene:
    '<path d="M3.500 8.500h13v7.500h-13zM3.500 8.500l-.6-3 12.700-2.500.6 3zM7 7.800L5.400 5M11 7L9.400 4.200"/>',
  camera:
    '<path d="M3 6.500h8.500a1 1 0 0 1 1 1v5a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1v-5a1 1 0 0 1 1-1zM12.500 9l5-2.500v7l-5-2.500"/>',
  expand: '<path d="M11.500 3.500h5v5M8.500 16.500h-5v-5M16 4l-5 5M4 16l5-5"/>',
  close: '<path d="M5 5l10 10M15 5L5 15"/>',
  help: '<circle cx="10" cy="10" r="7"/><path d="M7.900 8.100a2.200 2.200 0 1 1 3.200 2c-.8.4-1.100.8-1.100 1.600M10 14v.1"/>',
  eye: '<path d="M2.500 10S5.200 5.200 10 5.200 17.500 10 17.500 10 14.800 14.800 10 14.800 2.500 10 2.500 10z"/><circle cx="10" cy="10" r="2.200"/>',
  grab: '<path d="M6.300 11.500V6.200a1.200 1.200 0 0 1 2.400 0V9.500V4.700a1.200 1.200 0 0 1 2.400 0V9.500V5.600a1.200 1.200 0 0 1 2.400 0v5V8a1.200 1.200 0 0 1 2.300 0v4.200c0 3-1.900 5-4.700 5-2.200 0-3.300-.9-4.400-2.700L4.200 11a1.200 1.200 0 0 1 2.100-1z"/>',
  pin: '<path d="M7.200 3h5.600M8 3l-.3 5.200L5.300 11h9.400l-2.400-2.800L12 3M10 11v6"/>',
  path: '<path d="M3.500 15.500c.5-8 6-8.500 7-4s4 3.500 5-5"/><path d="M12.500 7.500l3.200-2.700 1.600 3.700"/>',
  grid: '<path d="M5 5v0M10 5v0M15 5v0M5 10v0M10 10v0M15 10v0M5 15v0M10 15v0M15 15v0" stroke-width="3"/>',
  erase:
    '<path d="M8 16.500L3.700 12.200a1.300 1.300 0 0 1 0-1.800l6.700-6.700a1.300 1.300 0 0 1 1.800 0l4.100 4.100a1.300 1.300 0 0 1 0 1.800L9.500 16.500zM7 7.200l5.900 5.900M8 16.500h8.500"/>',
  border:
    '<rect x="3.500" y="3.500" width="13" height="13" rx="1" stroke-dasharray="1.600 2.400" stroke-width="2.200" stroke-linecap="round"/>',
  brush:
    '<circle cx="10" cy="10" r="6.500" stroke-dasharray="2.600 2.200"/><circle cx="10" cy="10" r="1.200" fill="currentColor"/>',
  keep: '<path d="M3 10h10.500M10 6l4 4-4 4M17 5v10"/>',
  fade: '<circle cx="10" cy="10" r="2.400" fill="currentColor"/><circle cx="10" cy="10" r="6.500" stroke-dasharray="0.100 4" stroke-width="2"/>',
  send: '<path d="M3.500 16.500L17 10 3.500 3.500l1.800 6.500zM5.300 10H11"/>',
  hold: '<rect x="4.500" y="9" width="11" height="7.500" rx="1.500"/><path d="M7 9V6.500a3 3 0 0 1 6 0V9"/>',
  rest: '<circle cx="10" cy="10" r="6.500"/><circle cx="10" cy="10" r="1.800" fill="currentColor"/>',
  zoom: '<circle cx="8.500" cy="8.500" r="5"/><path d="M12.300 12.300L17 17M6.300 8.500h4.400M8.500 6.300v4.400"/>',
  roll: '<path d="M16.500 10a6.500 6.500 0 1 1-2-4.700M15 2.500v3.200h-3.200"/>',
  orbit:
    '<circle cx="10" cy="10" r="2.300" fill="currentColor"/><ellipse cx="10" cy="10" rx="7.500" ry="3.200"/>',
  rewind: '<path d="M3.500 10a6.500 6.500 0 1 0 2-4.700M5 2.500v3.200h3.200M10 6.500V10l2.500 1.500"/>',
};

/** @param {string} name @returns {SVGSVGElement} */
export function glyph(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("class", "ms-icon");
  svg.setAttribute("aria-hidden", "true");
  svg.innerHTML = SHAPES[name];
  return svg;
}

/** @param {string} name of the glyph @param {string} title @param {() => void} action @param {string} [label] beside the glyph, where there is room @returns {HTMLButtonElement} */
export function glyphButton(name, title, action, label) {
  const made = element(
    "button",
    label ? "ms-button ms-labelled" : "ms-button",
    label ? [glyph(name), element("span", "ms-label", [label])] : [glyph(name)],
  );
  made.type = "button";
  made.dataset.icon = name;
  made.addEventListener("click", action);
  entitle(made, title);
  return made;
}

/** @param {HTMLElement} made @param {string} title */
export function entitle(made, title) {
  if (made.title === title) return;
  made.title = title;
  made.setAttribute("aria-label", title);
}

/** @param {HTMLButtonElement} made @param {string} name @param {string} [label] */
export function reglyph(made, name, label) {
  if (made.dataset.icon === name) return;
  made.dataset.icon = name;
  made.querySelector("svg")?.replaceWith(glyph(name));
  const text = made.querySelector(".ms-label");
  if (text && label) text.textContent = label;
}

/** Usable, or not for a reason, which then is the title. @param {HTMLButtonElement | HTMLInputElement | HTMLSelectElement} made @param {string} title @param {string} obstacle "" = none */
export function allow(made, title, obstacle) {
  const able = !obstacle;
  if (made.disabled === able) made.disabled = !able;
  entitle(made, able ? title : word("because", { what: title, why: obstacle }));
}
