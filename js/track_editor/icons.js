/** The icons of the editor alone. Those it shares with the preview are in ../shared/icons.js. */

import { iconSet } from "../shared/icons.js";

export const { icon, button, setIcon } = iconSet({
  select:
    '<path d="M5 3l10 6.2-4.4 1.1 2.6 4.9-1.9 1-2.6-4.9L5 14.6z" fill="currentColor" stroke-width="1"/>',
  draw:
    '<path d="M3 15c2.5-6 4.500-8 6-6.500s-1.500 4 0 5 4-1.500 4.500-3.500"/>' +
    '<path d="M12.500 7.500l3.300-3.300a1.300 1.300 0 0 1 1.800 1.800l-3.300 3.300-2.300.5z"/>',
  path:
    '<path d="M4.500 15.500C5 7 14.500 13.500 15.500 4.500"/>' +
    '<circle cx="4.500" cy="15.500" r="2" fill="var(--ms-panel)"/>' +
    '<circle cx="15.500" cy="4.500" r="2" fill="var(--ms-panel)"/>' +
    '<circle cx="10" cy="10" r="1.700" fill="currentColor" stroke="none"/>',
  spline: '<path d="M3 15C5 3 8 3 10 10s5 7 7-5"/>',
  linear: '<path d="M3 15l4.500-9 4.500 7 5-8"/>',
  brush:
    '<circle cx="10" cy="10" r="6.500" stroke-dasharray="2.600 2.200"/>' +
    '<path d="M10 7v0M7 10v0M10 10v0M13 10v0M10 13v0" stroke-width="2"/>',
  redo: '<path d="M12.500 4.500L16 8l-3.500 3.500M16 8H8.500a4.200 4.200 0 0 0 0 8.400H12"/>',
  clear:
    '<path d="M4 5.500h12M8 5.500V4h4v1.500M5.500 5.500l.8 10.500h7.400l.8-10.500M8.500 8.500v5' +
    'M11.500 8.500v5"/>',
  hidden:
    '<path d="M4.500 6.800C3.200 8.200 2.500 10 2.500 10S5.200 14.800 10 14.800c1.200 0 2.300-.3' +
    " 3.200-.7M8 5.400c.6-.1 1.300-.2 2-.2 4.800 0 7.500 4.800 7.500 4.800s-.6 1.100-1.700 2.300" +
    'M3.500 3.500l13 13"/>',
  copy:
    '<rect x="7" y="7" width="9.500" height="9.500" rx="1.500"/>' +
    '<path d="M13 7V5a1.500 1.500 0 0 0-1.500-1.500H5A1.500 1.500 0 0 0 3.500 5v6.500A1.500 1.500 0' +
    ' 0 0 5 13h2"/>',
  line:
    '<path d="M4.500 15.500l11-11"/><circle cx="4.500" cy="15.500" r="1.900" fill="var(--ms-panel)"/>' +
    '<circle cx="15.500" cy="4.500" r="1.900" fill="var(--ms-panel)"/>',
  grid: '<path d="M4 4v0M10 4v0M16 4v0M4 10v0M10 10v0M16 10v0M4 16v0M10 16v0M16 16v0" stroke-width="3"/>',
  region:
    '<path d="M6 15.500c-3-.8-3.500-4-1.800-5.800C5.500 8.300 5 6.500 6.800 4.900c2.300-2' +
    " 6.500-1.600 8 .8 1.400 2.300-.5 3.400.2 5.600.8 2.600-1.500 4.700-4.300" +
    ' 4.200-1.700-.3-2.700.4-4.700 0z" fill="currentColor" fill-opacity=".28"/>',
  object:
    '<path d="M7 13.500c-2.500-1-3-5-.5-6.500 2-1.300 5.500-.7 6.500 1.300.9 1.900.2 4.700-2 5.500-1.300' +
    '.4-2.800.2-4-.3z" fill="currentColor" fill-opacity=".3"/>' +
    '<path d="M2.500 6V2.500H6M14 2.500h3.500V6M17.500 14v3.500H14M6 17.500H2.500V14"/>',
  cardinal:
    '<path d="M3 15C4 7 8.500 4 10 10s5.500 3 7-5"/>' +
    '<path d="M7 6.500l6 7" stroke-width="1" stroke-dasharray="1.500 2"/>',
  bspline:
    '<path d="M3 15C5 8 8 8.500 10 10s5 2 7-5"/>' +
    '<path d="M3 15L6.500 5l7 9.500L17 5" stroke-width=".8" stroke-dasharray="1.500 2"/>',
  camera: '<rect x="2.500" y="6" width="11" height="9" rx="2"/><path d="M13.500 9.500l4-2.500v7l-4-2.500"/>',
  snap:
    '<path d="M5 4v5.500a5 5 0 0 0 10 0V4h-3.200v5.500a1.800 1.800 0 0 1-3.600 0V4zM5 6.800h3.200' +
    'M11.800 6.800H15"/>',
  onion:
    '<circle cx="12.500" cy="10" r="4.500"/>' +
    '<path d="M8.500 5.700a4.500 4.500 0 0 0 0 8.600M5 6.500a4.500 4.500 0 0 0 0 7"' +
    ' stroke-opacity=".6"/>',
  numbers:
    '<path d="M4 13V7L2.700 8M8 8.200c.3-1.600 3-1.500 3 .2 0 1.500-3 2.800-3 4.600h3M14 7.200h3' +
    'l-1.800 2.400c2.500 0 2.400 3.400 0 3.400-.7 0-1.200-.3-1.500-.8" stroke-width="1.300"/>',
  menu: '<path d="M4 5.500h12M4 10h12M4 14.500h12"/>',
  lock:
    '<rect x="5" y="9" width="10" height="7.500" rx="1.500" fill="currentColor" fill-opacity=".25"/>' +
    '<path d="M7 9V6.800a3 3 0 0 1 6 0V9"/>',
  unlock:
    '<rect x="5" y="9" width="10" height="7.500" rx="1.500"/>' +
    '<path d="M7 9V6.300a3 3 0 0 1 5.700-1.200"/>',
  grip:
    '<path d="M7.500 5.500v0M12.500 5.500v0M7.500 10v0M12.500 10v0M7.500 14.500v0M12.500 14.500v0"' +
    ' stroke-width="2"/>',
  mirror_x:
    '<path d="M10 3v14" stroke-dasharray="2 2"/>' +
    '<path d="M8 5.500v9L2.500 14.500zM12 5.500v9l5.500 0z"/>',
  mirror_y: '<path d="M3 10h14" stroke-dasharray="2 2"/><path d="M5.500 8h9V2.500zM5.500 12h9v5.500z"/>',
  rotate: '<path d="M15.500 10a5.500 5.500 0 1 1-2-4.200M14 2.500v3.600h-3.600"/>',
  ghost: '<circle cx="10" cy="10" r="6.500" stroke-dasharray="2.400 2.600"/>',
  here: '<path d="M10 3v3M10 14v3M3 10h3M14 10h3"/><circle cx="10" cy="10" r="2.500"/>',
  folder: '<path d="M2.500 15.500v-11h5l1.500 2h8.500v9z"/>',
  save: '<path d="M10 3v9M6.500 8.800L10 12.300l3.500-3.500M3.500 13.500v3h13v-3"/>',
  picture:
    '<rect x="3" y="4" width="14" height="12" rx="1.500"/>' +
    '<path d="M3.500 14l4-4.500 3 3 2.500-2.500 3.500 4"/><circle cx="12.800" cy="7.500" r="1.200"/>',
  star:
    '<path d="M10 3l2.100 4.500 4.900.6-3.600 3.400.9 4.900L10 14l-4.300 2.400.9-4.900L3 8.100' +
    'l4.900-.6z"/>',
});
