/**
 * Icons and the buttons that wear them: 20 × 20, drawn for this pack, with stroke = currentColor.
 * The shapes that both views show are here, and each view adds its own by `iconSet`.
 */

import { element, setTitle } from "./elements.js";

/** The inside of an SVG. @type {Record<string, string>} */
const SHARED = {
  pin: '<path d="M7.200 3h5.600M8 3l-.3 5.200L5.300 11h9.400l-2.400-2.800L12 3M10 11v6"/>',
  border:
    '<rect x="3.500" y="3.500" width="13" height="13" rx="1" stroke-dasharray="1.600 2.400"' +
    ' stroke-width="2.200" stroke-linecap="round"/>',
  expand: '<path d="M11.500 3.500h5v5M8.500 16.500h-5v-5M16 4l-5 5M4 16l5-5"/>',
  close: '<path d="M5 5l10 10M15 5L5 15"/>',
  help:
    '<circle cx="10" cy="10" r="7"/>' +
    '<path d="M7.900 8.100a2.200 2.200 0 1 1 3.200 2c-.8.4-1.100.8-1.100 1.600M10 14v.1"/>',
  play: '<path d="M6.500 4l9 6-9 6z" fill="currentColor"/>',
  pause: '<path d="M7 4.500v11M13 4.500v11" stroke-width="2.600"/>',
  undo: '<path d="M7.500 4.500L4 8l3.500 3.500M4 8h7.500a4.200 4.200 0 0 1 0 8.400H8"/>',
  stop: '<rect x="5.500" y="5.500" width="9" height="9" rx="1.200" fill="currentColor"/>',
  eye:
    '<path d="M2.500 10S5.200 5.200 10 5.200 17.500 10 17.500 10 14.800 14.800 10 14.800 2.500 10' +
    ' 2.500 10z"/><circle cx="10" cy="10" r="2.200"/>',
};

/** @param {string} shape the inside of an SVG @returns {SVGSVGElement} */
function svgOf(shape) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("class", "ms-icon");
  svg.setAttribute("aria-hidden", "true");
  svg.innerHTML = shape;
  return svg;
}

/**
 * The makers of a view's icons and buttons.
 * @param {Record<string, string>} own the view's own shapes, by name
 */
export function iconSet(own) {
  const shapes = { ...SHARED, ...own };
  const icon = (/** @type {string} */ name) => svgOf(shapes[name]);

  /**
   * @param {string} name of the icon
   * @param {string} title
   * @param {() => void} action
   * @param {string} [label] text beside the icon
   * @returns {HTMLButtonElement}
   */
  function button(name, title, action, label) {
    const made = element(
      "button",
      label ? "ms-button ms-labelled" : "ms-button",
      label ? [icon(name), element("span", "ms-label", [label])] : [icon(name)],
    );
    made.type = "button";
    made.dataset.icon = name;
    made.addEventListener("click", action);
    setTitle(made, title);
    return made;
  }

  /**
   * @param {HTMLButtonElement} made
   * @param {string} name of the icon
   * @param {string} [title]
   */
  function setIcon(made, name, title) {
    if (made.dataset.icon !== name) {
      made.dataset.icon = name;
      made.querySelector("svg")?.replaceWith(icon(name));
    }
    if (title) setTitle(made, title);
  }

  return { icon, button, setIcon };
}
