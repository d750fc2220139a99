/** A file for the person, by the browser's own download. */

/**
 * @param {string} name
 * @param {BlobPart} data
 * @param {string} type
 */
export function saveFile(name, data, type) {
  const url = URL.createObjectURL(new Blob([data], { type }));
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
