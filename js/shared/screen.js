/**
 * What browsers and the page say in ways of their own: turns of a wheel, fingers, how many of the screen's
 * pixels make one of the page's.
 */

/** A line and a page of a wheel, in pixels, as deltaMode counts them. */
const MODES = [1, 18, 400];

/**
 * How far a wheel was turned, pixels. Firefox counts in pixels for whoever reads deltaY first, and in lines
 * once anybody has read deltaMode.
 * @param {{deltaY: number, deltaMode?: number}} event
 * @returns {number}
 */
export function wheelPixels(event) {
  const { deltaY } = event;
  return deltaY * (MODES[event.deltaMode ?? 0] ?? 1);
}

/**
 * Calls when the page comes to another screen or is zoomed as a whole: more or fewer of the screen's pixels
 * to one of ours.
 * @param {() => void} changed
 * @param {AbortSignal} signal ends it
 */
export function followScreen(changed, signal) {
  const screen = window.matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
  const again = () => {
    changed();
    followScreen(changed, signal);
  };
  screen.addEventListener("change", again, { signal, once: true });
}

/**
 * Fingers on these elements are ours alone: the host listens to touches before any element of its canvas
 * does, and would zoom the graph with two of them. The pointer events of the same fingers come all the same.
 * @param {EventTarget[]} elements
 * @param {AbortSignal} signal ends it
 */
export function keepTouches(elements, signal) {
  const keep = (/** @type {Event} */ event) => {
    if (event.target && elements.includes(event.target)) event.stopPropagation();
  };
  for (const kind of ["touchstart", "touchmove", "touchend", "touchcancel"])
    window.addEventListener(kind, keep, { signal, passive: true, capture: true });
}
