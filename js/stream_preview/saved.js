/**
 * What a run left: the recorded file, and the takes that can be played again. Owns its DOM. The host is asked
 * through `SavedHost`.
 */

import { element, group, setText } from "../shared/elements.js";
import { button } from "./icons.js";
import { isActive } from "./obstacles.js";
import { word } from "./vocabulary.js";

/** @import {Panel} from "./panels.js" */
/** @import {HostFile, PreviewState, Take} from "./state.js" */
/** @import {PreviewStore} from "./store.js" */

/**
 * @typedef {object} SavedHost
 * @property {(file: HostFile) => void} play
 * @property {() => void} showAssets
 * @property {(take: Take, goOn: boolean) => void} replay  goOn: without an end, for the hands to go on
 * @property {(take: Take) => void} share
 */

/**
 * @param {PreviewStore} store
 * @param {SavedHost} host
 * @returns {Panel}
 */
export function savedPanel(store, host) {
  const withFile = (/** @type {(file: HostFile) => void} */ act) => () => {
    const { file } = store.state.saved;
    if (file) act(file);
  };
  const withTake = (/** @type {(take: Take) => void} */ act) => () => {
    const take = store.state.saved.take ?? store.state.takes[0];
    if (take) act(take);
  };
  const name = element("span", "ms-saved-name");
  const file = group(
    "",
    button("play", word("saved_play"), withFile(host.play), word("saved_play")),
    button("eye", word("saved_assets"), () => host.showAssets(), word("saved_assets")),
  );
  const again = group(
    "",
    button(
      "back",
      word("replay_help"),
      withTake((take) => host.replay(take, false)),
      word("replay"),
    ),
    button(
      "step",
      word("go_on_help"),
      withTake((take) => host.replay(take, true)),
      word("go_on"),
    ),
    button(
      "send",
      word("share_help"),
      withTake((take) => host.share(take)),
      word("share"),
    ),
  );
  const list = element("div", "ms-takes");
  const root = element("div", "ms-saved", [name, file, again, list]);
  /** @type {Take[]} */
  let shown = [];
  const update = (/** @type {PreviewState} */ state) => {
    const { saved, takes, status } = state;
    root.hidden = isActive(status) || (!saved.file && !takes.length);
    name.hidden = file.hidden = !saved.file;
    again.hidden = !takes.length;
    setText(name, saved.file ? word("saved", { name: saved.file.filename }) : "");
    if (takes === shown) return;
    shown = takes;
    list.replaceChildren(...takes.map((take) => takeButton(take, () => host.replay(take, false))));
  };
  return { root, update };
}

/** @param {Take} take @param {() => void} replay */
function takeButton(take, replay) {
  const about = word("take", { seconds: take.seconds.toFixed(1), seed: take.seed });
  const picture = element("img");
  picture.alt = "";
  if (take.picture) picture.src = take.picture;
  const made = element("button", "ms-take", [picture, element("span", "", [about])]);
  made.type = "button";
  made.title = word("take_help", { about });
  made.addEventListener("click", replay);
  return made;
}
