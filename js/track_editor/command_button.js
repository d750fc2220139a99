/** A command as a button: its title and state follow the editor's state. */

import { group, setPressed, setTitle } from "../shared/elements.js";
import { button } from "./icons.js";

/** @import {Command, ViewEvent} from "./commands.js" */
/** @import {EditorStore} from "./store.js" */
/** @import {EditorEvent, EditorState} from "./types.js" */

/** @typedef {(event: EditorEvent | ViewEvent) => void} Run */

/**
 * @param {EditorStore} store
 * @param {Command} command
 * @param {Run} run
 */
export function commandButton(store, command, run) {
  const press = () => {
    const event = command.perform(store.state, false);
    if (event) run(event);
  };
  const root = button(command.icon ?? command.name, command.label(store.state), press);
  const update = (/** @type {EditorState} */ state) => {
    setTitle(root, command.label(state));
    if (command.isAble) root.disabled = !command.isAble(state);
    if (command.isOn) setPressed(root, command.isOn(state));
  };
  return { root, update };
}

/**
 * Buttons of commands, in one group.
 * @param {EditorStore} store
 * @param {string} className of the group
 * @param {Command[]} list
 * @param {Run} run
 * @param {HTMLElement[]} before the buttons
 */
export function commandGroup(store, className, list, run, ...before) {
  const buttons = list.map((command) => commandButton(store, command, run));
  return {
    root: group(className, ...before, ...buttons.map(({ root }) => root)),
    update: (/** @type {EditorState} */ state) => buttons.forEach((each) => each.update(state)),
  };
}
