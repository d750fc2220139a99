import assert from "node:assert/strict";
import { test } from "node:test";

import { completed, promptPieces, wordsToOffer } from "../../js/stream_preview/prompt_words.js";
import { initialState, speedOf } from "../../js/stream_preview/state.js";

const WORDS = ["cat", "walks", "waves", "night", "gray-scale"];

test("words that the model does not know stand apart, and nothing of the text is lost", () => {
  const text = "A Cat walks, at the night gray-scale wall!";
  const pieces = promptPieces(text, WORDS);
  assert.equal(pieces.map((piece) => piece.text).join(""), text);
  const unknown = pieces.filter((piece) => !piece.known).map((piece) => piece.text);
  assert.deepEqual(unknown, ["A", "at", "the", "wall"]);
  assert.deepEqual(promptPieces(text, []), [{ text, known: true }]);
  assert.deepEqual(promptPieces("", WORDS), []);
});

test("known words are offered as they are typed, and complete the one under the caret", () => {
  assert.deepEqual(wordsToOffer("a cat wa", WORDS), ["walks", "waves"]);
  assert.deepEqual(wordsToOffer("walks", WORDS), []);
  assert.deepEqual(wordsToOffer("gray-", WORDS), ["gray-scale"]);
  assert.equal(wordsToOffer("cat ", WORDS).length, WORDS.length);
  assert.deepEqual(wordsToOffer("cat,", WORDS), []);
  assert.deepEqual(completed("a wa night", 4, "waves"), { text: "a waves night", caret: 8 });
  assert.deepEqual(completed("wa", 2, "walks"), { text: "walks ", caret: 6 });
});

test("a stream that is made more slowly than it plays says how slowly", () => {
  const state = (fps, chunk = 5, status = "live") => ({
    ...initialState(0),
    status,
    run: { fps: 16 },
    shown: { fps, chunk },
  });
  assert.equal(speedOf(state(4)), 0.25);
  assert.equal(speedOf(state(15.9)), null);
  assert.equal(speedOf(state(4, 1)), null, "too early to say");
  assert.equal(speedOf(state(4, 5, "paused")), null);
});
