/** A command as a button: its icon, title, state and obstacle follow the preview's state. */

import { setLabel, setPressed } from "../shared/elements.js";
import { setAvailable } from "./available.js";
import { button, setIcon } from "./icons.js";

/** @import {Command} from "./commands.js" */
/** @import {PreviewState} from "./state.js" */
/** @import {PreviewStore} from "./store.js" */

/**
 * Does it, where there is something to do.
 * @param {PreviewStore} store
 * @param {Command} command
 * @returns {boolean} there was
 */
export function run(store, command) {
  const event = command.perform(store.state);
  if (event) store.dispatch(event);
  return event !== null;
}

/**
 * @param {PreviewStore} store
 * @param {Command} command
 */
export function commandButton(store, command) {
  const iconOf = (/** @type {PreviewState} */ state) => command.icon?.(state) ?? command.name;
  const { state: now } = store;
  const root = button(iconOf(now), command.label(now), () => void run(store, command), command.text?.(now));
  const update = (/** @type {PreviewState} */ state) => {
    setIcon(root, iconOf(state));
    setAvailable(root, command.label(state), command.obstacle?.(state) ?? "");
    if (command.text) setLabel(root, command.text(state));
    if (command.isOn) setPressed(root, command.isOn(state));
  };
  return { root, update };
}
