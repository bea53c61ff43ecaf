/** The style of what the page's script adds (page/): the card, panels, marks of what is pointed at and picked, and buttons. */
import { color } from './palette.ts';

const SANS = 'system-ui, sans-serif';

export const SCRIPT_STYLE = `
.asked { position: fixed; right: 16px; bottom: 16px; width: min(460px, calc(100vw - 32px)); max-height: 46vh; overflow: auto; z-index: 2; background: ${color('paper')}; border: 1px solid ${color('muted')}; border-radius: 6px; padding: 8px 14px 10px; font: 13.5px/1.45 ${SANS}; box-shadow: 0 2px 14px rgb(0 0 0 / 0.18); }
.asked[hidden] { display: none; }
.asked p { margin: 2px 0; max-width: none; }
.asked ul { margin: 4px 0; padding: 0; list-style: none; }
.asked .name { font-weight: 650; }
.asked .close { float: right; font-size: 18px; line-height: 1; padding: 2px 7px; margin: -2px -6px 0 8px; }
:is(.asked, .attended) .prompts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 170px), 1fr)); gap: 4px 18px; padding: 0; margin: 6px 0 0; font-size: 13px; }
.attended section { border-top: 1px solid ${color('rule')}; margin-top: 8px; padding-top: 6px; }
.attended .prompt { min-width: 0; }
.toggles { display: inline-flex; flex-wrap: wrap; gap: 3px 4px; align-items: baseline; }
.toggles button[aria-pressed='true'] { background: ${color('ramp2')}; color: ${color('onRamp2')}; border-color: ${color('ramp3')}; }
.positive { color: ${color('positive')}; }
.negative { color: ${color('negative')}; }
.words { line-height: 1.75; margin: 2px 0; }
.word { background: color-mix(in srgb, ${color('ramp4')} var(--weight, 0%), transparent); border-radius: 2px; padding: 1px 2px; margin-right: 2px; cursor: default; display: inline-block; max-width: 100%; overflow-wrap: anywhere; }
.word.query { outline: 1.5px solid ${color('ink')}; }
.word:focus-visible { outline: 2px solid ${color('positive')}; }
.pattern { display: block; width: 120px; height: 120px; margin: 6px 0 2px; background: ${color('faint')}; shape-rendering: crispEdges; }
.pattern .weight { fill: ${color('ramp5')}; }
.pattern .row { fill: none; stroke: ${color('positive')}; stroke-width: 0.25; }
.panel { background: ${color('faint')}; border-radius: 6px; padding: 8px 14px; margin: 12px 0; font: 13.5px/1.5 ${SANS}; }
.panel h3 { font-size: 14px; margin: 0 0 2px; }
.panel p { margin: 4px 0; max-width: none; }
.panel .answer { font-size: 15px; }
.controls { display: flex; flex-wrap: wrap; gap: 6px 14px; align-items: center; }
.controls input[type='range'] { width: min(300px, 50vw); vertical-align: middle; accent-color: ${color('positive')}; }
button, select, input { font: inherit; color: inherit; }
button, select, input[type='text'] { background: ${color('paper')}; border: 1px solid ${color('rule')}; border-radius: 4px; padding: 2px 8px; max-width: 100%; }
button { cursor: pointer; }
button:hover { border-color: ${color('muted')}; }
:is(button, select, input):focus-visible { outline: 2px solid ${color('positive')}; outline-offset: 1px; }
.tools { float: right; margin: 0 0 4px 12px; font: 12px/1.4 ${SANS}; white-space: nowrap; }
.tools button { padding: 0 6px; margin-left: 4px; background: none; color: ${color('muted')}; }
svg [data-player], svg [data-interaction], .played [data-player] { cursor: pointer; }
svg [tabindex]:focus { outline: none; }
svg [tabindex]:focus-visible { outline: 2px solid ${color('positive')}; outline-offset: 1px; }
svg .player.lit > :is(.cell, .pill, .ring), svg rect.player.lit, svg circle.player.lit { stroke: ${color('ink')}; stroke-width: 2.4; }
svg .player.partner > :is(.cell, .pill) { stroke: ${color('ink')}; stroke-width: 1.4; stroke-dasharray: 3 2; }
svg text.player.lit, svg text.player.partner { text-decoration: underline; }
svg .player.picked > :is(.cell, .pill, .ring), svg rect.player.picked { stroke: ${color('ramp4')}; stroke-width: 3.4; stroke-dasharray: none; }
svg text.player.picked { fill: ${color('ramp4')}; font-weight: 700; }
tr.lit > td { background: ${color('faint')}; }
.played .part.picked { box-shadow: inset 0 0 0 2px ${color('ramp4')}; }
.played .part.partner, .card.partner { outline: 2px dashed ${color('muted')}; }
.arcs { position: absolute; inset: 0; pointer-events: none; overflow: visible; }
.arcs path { fill: none; stroke-width: 1.4; opacity: 0.45; }
.arcs .up { stroke: ${color('positive')}; }
.arcs .down { stroke: ${color('negative')}; stroke-dasharray: 4 2.5; }
.arcs .far:not(.lit) { opacity: 0; }
.arcs .lit { stroke-width: 2.4; opacity: 1; }
.pointing .arcs path:not(.lit) { opacity: 0.12; }
.card.picked { box-shadow: inset 0 0 0 2px ${color('ramp4')}; }
.pointing .spex-graph .link:not(.lit) { stroke-opacity: 0.22; }
.pointing .spex-matrix g[data-interaction]:not(.lit) { opacity: 0.45; }
svg.spex-curve { cursor: crosshair; }
svg .chosen-size { fill: none; stroke: ${color('ink')}; stroke-width: 2; }
@media print { .asked, .panel, .tools, .arcs { display: none; } }
@media (max-width: 560px) { .asked { right: 0; bottom: 0; width: 100vw; border-radius: 6px 6px 0 0; max-height: 42vh; } }
`;
