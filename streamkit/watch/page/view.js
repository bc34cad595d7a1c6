// Which part of time is seen, after zooming and moving. Pure.

/** @typedef {{from_ms: number, to_ms: number}} View */

/** The least that is seen: finer is no clock here. */
const LEAST_MS = 0.05;

/**
 * @param {View} view
 * @param {View} all
 * @param {number} factor of the time that is seen
 * @param {number} around_ms what stays where it is
 * @returns {View | null} null: all of it
 */
export function zoomed(view, all, factor, around_ms) {
  const span = view.to_ms - view.from_ms;
  const next = Math.max(span * factor, LEAST_MS);
  if (next >= all.to_ms - all.from_ms) return null;
  const from_ms = around_ms - ((around_ms - view.from_ms) / span) * next;
  return moved({ from_ms, to_ms: from_ms + next }, all, 0);
}

/**
 * @param {View} view
 * @param {View} all
 * @param {number} by_ms
 * @returns {View} no further than what there is
 */
export function moved(view, all, by_ms) {
  const span = view.to_ms - view.from_ms;
  const from_ms = Math.max(all.from_ms, Math.min(all.to_ms - span, view.from_ms + by_ms));
  return { from_ms, to_ms: from_ms + span };
}
