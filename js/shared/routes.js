/** Addresses of the host's files. Pure. */

/** @param {{filename: string, subfolder?: string, type?: string}} file @returns {string} */
export function viewRoute({ filename, subfolder = "", type = "temp" }) {
  return `/view?${new URLSearchParams({ filename, subfolder, type })}`;
}
