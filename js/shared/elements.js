/** Small makers of DOM elements, and setters that write only what differs. */

/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {string} [className]
 * @param {(Node | string)[]} [children]
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function element(name, className = "", children = []) {
  const made = document.createElement(name);
  made.className = className;
  made.append(...children);
  return made;
}

/**
 * @param {string} className of the group
 * @param {HTMLElement[]} buttons
 */
export const group = (className, ...buttons) => element("div", `ms-group ${className}`.trim(), buttons);

/**
 * @param {HTMLButtonElement} made
 * @param {boolean} on
 */
export function setPressed(made, on) {
  made.classList.toggle("ms-on", on);
  made.setAttribute("aria-pressed", String(on));
}

/**
 * @param {HTMLElement} made
 * @param {string} text
 */
export function setText(made, text) {
  if (made.textContent !== text) made.textContent = text;
}

/**
 * @param {HTMLElement} made
 * @param {string} title
 */
export function setTitle(made, title) {
  if (made.title === title) return;
  made.title = title;
  made.setAttribute("aria-label", title);
}

/**
 * The text beside a button's icon.
 * @param {HTMLButtonElement} made
 * @param {string} label
 */
export function setLabel(made, label) {
  const place = made.querySelector(".ms-label");
  if (place && place.textContent !== label) place.textContent = label;
}

/**
 * The rows of a list of keys.
 * @param {{keys: string[], text: string}[]} rows
 */
export const keyList = (rows) =>
  element(
    "dl",
    "",
    rows.flatMap(({ keys, text }) => [
      element(
        "dt",
        "",
        keys.flatMap((key) => [element("kbd", "", [key]), " "]),
      ),
      element("dd", "", [text]),
    ]),
  );

/**
 * What has the focus while a view is in use. The host takes Ctrl+Z at the window, before any element hears
 * of it, unless a text area has the focus: so this is one, invisible, read-only and without a keyboard on a
 * touch screen.
 * @param {string} label
 */
export function keyCatcher(label) {
  const catcher = element("textarea", "ms-keys");
  catcher.readOnly = true;
  catcher.inputMode = "none";
  catcher.setAttribute("aria-label", label);
  return catcher;
}
