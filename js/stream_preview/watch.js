/** The watch link of the run on the page: its address, to be copied, and the button that ends it. */

import { element, group, setPressed } from "../shared/elements.js";
import { commandButton } from "./command_button.js";
import { UNLINK } from "./commands.js";
import { button } from "./icons.js";
import { word } from "./vocabulary.js";

/** @import {Panel} from "./panels.js" */
/** @import {PreviewState} from "./state.js" */
/** @import {PreviewStore} from "./store.js" */

/**
 * The address of the page for those who watch.
 * @param {{origin: string}} place of the page
 * @param {string} path
 * @param {string} link
 * @returns {string}
 */
export const watchAddress = (place, path, link) => `${place.origin}${path}?watch=${encodeURIComponent(link)}`;

/**
 * Hidden while there is no link.
 * @param {PreviewStore} store
 * @returns {Panel}
 */
export function watchPanel(store) {
  const address = element("input", "ms-address");
  Object.assign(address, { type: "url", readOnly: true });
  address.title = word("watch_address");
  address.setAttribute("aria-label", word("watch_address"));
  address.addEventListener("focus", () => address.select());
  address.addEventListener("keydown", (event) => event.stopPropagation());
  const end = commandButton(store, UNLINK);
  const devices = group("");
  const root = element("div", "ms-watch", [
    element("div", "ms-row", [address, group("", end.root)]),
    devices,
  ]);
  /** @type {PreviewState["devices"] | null} */
  let shown = null;
  const showDevices = (/** @type {PreviewState["devices"]} */ now) => {
    if (now === shown) return;
    shown = now;
    devices.hidden = !now.known.length;
    devices.replaceChildren(
      ...now.known.map((device) => {
        const on = now.on.includes(device);
        const ask = () => store.dispatch({ type: "device-asked", device, on: !on });
        const made = button("camera", word("device", { device }), ask, device);
        setPressed(made, on);
        return made;
      }),
    );
  };
  const update = (/** @type {PreviewState} */ state) => {
    root.hidden = !state.watch;
    if (address.value !== state.watch) address.value = state.watch;
    end.update(state);
    showDevices(state.devices);
  };
  return { root, update };
}
