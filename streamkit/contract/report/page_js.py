"""What the page does by itself: filters, and opens the case that a link names. A value. Without it all is shown."""

from __future__ import annotations

from typing import Final

__all__ = ["JS"]

JS: Final = """
"use strict";
const form = document.querySelector(".filter");
const rows = [...document.querySelectorAll("[data-case]")];
const headings = [...document.querySelectorAll("[data-heading]")];
const isBad = verdict => !["OK", "INFORMATIONAL", "UNIMPLEMENTED", ""].includes(verdict);

function matches(row) {
  const {group, verdict, text} = form.elements;
  const verdicts = row.dataset.verdict.split(" ");
  return (!group.value || row.dataset.group === group.value)
    && (!verdict.value || (verdict.value === "bad" ? verdicts.some(isBad) : verdicts.includes(verdict.value)))
    && row.dataset.case.includes(text.value.trim().toLowerCase());
}

function filter() {
  const groups = new Set();
  const shown = new Set();
  for (const row of rows) {
    row.hidden = !matches(row);
    if (!row.hidden) { groups.add(row.dataset.group); shown.add(row.dataset.case); }
  }
  for (const heading of headings) heading.hidden = !groups.has(heading.dataset.heading);
  const all = new Set(rows.map(row => row.dataset.case)).size;
  form.querySelector("output").value = shown.size === all ? `${all} cases` : `${shown.size} of ${all} cases`;
}

function openNamed() {
  const named = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!named) return;
  if (named.hidden) { form.reset(); filter(); }
  if (named.matches("details")) { named.open = true; named.querySelector("summary").focus({preventScroll: true}); }
  named.scrollIntoView();
}

form.hidden = false;
form.addEventListener("input", filter);
form.addEventListener("submit", event => event.preventDefault());
form.addEventListener("reset", () => setTimeout(filter));
document.querySelector("#open-all").addEventListener("click", () => {
  const cases = rows.filter(row => row.matches("details") && !row.hidden);
  const open = cases.some(each => !each.open);
  for (const each of cases) each.open = open;
});
document.addEventListener("click", event => {
  const link = event.target.closest('a[href^="#"]');
  if (link && link.hash === location.hash) openNamed();
});
window.addEventListener("hashchange", openNamed);
filter();
openNamed();
"""
