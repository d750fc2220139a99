/** A button with a list that drops from it. The list is made anew each time it opens. */

import { element, setPressed } from "../shared/elements.js";
import { button, icon } from "./icons.js";

/**
 * @typedef {object} Entry
 * @property {string} [icon]
 * @property {Node} [picture]
 * @property {string} text
 * @property {string} [title]
 * @property {boolean} [on]
 * @property {() => void} action
 * @property {() => void} [remove]
 */
/** @typedef {{title?: string, entries: Entry[], empty?: string}} Section */

/**
 * @param {string} name icon
 * @param {string} title
 * @param {() => Section[]} sections
 * @param {"left" | "right"} [side] on which it is flush
 * @returns {{root: HTMLElement, made: HTMLButtonElement}}
 */
export function menuButton(name, title, sections, side = "left") {
  const made = button(name, title, () => (list ? close() : open()));
  made.classList.add("ms-drops");
  made.setAttribute("aria-haspopup", "menu");
  const root = element("div", "ms-drop", [made]);
  /** @type {HTMLElement | null} */
  let list = null;
  /** @type {AbortController | null} */
  let outside = null;
  const close = () => {
    list?.remove();
    list = null;
    outside?.abort();
    setPressed(made, false);
    made.setAttribute("aria-expanded", "false");
  };
  const open = () => {
    list = element(
      "div",
      `ms-list ms-${side}`,
      sections().map((section) => sectionOf(section, close)),
    );
    list.setAttribute("role", "menu");
    list.dataset.captureWheel = "true";
    root.append(list);
    setPressed(made, true);
    made.setAttribute("aria-expanded", "true");
    outside = new AbortController();
    const { signal } = outside;
    document.addEventListener(
      "pointerdown",
      (event) => !root.contains(/** @type {Node} */ (event.target)) && close(),
      { signal, capture: true },
    );
    root
      .closest(".ms-root")
      ?.addEventListener(
        "keydown",
        (event) => /** @type {KeyboardEvent} */ (event).key === "Escape" && swallow(event, close),
        { signal, capture: true },
      );
  };
  return { root, made };
}

/** @param {Event} event @param {() => void} action */
function swallow(event, action) {
  event.stopPropagation();
  event.preventDefault();
  action();
}

/** @param {Section} section @param {() => void} close */
function sectionOf({ title, entries, empty }, close) {
  const rows = entries.length
    ? entries.map((entry) => entryOf(entry, close))
    : [element("div", "ms-empty", [empty ?? ""])];
  return element("div", "ms-section", title ? [element("h5", "", [title]), ...rows] : rows);
}

/** @param {Entry} entry @param {() => void} close */
function entryOf({ icon: name, picture, text, title, on, action, remove }, close) {
  const made = element("button", on ? "ms-entry ms-chosen" : "ms-entry", [
    picture ?? icon(name ?? "path"),
    element("span", "", [text]),
  ]);
  made.type = "button";
  made.setAttribute("role", "menuitem");
  if (title) made.title = title;
  made.addEventListener("click", () => {
    close();
    action();
  });
  if (!remove) return made;
  const drop = button("clear", title ?? "", () => {
    close();
    remove();
  });
  drop.classList.add("ms-danger");
  return element("div", "ms-pair", [made, drop]);
}
