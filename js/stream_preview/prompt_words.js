/**
 * What of a prompt a model with a closed vocabulary knows. Pure. Words are cut as model/text.py cuts them.
 */

const WORD = /[a-z]+(?:-[a-z]+)*/gi;
const MOST = 8; // words offered

/**
 * The prompt in pieces.
 * @param {string} text
 * @param {string[]} vocabulary  [] = every word is known
 * @returns {{text: string, known: boolean}[]}
 */
export function promptPieces(text, vocabulary) {
  if (!vocabulary.length) return text ? [{ text, known: true }] : [];
  const words = new Set(vocabulary);
  const pieces = [];
  let at = 0;
  for (const found of text.matchAll(WORD)) {
    if (words.has(found[0].toLowerCase())) continue;
    if (found.index > at) pieces.push({ text: text.slice(at, found.index), known: true });
    pieces.push({ text: found[0], known: false });
    at = found.index + found[0].length;
  }
  if (at < text.length) pieces.push({ text: text.slice(at), known: true });
  return pieces;
}

/**
 * Known words that go on with what is being typed.
 * @param {string} text up to the caret
 * @param {string[]} vocabulary
 * @returns {string[]}
 */
export function wordsToOffer(text, vocabulary) {
  const begun = /[a-z-]+$/i.exec(text)?.[0].toLowerCase() ?? "";
  if (!begun && text && !/\s$/.test(text)) return [];
  const fitting = vocabulary.filter((word) => word.startsWith(begun) && word !== begun);
  return fitting.slice(0, MOST);
}

/**
 * The text with the word that is being typed completed.
 * @param {string} text
 * @param {number} caret
 * @param {string} word
 * @returns {{text: string, caret: number}}
 */
export function completed(text, caret, word) {
  const before = text.slice(0, caret).replace(/[a-z-]+$/i, "") + word;
  const after = text.slice(caret).replace(/^[a-z-]+/i, "");
  const gap = after.startsWith(" ") ? "" : " ";
  return { text: before + gap + after, caret: before.length + 1 };
}
