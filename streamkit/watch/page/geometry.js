// Where things are in the lanes, in CSS pixels. Pure.

import { nearest } from './measure.js';
import { firstFrom, timeAt, xOf } from './scale.js';

/**
 * @typedef {import('./trace.js').Trace} Trace
 * @typedef {import('./trace.js').Mark} Mark
 * @typedef {import('./trace.js').Lane} Lane
 * @typedef {import('./scale.js').Scale} Scale
 */

export const LANE_HEIGHT = 72;
export const AXIS_HEIGHT = 26;
export const TOP = 8;
/** Wide enough for the names beside the lanes; below that they are above them. */
export const WIDE = 640;
export const GUTTER = 136;
export const TALLEST = 32;
const LEAST = 6;

/** The lanes that a stream has. @param {Trace} trace @returns {Lane[]} */
export function lanesOf(trace) {
  return trace.by === null ? ['upstream', 'gateway'] : ['upstream', 'gateway', 'browser'];
}

/** Where time is drawn, in CSS pixels. @param {number} width */
export function bounds(width) {
  const left = width >= WIDE ? GUTTER : 10;
  return { left, width: Math.max(40, width - left - 14) };
}

/** The middle of a lane. @param {number} n */
export function laneY(n) {
  return n * LANE_HEIGHT + LANE_HEIGHT / 2 + TOP;
}

/** How tall a mark is: four pixels more for twice the bytes. @param {number} bytes */
export function barHeight(bytes) {
  return Math.min(TALLEST, LEAST + 4 * Math.log2(1 + bytes / 16));
}

/** @param {Mark[]} lane @param {Scale} scale @param {number} margin in pixels */
export function visible(lane, scale, margin) {
  const more_ms = (margin / scale.width) * (scale.to_ms - scale.from_ms);
  const from = firstFrom(lane, scale.from_ms - more_ms, (mark) => mark.t_ms);
  const to = firstFrom(lane, scale.to_ms + more_ms, (mark) => mark.t_ms);
  return lane.slice(from, to);
}

/**
 * The mark at a place of the canvas.
 *
 * @param {{trace: Trace, scale: Scale}} scene
 * @param {number} x
 * @param {number} y
 * @param {number} reach how far away in pixels it may be
 * @returns {Mark | null}
 */
export function markAt({ trace, scale }, x, y, reach) {
  const lanes = lanesOf(trace);
  const n = Math.min(lanes.length - 1, Math.max(0, Math.floor((y - TOP) / LANE_HEIGHT)));
  const mark = nearest(trace.lanes[lanes[n]], timeAt(scale, x));
  return mark && Math.abs(xOf(scale, mark.t_ms) - x) <= reach ? mark : null;
}
