/** Small makers of DOM elements, shared by the editor and the preview. */

import { icon } from "./icons.js";

/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name @param {string} [className] @param {(Node | string)[]} [children] @returns {HTMLElementTagNameMap[Name]}
 */
export function element(name, className = "", children = []) {
  const made = document.createElement(name);
  made.className = className;
  made.append(...children);
  return made;
}

/** @param {string} name of the icon @param {string} title @param {() => void} action @param {string} [label] text beside the icon @returns {HTMLButtonElement} */
export function button(name, title, action, label) {
  const made = element(
    "button",
    label ? "ms-button ms-labelled" : "ms-button",
    label ? [icon(name), label] : [icon(name)],
  );
  made.type = "button";
  made.title = title;
  made.dataset.icon = name;
  made.setAttribute("aria-label", title);
  made.addEventListener("click", action);
  return made;
}

/** @param {HTMLButtonElement} made @param {string} name @param {string} [title] */
export function setIcon(made, name, title) {
  if (made.dataset.icon !== name) {
    made.dataset.icon = name;
    made.querySelector("svg")?.replaceWith(icon(name));
  }
  if (title && made.title !== title) {
    made.title = title;
    made.setAttribute("aria-label", title);
  }
}

/** @param {HTMLButtonElement} made @param {boolean} on */
export function press(made, on) {
  made.classList.toggle("ms-on", on);
  made.setAttribute("aria-pressed", String(on));
}

/** Writes only what differs. @param {HTMLElement} made @param {string} text */
export function say(made, text) {
  if (made.textContent !== text) made.textContent = text;
}
