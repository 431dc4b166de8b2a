// The looks of <parley-thread>.
import { sheet } from "./dom.js";

export const styles = sheet(`
:host { container-type: inline-size; }
.head { border-bottom: 1px solid var(--_line); padding-inline-start: 8px; }
.head .who { display: flex; align-items: center; gap: 12px; flex: 1; min-width: 0; padding: 2px 8px; border-radius: 12px; min-height: 46px; }
.head .who:hover { background: color-mix(in srgb, var(--_text) 5%, transparent); }
.head .picture .avatar { width: 40px; height: 40px; font-size: 15px; }
.names { min-width: 0; flex: 1; }
.head h2 { font-size: 16.5px; line-height: 1.25; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.about { display: block; color: var(--_muted); font-size: 13px; min-height: 0; }
.head .back { display: var(--parley-back, grid); }
.stage { flex: 1; min-height: 0; position: relative; display: flex; flex-direction: column; }
.scroller { flex: 1; background: var(--_bg); overflow-y: auto; overflow-x: hidden; position: relative; overflow-anchor: none; outline-offset: -2px; overscroll-behavior: contain; }
.list { min-height: 100%; display: flex; flex-direction: column; padding: 8px 0 10px; }
.list > .spacer:first-child { margin-top: auto; }
.spacer { flex: none; }
.row { display: flow-root; flex: none; position: relative; padding: 1px 16px; contain: layout style; outline-offset: -3px; border-radius: 10px; }
.row.first { padding-top: 9px; }
.column { touch-action: pan-y; }
.row.flash { animation: flash 1.6s; }
@keyframes flash { 0%, 60% { background: color-mix(in srgb, var(--_accent) 16%, transparent); } }
.day, .unread-here { display: flex; align-items: center; justify-content: center; padding: 10px 0 8px; font-size: 12.5px; font-weight: 600; color: var(--_muted); }
.day span { background: var(--_sunken); padding: 4px 12px; border-radius: 12px; }
.unread-here { color: var(--_accent); gap: 12px; }
.unread-here::before, .unread-here::after { content: ""; flex: 1; border-top: 1px solid color-mix(in srgb, var(--_accent) 45%, transparent); }
.notice { text-align: center; color: var(--_muted); font-size: 13px; padding: 4px 24px; overflow-wrap: anywhere; }
.line { display: flex; gap: 8px; align-items: flex-end; }
.own .line { justify-content: flex-end; }
.avatar-gap { width: 30px; flex: none; }
.column { max-width: min(78%, 560px); min-width: 0; display: flex; flex-direction: column; align-items: flex-start; }
.own .column { align-items: flex-end; }
.bubble { background: var(--_other); border-radius: var(--_radius); padding: 7px 13px 6px; max-width: 100%; min-width: 0; display: flow-root; position: relative; }
.own .bubble { background: var(--_own); color: var(--_own-text); }
.other.last .bubble { border-end-start-radius: 5px; }
.own.last .bubble { border-end-end-radius: 5px; }
.sender { font-size: 13px; font-weight: 650; color: var(--_accent); }
.sender small { font-weight: 400; color: var(--_muted); }
.text { white-space: pre-wrap; overflow-wrap: anywhere; display: inline; }
.deleted, .forwarded { color: var(--_muted); font-style: italic; font-size: 14px; }
.forwarded { font-size: 12.5px; display: block; }
.foot { float: inline-end; display: inline-flex; align-items: center; gap: 4px; font-size: 11.5px; color: var(--_muted); margin-inline-start: 10px; padding-top: 6px; line-height: 15px; white-space: nowrap; }
.foot .mark { display: inline-flex; }
.foot .icon { width: 14px; height: 14px; }
.foot .tick { width: 16px; height: 16px; }
.tick.read { color: var(--_accent); }
.tick.failed { color: var(--_danger); }
.bubble.large { background: none; padding-inline: 0; }
.bubble.large .text { font-size: 42px; line-height: 1.2; display: block; }
.quote { display: block; width: 100%; margin: 2px 0 6px; padding: 5px 10px; border-radius: 10px; border-inline-start: 3px solid var(--_accent); background: color-mix(in srgb, var(--_text) 6%, transparent); font-size: 13.5px; text-align: start; }
.quote b, .quote span { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.quote b { color: var(--_accent); font-weight: 600; }
.quote span, .quote.gone { color: var(--_muted); }
.image img { display: block; max-width: 100%; width: 320px; max-height: 360px; height: auto; object-fit: cover; border-radius: 12px; margin: 3px 0 6px; background: var(--_sunken); }
.file { display: flex; align-items: center; gap: 10px; padding: 8px 4px; color: inherit; text-decoration: none; min-width: 180px; }
.file b { display: block; font-weight: 550; overflow-wrap: anywhere; }
.file small, .poll > small, .option small { color: var(--_muted); }
audio { max-width: 100%; height: 40px; display: block; margin: 4px 0; }
.poll { display: flex; flex-direction: column; gap: 6px; padding: 8px 0 4px; min-width: min(280px, 60cqi); }
.option { --share: 0%; display: flex; gap: 12px; justify-content: space-between; padding: 9px 12px; border-radius: 10px; border: 1px solid var(--_line); background: linear-gradient(to right, color-mix(in srgb, var(--_accent) 22%, transparent) var(--share), transparent 0); text-align: start; overflow-wrap: anywhere; }
:host(:dir(rtl)) .option { background: linear-gradient(to left, color-mix(in srgb, var(--_accent) 22%, transparent) var(--share), transparent 0); }
.option[aria-pressed=true] { border-color: var(--_accent); font-weight: 600; }
.reactions { display: flex; flex-wrap: wrap; gap: 4px; margin: -4px 8px 3px; position: relative; z-index: 1; }
.reactions button { display: flex; gap: 5px; align-items: center; min-height: 26px; padding: 1px 9px; border-radius: 13px; font-size: 13.5px; background: var(--_raised); border: 1px solid var(--_line); }
.reactions button[aria-pressed=true] { border-color: var(--_accent); background: color-mix(in srgb, var(--_accent) 14%, var(--_raised)); }
.failure { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 10px; color: var(--_danger); font-size: 13px; padding: 3px 6px; }
.failure .icon { width: 16px; height: 16px; }
.failure span { overflow-wrap: anywhere; }
.failure button { font-weight: 600; text-decoration: underline; min-height: 24px; }
.bar { position: absolute; inset-block-end: 4px; display: none; background: var(--_raised); border: 1px solid var(--_line); border-radius: 16px; box-shadow: 0 2px 10px rgb(0 0 0 / .14); z-index: 2; }
.bar .icon-button { width: 32px; height: 32px; }
.bar .icon { width: 18px; height: 18px; }
.other .bar { inset-inline-end: 16px; }
.own .bar { inset-inline-start: 16px; }
.row:hover > .bar, .row:focus-within > .bar { display: flex; }
@media (pointer: coarse) { .row:hover > .bar { display: none; } .row:focus > .bar, .row:focus-within > .bar { display: flex; } }
.down { position: absolute; inset-block-end: 14px; inset-inline-end: 18px; width: 44px; height: 44px; border-radius: 50%; background: var(--_raised); border: 1px solid var(--_line); box-shadow: 0 4px 16px rgb(0 0 0 / .18); display: grid; place-items: center; z-index: 2; }
.down .badge { position: absolute; inset-block-start: -9px; }
.typing { min-height: 24px; padding: 2px 24px 4px; font-size: 13px; color: var(--_muted); flex: none; }
.typing[data-on]::after { content: "…"; animation: typing 1.2s infinite; }
@keyframes typing { 50% { opacity: .3; } }
.request { margin: 0 12px 12px; padding: 14px 16px; border-radius: 18px; background: var(--_sunken); text-align: center; }
.request p { margin: 4px 0 12px; color: var(--_muted); font-size: 13.5px; }
.request .actions { display: flex; gap: 8px; justify-content: center; flex-wrap: wrap; }
.request .button:not(.primary) { background: var(--_bg); }
.search .head { padding-inline-start: 16px; }
.search { position: absolute; inset: 0; background: var(--_bg); z-index: 4; display: flex; flex-direction: column; }
.results { list-style: none; margin: 0; padding: 4px 8px; overflow: auto; }
.results button { width: 100%; padding: 10px 12px; border-radius: 12px; display: block; text-align: start; }
.results button:hover { background: color-mix(in srgb, var(--_text) 5%, transparent); }
.results .line { justify-content: space-between; }
.results b { font-weight: 600; }
.results time { color: var(--_muted); font-size: 12.5px; }
.hit { color: var(--_muted); display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 3; overflow: hidden; overflow-wrap: anywhere; }
.call { display: flex; align-items: center; gap: 10px; padding: 8px 16px; background: color-mix(in srgb, var(--_good) 16%, var(--_bg)); flex: none; }
.call span { flex: 1; font-weight: 550; }
.about-line { display: flex; gap: 14px; align-items: center; font-size: 18px; }
@container (min-width: 900px) { .row { padding-inline: max(16px, calc((100% - 860px) / 2)); } .other .bar { inset-inline-end: max(16px, calc((100% - 860px) / 2)); } .own .bar { inset-inline-start: max(16px, calc((100% - 860px) / 2)); } }
`);
