// A stream's marks and figures in words. Pure.

import { bytesText, counted, timeText } from './scale.js';

/**
 * @typedef {import('./trace.js').Trace} Trace
 * @typedef {import('./trace.js').Mark} Mark
 * @typedef {import('./measure.js').Hold} Hold
 * @typedef {import('./measure.js').Holder} Holder
 */

/** A wait that is shorter is none to speak of: a frame of the screen, and what the page itself does. */
export const HELD_MS = 20;

/** The lanes' names. */
export const LANES = { upstream: 'Upstream read', gateway: 'Gateway write', browser: 'Browser read' };

/** What a mark of each lane is. */
export const MARKS = { upstream: 'read', gateway: 'write', browser: 'read' };

/** Where a mark ended. @type {{[cut: string]: string}} */
export const CUTS = {
  character: 'cut inside a character',
  cr: 'cut between CR and LF',
  record: 'cut inside a record',
  between: 'ends between records',
};

/** The hop that held something back. @param {Hold} hold @param {number} unsure_ms of the browser's clock */
function heldBy({ by, ms, bytes, mark, records = 0, segments = 0 }, unsure_ms) {
  const what = bytesText(bytes);
  const where = `${MARKS[mark.lane]} ${mark.n + 1}`;
  if (by === 'gateway') {
    // Not all dialects have pieces: Ollama's tool calls are whole.
    const made = mark.fresh && records > mark.fresh ? `, to make ${counted(mark.fresh, 'record')} of ${records}` : '';
    return `The gateway held ${what} back for ${timeText(ms)}${made} (${where}).`;
  }
  if (by === 'busy') {
    const pieces = `${what} in ${segments} TCP segments (${where}), as many as come in that time otherwise`;
    if (segments) return `The gateway read nothing for ${timeText(ms)}, then ${pieces}: it was busy, or they came at once.`;
    return `The gateway was busy: it read ${what} ${timeText(ms)} after its kernel had them (${where}).`;
  }
  if (by === 'reader') return `The gateway could not get rid of ${what} for ${timeText(ms)}: the other side did not read (${where}).`;
  if (by === 'absent') return `Nobody was there to read for ${timeText(ms)}: the gateway kept ${what} for the reader who came.`;
  return `${what} took ${wayText(ms, unsure_ms)} from the gateway to the browser (${where}).`;
}

/** When upstream was waited for. @param {Hold} hold */
function placeOf({ bytes, mark }) {
  return bytes ? `before read ${mark.n + 1}` : `behind read ${mark.n + 1}, until the connection was broken off`;
}

/**
 * Which hop held what back, in a sentence, and what more there is to say.
 *
 * @param {Trace} trace
 * @returns {{by: Holder | 'none' | 'nothing', text: string, more: string}}
 */
export function verdict(trace) {
  const figures = trace.figures();
  const { holds, upstream, gateway } = figures;
  if (!upstream.marks && !gateway.marks) {
    const text = trace.isOver ? 'No body came from upstream.' : 'Nothing was read from upstream yet.';
    return { by: 'nothing', text, more: '' };
  }
  if (!upstream.marks) return { by: 'nothing', text: 'Nothing was read from upstream: the gateway answered itself.', more: '' };
  const unsure_ms = trace.uncertainty_ms ?? 0;
  /** @param {Holder} by */
  const isLong = (by) => (holds[by]?.ms ?? 0) > HELD_MS + (by === 'browser' ? unsure_ms : 0);
  const long = /** @type {Holder[]} */ (['busy', 'gateway', 'reader', 'absent', 'browser']).filter(isLong);
  const found = long.map((by) => /** @type {Hold} */ (holds[by])).sort((a, b) => b.ms - a.ms);
  if (found.length) return { by: found[0].by, text: heldBy(found[0], unsure_ms), more: found.slice(1, 2).map((hold) => heldBy(hold, unsure_ms)).join('') };
  const parts = [];
  if (holds.gateway) parts.push(`written within ${timeText(holds.gateway.ms)}`);
  if (holds.browser) parts.push(`in the browser ${wayText(holds.browser.ms, unsure_ms)} later`);
  const how = parts.length ? `What was read was ${parts.join(' and ')}.` : '';
  const { model } = holds;
  const pause = model && model.ms > HELD_MS ? ` The longest wait was for upstream: ${timeText(model.ms)} ${placeOf(model)}.` : '';
  return { by: 'none', text: 'No hop held anything back.', more: `${how}${pause}` };
}

/**
 * Where the first token's time went.
 *
 * @param {Trace} trace
 * @returns {string} empty where there is none yet
 */
export function firstTokenText(trace) {
  const { upstream, gateway, browser } = trace.figures();
  const [read, write, seen] = [upstream.firstToken_ms, gateway.firstToken_ms, browser?.firstToken_ms ?? null];
  if (read === null || write === null) return '';
  const parts = [`${timeText(read)} until it was read from upstream`, `${timeText(write - read)} in the gateway`];
  if (seen === null) return `First token ${timeText(write)} after the request: ${parts.join(', ')}.`;
  parts.push(`${wayText(seen - write, trace.uncertainty_ms ?? 0)} to the browser`);
  return `First token in the browser ${timeText(seen)} after the request: ${parts.join(', ')}.`;
}

/**
 * A time between two clocks: less than it may be off by, it is known only to be no more than so much.
 *
 * @param {number} ms
 * @param {number} unsure_ms
 */
function wayText(ms, unsure_ms) {
  return ms < unsure_ms ? `at most ${timeText(ms + unsure_ms)}` : `${timeText(ms)} (± ${timeText(unsure_ms)})`;
}

/**
 * A mark in a sentence, for those who do not see it.
 *
 * @param {Mark} mark
 * @param {Trace} trace
 */
export function markText(mark, trace) {
  const cut = trace.cutOf(mark);
  return [
    `${LANES[mark.lane]} ${mark.n + 1} of ${trace.lanes[mark.lane].length}`,
    `${timeText(mark.t_ms)} after the request`,
    bytesText(mark.bytes),
    counted(mark.fresh, 'record'),
    ...(cut ? [CUTS[cut]] : []),
  ].join(', ');
}

/**
 * What else there is to say of a mark, in short facts: name and value.
 *
 * @param {Mark} mark
 * @param {Trace} trace
 * @returns {[string, string][]}
 */
export function factsOf(mark, trace) {
  /** @type {[string, string][]} */
  const facts = [];
  const before = trace.previous(mark);
  const unsure = mark.lane === 'browser' && trace.uncertainty_ms !== null ? ` ± ${timeText(trace.uncertainty_ms)}` : '';
  facts.push(['at', timeText(mark.t_ms) + unsure]);
  if (before) facts.push(['after the last', timeText(mark.t_ms - before.t_ms)]);
  facts.push(['bytes', `${mark.bytes.toLocaleString('en')} at ${mark.start.toLocaleString('en')}`]);
  facts.push(['records', `${mark.fresh} of ${mark.records}`]);
  if (mark.lane === 'gateway') {
    const [from, to] = trace.detail.readsOf[mark.n];
    if (to > from) facts.push([to - from > 1 ? 'of reads' : 'of read', to - from > 1 ? `${from + 1}–${to}` : `${to}`]);
    const last = trace.lanes.upstream[to - 1];
    if (last && to > from) facts.push([to - from > 1 ? 'since the first of them' : 'in the gateway', timeText(mark.t_ms - trace.lanes.upstream[from].t_ms)]);
    if (mark.done_ms !== null) facts.push(['until the kernel took it', timeText(mark.done_ms - mark.t_ms)]);
  }
  if (mark.kernel_ms !== null) facts.push(['in the kernel before', timeText(mark.t_ms - mark.kernel_ms)]);
  if (mark.segments !== null && mark.segments > 1) facts.push(['TCP segments', `${mark.segments}`]);
  if (mark.lane === 'browser') {
    const writes = partners(trace.links().writeToBrowser, mark.n, 1);
    if (writes.length) {
      const first = trace.lanes.gateway[writes[0]];
      facts.push([writes.length > 1 ? 'of writes' : 'of write', writes.length > 1 ? `${writes[0] + 1}–${writes[writes.length - 1] + 1}` : `${writes[0] + 1}`]);
      facts.push(['on the way', timeText(mark.t_ms - (first.done_ms ?? first.t_ms)) + unsure]);
    }
  }
  if (mark.connection && mark.lane !== 'gateway') facts.push(['connection', `${mark.connection + 1}`]);
  return facts;
}

/**
 * The other ends of a mark's lines.
 *
 * @param {number[]} pairs flat
 * @param {number} n of the mark
 * @param {0 | 1} side where it is in the pair
 * @returns {number[]}
 */
export function partners(pairs, n, side) {
  const found = [];
  for (let at = side; at < pairs.length; at += 2) if (pairs[at] === n) found.push(pairs[side ? at - 1 : at + 1]);
  return found;
}
