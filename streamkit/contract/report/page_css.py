"""The style of the page: light and dark, wide and narrow. A value."""

from __future__ import annotations

from typing import Final

__all__ = ["CSS"]

CSS: Final = """
:root {
  color-scheme: light dark;
  --back: #fbfbfa; --card: #ffffff; --text: #1c1f23; --dim: #5d656e; --line: #d9dde1; --link: #0b5cad;
  --ok: #11703c; --ok-back: #e2f4e8; --bad: #b3141f; --bad-back: #fde5e5; --warn: #8a5300; --warn-back: #fdf0d5;
  --info: #2b5a86; --info-back: #e6eff8; --none: #59606a; --none-back: #eceef0;
  --harness: #7a2aa0; --harness-back: #f3e6fa; --proxy: #eef0f2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #14171a; --card: #1c2024; --text: #e6e8ea; --dim: #9aa3ad; --line: #363c43; --link: #7db8f3;
    --ok: #6bd394; --ok-back: #123322; --bad: #ff8d8d; --bad-back: #471a1d; --warn: #f2bd62; --warn-back: #3b2b0e;
    --info: #90bfea; --info-back: #19304a; --none: #a9b1ba; --none-back: #2a2f35;
    --harness: #d9a2f3; --harness-back: #39204a; --proxy: #23282d;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
main, header { max-width: 76rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 1.5rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; }
h3 { font-size: .95rem; margin: 1.4rem 0 .4rem; color: var(--dim); font-weight: 600; }
h4 { font-size: .85rem; margin: 1.1rem 0 .3rem; color: var(--dim); font-weight: 600; }
a { color: var(--link); }
a:focus-visible, summary:focus-visible, button:focus-visible, select:focus-visible, input:focus-visible,
.scroll:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
code, pre, .timeline, td.bytes { font-family: ui-monospace, "DejaVu Sans Mono", Consolas, monospace; }
.meta { display: flex; flex-wrap: wrap; gap: .1rem 1.4rem; margin: .4rem 0 1rem; color: var(--dim); font-size: .9rem; }
.meta div { display: flex; gap: .4rem; min-width: 0; }
.meta dt { flex: none; }
.meta dd { margin: 0; color: var(--text); overflow-wrap: anywhere; }
.report { border-top: 1px solid var(--line); padding-top: .8rem; }
.report h2 { margin: 0 0 .2rem; overflow-wrap: anywhere; }
.counts { display: flex; flex-wrap: wrap; gap: .4rem; list-style: none; margin: .3rem 0 .8rem; padding: 0; }
.outcome { font-size: 1.1rem; font-weight: 650; padding: .7rem .9rem; border-radius: 6px; margin: .6rem 0; }
.outcome.bad { background: var(--bad-back); color: var(--bad); }
.outcome.ok { background: var(--ok-back); color: var(--ok); }
.outcome.harness { background: var(--harness-back); color: var(--harness); }
.failures { list-style: none; margin: .2rem 0 1rem; padding: 0; }
.failures li { padding: .45rem 0 .45rem .8rem; border-left: 4px solid var(--bad); margin-bottom: .4rem; }
.failures li.harness { border-color: var(--harness); }
.failures a { font-weight: 600; overflow-wrap: anywhere; }
.failures span { overflow-wrap: anywhere; }
.v { display: inline-block; padding: .05rem .5rem; border-radius: 4px; font-size: .8rem; font-weight: 650;
  white-space: nowrap; text-decoration: none; background: var(--none-back); color: var(--none); }
.v-ok { background: var(--ok-back); color: var(--ok); }
.v-failed { background: var(--bad-back); color: var(--bad); }
.v-non-strict { background: var(--warn-back); color: var(--warn); }
.v-informational { background: var(--info-back); color: var(--info); }
.v-harness-error, .v-dependency-failed { background: var(--harness-back); color: var(--harness); }
a.v:hover { text-decoration: underline; }
.filter { display: flex; flex-wrap: wrap; gap: .6rem .9rem; align-items: end; padding: .6rem 0; }
.filter label { display: grid; font-size: .8rem; color: var(--dim); }
.filter select, .filter input, .filter button { font: inherit; color: inherit; background: var(--card);
  border: 1px solid var(--line); border-radius: 5px; padding: .3rem .5rem; min-height: 2.2rem; max-width: 100%; }
.filter output { color: var(--dim); padding-bottom: .35rem; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; background: var(--card); }
table { border-collapse: separate; border-spacing: 0; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-top: 1px solid var(--line); }
thead th { border-top: 0; font-size: .8rem; color: var(--dim); font-weight: 600; }
.matrix th[scope=row] { font-weight: 500; white-space: nowrap; position: sticky; left: 0; background: var(--card); }
.matrix td { white-space: nowrap; }
.matrix td.detail { white-space: normal; color: var(--dim); overflow-wrap: anywhere;
  min-width: 16rem; }
.matrix .group th { background: var(--back); color: var(--dim); font-size: .8rem; position: static; }
.level { color: var(--dim); font-size: .8rem; }
details.case { background: var(--card); border: 1px solid var(--line); border-radius: 6px; margin: .45rem 0; }
details.case[data-verdict=FAILED] { border-left: 5px solid var(--bad); }
details.case[data-verdict=NON-STRICT] { border-left: 5px solid var(--warn); }
details.case[data-verdict=HARNESS-ERROR] { border-left: 5px solid var(--harness); }
details.case > summary { cursor: pointer; padding: .5rem .8rem; overflow-wrap: anywhere; }
details.case > summary code { font-weight: 600; }
details.case > summary .said { color: var(--dim); display: block; }
details.case[open] > summary .said { display: none; }
.body { padding: 0 .8rem .8rem; border-top: 1px solid var(--line); }
.finding { font-size: 1.02rem; margin: .8rem 0; padding: .6rem .8rem; border-radius: 5px; overflow-wrap: anywhere; }
.finding.v-ok { color: inherit; }
.finding.v-informational { color: inherit; }
.pairs { display: grid; grid-template-columns: fit-content(12rem) minmax(0, 1fr); gap: .15rem .9rem; margin: .5rem 0; }
.pairs dt { color: var(--dim); }
.pairs dd { margin: 0; overflow-wrap: anywhere; }
.note { color: var(--dim); font-size: .85rem; margin: .3rem 0; }
.heads { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: .6rem; }
.heads pre { margin: 0; padding: .5rem; background: var(--back); border: 1px solid var(--line); border-radius: 5px;
  font-size: .75rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.log { font-size: .78rem; }
.log td { padding: .15rem .6rem; white-space: nowrap; font-variant-numeric: tabular-nums; }
.log td.bytes { white-space: normal; overflow-wrap: anywhere; min-width: 18rem; }
.log .mark td { color: var(--warn); font-weight: 600; }
.log .limit td { color: var(--bad); }
.log .skipped td { color: var(--dim); font-style: italic; }
.markers { position: absolute; width: 0; height: 0; }
.timeline { display: block; max-width: 54rem; font-size: 11px; margin: .3rem 0; overflow: visible; }
.timeline text { fill: var(--text); }
.timeline .at { fill: var(--dim); }
.timeline .lane { stroke: var(--dim); stroke-width: 1.5; }
.timeline .proxy { fill: var(--proxy); }
.timeline .lane-name { text-anchor: middle; font-weight: 650; }
.timeline .between { text-anchor: middle; fill: var(--warn);
  font-weight: 600; }
.timeline .between, .timeline .mark-name, .timeline .cross { paint-order: stroke; stroke: var(--card);
  stroke-width: 4px; stroke-linejoin: round; }
.timeline .l-upstream { text-anchor: end; }
.timeline .cross { text-anchor: middle; font-weight: 700; }
.timeline .mark { stroke: var(--warn); stroke-width: 1.2; stroke-dasharray: 5 3; }
.timeline .mark-name { fill: var(--warn); font-weight: 650; }
.timeline .mark-late { stroke: var(--bad); }
.timeline .mark-late-text, .timeline .p-late { fill: var(--bad); font-weight: 650; }
.a-ok { stroke: var(--ok); }
.a-late { stroke: var(--bad); stroke-width: 1.8; }
.a-lost { stroke: var(--bad);
  stroke-width: 1.8; stroke-dasharray: 3 2; }
  .a-plain { stroke: var(--dim); }
  .a-plain.stub { stroke-dasharray: 3 2; }
.arrow-ok { fill: var(--ok); }
.arrow-late, .arrow-lost { fill: var(--bad); }
.arrow-plain { fill: var(--dim); }
.timeline .a-lost-text { fill: var(--bad); }
.timeline .a-plain-text { fill: var(--dim); }
.timeline circle { fill: var(--text); }
.timeline .d-late { fill: var(--bad); }
footer { max-width: 76rem; margin: 2.5rem auto; padding: 0 1rem; color: var(--dim); font-size: .85rem; }
[hidden] { display: none !important; }
@media (max-width: 40rem) {
  .timeline { overflow: hidden; }
  .timeline .extra { display: none; }
  .timeline .mark-name { font-size: 9px; }
  .log thead { display: none; }
  .log tr { display: grid; grid-template-columns: auto auto auto 1fr; border-top: 1px solid var(--line); }
  .log td { border: 0; }
  .log td.bytes { grid-column: 1 / -1; min-width: 0; }
  .filter label, .filter select, .filter input { width: 100%; }
  .timeline { font-size: 10px; }
  .matrix th[scope=row] code { font-size: .78rem; }
  .matrix td.detail { min-width: 12rem; }
  th, td { padding: .3rem .4rem; }
}
"""
