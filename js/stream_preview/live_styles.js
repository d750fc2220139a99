/**
 * The look of the live preview, beside the editor's sheet: put into the page when the first preview is made.
 */

const SHEET = `
.ms-view { padding: 0; gap: 0; }
.ms-view > .ms-panel {
  container-type: inline-size; flex: 1; min-height: 0; min-width: 0; display: flex; outline: none;
  border-radius: 8px;
}
.ms-view > .ms-panel:has(> .ms-keys:focus) {
  box-shadow: inset 0 0 0 1px color-mix(in srgb, var(--ms-accent) 70%, transparent);
}
.ms-view .ms-live {
  flex: 1; min-width: 0; min-height: 0; display: flex; flex-direction: column; gap: 5px; padding: 6px;
}
.ms-view .ms-main { gap: 5px; min-height: 0; }
.ms-view .ms-side { gap: 5px; flex: none; overflow: visible; }
.ms-view .ms-stage { min-height: 120px; }
.ms-view .ms-stage canvas.ms-over { touch-action: none; }
.ms-view .ms-hint { bottom: 10px; line-height: 1.35; border-radius: 14px; }
.ms-view .ms-hint.ms-bad { background: #5c1512f2; color: #ffe3e0; }
.ms-view .ms-bar { gap: 4px; }
.ms-view .ms-caption { padding: 0 3px 0 5px; color: var(--ms-soft); font-size: 11px; white-space: nowrap; }
.ms-view .ms-slider { height: 28px; }
.ms-view .ms-blank { visibility: hidden; }
.ms-slot { display: flex; height: 28px; }
.ms-view .ms-slider input[type="range"] { width: 54px; }
.ms-view .ms-strength input[type="range"] { flex: 1; width: auto; }
.ms-view input[type="range"]:disabled { opacity: 0.4; cursor: default; }
.ms-choice {
  display: inline-flex; align-items: center; gap: 5px; height: 28px; padding: 0 3px; border-radius: 7px;
  background: var(--ms-field);
}
.ms-select {
  height: 24px; padding: 0 3px; border: 0; border-radius: 5px;
  background: color-mix(in srgb, var(--ms-text) 10%, var(--ms-field)); color: var(--ms-text); font: inherit;
}
.ms-row { display: flex; gap: 4px; flex: none; }
.ms-watch { display: flex; flex-direction: column; gap: 4px; flex: none; }
.ms-watch[hidden], .ms-watch [hidden] { display: none; }
.ms-view .ms-stage:fullscreen { background: #000; border-radius: 0; }
.ms-hands {
  display: flex; flex-direction: column; gap: 2px; flex: none; max-height: 168px; overflow-y: auto;
  padding: 4px 6px; border-radius: 7px; background: var(--ms-field); font-size: 11.5px;
}
.ms-hands[hidden] { display: none; }
.ms-hand { display: flex; align-items: center; gap: 6px; flex: none; }
.ms-hand > span:first-child { flex: 0 0 96px; }
.ms-hand > .ms-source:first-child { flex: 1; }
.ms-source { flex: 1; color: var(--ms-soft); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.ms-port { width: 64px; height: 22px; box-sizing: border-box; font: inherit; }
.ms-popped { position: fixed; inset: 0; display: flex; padding: 0; background: #000; }
.ms-popped .ms-stage { flex: 1; border-radius: 0; }
.ms-prompt, .ms-address {
  flex: 1; min-width: 0; height: 28px; padding: 0 9px; border: 1px solid var(--ms-line); border-radius: 7px;
  background: var(--ms-field); color: var(--ms-text); font: inherit; user-select: text;
  -webkit-user-select: text;
}
.ms-prompt::placeholder { color: var(--ms-soft); }
.ms-prompt:focus { outline: 1.5px solid var(--ms-accent); outline-offset: -1px; }
.ms-prompt:disabled { opacity: 0.5; }
.ms-box { position: relative; flex: 1; min-width: 0; display: flex; }
.ms-box .ms-prompt { background: transparent; color: transparent; caret-color: var(--ms-text); z-index: 1; }
.ms-box .ms-prompt::selection {
  color: transparent; background: color-mix(in srgb, var(--ms-accent) 45%, transparent);
}
.ms-said {
  position: absolute; inset: 0; padding: 0 10px; border-radius: 7px; background: var(--ms-field);
  line-height: 28px; white-space: pre; overflow: hidden; color: var(--ms-text); pointer-events: none;
}
.ms-said s { color: var(--ms-soft); text-decoration: line-through #e5484d 2px; }
.ms-offers { display: flex; flex-wrap: wrap; gap: 4px; padding-top: 4px; }
.ms-offers[hidden] { display: none; }
.ms-offer {
  height: 20px; padding: 0 7px; border: 0; border-radius: 10px; background: var(--ms-field);
  color: var(--ms-text); font: inherit; font-size: 11px; cursor: pointer;
}
.ms-saved { display: flex; flex-wrap: wrap; align-items: center; gap: 4px; flex: none; }
.ms-saved[hidden], .ms-saved [hidden] { display: none; }
.ms-saved-name { font-size: 11.5px; color: var(--ms-text); overflow-wrap: anywhere; }
.ms-takes { display: flex; gap: 4px; overflow-x: auto; width: 100%; }
.ms-take {
  display: flex; flex-direction: column; align-items: center; gap: 2px; padding: 3px; border: 0;
  border-radius: 6px; background: var(--ms-field); color: var(--ms-soft); font: inherit; font-size: 10px;
  cursor: pointer; flex: none;
}
.ms-take:hover { color: var(--ms-text); outline: 1.5px solid var(--ms-accent); }
.ms-take img { display: block; height: 40px; min-width: 40px; border-radius: 4px; }
.ms-pill.ms-rec { color: #ff6b63; }
.ms-player-dialog { padding: 0; border: 0; background: #000; max-width: 92vw; max-height: 92vh; }
.ms-player { display: block; width: min(92vw, 1100px); max-height: 88vh; }
.ms-slow { padding-top: 4px; color: #e0a126; font-size: 11px; }
.ms-slow[hidden] { display: none; }
.ms-row .ms-button { height: 28px; width: 28px; background: var(--ms-field); border-radius: 7px; }
.ms-row .ms-button.ms-on { animation: ms-pulse 1.2s infinite; background: var(--ms-accent); }
.ms-chunks { gap: 6px; }
.ms-chunks input[type="range"]::-webkit-slider-runnable-track { height: 6px; border-radius: 3px; }
.ms-chunks input[type="range"]::-moz-range-track { height: 6px; border-radius: 3px; }
.ms-chunks input[type="range"]::-webkit-slider-thumb { margin-top: -3.5px; }
.ms-chunks input[type="range"]:disabled::-webkit-slider-thumb { visibility: hidden; }
.ms-chunks input[type="range"]:disabled::-moz-range-thumb { visibility: hidden; }
.ms-chunks output { min-width: 62px; }
.ms-facts.ms-six { grid-template-columns: repeat(6, minmax(0, 1fr)); }
.ms-facts.ms-six.ms-seven { grid-template-columns: repeat(7, minmax(0, 1fr)); }
.ms-view .ms-fact { padding: 3px 7px; overflow: hidden; }
.ms-view .ms-fact[hidden] { display: none; }
.ms-view .ms-fact b { overflow: hidden; text-overflow: ellipsis; }
.ms-camera { display: flex; gap: 6px; align-items: stretch; flex: none; }
.ms-pad {
  position: relative; width: 84px; height: 84px; flex: none; container-type: size; border-radius: 12px;
  background:
    radial-gradient(
      circle at center,
      transparent 0 3px, color-mix(in srgb, var(--ms-text) 9%, transparent) 3.5px 30px, transparent 30.5px
    ),
    var(--ms-field);
  touch-action: none; cursor: grab;
}
.ms-pad::before, .ms-pad::after {
  content: ""; position: absolute; background: color-mix(in srgb, var(--ms-text) 13%, transparent);
}
.ms-pad::before { left: 50%; top: 9px; bottom: 9px; width: 1px; }
.ms-pad::after { top: 50%; left: 9px; right: 9px; height: 1px; }
.ms-pad:active { cursor: grabbing; }
.ms-pad.ms-off { opacity: 0.4; cursor: default; }
.ms-knob {
  position: absolute; z-index: 1; left: calc(50% - 9px); top: calc(50% - 9px); width: 18px; height: 18px;
  border-radius: 50%; background: var(--ms-accent); border: 2px solid #fff; box-shadow: 0 1px 5px #0009;
  pointer-events: none;
}
.ms-axes { flex: 1; min-width: 0; display: flex; flex-direction: column; gap: 3px; }
.ms-axis {
  flex: 1; display: flex; align-items: center; gap: 6px; padding: 0 10px 0 6px; border-radius: 7px;
  background: var(--ms-field); color: var(--ms-soft); min-height: 26px;
}
.ms-axis input[type="range"] {
  flex: 1; width: 0;
  --ms-track: linear-gradient(90deg, var(--ms-rail) 49%, var(--ms-text) 49% 51%, var(--ms-rail) 51%);
}
.ms-axis .ms-icon { width: 16px; height: 16px; }
.ms-column { flex-direction: column; justify-content: center; gap: 4px; }
.ms-pill[data-state="away"], .ms-pill[data-state="lost"] { --ms-state: #ff9f0a; }
.ms-pill[data-state="stopping"] { --ms-state: #4aa3ff; }
.ms-legend { display: flex; flex-wrap: wrap; gap: 4px 14px; margin: 0 0 12px; color: #c8ccd2; }
.ms-legend span { display: inline-flex; align-items: center; gap: 6px; }
.ms-dot {
  width: 11px; height: 11px; border-radius: 50%; background: var(--ms-color); border: 1.5px solid #fff;
}
.ms-dot.ms-square { border-radius: 3px; }
.ms-dot.ms-hollow { background: transparent; border: 1.5px dashed var(--ms-color); }
.ms-elsewhere {
  position: absolute; inset: 0; display: flex; align-items: center; justify-content: center;
  color: var(--ms-soft);
}
.ms-view .ms-side .ms-help { position: static; padding: 0; background: none; color: inherit; }
@container (max-width: 359px) {
  .ms-label { display: none; }
  .ms-view .ms-labelled { width: 24px; padding: 0; }
  .ms-caption { display: none; }
  .ms-view .ms-fact { padding: 3px 4px; }
  .ms-view .ms-fact b { font-size: 11.5px; letter-spacing: -0.2px; }
  .ms-view .ms-fact span { font-size: 10px; letter-spacing: -0.3px; }
  .ms-view .ms-slider input[type="range"] { width: 40px; }
}
@container (min-width: 720px) {
  .ms-view .ms-live { flex-direction: row; gap: 10px; padding: 10px; }
  .ms-view .ms-live > .ms-side { width: 388px; gap: 8px; }
  .ms-view .ms-fact { padding: 4px 8px; }
  .ms-view .ms-bar > .ms-tools { margin-right: 180px; }
  .ms-view .ms-slider { flex: 1; }
  .ms-view .ms-slider input[type="range"] { flex: 1; }
  .ms-pad { width: 108px; height: 108px; }
}
dialog.ms-live-dialog { width: 96vw; height: 94vh; }
.ms-live-dialog .ms-view { padding: 0; flex: 1; height: auto; }
`;

const ID = "motionstream-live-style";

/** Puts the sheet into the page, once. */
export function installLiveStyles() {
  if (document.getElementById(ID)) return;
  const style = document.createElement("style");
  style.id = ID;
  style.textContent = SHEET;
  document.head.append(style);
}
