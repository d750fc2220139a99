/** The editor's icons, 20 × 20, drawn for this pack: the inside of an SVG with stroke = currentColor. */

/** @type {Record<string, string>} */
const SHAPES = {
  select: '<path d="M5 3l10 6.2-4.4 1.1 2.6 4.9-1.9 1-2.6-4.9L5 14.6z" fill="currentColor" stroke-width="1"/>',
  draw: '<path d="M3 15c2.5-6 4.500-8 6-6.500s-1.500 4 0 5 4-1.500 4.500-3.500"/><path d="M12.500 7.500l3.300-3.300a1.300 1.300 0 0 1 1.800 1.800l-3.300 3.300-2.300.5z"/>',
  path: '<path d="M4.500 15.500C5 7 14.500 13.500 15.500 4.500"/><circle cx="4.500" cy="15.500" r="2" fill="var(--ms-panel)"/><circle cx="15.500" cy="4.500" r="2" fill="var(--ms-panel)"/><circle cx="10" cy="10" r="1.700" fill="currentColor" stroke="none"/>',
  pin: '<path d="M7.200 3h5.600M8 3l-.3 5.200L5.300 11h9.400l-2.400-2.800L12 3M10 11v6"/>',
  spline: '<path d="M3 15C5 3 8 3 10 10s5 7 7-5"/>',
  linear: '<path d="M3 15l4.500-9 4.500 7 5-8"/>',
  brush: '<circle cx="10" cy="10" r="6.500" stroke-dasharray="2.600 2.200"/><path d="M10 7v0M7 10v0M10 10v0M13 10v0M10 13v0" stroke-width="2"/>',
  undo: '<path d="M7.500 4.500L4 8l3.500 3.500M4 8h7.500a4.200 4.200 0 0 1 0 8.400H8"/>',
  redo: '<path d="M12.500 4.500L16 8l-3.500 3.500M16 8H8.500a4.200 4.200 0 0 0 0 8.400H12"/>',
  border: '<rect x="3.500" y="3.500" width="13" height="13" rx="1" stroke-dasharray="1.600 2.400" stroke-width="2.200" stroke-linecap="round"/>',
  clear: '<path d="M4 5.500h12M8 5.500V4h4v1.500M5.500 5.500l.8 10.500h7.400l.8-10.500M8.500 8.500v5M11.500 8.500v5"/>',
  expand: '<path d="M11.500 3.500h5v5M8.500 16.500h-5v-5M16 4l-5 5M4 16l5-5"/>',
  close: '<path d="M5 5l10 10M15 5L5 15"/>',
  help: '<circle cx="10" cy="10" r="7"/><path d="M7.900 8.100a2.200 2.200 0 1 1 3.200 2c-.8.4-1.100.8-1.100 1.600M10 14v.1"/>',
  play: '<path d="M6.500 4l9 6-9 6z" fill="currentColor"/>',
  pause: '<path d="M7 4.500v11M13 4.500v11" stroke-width="2.600"/>',
  stop: '<rect x="5.500" y="5.500" width="9" height="9" rx="1.200" fill="currentColor"/>',
  eye: '<path d="M2.500 10S5.200 5.200 10 5.200 17.500 10 17.500 10 14.800 14.800 10 14.800 2.500 10 2.500 10z"/><circle cx="10" cy="10" r="2.200"/>',
  hidden: '<path d="M4.500 6.800C3.200 8.200 2.500 10 2.500 10S5.200 14.800 10 14.800c1.200 0 2.300-.3 3.200-.7M8 5.400c.6-.1 1.300-.2 2-.2 4.800 0 7.500 4.800 7.500 4.800s-.6 1.100-1.700 2.300M3.500 3.500l13 13"/>',
  copy: '<rect x="7" y="7" width="9.500" height="9.500" rx="1.500"/><path d="M13 7V5a1.500 1.500 0 0 0-1.500-1.500H5A1.500 1.500 0 0 0 3.500 5v6.500A1.500 1.500 0 0 0 5 13h2"/>',
};

/** @param {string} name @returns {SVGSVGElement} */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("class", "ms-icon");
  svg.setAttribute("aria-hidden", "true");
  svg.innerHTML = SHAPES[name];
  return svg;
}
