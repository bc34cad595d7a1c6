// Time on a line, and figures for people. Pure.

/**
 * A part of time on a width of the screen.
 *
 * @typedef {{from_ms: number, to_ms: number, left: number, width: number}} Scale
 */

/**
 * Where a time is, in CSS pixels.
 *
 * @param {Scale} scale
 * @param {number} t_ms
 */
export function xOf(scale, t_ms) {
  return scale.left + ((t_ms - scale.from_ms) / (scale.to_ms - scale.from_ms)) * scale.width;
}

/**
 * What time is there.
 *
 * @param {Scale} scale
 * @param {number} x
 */
export function timeAt(scale, x) {
  return scale.from_ms + ((x - scale.left) / scale.width) * (scale.to_ms - scale.from_ms);
}

/**
 * Round times to write below the line.
 *
 * @param {Scale} scale
 * @param {number} [apart] how many pixels they need at least
 * @returns {{t_ms: number, text: string}[]}
 */
export function ticks(scale, apart = 84) {
  const span = scale.to_ms - scale.from_ms;
  const least = (span * apart) / Math.max(scale.width, 1);
  const power = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= least * 0.999) ?? 10 * power;
  const found = [];
  for (let n = Math.ceil(scale.from_ms / step); n * step <= scale.to_ms; n++) {
    found.push({ t_ms: n * step, text: tickText(n * step, step) });
  }
  return found;
}

/**
 * @param {number} t_ms
 * @param {number} step
 */
function tickText(t_ms, step) {
  if (t_ms === 0) return '0';
  const inSeconds = step >= 100 && Math.abs(t_ms) >= 1000;
  const [value, unit] = inSeconds ? [t_ms / 1000, 's'] : [t_ms, 'ms'];
  const finest = inSeconds ? step / 1000 : step;
  const digits = Math.max(0, Math.min(6, -Math.floor(Math.log10(finest) + 1e-9)));
  return `${value.toFixed(digits)} ${unit}`;
}

/**
 * A time for people, with three digits that count and no more than a microsecond's.
 *
 * @param {number | null | undefined} ms
 * @returns {string} '–' where there is none
 */
export function timeText(ms) {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return '–';
  const size = Math.abs(ms);
  if (size >= 100000) return `${Math.round(ms / 1000)} s`;
  if (size >= 9999.5) return `${(ms / 1000).toFixed(1)} s`;
  if (size >= 999.5) return `${(ms / 1000).toFixed(2)} s`;
  return `${ms.toFixed(size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2)} ms`;
}

/**
 * A number of bytes for people.
 *
 * @param {number | null | undefined} bytes
 */
export function bytesText(bytes) {
  if (bytes === null || bytes === undefined) return '–';
  if (bytes < 1000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB'];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toFixed(value >= 99.5 ? 0 : 1)} ${units[unit]}`;
}

/**
 * A number and its word.
 *
 * @param {number} n
 * @param {string} one
 * @param {string} [more]
 */
export function counted(n, one, more = `${one}s`) {
  return `${n.toLocaleString('en')} ${n === 1 ? one : more}`;
}

/**
 * The smallest value that so many in a thousand do not exceed (the nearest rank, as `streamkit readlog` has it).
 *
 * @param {number[]} ordered ascending
 * @param {number} permille
 * @returns {number | null} null where there are none
 */
export function quantile(ordered, permille) {
  if (!ordered.length) return null;
  return ordered[Math.max(Math.ceil((permille * ordered.length) / 1000), 1) - 1];
}

/**
 * The first index whose item is not before `value`.
 *
 * @template T
 * @param {T[]} items ascending by `of`
 * @param {number} value
 * @param {(item: T) => number} of
 */
export function firstFrom(items, value, of) {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (of(items[middle]) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
