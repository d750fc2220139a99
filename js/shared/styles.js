/** The look of the editor and the preview: one style sheet, put into the page when the first view is made. */

const SHEET = `
.ms-root {
  --ms-panel: var(--comfy-menu-bg, #202226);
  --ms-field: var(--comfy-input-bg, #2b2e34);
  --ms-line: color-mix(in srgb, var(--input-text, #dddddd) 16%, transparent);
  --ms-text: var(--input-text, #e3e5e8);
  --ms-soft: color-mix(in srgb, var(--input-text, #dddddd) 77%, transparent);
  --ms-rail: color-mix(in srgb, var(--ms-text) 42%, transparent);
  --ms-accent: #4aa3ff;
  box-sizing: border-box; width: 100%; height: 100%; min-height: 0; display: flex; flex-direction: column;
  gap: 6px; padding: 6px;
  position: relative; overflow: hidden; border-radius: 8px; background: var(--ms-panel);
  color: var(--ms-text);
  font: 12px/1.35 Inter, system-ui, sans-serif; user-select: none; -webkit-user-select: none; outline: none;
}
.ms-root *, .ms-root *::before { box-sizing: border-box; }
.ms-root [hidden] { display: none !important; }
.ms-keys {
  position: absolute; width: 1px; height: 1px; padding: 0; border: 0; opacity: 0; resize: none;
  pointer-events: none;
}
.ms-root:focus-visible, .ms-root:has(> .ms-keys:focus) {
  box-shadow: inset 0 0 0 1px color-mix(in srgb, var(--ms-accent) 70%, transparent);
}
.ms-icon {
  width: 18px; height: 18px; fill: none; stroke: currentColor; stroke-width: 1.6; stroke-linecap: round;
  stroke-linejoin: round; flex: none; display: block;
}
.ms-bar { display: flex; flex-wrap: wrap; align-items: center; gap: 5px; flex: none; }
.ms-group {
  display: flex; align-items: center; gap: 1px; padding: 2px; border-radius: 7px; background: var(--ms-field);
}
.ms-push { margin-left: auto; }
.ms-button {
  display: inline-flex; align-items: center; justify-content: center; gap: 5px; width: 24px; height: 24px;
  padding: 0; border: 0; border-radius: 5px; background: transparent; color: var(--ms-soft); cursor: pointer;
  font: inherit;
}
.ms-labelled { width: auto; padding: 0 9px 0 6px; }
.ms-button:hover:not(:disabled) {
  background: color-mix(in srgb, var(--ms-text) 12%, transparent); color: var(--ms-text);
}
.ms-button:focus-visible { outline: 1.5px solid var(--ms-accent); outline-offset: -1px; }
.ms-button:disabled { opacity: 0.32; cursor: default; }
.ms-button.ms-on, .ms-button.ms-on:hover:not(:disabled) { background: var(--ms-accent); color: #06101c; }
.ms-danger:hover:not(:disabled) { background: #ff453a33; color: #ff7a70; }
.ms-slider {
  display: flex; align-items: center; gap: 4px; padding: 0 7px 0 4px; height: 28px; border-radius: 7px;
  background: var(--ms-field); color: var(--ms-soft);
}
.ms-slider output {
  min-width: 32px; text-align: right; color: var(--ms-text); font-variant-numeric: tabular-nums;
}
.ms-root input[type="range"] {
  appearance: none; -webkit-appearance: none; height: 24px; margin: 0; background: transparent;
  cursor: pointer; min-width: 0;
}
.ms-root input[type="range"]::-webkit-slider-runnable-track {
  height: 4px; border-radius: 2px; background: var(--ms-track, var(--ms-rail));
}
.ms-root input[type="range"]::-moz-range-track {
  height: 4px; border-radius: 2px; background: var(--ms-track, var(--ms-rail));
}
.ms-root input[type="range"]::-webkit-slider-thumb {
  -webkit-appearance: none; width: 13px; height: 13px; margin-top: -4.5px; border-radius: 50%;
  background: #fff; border: 0; box-shadow: 0 0 0 1px #0006, 0 1px 3px #0008;
}
.ms-root input[type="range"]::-moz-range-thumb {
  width: 13px; height: 13px; border-radius: 50%; background: #fff; border: 0;
  box-shadow: 0 0 0 1px #0006, 0 1px 3px #0008;
}
.ms-root input[type="range"]:focus-visible { outline: none; }
.ms-root input[type="range"]:focus-visible::-webkit-slider-thumb { box-shadow: 0 0 0 2.5px var(--ms-accent); }
.ms-root input[type="range"]:focus-visible::-moz-range-thumb { box-shadow: 0 0 0 2.5px var(--ms-accent); }
.ms-slider input[type="range"] { width: 46px; }
.ms-body { display: flex; flex: 1; min-height: 0; flex-direction: column; gap: 6px; }
.ms-stage {
  position: relative; flex: 1; min-height: 140px; border-radius: 7px; background: #0e0f12; overflow: hidden;
}
.ms-stage canvas {
  position: absolute; inset: 0; width: 100%; height: 100%; touch-action: none; display: block;
}
.ms-hint {
  position: absolute; left: 0; right: 0; bottom: 20px; width: fit-content; margin: 0 auto;
  max-width: calc(100% - 40px); padding: 4px 10px; border-radius: 999px; background: #0b0d11d9;
  color: #f0f2f5; pointer-events: none; text-align: center; font-size: 11.5px;
}
.ms-hint:empty { display: none; }
.ms-loose {
  display: flex; flex-wrap: wrap; align-items: center; gap: 2px 6px; flex: none; padding: 2px 6px 2px 10px;
  border-radius: 7px; background: #3a2a08; color: #ffe9b8; font-size: 11.5px; border: 1px solid #c98b1a;
}
.ms-loose .ms-button { color: #ffe9b8; }
.ms-loose[hidden] { display: none; }
.ms-note {
  position: absolute; inset: 0; z-index: 3; display: flex; flex-direction: column; align-items: center;
  justify-content: center; gap: 12px; padding: 24px; background: #0e0f12eb; color: #f0f2f5;
  text-align: center;
}
.ms-note .ms-button { background: #ffffff1f; color: #fff; }
.ms-help {
  position: absolute; inset: 0; z-index: 2; overflow: auto; padding: 12px 16px; background: #0e0f12f2;
  color: #eef0f3; user-select: text;
}
.ms-help h4 { margin: 0; font-size: 13px; font-weight: 600; }
.ms-help dl { display: grid; grid-template-columns: max-content 1fr; gap: 5px 12px; margin: 0; }
.ms-help dt { text-align: right; }
.ms-help dd { margin: 0; color: #c8ccd2; }
.ms-help kbd {
  display: inline-block; padding: 0 5px; border-radius: 4px; background: #ffffff1f;
  font: 11px/17px ui-monospace, monospace;
}
.ms-time { display: flex; align-items: center; gap: 8px; flex: none; }
.ms-time input[type="range"] { flex: 1; }
.ms-time output {
  color: var(--ms-soft); font-variant-numeric: tabular-nums; white-space: nowrap; min-width: 92px;
  text-align: right;
}
.ms-side {
  display: flex; flex-direction: column; gap: 5px; flex: 0 1 auto; min-height: 0; overflow: hidden auto;
  scrollbar-width: thin;
}
.ms-tracks {
  display: flex; flex-direction: column; gap: 2px; flex: 0 1 88px; min-height: 58px; overflow-y: auto;
  scrollbar-width: thin;
}
.ms-tracks:empty::before { content: attr(data-empty); padding: 5px 6px; color: var(--ms-soft); }
.ms-track {
  display: flex; align-items: center; gap: 2px; height: 28px; flex: none; padding: 0 3px 0 2px;
  position: relative; border-radius: 6px; background: var(--ms-field); border-left: 3px solid var(--ms-color);
  cursor: pointer;
}
.ms-track.ms-chosen {
  box-shadow: inset 0 0 0 1.5px var(--ms-color);
  background: color-mix(in srgb, var(--ms-color) 14%, var(--ms-field));
}
.ms-track.ms-muted .ms-span, .ms-track.ms-muted .ms-name { opacity: 0.4; }
.ms-track input[type="color"] {
  width: 24px; height: 24px; padding: 4px; border: 0; border-radius: 50%; overflow: hidden; background: none;
  cursor: pointer; flex: none;
}
.ms-track input[type="color"]::-webkit-color-swatch-wrapper { padding: 0; }
.ms-track input[type="color"]::-webkit-color-swatch { border: 0; border-radius: 50%; }
.ms-track input[type="color"]::-moz-color-swatch { border: 0; border-radius: 50%; }
.ms-name {
  height: 24px; width: 74px; min-width: 0; flex: 0 1 96px; padding: 2px 3px; border: 0; border-radius: 4px;
  background: transparent; color: inherit; font: inherit; text-overflow: ellipsis; user-select: text;
  -webkit-user-select: text;
}
.ms-name:focus { background: #0006; outline: none; }
.ms-kind { color: var(--ms-soft); display: flex; margin-right: 4px; }
.ms-kind .ms-icon { width: 15px; height: 15px; }
.ms-span {
  position: relative; flex: 1; min-width: 24px; height: 6px; border-radius: 3px;
  background: color-mix(in srgb, var(--ms-text) 12%, transparent); overflow: hidden;
}
.ms-span i {
  position: absolute; top: 0; bottom: 0; left: var(--ms-from); right: var(--ms-to); border-radius: 3px;
  background: var(--ms-color);
}
.ms-span b {
  position: absolute; inset: 0; background: var(--ms-field); -webkit-mask-image: var(--ms-gaps);
  mask-image: var(--ms-gaps); display: none;
}
.ms-span[style*="gradient"] b { display: block; }
.ms-grip {
  display: flex; align-items: center; justify-content: center; width: 24px; height: 28px; margin-right: -4px;
  flex: none; color: var(--ms-soft); opacity: 0.75; cursor: grab; touch-action: none;
}
.ms-grip .ms-icon { width: 14px; }
.ms-track:hover .ms-grip { opacity: 1; }
.ms-track.ms-held { z-index: 1; cursor: grabbing; box-shadow: 0 4px 14px #000a; }
.ms-track .ms-faint { opacity: 0.75; }
.ms-track:hover .ms-faint { opacity: 1; }
.ms-track .ms-button .ms-icon { width: 15px; height: 15px; }
.ms-bars { display: flex; flex-direction: column; gap: 4px; flex: none; }
.ms-props { display: flex; flex-direction: column; gap: 4px; color: var(--ms-soft); flex: none; }
.ms-head { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 8px; }
.ms-about { flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.ms-tab { width: auto; padding: 0 9px; }
.ms-pages {
  min-height: 88px; border-radius: 7px; background: color-mix(in srgb, var(--ms-field) 55%, transparent);
  padding: 6px 9px; overflow: hidden;
}
.ms-page { display: none; flex-direction: column; justify-content: center; gap: 2px; min-height: 76px; }
.ms-props[data-open="time"] .ms-page:nth-child(1),
.ms-props[data-open="speed"] .ms-page:nth-child(2),
.ms-props[data-open="shape"] .ms-page:nth-child(3) {
  display: flex;
}
.ms-nothing > * { display: none !important; }
.ms-nothing::before { content: attr(data-nothing); }
.ms-row { display: flex; flex: none; flex-wrap: wrap; align-items: center; gap: 4px 8px; min-height: 24px; }
.ms-row label { display: inline-flex; align-items: center; gap: 5px; white-space: nowrap; }
.ms-row .ms-wide { flex: 1; min-width: 0; }
.ms-row .ms-button .ms-icon { width: 15px; height: 15px; }
.ms-props input[type="number"], .ms-ranges, .ms-choice {
  height: 24px; padding: 0 5px; border: 1px solid var(--ms-line); border-radius: 5px;
  background: var(--ms-field); color: var(--ms-text); font: inherit; font-variant-numeric: tabular-nums;
  user-select: text; -webkit-user-select: text;
}
.ms-props input[type="number"] { width: 52px; appearance: textfield; -moz-appearance: textfield; }
.ms-props input[type="number"]::-webkit-inner-spin-button { appearance: none; margin: 0; }
.ms-ranges { flex: 1; min-width: 40px; }
.ms-ranges::placeholder { color: var(--ms-soft); }
.ms-props input:focus, .ms-choice:focus { outline: 1.5px solid var(--ms-accent); outline-offset: -1px; }
.ms-props input[type="checkbox"] { margin: 0; accent-color: var(--ms-accent); }
.ms-choice { padding: 0 2px; width: 100%; min-width: 0; }
.ms-choice option { background: #202226; color: #e3e5e8; }
.ms-props .ms-speed { flex-direction: row; gap: 8px; height: 76px; }
.ms-curve { position: relative; flex: 1; min-width: 0; border-radius: 6px; background: #0e0f12; }
.ms-curve canvas { position: absolute; inset: 0; width: 100%; height: 100%; touch-action: none; }
.ms-column { display: flex; flex-direction: column; gap: 6px; width: 136px; justify-content: center; }
.ms-drop { position: relative; display: flex; }
.ms-list {
  position: absolute; z-index: 4; top: calc(100% + 6px); left: -2px; min-width: 190px; max-width: 300px;
  max-height: 360px; overflow-y: auto; scrollbar-width: thin; padding: 5px; border-radius: 9px;
  border: 1px solid var(--ms-line); background: var(--ms-panel); box-shadow: 0 10px 34px #000b;
}
.ms-list.ms-right { left: auto; right: -2px; }
.ms-drops { position: relative; }
.ms-drops::after {
  content: ""; position: absolute; right: 2px; bottom: 2px; border: 2.5px solid;
  border-color: transparent currentColor currentColor transparent; opacity: 0.7;
}
.ms-section + .ms-section { margin-top: 4px; padding-top: 4px; border-top: 1px solid var(--ms-line); }
.ms-section h5 {
  margin: 3px 7px 4px; font: 600 10.5px/1.3 inherit; font-size: 10.5px; color: var(--ms-soft);
}
.ms-entry {
  display: flex; flex: 1; min-width: 0; width: 100%; align-items: center; gap: 8px; padding: 4px 8px 4px 6px;
  border: 0; border-radius: 6px; background: none; color: var(--ms-text); font: inherit; text-align: left;
  cursor: pointer;
}
.ms-entry span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.ms-entry .ms-icon { width: 16px; height: 16px; color: var(--ms-soft); }
.ms-entry:hover, .ms-entry:focus-visible {
  background: color-mix(in srgb, var(--ms-text) 12%, transparent); outline: none;
}
.ms-entry.ms-chosen { background: color-mix(in srgb, var(--ms-accent) 26%, transparent); }
.ms-pair { display: flex; align-items: center; gap: 2px; }
.ms-thumb { flex: none; border-radius: 4px; background: #0e0f12; }
.ms-empty { padding: 2px 8px 5px; color: var(--ms-soft); font-size: 11px; }
.ms-help header { display: flex; align-items: center; justify-content: space-between; margin-bottom: 6px; }
.ms-help header .ms-button { color: #fff; }
.ms-large .ms-body { flex-direction: row; gap: 10px; }
.ms-large .ms-main { flex: 1; }
.ms-main { display: flex; flex-direction: column; gap: 6px; flex: 1; min-height: 170px; min-width: 0; }
.ms-large .ms-side { width: 320px; gap: 8px; }
.ms-large .ms-tracks { flex: 1; }
.ms-large .ms-tabs { display: none; }
.ms-large .ms-pages { height: auto; display: flex; flex-direction: column; gap: 10px; padding: 10px; }
.ms-large .ms-page { display: flex !important; height: auto; }
.ms-large .ms-page[hidden] { display: none !important; }
.ms-large .ms-page::before { content: attr(data-title); font-weight: 600; color: var(--ms-text); }
.ms-large .ms-speed { flex-direction: column !important; }
.ms-large .ms-curve { flex: none; height: 150px; }
.ms-large .ms-column { width: auto; flex-direction: row; }
.ms-large .ms-bars { flex-flow: row wrap; gap: 6px; }
.ms-large .ms-bars .ms-bar { display: contents; }
.ms-large .ms-bar:first-child .ms-push { order: 3; margin-left: 0; }
.ms-large .ms-bar:last-child > :last-child { order: 2; }
.ms-large .ms-slider input[type="range"] { width: 120px; }
dialog.ms-dialog {
  width: min(1480px, 94vw); height: 92vh; max-width: none; max-height: none; margin: auto; padding: 0;
  border: 1px solid #ffffff24; border-radius: 12px; background: var(--comfy-menu-bg, #202226);
  color: var(--input-text, #e3e5e8); overflow: hidden; box-shadow: 0 24px 80px #000a;
}
dialog.ms-dialog[open] { display: flex; flex-direction: column; }
dialog.ms-dialog::backdrop { background: #0009; }
.ms-dialog header {
  display: flex; align-items: center; gap: 10px; padding: 10px 12px 4px 16px;
  font: 600 14px/1.3 Inter, system-ui, sans-serif;
}
.ms-dialog header span { flex: 1; }
.ms-dialog .ms-root { flex: 1; height: auto; padding: 8px 12px 12px; }
.ms-view .ms-stage { background: #0b0c0f; }
.ms-facts { display: grid; grid-template-columns: repeat(4, 1fr); gap: 4px; flex: none; }
.ms-fact {
  display: flex; flex-direction: column; padding: 4px 8px; border-radius: 6px; background: var(--ms-field);
  min-width: 0;
}
.ms-fact b { font-weight: 600; font-size: 13px; font-variant-numeric: tabular-nums; white-space: nowrap; }
.ms-fact span {
  color: var(--ms-soft); font-size: 10.5px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis;
}
.ms-pill {
  position: absolute; left: 10px; top: 10px; display: flex; align-items: center; gap: 6px; padding: 3px 9px;
  border-radius: 999px; background: #0b0d11cc; color: #f0f2f5; font-size: 11.5px; pointer-events: none;
}
.ms-pill::before {
  content: ""; width: 7px; height: 7px; border-radius: 50%; background: var(--ms-state, #8a8f98);
}
.ms-pill[data-state="live"] { --ms-state: #ff453a; }
.ms-pill[data-state="live"]::before { animation: ms-pulse 1.6s infinite; }
.ms-pill[data-state="paused"] { --ms-state: #ffd60a; }
.ms-pill[data-state="done"] { --ms-state: #34c759; }
.ms-pill[data-state="stopped"] { --ms-state: #4aa3ff; }
.ms-pill[data-state="error"], .ms-pill[data-state="interrupted"] { --ms-state: #ff9f0a; }
.ms-progress {
  height: 4px; border-radius: 2px; background: color-mix(in srgb, var(--ms-text) 14%, transparent);
  overflow: hidden; flex: none;
}
.ms-progress i { display: block; height: 100%; width: 0; border-radius: 2px; background: var(--ms-accent); }
@keyframes ms-pulse { 50% { opacity: 0.35; } }
@media (prefers-reduced-motion: reduce) { .ms-pill::before { animation: none !important; } }
`;

const ID = "motionstream-style";

/** Puts the sheet into the page, once. */
export function installStyles() {
  if (document.getElementById(ID)) return;
  const style = document.createElement("style");
  style.id = ID;
  style.textContent = SHEET;
  document.head.append(style);
}
