/** The inputs on the page: on or off, the OSC port, and for every control what drives it. Owns its DOM. */

import { element, group, setPressed, setText } from "../shared/elements.js";
import { TARGETS } from "./hands_map.js";
import { button } from "./icons.js";
import { word } from "./vocabulary.js";

/** @import {HandsInput} from "./hands_input.js" */
/** @import {Panel} from "./panels.js" */
/** @import {PreviewState} from "./state.js" */
/** @import {PreviewStore} from "./store.js" */

const USUAL_PORT = 9000;
/** What a control is called, without what its tooltip adds. @param {string} said */
const shortly = (said) => said.split(/[:：]/)[0];

/**
 * Hidden until the person opens it.
 * @param {PreviewStore} store
 * @param {HandsInput} input
 * @returns {Panel}
 */
export function handsPanel(store, input) {
  const rows = TARGETS.map((target) => {
    const source = element("span", "ms-source");
    const teach = element("button", "ms-offer", [word("learn")]);
    teach.type = "button";
    teach.addEventListener("click", () => input.learn(input.hands.learning === target ? null : target));
    const forget = button("close", word("unlearn"), () => input.unlearn(target));
    const root = element("div", "ms-hand", [
      element("span", "", [shortly(word(target))]),
      source,
      teach,
      group("", forget),
    ]);
    const update = () => {
      const learning = input.hands.learning === target;
      setText(source, learning ? word("learning") : (input.hands.map[target] ?? "–"));
      setPressed(teach, learning);
      forget.disabled = !input.hands.map[target];
    };
    return { root, update };
  });
  const port = element("input", "ms-port");
  Object.assign(port, { type: "number", min: "1024", max: "65535", value: String(USUAL_PORT) });
  port.title = word("osc_port");
  port.setAttribute("aria-label", word("osc_port"));
  port.addEventListener("keydown", (event) => event.stopPropagation());
  const osc = element("button", "ms-offer", [word("osc")]);
  osc.type = "button";
  osc.title = word("osc_help");
  osc.addEventListener("click", () =>
    store.dispatch({ type: "osc-asked", port: store.state.oscPort ? 0 : Number(port.value) }),
  );
  const said = element("span", "ms-source");
  const root = element("div", "ms-hands", [
    element("div", "ms-hand", [said, osc, port]),
    ...rows.map((row) => row.root),
  ]);
  const update = (/** @type {PreviewState} */ state) => {
    root.hidden = !state.handsOpen;
    if (root.hidden) return;
    setPressed(osc, state.oscPort > 0);
    port.disabled = state.oscPort > 0;
    setText(said, word(input.midi ? "hands_midi" : "hands_pad"));
    for (const row of rows) row.update();
  };
  return { root, update };
}
