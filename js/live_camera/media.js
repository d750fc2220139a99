/** The browser's cameras and screens: which there are, and how one is opened. */

/** @typedef {"refused" | "missing" | "busy" | "insecure" | "gone"} Problem */

const FASTEST = 60;

/** Why nothing can be opened, by the name of the browser's error. @type {Record<string, Problem>} */
const PROBLEMS = {
  NotAllowedError: "refused",
  SecurityError: "refused",
  InvalidStateError: "refused",
  NotFoundError: "missing",
  OverconstrainedError: "missing",
  NotReadableError: "busy",
  AbortError: "busy",
};

/** @param {unknown} error of `openMedia` @returns {Problem} */
export const problemOf = (error) => PROBLEMS[/** @type {any} */ (error)?.name] ?? "insecure";

/**
 * The names of the cameras. Browsers tell them once one was allowed.
 * @returns {Promise<string[]>}
 */
export async function cameraNames() {
  const found = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
  return found.flatMap(({ kind, label }) => (kind === "videoinput" && label ? [label] : []));
}

/**
 * @param {string} device "camera", "screen", or the name of a camera
 * @returns {Promise<MediaStream>}
 */
export async function openMedia(device) {
  const devices = navigator.mediaDevices;
  if (!devices) throw new TypeError("Expected a secure page, got one without cameras.");
  if (device === "screen") return devices.getDisplayMedia({ video: true, audio: false });
  /** @type {MediaTrackConstraints} */
  const video = { width: { ideal: 640 }, frameRate: { ideal: 30, max: FASTEST } };
  if (device !== "camera") {
    const known = (await devices.enumerateDevices()).find(
      ({ kind, label }) => kind === "videoinput" && label === device,
    );
    if (!known) throw Object.assign(new Error(`No camera ${device}`), { name: "NotFoundError" });
    video.deviceId = { exact: known.deviceId };
  }
  return devices.getUserMedia({ video, audio: false });
}

/** @param {MediaStream} stream */
export const stopMedia = (stream) => stream.getTracks().forEach((track) => track.stop());

/** @param {MediaStream | null} stream */
export const isLive = (stream) =>
  Boolean(stream?.getVideoTracks().some((each) => each.readyState === "live"));
