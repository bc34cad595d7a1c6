"""The style of the page: light and dark, wide and narrow. A value."""

from __future__ import annotations

from typing import Final

__all__ = ["CSS"]

CSS: Final = """
:root {
  color-scheme: light dark;
  --back: #fbfbfa; --card: #ffffff; --text: #1c1f23; --dim: #5d656e; --line: #dfe3e6; --link: #0b5cad;
  --ok: #11703c; --ok-back: #e2f4e8; --bad: #b3141f; --bad-back: #fde5e5; --warn: #8a5300; --warn-back: #fdf0d5;
  --none-back: #eceef0; --tool: #c2560c;
  --s1: #2563a8; --s2: #1f8a70; --s3: #8a4fb0; --s4: #b8860b; --s5: #b23a6b; --s6: #4b7f2b; --s7: #58707f;
  --s8: #7a5a3a;
  --ramp: #d9a520 #2f9e83 #2563a8 #4a2a7d;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #14171a; --card: #1c2024; --text: #e6e8ea; --dim: #9aa3ad; --line: #333a41; --link: #7db8f3;
    --ok: #6bd394; --ok-back: #123322; --bad: #ff8d8d; --bad-back: #471a1d; --warn: #f2bd62; --warn-back: #3b2b0e;
    --none-back: #2a2f35; --tool: #ff9d52;
    --s1: #6aaef0; --s2: #55c9a6; --s3: #c79be8; --s4: #e0b94f; --s5: #f08db4; --s6: #9fce78; --s7: #a5bccb;
    --s8: #d0a982;
    --ramp: #f4d06f #5fd0b0 #6aaef0 #bd9cf0;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
main, header { max-width: 76rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 1.5rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
h4 { font-size: .85rem; margin: 1.3rem 0 .3rem; color: var(--dim); font-weight: 600; overflow-wrap: anywhere; }
a { color: var(--link); }
a:focus-visible, summary:focus-visible, button:focus-visible, select:focus-visible,
.scroll:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
code { font-family: ui-monospace, "DejaVu Sans Mono", Consolas, monospace; font-size: .92em; }
.meta { display: flex; flex-wrap: wrap; gap: .1rem 1.4rem; margin: .4rem 0 1rem; color: var(--dim); font-size: .9rem; }
.meta div { display: flex; gap: .4rem; min-width: 0; }
.meta dt { flex: none; }
.meta dd { margin: 0; color: var(--text); overflow-wrap: anywhere; }
.outcome { font-size: 1.05rem; font-weight: 600; padding: .6rem .9rem; border-radius: 6px; margin: .5rem 0;
  overflow-wrap: anywhere; }
.outcome.bad { background: var(--bad-back); color: var(--bad); }
.outcome.ok { background: var(--ok-back); color: var(--ok); }
.outcome.warn { background: var(--warn-back); color: var(--warn); }
.outcome.plain { background: var(--none-back); color: var(--text); }
.note { color: var(--dim); font-size: .85rem; margin: .3rem 0; overflow-wrap: anywhere; max-width: 52rem; }
.v { display: inline-block; padding: 0 .45rem; border-radius: 4px; font-weight: 650; }
.v-bad { background: var(--bad-back); color: var(--bad); }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; background: var(--card); }
table { border-collapse: separate; border-spacing: 0; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .55rem; border-top: 1px solid var(--line); }
thead th { border-top: 0; font-size: .8rem; color: var(--dim); font-weight: 600; white-space: nowrap; }
th[scope=row] { font-weight: 500; position: sticky; left: 0; background: var(--card); white-space: nowrap; }
.figures td, .figures thead th:not(:first-child) { text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.figures b { font-weight: 600; }
.said td:last-child { overflow-wrap: anywhere; min-width: 14rem; }
.iv { display: block; color: var(--dim); font-size: .78rem; }
.unit, .none { color: var(--dim); font-size: .85rem; }
.mark { display: inline-block; margin-left: .25rem; padding: 0 .35rem; border-radius: 4px; font-weight: 700;
  background: var(--warn-back); color: var(--warn); }
.choose { display: flex; flex-wrap: wrap; gap: .4rem .6rem; align-items: center; margin: 0 0 .6rem; color: var(--dim);
  font-size: .85rem; }
.choose select, button { font: inherit; color: var(--text); background: var(--card); border: 1px solid var(--line);
  border-radius: 5px; padding: .3rem .5rem; min-height: 2.2rem; max-width: 100%; }
button { cursor: pointer; }
.plots { display: grid; gap: .8rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); }
.plots.one { grid-template-columns: minmax(0, 1fr); }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 6px;
  padding: .5rem .5rem .7rem; min-width: 0; }
figcaption { color: var(--dim); font-size: .85rem; padding: .3rem .5rem 0; max-width: 52rem; overflow-wrap: anywhere; }
.plot { height: 23rem; }
.plot.high { height: auto; min-height: 12rem; }
noscript p { background: var(--none-back); padding: .6rem .9rem; border-radius: 6px; }
details.run { background: var(--card); border: 1px solid var(--line); border-radius: 6px; margin: .45rem 0; }
details.run > summary { cursor: pointer; padding: .5rem .8rem; overflow-wrap: anywhere; font-weight: 600; }
details.run > summary .said { color: var(--dim); font-weight: 400; margin-left: .4rem; }
.body { padding: 0 .8rem .8rem; border-top: 1px solid var(--line); }
.pairs { display: grid; grid-template-columns: fit-content(12rem) minmax(0, 1fr); gap: .15rem .9rem; margin: .7rem 0; }
.pairs dt { color: var(--dim); }
.pairs dd { margin: 0; overflow-wrap: anywhere; }
footer { max-width: 76rem; margin: 2.5rem auto; padding: 0 1rem; color: var(--dim); font-size: .85rem; }
[hidden] { display: none !important; }
@media (max-width: 40rem) {
  th, td { padding: .3rem .45rem; }
  h1 { font-size: 1.35rem; }
  .plot { height: 20rem; }
  figure { padding: .3rem .1rem .6rem; }
  .choose label, .choose select { width: 100%; }
  .scroll th[scope=row] { white-space: normal; min-width: 6.5rem; max-width: 9rem; overflow-wrap: anywhere; }
  .pairs { grid-template-columns: 1fr; gap: 0; }
  .pairs dd { margin-bottom: .4rem; }
}
"""
