/** The icons of the preview alone. Those it shares with the editor are in ../shared/icons.js. */

import { iconSet } from "../shared/icons.js";

export const { icon, button, setIcon } = iconSet({
  inputs:
    '<path d="M5 3.500v4M5 11.500v5M10 3.500v8M10 15.500v1M15 3.500v1.500M15 9v7.500"/>' +
    '<circle cx="5" cy="9.500" r="1.800"/><circle cx="10" cy="13.500" r="1.800"/>' +
    '<circle cx="15" cy="7" r="1.800"/>',
  link:
    '<path d="M8.500 11.500a3 3 0 0 0 4.300 0l3-3a3 3 0 0 0-4.300-4.300l-1 1M11.500 8.500a3 3 0 0 0-4.300' +
    ' 0l-3 3a3 3 0 0 0 4.300 4.300l1-1"/>',
  full: '<path d="M3.500 7.500v-4h4M12.500 3.500h4v4M16.500 12.500v4h-4M7.500 16.500h-4v-4"/>',
  pop:
    '<path d="M16.500 9V5a1.500 1.500 0 0 0-1.500-1.500H5A1.500 1.500 0 0 0 3.500 5v8A1.500 1.500 0 0 0 5' +
    ' 14.500h3.500"/><rect x="10.500" y="11" width="7" height="5.500" rx="1" fill="currentColor"/>',
  step:
    '<path d="M4.500 4.500l7 5.500-7 5.500z" fill="currentColor"/>' +
    '<path d="M15 4.500v11" stroke-width="2.400"/>',
  back:
    '<path d="M15.500 4.500l-7 5.500 7 5.500z" fill="currentColor"/>' +
    '<path d="M5 4.500v11" stroke-width="2.400"/>',
  scene:
    '<path d="M3.500 8.500h13v7.500h-13zM3.500 8.500l-.6-3 12.700-2.500.6 3zM7 7.800L5.400 5M11 7' +
    'L9.400 4.200"/>',
  camera:
    '<path d="M3 6.500h8.500a1 1 0 0 1 1 1v5a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1v-5a1 1 0 0 1 1-1zM12.500' +
    ' 9l5-2.500v7l-5-2.500"/>',
  grab:
    '<path d="M6.300 11.500V6.200a1.200 1.200 0 0 1 2.400 0V9.500V4.700a1.200 1.200 0 0 1 2.400 0' +
    "V9.500V5.600a1.200 1.200 0 0 1 2.400 0v5V8a1.200 1.200 0 0 1 2.300 0v4.200c0 3-1.900 5-4.700" +
    ' 5-2.200 0-3.300-.9-4.400-2.700L4.200 11a1.200 1.200 0 0 1 2.100-1z"/>',
  path:
    '<path d="M3.500 15.500c.5-8 6-8.500 7-4s4 3.500 5-5"/>' +
    '<path d="M12.500 7.500l3.200-2.700 1.600 3.700"/>',
  object:
    '<path d="M7 13.500c-2.500-1-3-5-.5-6.500 2-1.300 5.500-.7 6.500 1.300.9 1.900.2 4.700-2 5.500-1.300' +
    '.4-2.800.2-4-.3z" fill="currentColor" fill-opacity=".3"/>' +
    '<path d="M2.500 6V2.500H6M14 2.500h3.500V6M17.500 14v3.500H14M6 17.500H2.500V14"/>',
  grid: '<path d="M5 5v0M10 5v0M15 5v0M5 10v0M10 10v0M15 10v0M5 15v0M10 15v0M15 15v0" stroke-width="3"/>',
  erase:
    '<path d="M8 16.500L3.700 12.200a1.300 1.300 0 0 1 0-1.800l6.700-6.700a1.300 1.300 0 0 1 1.800 0' +
    'l4.100 4.100a1.300 1.300 0 0 1 0 1.800L9.500 16.500zM7 7.200l5.900 5.900M8 16.500h8.500"/>',
  brush:
    '<circle cx="10" cy="10" r="6.500" stroke-dasharray="2.600 2.200"/>' +
    '<circle cx="10" cy="10" r="1.200" fill="currentColor"/>',
  keep: '<path d="M3 10h10.500M10 6l4 4-4 4M17 5v10"/>',
  fade:
    '<circle cx="10" cy="10" r="2.400" fill="currentColor"/>' +
    '<circle cx="10" cy="10" r="6.500" stroke-dasharray="0.100 4" stroke-width="2"/>',
  send: '<path d="M3.500 16.500L17 10 3.500 3.500l1.800 6.500zM5.300 10H11"/>',
  hold: '<rect x="4.500" y="9" width="11" height="7.500" rx="1.500"/><path d="M7 9V6.500a3 3 0 0 1 6 0V9"/>',
  rest: '<circle cx="10" cy="10" r="6.500"/><circle cx="10" cy="10" r="1.800" fill="currentColor"/>',
  zoom:
    '<circle cx="8.500" cy="8.500" r="5"/>' +
    '<path d="M12.300 12.300L17 17M6.300 8.500h4.400M8.500 6.300v4.400"/>',
  roll: '<path d="M16.500 10a6.500 6.500 0 1 1-2-4.700M15 2.500v3.200h-3.200"/>',
  orbit:
    '<circle cx="10" cy="10" r="2.300" fill="currentColor"/>' +
    '<ellipse cx="10" cy="10" rx="7.500" ry="3.200"/>',
  rewind: '<path d="M3.500 10a6.500 6.500 0 1 0 2-4.700M5 2.500v3.200h3.200M10 6.500V10l2.500 1.500"/>',
});
