// Draws the marks of the lanes on a canvas, what lies between them, and how they end. Keeps nothing.

import { barHeight, LANE_HEIGHT, laneY, TALLEST, visible } from './geometry.js';
import { xOf } from './scale.js';
import { HELD_MS } from './words.js';

/**
 * @typedef {import('./trace.js').Trace} Trace
 * @typedef {import('./trace.js').Mark} Mark
 * @typedef {import('./trace.js').Lane} Lane
 * @typedef {import('./scale.js').Scale} Scale
 * @typedef {import('./paint.js').Scene} Scene
 * @typedef {import('./paint.js').Colours} Colours
 */

/**
 * Lines between the same bytes. Of many that fall on the same pixels one is drawn.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @param {number[]} pairs
 * @param {Mark[]} above
 * @param {Mark[]} below
 * @param {number} y
 * @param {Set<string>} signs
 */
export function paintLinks(context, { scale, colours, chain }, pairs, above, below, y, signs) {
  const calm = new Path2D();
  const late = new Path2D();
  const bold = new Path2D();
  const [first, last] = [scale.left - 8, scale.left + scale.width + 8];
  let drawn = '';
  // Lines lie in the order of their lower ends: those before what is seen are left out at once.
  const from = firstPair(pairs, below, scale.from_ms);
  for (let at = from; at < pairs.length; at += 2) {
    const [start, end] = [above[pairs[at]], below[pairs[at + 1]]];
    if (!start || !end) continue;
    const [x1, x2] = [xOf(scale, start.t_ms), xOf(scale, end.t_ms)];
    if (x1 > last && x2 > last) break;
    if (x1 < first && x2 < first) continue;
    const isBold = chain.has(start) && chain.has(end);
    const key = `${Math.round(x1)},${Math.round(x2)}`;
    if (key === drawn && !isBold) continue;
    drawn = key;
    const isLate = end.t_ms - start.t_ms > HELD_MS && (start.lane === 'gateway' || start.fresh > 0);
    if (isLate) signs.add('late');
    const path = isBold ? bold : isLate ? late : calm;
    path.moveTo(x1, y);
    path.lineTo(x2, y + LANE_HEIGHT);
  }
  context.lineWidth = 1;
  context.strokeStyle = colours.quiet;
  context.globalAlpha = 0.45;
  context.stroke(calm);
  context.strokeStyle = colours.warn;
  context.globalAlpha = 0.8;
  context.stroke(late);
  context.globalAlpha = 1;
  context.lineWidth = 2;
  context.strokeStyle = colours.ink;
  context.stroke(bold);
}

/** @param {number[]} pairs @param {Mark[]} below @param {number} from_ms */
function firstPair(pairs, below, from_ms) {
  let low = 0;
  let high = pairs.length / 2;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((below[pairs[middle * 2 + 1]]?.t_ms ?? Infinity) < from_ms) low = middle + 1;
    else high = middle;
  }
  return low * 2;
}

/**
 * The browser's clock may be off: each of its marks lies somewhere in the haze around it.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @param {Set<string>} signs
 */
export function paintUncertainty(context, { trace, scale, colours }, signs) {
  const half = ((trace.uncertainty_ms ?? 0) / (scale.to_ms - scale.from_ms)) * scale.width;
  if (half < 1) return;
  signs.add('haze');
  const haze = new Path2D();
  let covered = -Infinity;
  for (const mark of visible(trace.lanes.browser, scale, half)) {
    const x = xOf(scale, mark.t_ms);
    const left = Math.max(x - half, covered);
    if (x + half <= left) continue;
    haze.rect(left, laneY(2) - 7, x + half - left, 14);
    covered = x + half;
  }
  context.fillStyle = colours.browser;
  context.globalAlpha = 0.25;
  context.fill(haze);
  context.globalAlpha = 1;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @param {Lane} lane
 * @param {number} y
 * @param {Set<string>} signs
 */
export function paintMarks(context, { trace, scale, colours, chain, selected }, lane, y, signs) {
  const marks = visible(trace.lanes[lane], scale, 12);
  const apart = scale.width / Math.max(marks.length, 1);
  const thick = apart > 9 ? 4 : apart > 5 ? 3 : apart > 2 ? 2 : 1;
  const bars = new Path2D();
  let column = NaN;
  let tallest = 0;
  for (const mark of marks) {
    const x = Math.round(xOf(scale, mark.t_ms));
    const tall = barHeight(mark.bytes);
    if (x === column && tall <= tallest) continue;
    [column, tallest] = [x, tall];
    bars.roundRect(x - thick / 2, y - tall / 2, thick, tall, thick > 2 ? thick / 2 : 0);
  }
  context.fillStyle = colours[lane];
  context.fill(bars);
  paintCuts(context, trace, scale, colours, marks, apart, y, signs);
  const token = trace.firstToken(lane);
  if (token !== null) paintFlag(context, xOf(scale, token), y - TALLEST / 2 - 11, colours[lane]);
  for (const mark of chain) {
    if (mark.lane !== lane) continue;
    const x = Math.round(xOf(scale, mark.t_ms));
    const tall = barHeight(mark.bytes) + 4;
    const wide = Math.max(thick, 4) + 4;
    context.fillStyle = colours.panel;
    round(context, x - wide / 2 - 2, y - tall / 2 - 2, wide + 4, tall + 4, 5);
    context.fillStyle = mark === selected ? colours.ink : colours[lane];
    round(context, x - wide / 2, y - tall / 2, wide, tall, 4);
  }
}

/**
 * Where a mark ended inside something: a ring for a record, a dot for a character and for CR LF.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Trace} trace
 * @param {Scale} scale
 * @param {Colours} colours
 * @param {Mark[]} marks
 * @param {number} apart
 * @param {number} y
 * @param {Set<string>} signs
 */
function paintCuts(context, trace, scale, colours, marks, apart, y, signs) {
  if (marks.length > 3000) return;
  const rings = new Path2D();
  const dots = new Path2D();
  let [ring, dot] = [-Infinity, -Infinity];
  for (const mark of marks) {
    if (mark.cut === 'between') continue;
    const x = xOf(scale, mark.t_ms);
    const isNear = x - ring < 6;
    if (isNear && x - dot < 4) continue;
    const cut = trace.cutOf(mark);
    const top = y + TALLEST / 2 + 6;
    if (cut === 'record' && !isNear && apart > 4) {
      rings.moveTo(x + 2, top);
      rings.arc(x, top, 2, 0, 7);
      ring = x;
      signs.add('ring');
    } else if (cut === 'character' || cut === 'cr') {
      dots.moveTo(x + 2.75, top);
      dots.arc(x, top, 2.75, 0, 7);
      dot = x;
      signs.add('dot');
    }
  }
  context.lineWidth = 1.2;
  context.strokeStyle = colours.quiet;
  context.stroke(rings);
  context.fillStyle = colours.warn;
  context.fill(dots);
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y @param {string} colour */
function paintFlag(context, x, y, colour) {
  context.fillStyle = colour;
  context.beginPath();
  context.moveTo(x - 4, y);
  context.lineTo(x + 4, y);
  context.lineTo(x, y + 6);
  context.fill();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @param {Lane[]} lanes
 * @param {Set<string>} signs
 */
export function paintEnds(context, { trace, scale, colours }, lanes, signs) {
  context.lineWidth = 2;
  for (const { lane, t_ms, isWhole, how } of trace.gones) {
    const [x, y] = [xOf(scale, t_ms), laneY(lanes.indexOf(lane))];
    if (isWhole || (how === 'end' && trace.stream?.outcome === 'ok')) continue;
    signs.add('cross');
    context.strokeStyle = colours.bad;
    context.beginPath();
    context.moveTo(x - 5, y - 5);
    context.lineTo(x + 5, y + 5);
    context.moveTo(x + 5, y - 5);
    context.lineTo(x - 5, y + 5);
    context.stroke();
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} height
 * @param {number} radius
 */
function round(context, x, y, width, height, radius) {
  context.beginPath();
  context.roundRect(x, y, width, height, radius);
  context.fill();
}
