/**
 * Whether two documents, or parts of them, say the same. Documents are never changed in place, so each is
 * written out and hashed once, however often it is compared. Pure.
 */

/** @type {WeakMap<object, string>} */
const known = new WeakMap();

/**
 * The length and a hash of 53 bits of a value's JSON.
 * @param {object} value that is never changed
 * @returns {string}
 */
export function fingerprint(value) {
  let found = known.get(value);
  if (found === undefined) {
    const text = JSON.stringify(value);
    found = `${text.length}:${hash(text)}`;
    known.set(value, found);
  }
  return found;
}

/**
 * @param {object} a
 * @param {object} b
 */
export const isSame = (a, b) => a === b || fingerprint(a) === fingerprint(b);

/**
 * cyrb53, two rounds of multiplication and a mix (bryc, public domain).
 * @param {string} text
 * @returns {number} of 53 bits
 */
function hash(text) {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    high = Math.imul(high ^ code, 2654435761);
    low = Math.imul(low ^ code, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return 4294967296 * (2097151 & low) + (high >>> 0);
}
