/**
 * Prints what the editor writes, one document a line: random sound documents read and written, and what
 * random events leave of a new one.
 */

import { emptyDocument, readDocument, writeDocument } from "../../js/track_editor/document.js";
import { initialState, reduce } from "../../js/track_editor/state.js";
import { eventOf, maker } from "./random_documents.js";

for (let seed = 0; seed < 300; seed++)
  console.log(writeDocument(readDocument(JSON.stringify(maker(seed).document()))));
for (let seed = 0; seed < 40; seed++) {
  const make = maker(9000 + seed);
  let state = initialState(emptyDocument());
  for (let i = 0; i < 150; i++) {
    state = reduce(state, eventOf(make, state));
    if (state.doc.tracks.length > 30) state = reduce(state, { type: "clear" });
    if (i % 10 === 9) console.log(writeDocument(state.doc));
  }
}
