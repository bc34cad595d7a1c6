// Draws the lanes on a canvas: time and names here, the marks in paintmarks.js. Keeps nothing, knows no events.

import { AXIS_HEIGHT, GUTTER, lanesOf, laneY, WIDE } from './geometry.js';
import { paintEnds, paintLinks, paintMarks, paintUncertainty } from './paintmarks.js';
import { bytesText, counted, ticks, timeText, xOf } from './scale.js';
import { LANES, MARKS } from './words.js';

/**
 * @typedef {import('./trace.js').Trace} Trace
 * @typedef {import('./trace.js').Mark} Mark
 * @typedef {import('./trace.js').Lane} Lane
 * @typedef {import('./scale.js').Scale} Scale
 *
 * @typedef {{
 *   upstream: string, gateway: string, browser: string, ink: string, quiet: string, line: string, panel: string,
 *   warn: string, bad: string, font: string,
 * }} Colours
 *
 * @typedef {{
 *   trace: Trace, scale: Scale, width: number, height: number, colours: Colours, selected: Mark | null,
 *   chain: Set<Mark>, now_ms: number | null,
 * }} Scene
 */

/**
 * Draw all of it.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @returns {Set<string>} the rare signs that were drawn
 */
export function paint(context, scene) {
  const signs = /** @type {Set<string>} */ (new Set());
  const { width, height, trace, scale } = scene;
  context.clearRect(0, 0, width, height);
  const lanes = lanesOf(trace);
  paintAxis(context, scene, lanes);
  context.save();
  context.beginPath();
  context.rect(scale.left - 8, 0, scale.width + 20, height);
  context.clip();
  const { readToWrite, writeToBrowser } = trace.links();
  const marks = trace.lanes;
  paintLinks(context, scene, readToWrite, marks.upstream, marks.gateway, laneY(0), signs);
  paintLinks(context, scene, writeToBrowser, marks.gateway, marks.browser, laneY(1), signs);
  paintUncertainty(context, scene, signs);
  lanes.forEach((lane, n) => paintMarks(context, scene, lane, laneY(n), signs));
  paintEnds(context, scene, lanes, signs);
  context.restore();
  lanes.forEach((lane, n) => paintName(context, scene, lane, laneY(n)));
  return signs;
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene @param {Lane[]} lanes */
function paintAxis(context, { scale, width, height, colours, now_ms, selected }, lanes) {
  const bottom = height - AXIS_HEIGHT;
  context.font = `11px ${colours.font}`;
  context.textBaseline = 'middle';
  context.textAlign = 'center';
  context.lineWidth = 1;
  const apart = width < WIDE ? 64 : 92;
  const chosen = selected ? xOf(scale, selected.t_ms) : -Infinity;
  for (const { t_ms, text } of ticks(scale, apart)) {
    const x = Math.round(xOf(scale, t_ms)) + 0.5;
    context.globalAlpha = 0.5;
    stroke(context, colours.line, x, 10, x, bottom);
    context.globalAlpha = 1;
    context.fillStyle = colours.quiet;
    const half = context.measureText(text).width / 2;
    if (Math.abs(x - chosen) > half + 34) context.fillText(text, Math.min(Math.max(x, scale.left - 8 + half), width - half - 2), bottom + 14);
  }
  lanes.forEach((_, n) => stroke(context, colours.line, scale.left - 8, laneY(n) + 0.5, scale.left + scale.width + 8, laneY(n) + 0.5));
  if (now_ms !== null) {
    const x = Math.round(xOf(scale, now_ms)) + 0.5;
    context.setLineDash([2, 4]);
    stroke(context, colours.quiet, x, 10, x, bottom);
    context.setLineDash([]);
  }
  if (selected) {
    const x = Math.round(xOf(scale, selected.t_ms)) + 0.5;
    if (x >= scale.left - 8 && x <= scale.left + scale.width + 8) {
      context.globalAlpha = 0.5;
      stroke(context, colours.ink, x, 10, x, bottom + 4);
      context.globalAlpha = 1;
      const text = timeText(selected.t_ms);
      const half = context.measureText(text).width / 2 + 6;
      const middle = Math.min(Math.max(x, half), width - half);
      context.fillStyle = colours.ink;
      context.beginPath();
      context.roundRect(middle - half, bottom + 5, half * 2, 18, 4);
      context.fill();
      context.fillStyle = colours.panel;
      context.fillText(text, middle, bottom + 14.5);
    }
  }
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene @param {Lane} lane @param {number} y */
function paintName(context, { trace, width, colours, scale }, lane, y) {
  const marks = trace.lanes[lane];
  const last = marks[marks.length - 1];
  const bytes = last ? marks.reduce((sum, mark) => sum + mark.bytes, 0) : 0;
  const unsure = lane === 'browser' && trace.uncertainty_ms !== null ? `± ${timeText(trace.uncertainty_ms)}` : '';
  const count = counted(marks.length, MARKS[lane]);
  context.textBaseline = 'middle';
  context.textAlign = 'left';
  if (width >= WIDE) {
    const x = scale.left - GUTTER;
    context.fillStyle = colours[lane];
    context.font = `600 13px ${colours.font}`;
    context.fillText(LANES[lane], x, y - 9);
    context.fillStyle = colours.quiet;
    context.font = `12px ${colours.font}`;
    context.fillText(last ? `${count}, ${bytesText(bytes)}` : 'none yet', x, y + 8);
    if (unsure) context.fillText(unsure, x, y + 24);
    return;
  }
  context.font = `600 12px ${colours.font}`;
  const name = LANES[lane];
  const nameWidth = context.measureText(name).width;
  context.font = `12px ${colours.font}`;
  const more = [last ? `${count}, ${bytesText(bytes)}` : 'none yet', unsure].filter(Boolean).join('  ');
  context.fillStyle = colours.panel;
  context.globalAlpha = 0.85;
  context.fillRect(0, y - 45, nameWidth + context.measureText(more).width + 16, 16);
  context.globalAlpha = 1;
  context.fillStyle = colours.quiet;
  context.fillText(more, nameWidth + 10, y - 37);
  context.fillStyle = colours[lane];
  context.font = `600 12px ${colours.font}`;
  context.fillText(name, 2, y - 37);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {string} colour
 * @param {number} x1
 * @param {number} y1
 * @param {number} x2
 * @param {number} y2
 */
function stroke(context, colour, x1, y1, x2, y2) {
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
}
