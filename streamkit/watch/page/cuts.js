// Where a mark ended, with what only the marks around it tell. Pure.

import { cutAt, endsBlank, shown } from './bytes.js';

/**
 * @typedef {import('./trace.js').Trace} Trace
 * @typedef {import('./trace.js').Mark} Mark
 * @typedef {import('./trace.js').Cut} Cut
 */

/**
 * Where a mark ended: behind a CR, the next mark tells what that is.
 *
 * @param {Mark} mark
 * @param {Trace} trace
 * @returns {Cut}
 */
export function cutOf(mark, trace) {
  const framing = framingOf(mark, trace);
  const cut = mark.cut ?? (mark.ends ? cutAt(mark.ends, framing) : cutOfWrite(mark, trace));
  if (cut !== 'cr') return cut;
  const next = trace.next(mark);
  if (next && shown(next).head[0] === 10) return 'cr';
  return behind(mark, framing);
}

/** @param {Mark} mark @param {Trace} trace */
function framingOf(mark, trace) {
  const media = trace.mediaOf(mark);
  return media === 'text/event-stream' ? 'sse' : media.endsWith('ndjson') ? 'ndjson' : '';
}

/** What a CR is without an LF: the end of a line, which in SSE may be an empty one. @param {Mark} mark @param {string} framing @returns {Cut} */
function behind(mark, framing) {
  const { head, tail } = shown(mark);
  return framing === 'sse' && endsBlank(tail.length ? tail : head) ? 'between' : 'record';
}

/** Of a browser's read that was not kept whole: where the gateway's write ended that ends there too. @param {Mark} mark @param {Trace} trace */
function cutOfWrite(mark, trace) {
  const end = mark.start + mark.bytes;
  const write = trace.lanes.gateway.find((each) => trace.by === 'bytes' && each.start + each.bytes === end);
  return write?.cut ?? null;
}
