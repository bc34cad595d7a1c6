"""What the page does by itself: draws the plots in the colours of its style, and what a choice asks for. A value."""

from __future__ import annotations

from typing import Final

__all__ = ["JS"]

JS: Final = r"""
"use strict";
const read = id => JSON.parse(document.getElementById(id).textContent);
const figures = read("figures");
const plots = [...document.querySelectorAll(".plot")];
const isNarrow = matchMedia("(max-width: 40rem)");
const isDark = matchMedia("(prefers-color-scheme: dark)");
const isTouch = matchMedia("(pointer: coarse)");
const config = {responsive: true, displaylogo: false, displayModeBar: !isTouch.matches && "hover", showTips: false,
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "sendDataToCloud"]};

const parts = hex => [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16));

function colourOf(token, style) {
  const [, name, at, alpha] = /^--([a-z0-9]+)(?:@([\d.]+))?(?:\/([\d.]+))?$/.exec(token);
  const stops = style.getPropertyValue(`--${name}`).trim().split(/\s+/).map(parts);
  const place = (at || 0) * (stops.length - 1);
  const low = stops[Math.floor(place)], high = stops[Math.ceil(place)], share = place % 1;
  const mixed = low.map((value, index) => Math.round(value + (high[index] - value) * share));
  return `rgba(${mixed.join(",")},${alpha || 1})`;
}

// Values under a key that ends in "color" name colours of the page; nothing else is touched.
function coloured(value, style, isColour = false) {
  if (typeof value === "string") return isColour && value.startsWith("--") ? colourOf(value, style) : value;
  if (Array.isArray(value)) return isColour ? value.map(each => coloured(each, style, true)) : plain(value, style);
  return value && typeof value === "object" ? plain(value, style) : value;
}

function plain(value, style) {
  if (Array.isArray(value)) {
    return typeof value[0] === "object" ? value.map(each => coloured(each, style)) : value.slice();
  }
  return Object.fromEntries(Object.entries(value).map(([key, each]) =>
    [key, coloured(each, style, key.toLowerCase().endsWith("color"))]));
}

function keyOf(plot) {
  const select = document.getElementById(plot.dataset.by);
  return select ? `${plot.dataset.family}:${select.value}` : plot.dataset.family;
}

async function draw(plot) {
  const key = keyOf(plot);
  const figure = figures[key];
  const box = plot.closest("figure");
  box.hidden = !figure;
  if (!figure) return;
  const {data, layout} = plain({data: figure.data, layout: figure.layout}, getComputedStyle(document.documentElement));
  layout.dragmode = isTouch.matches ? false : "zoom";
  layout.autosize = true;
  if (isNarrow.matches) {
    layout.font.size = 11;
    layout.margin = {...layout.margin, l: 40, r: 8};
  }
  box.querySelector("figcaption").textContent = figure.words;
  plot.setAttribute("aria-label", figure.words);
  await Plotly.react(plot, data, layout, config);
  plot.dataset.drawn = key;
}

const drawAll = () => Promise.all(plots.map(draw));

function openNamed() {
  const named = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (named && named.matches("details")) { named.open = true; named.scrollIntoView(); }
}

for (const choice of document.querySelectorAll(".choose")) {
  const select = choice.querySelector("select");
  choice.hidden = select.options.length < 2;
  select.addEventListener("change", () => plots.filter(plot => plot.dataset.by === select.id).forEach(draw));
}
const save = document.getElementById("save");
if (save) {
  save.hidden = false;
  save.addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(read("document"), null, 1)], {type: "application/json"}));
    link.download = "bench.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });
}
isDark.addEventListener("change", drawAll);
isNarrow.addEventListener("change", drawAll);
window.addEventListener("hashchange", openNamed);
drawAll().then(() => { document.documentElement.dataset.ready = "yes"; openNamed(); });
"""
