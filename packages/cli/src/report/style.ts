/** How the report looks, by day and by night. Colours are told apart by lightness too, for whoever does not see hues. */
export const style = `
:root {
  color-scheme: light dark;
  --ground: #f6f7f9; --card: #ffffff; --ink: #1c2330; --soft: #5d6778; --line: #dde1e8; --hair: #eceff3;
  --blue: #3566c8; --teal: #1d9a86; --grey: #b9c0cc; --orange: #d9730d; --red: #cc3d51; --violet: #7d57c2; --good: #1b7f4d;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #11151c; --card: #191f29; --ink: #e4e8ef; --soft: #97a2b4; --line: #313a49; --hair: #242c38;
    --blue: #6f9bf2; --teal: #45c4ae; --grey: #566073; --orange: #f0994a; --red: #f0697b; --violet: #a98af0; --good: #55c48b;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 32px 20px 56px; }
h1 { margin: 0; font-size: 26px; font-weight: 650; letter-spacing: -0.01em; }
h2 { margin: 0 0 4px; font-size: 16px; font-weight: 650; }
p { margin: 4px 0 0; color: var(--soft); }
.outcome { display: inline-block; margin-left: 10px; padding: 2px 10px; border-radius: 99px; font-size: 13px;
  font-weight: 600; vertical-align: 4px; color: var(--card); background: var(--red); }
.outcome.committed { background: var(--good); }
section { margin-top: 18px; padding: 18px 22px; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
section svg { display: block; margin-top: 10px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin-top: 22px; }
.tile { padding: 12px 16px; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.tile b { display: block; font-size: 22px; font-weight: 650; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 18px; }
@media (max-width: 800px) { .pair { grid-template-columns: 1fr; } }
.scroll { overflow-x: auto; }
table { width: 100%; margin-top: 10px; border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 8px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--hair); }
th { color: var(--soft); font-weight: 500; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 20px; margin: 10px 0 0; font-size: 14px; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
footer { margin-top: 18px; color: var(--soft); font-size: 13px; }
svg { width: 100%; height: auto; overflow: visible; }
svg text { font: 12px system-ui, sans-serif; fill: var(--soft); font-variant-numeric: tabular-nums; }
svg text.value { fill: var(--ink); font-weight: 600; }
svg text.on-bar { fill: var(--card); font-weight: 600; }
svg text.absent { font-style: italic; }
.grid { stroke: var(--hair); }
.axis { stroke: var(--line); }
.frame { fill: var(--ground); }
.normal, .bandwidth, .pre-copy, .source, .part-pages { fill: var(--blue); }
.delta, .post-copy, .target, .part-verify { fill: var(--teal); }
.zero { fill: var(--grey); }
.free { fill: var(--line); }
.left-out { fill: none; stroke: var(--grey); stroke-dasharray: 3 2; }
.dirty, .part-state { fill: var(--orange); }
.throttle, .stop-and-copy { fill: var(--red); }
.part-lease { fill: var(--violet); }
.part-resume { fill: var(--grey); }
.bandwidth-line, .dirty-line { fill: none; stroke-width: 2.2; stroke-linejoin: round; }
.bandwidth-line { stroke: var(--blue); }
.dirty-line { stroke: var(--orange); }
.bandwidth-line.spot { fill: var(--blue); }
.dirty-line.spot { fill: var(--orange); }
.error-bar { stroke: var(--teal); stroke-width: 2; opacity: 0.5; }
@media print { body { background: none; } section, .tile { break-inside: avoid; } }
`;
