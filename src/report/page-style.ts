/**
 * The page's style sheet: a column of text like a page of a paper; light, dark and print; no fonts fetched.
 */
import { color, colorVariables } from './palette.ts';

export const PAGE_STYLE = `
:root { color-scheme: light dark; ${colorVariables('light')} }
@media (prefers-color-scheme: dark) { :root { ${colorVariables('dark')} } }
@media print { :root { ${colorVariables('light')} } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; background: ${color('paper')}; color: ${color('ink')}; font: 16.5px/1.55 Charter, "Bitstream Charter", "Iowan Old Style", "Source Serif 4", Cambria, Georgia, "Liberation Serif", serif; font-kerning: normal; }
main { max-width: 912px; margin: 0 auto; padding: 44px 24px 64px; }
header { border-bottom: 1px solid ${color('rule')}; padding-bottom: 18px; margin-bottom: 22px; }
h1 { font-size: 31px; line-height: 1.2; font-weight: 600; margin: 0 0 6px; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { font-size: 20px; font-weight: 600; margin: 44px 0 10px; }
.subtitle, .muted, figcaption, caption, summary, dt { color: ${color('muted')}; }
.subtitle { margin: 0; }
p { margin: 0 0 12px; max-width: 74ch; text-wrap: pretty; overflow-wrap: anywhere; }
.story p:first-child { font-size: 18px; }
b { font-weight: 650; }
.story .name { white-space: pre-wrap; }
q { quotes: "“" "”"; }
.token, .tokens bdi, code, pre, kbd { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; font-size: 0.85em; }
.token { background: ${color('faint')}; border-radius: 3px; padding: 1px 4px; }
.tokens bdi { background: ${color('faint')}; border-radius: 3px; padding: 1px 3px; margin: 0 2px 2px 0; display: inline-block; overflow-wrap: anywhere; max-width: 100%; }
figure { margin: 22px 0 10px; }
figcaption { display: flow-root; font: 13.5px/1.5 system-ui, sans-serif; margin-top: 8px; max-width: 86ch; }
figcaption b { color: ${color('ink')}; }
.scroll { overflow-x: auto; overflow-y: hidden; }
.scroll:focus-visible { outline: 2px solid ${color('positive')}; outline-offset: 3px; }
figure svg { display: block; max-width: 100%; height: auto; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 8px 40px; align-items: start; }
figcaption .key { display: inline-block; width: 22px; height: 0; border-top: 2.4px solid; vertical-align: middle; margin: 0 3px 0 0; }
figcaption .key.above, figcaption .key.measured { border-color: ${color('positive')}; }
figcaption .key.below { border-color: ${color('negative')}; border-top-style: dashed; }
figcaption .key.rival { border-color: ${color('negative')}; border-top-style: dotted; }
figcaption .key.random { border-color: ${color('muted')}; }
figcaption .key.predicted { border-color: ${color('ramp3')}; border-top-style: dashed; }
figcaption .ring { display: inline-block; width: 12px; height: 12px; border: 2px solid ${color('ink')}; border-radius: 3px; vertical-align: -1px; margin-right: 2px; }
table { border-collapse: collapse; font: 13.5px/1.4 system-ui, sans-serif; font-variant-numeric: tabular-nums; margin: 12px 0; width: 100%; }
caption { text-align: left; padding: 0 0 6px; }
th { text-align: left; font-weight: 500; color: ${color('muted')}; border-bottom: 1px solid ${color('ink')}; padding: 4px 14px 4px 0; vertical-align: bottom; }
td { border-bottom: 1px solid ${color('rule')}; padding: 4px 14px 4px 0; vertical-align: top; }
td bdi { overflow-wrap: anywhere; }
td:has(> bdi) { min-width: 7ch; }
td:nth-child(2) { min-width: 8ch; }
td.number, th.number { text-align: right; white-space: nowrap; }
th.number { white-space: normal; }
th:last-child, td:last-child { padding-right: 0; }
.names { font: 13.5px/1.6 system-ui, sans-serif; max-width: 110ch; }
td .positive { color: ${color('positive')}; }
td .negative { color: ${color('negative')}; }
details { margin: 10px 0; }
summary { font: 13.5px system-ui, sans-serif; cursor: pointer; }
dl { font: 14px/1.5 system-ui, sans-serif; margin: 10px 0; }
dl div { display: grid; grid-template-columns: 150px 1fr; gap: 12px; padding: 3px 0; }
dd { margin: 0; overflow-wrap: anywhere; }
dd ul { margin: 0; padding: 0; list-style: none; }
pre { background: ${color('faint')}; border-radius: 4px; padding: 12px 14px; white-space: pre-wrap; overflow-wrap: anywhere; margin: 10px 0; }
.prompts { font-size: 15px; padding-left: 1.6em; }
.prompts li { margin-bottom: 6px; }
.prompts.single { list-style: none; padding-left: 0; }
.option { white-space: nowrap; }
.conventions { background: ${color('faint')}; border-radius: 6px; padding: 6px 22px 10px; font-size: 15px; margin-top: 14px; max-width: 740px; }
.conventions p, .conventions li { max-width: 76ch; }
.conventions li { margin-bottom: 5px; }
.conventions ul { padding-left: 1.2em; margin: 8px 0; }
var { font-style: italic; }
sup, sub { line-height: 0; font-size: 0.72em; }

.findings { border-left: 3px solid ${color('negative')}; padding: 2px 0 2px 14px; margin: 0 0 24px; }
.findings p { margin: 8px 0; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(230px, 1fr)); gap: 10px; }
.card { border: 1px solid ${color('rule')}; border-left: 3px solid ${color('rule')}; padding: 4px 12px; font: 14px/1.45 system-ui, sans-serif; break-inside: avoid; }
.card.up { border-left-color: ${color('positive')}; }
.card.down { border-left: 3px dashed ${color('negative')}; }
.card p { display: flex; justify-content: space-between; gap: 8px; margin: 4px 0; }
.card ul { list-style: none; padding: 0; margin: 4px 0; }
.card li { margin: 3px 0; overflow-wrap: anywhere; }
.card .picture { width: 56px; height: 56px; vertical-align: middle; fill: currentColor; border: 1px solid ${color('rule')}; }
.couple { margin: 14px 0; } .couple > p { margin: 4px 0; font: 14px/1.45 system-ui, sans-serif; }
footer { margin-top: 40px; border-top: 1px solid ${color('rule')}; padding-top: 12px; font: 13px/1.5 system-ui, sans-serif; color: ${color('muted')}; }
footer p { max-width: none; margin: 0 0 4px; }
@media (max-width: 560px) {
  body { font-size: 16px; }
  main { padding: 26px 16px 40px; }
  h1 { font-size: 25px; }
  .story p:first-child { font-size: 17px; }
  dl div { grid-template-columns: 1fr; gap: 0; }
  .conventions { padding: 4px 14px 8px; margin-left: -6px; margin-right: -6px; }
}
@media print {
  @page { margin: 16mm 15mm; }
  :root { color-scheme: light; }
  body { font-size: 10.5pt; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  main { max-width: none; padding: 0; }
  h2 { break-after: avoid; margin-top: 26px; }
  figure, tr, pre, .conventions { break-inside: avoid; }
  .scroll { overflow: visible; }
  .pair { grid-template-columns: 1fr 1fr; gap: 8px 28px; }
  details:not([open]) { display: none; }
  table { font-size: 9.5pt; }
}
`;
