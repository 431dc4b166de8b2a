// Colours, sizes and small parts that all components have. A host sets the properties on an element or on the whole page.
import { sheet } from "./dom.js";

export const theme = sheet(`
[dir=auto] { text-align: -webkit-match-parent; text-align: match-parent; }
:host {
    --_accent: var(--parley-accent, light-dark(#2557d6, #84a9ff));
    --_on-accent: var(--parley-on-accent, light-dark(#fff, #0c1530));
    --_bg: var(--parley-background, light-dark(#fff, #14161b));
    --_raised: var(--parley-raised, light-dark(#fff, #20242c));
    --_sunken: var(--parley-sunken, light-dark(#f3f4f7, #1a1d24));
    --_text: var(--parley-text, light-dark(#1b1e26, #e8eaf0));
    --_muted: var(--parley-muted, light-dark(#5b6272, #a2a9b8));
    --_line: var(--parley-line, light-dark(#e3e6ec, #2c313b));
    --_own: var(--parley-own, light-dark(#dfe8ff, #24386b));
    --_own-text: var(--parley-own-text, var(--_text));
    --_other: var(--parley-other, light-dark(#f0f1f4, #252932));
    --_danger: var(--parley-danger, light-dark(#b3261e, #ffb4ab));
    --_good: var(--parley-good, light-dark(#18794e, #5bd6a0));
    --_mark: var(--parley-mark, light-dark(#ffe58a, #6b5a12));
    --_radius: var(--parley-radius, 18px);
    --_font: var(--parley-font, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif);
    color-scheme: var(--parley-color-scheme, light dark);
    display: flex;
    flex-direction: column;
    position: relative;
    min-width: 0;
    min-height: 0;
    overflow: hidden;
    background: var(--_bg);
    color: var(--_text);
    font: 400 15px/1.4 var(--_font);
    font-variant-emoji: unicode;
    -webkit-text-size-adjust: 100%;
}
:host([hidden]) { display: none; }
*, *::before, *::after { box-sizing: border-box; }
[hidden] { display: none !important; }
button, input, textarea, select { font: inherit; color: inherit; }
button { cursor: pointer; border: 0; background: none; padding: 0; text-align: inherit; }
button:disabled { cursor: default; opacity: .5; }
:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }
.icon { width: 22px; height: 22px; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; flex: none; display: block; }
.icon-button { width: 40px; height: 40px; border-radius: 50%; display: grid; place-items: center; color: var(--_muted); flex: none; transition: background .12s; }
.icon-button:hover { background: color-mix(in srgb, var(--_text) 8%, transparent); color: var(--_text); }
.icon-button[aria-pressed=true] { color: var(--_accent); }
.button { min-height: 40px; padding: 8px 16px; border-radius: 12px; background: var(--_sunken); font-weight: 550; display: inline-flex; align-items: center; justify-content: center; gap: 8px; text-align: center; }
.button:hover { background: color-mix(in srgb, var(--_text) 10%, var(--_sunken)); }
.button.primary { background: var(--_accent); color: var(--_on-accent); }
.button.primary:hover { background: color-mix(in srgb, var(--_text) 15%, var(--_accent)); }
.button.danger { color: var(--_danger); }
.field { width: 100%; min-height: 42px; padding: 8px 14px; border-radius: 12px; border: 1px solid var(--_line); background: var(--_sunken); color: var(--_text); }
.field::placeholder { color: var(--_muted); opacity: 1; }
.field:focus { outline: 2px solid var(--_accent); outline-offset: -1px; }
.avatar { --hue: 0; width: 46px; height: 46px; border-radius: 50%; flex: none; display: grid; place-items: center; position: relative; overflow: hidden;
    font-weight: 600; font-size: 16px; letter-spacing: .02em; user-select: none;
    background: light-dark(hsl(var(--hue) 60% 88%), hsl(var(--hue) 32% 28%)); color: light-dark(hsl(var(--hue) 60% 24%), hsl(var(--hue) 60% 88%)); }
.avatar.group { border-radius: 34%; }
.avatar.small { width: 30px; height: 30px; font-size: 12px; }
.avatar img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: cover; }
.hidden-text { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.head { display: flex; align-items: center; gap: 4px; min-height: 60px; padding: 8px 10px 8px 16px; flex: none; }
.head h2 { margin: 0; font-size: 20px; font-weight: 700; flex: 1; min-width: 0; }
:host(:dir(rtl)) .head { padding: 8px 16px 8px 10px; }
:host(:dir(rtl)) .flip { transform: scaleX(-1); }
.banner { display: flex; align-items: center; gap: 10px; padding: 8px 16px; background: light-dark(#fff3d6, #40340f); color: light-dark(#5c4300, #ffe5a1); font-size: 13.5px; flex: none; }
.banner span { flex: 1; }
.banner button { font-weight: 600; text-decoration: underline; white-space: nowrap; min-height: 24px; }
.empty { margin: auto; padding: 32px 24px; text-align: center; color: var(--_muted); max-width: 320px; }
.empty strong { display: block; color: var(--_text); font-size: 17px; margin-bottom: 4px; }
.badge { min-width: 22px; height: 22px; padding: 0 7px; border-radius: 11px; background: var(--_accent); color: var(--_on-accent); font-size: 12.5px; font-weight: 650; display: grid; place-items: center; }
.badge.quiet { background: color-mix(in srgb, var(--_text) 14%, transparent); color: var(--_text); }
mark { background: var(--_mark); color: inherit; border-radius: 3px; }
.link { color: inherit; text-decoration: underline; text-decoration-thickness: 1px; text-underline-offset: 2px; overflow-wrap: anywhere; }
.mention { font-weight: 600; color: var(--_accent); }
.mention.own { background: var(--_mark); color: var(--_text); border-radius: 4px; }
.menu { position: fixed; inset: auto; margin: 0; padding: 6px; border: 1px solid var(--_line); border-radius: 14px; background: var(--_raised); color: var(--_text); box-shadow: 0 8px 32px rgb(0 0 0 / .2); min-width: 200px; max-width: min(320px, 92vw); max-height: 70vh; overflow: auto; }
.menu [role=menuitem] { display: flex; align-items: center; gap: 12px; width: 100%; min-height: 42px; padding: 8px 12px; border-radius: 9px; }
.menu [role^=menuitem]:is(:hover, :focus) { background: color-mix(in srgb, var(--_text) 8%, transparent); outline: none; }
.menu [role^=menuitem]:focus-visible { outline: 2px solid var(--_accent); outline-offset: -2px; }
.menu .quick { display: flex; justify-content: space-between; padding-bottom: 4px; border-bottom: 1px solid var(--_line); margin-bottom: 4px; }
.menu .quick [role=menuitem] { width: 42px; min-height: 42px; padding: 0; justify-content: center; font-size: 22px; }
.menu.emoji { max-width: none; }
.emoji .grid { display: grid; grid-template-columns: repeat(auto-fill, 40px); width: min(320px, 84vw); }
.emoji button { width: 40px; height: 40px; font-size: 22px; border-radius: 10px; text-align: center; }
.emoji button:hover { background: color-mix(in srgb, var(--_text) 8%, transparent); }
.menu .danger { color: var(--_danger); }
.menu hr { border: 0; border-top: 1px solid var(--_line); margin: 6px 0; }
dialog { border: 0; padding: 0; border-radius: 20px; background: var(--_raised); color: var(--_text); width: min(440px, calc(100vw - 32px)); max-height: min(720px, calc(100dvh - 32px)); box-shadow: 0 16px 64px rgb(0 0 0 / .35); overflow: hidden; }
dialog[open] { display: flex; flex-direction: column; }
dialog::backdrop { background: rgb(0 0 0 / .45); }
dialog header { display: flex; align-items: center; gap: 8px; padding: 14px 12px 10px 20px; }
:host(:dir(rtl)) dialog header { padding: 14px 20px 10px 12px; }
dialog h2 { margin: 0; flex: 1; font-size: 18px; }
dialog .body { padding: 4px 20px 20px; overflow: auto; display: flex; flex-direction: column; gap: 14px; }
dialog .body p { margin: 0; color: var(--_muted); }
dialog .actions { display: flex; gap: 10px; justify-content: flex-end; flex-wrap: wrap; }
dialog .section, dialog .content { display: flex; flex-direction: column; gap: 10px; }
dialog h3 { margin: 8px 0 0; font-size: 13px; font-weight: 650; color: var(--_muted); text-transform: uppercase; letter-spacing: .05em; }
dialog label { display: flex; flex-direction: column; gap: 5px; font-weight: 550; }
dialog .field { font-weight: 400; }
dialog label.line { flex-direction: row; align-items: center; gap: 12px; font-weight: 400; min-height: 36px; }
dialog label.line span { flex: 1; }
input[type=checkbox] { accent-color: var(--_accent); width: 20px; height: 20px; flex: none; margin: 0; }
.people { list-style: none; margin: 0; padding: 0; display: flex; flex-direction: column; }
.people:empty { display: none; }
.people li { display: flex; align-items: center; gap: 12px; min-height: 52px; }
.people .who { flex: 1; min-width: 0; }
.people .who b { font-weight: 550; display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.people small { color: var(--_muted); }
.people button.pick { display: flex; align-items: center; gap: 12px; width: 100%; min-height: 52px; border-radius: 10px; padding: 2px 6px; }
.people button.pick:hover { background: color-mix(in srgb, var(--_text) 6%, transparent); }
.toasts { position: absolute; inset: auto 16px 88px; display: flex; flex-direction: column; align-items: center; gap: 8px; pointer-events: none; z-index: 5; }
.toast { background: light-dark(#23262e, #eceef3); color: light-dark(#fff, #16181d); padding: 10px 16px; border-radius: 12px; font-size: 14px; box-shadow: 0 4px 20px rgb(0 0 0 / .25); overflow-wrap: anywhere; }
@media (prefers-reduced-motion: reduce) { *, *::before, *::after { animation-duration: .01ms !important; transition-duration: .01ms !important; scroll-behavior: auto !important; } }
@media (forced-colors: active) { .badge, .button, .icon-button { border: 1px solid; } }
`);
