// Who held what back, and for how long: the longest time of each kind. Pure.

import { shown } from './bytes.js';
import { quantile } from './scale.js';
import { FirstToken } from './tokens.js';

/**
 * @typedef {import('./trace.js').Trace} Trace
 * @typedef {import('./trace.js').Mark} Mark
 * @typedef {import('./measure.js').Hold} Hold
 * @typedef {import('./measure.js').Holder} Holder
 */

/** A read of so many segments, smaller than one that TCP cuts off a longer write, was written in pieces. */
const SEVERAL = 3;
const FULL_BYTES = 1000;

/**
 * How long each hop has had what a write brought. Only what was complete counts as held: a record whose end has not
 * come yet waits for upstream, and so does one that becomes nothing in the client's dialect.
 *
 * @param {Trace} trace
 */
export function holdsOf(trace) {
  const { upstream, gateway, browser } = trace.lanes;
  /** @type {Partial<Record<Holder, Hold>>} */
  const holds = {};
  /** @param {Hold} hold */
  const take = (hold) => {
    if (hold.ms > (holds[hold.by]?.ms ?? -Infinity)) holds[hold.by] = hold;
  };
  /** @type {Map<number, number>} how far the reads went that somebody who came later was given at first */
  const late = new Map();
  for (const mark of gateway) {
    const [from, to] = trace.detail.readsOf[mark.n];
    if (!late.has(mark.connection)) late.set(mark.connection, to);
    const first = readyIn(trace, mark, from, to);
    if (first !== null) {
      const by = trace.stream?.is_resumable && late.get(mark.connection) === to ? 'absent' : 'gateway';
      const { bytes, records } = sumOf(upstream, first, to);
      take({ by, ms: mark.t_ms - upstream[first].t_ms, bytes, mark, records });
    }
    if (mark.done_ms !== null) take({ by: 'reader', ms: mark.done_ms - mark.t_ms, bytes: mark.bytes, mark });
  }
  const { writeToBrowser } = trace.links();
  /** @type {Map<number, number>} the last read of each write */
  const lastReads = new Map();
  for (let at = 0; at < writeToBrowser.length; at += 2) lastReads.set(writeToBrowser[at], writeToBrowser[at + 1]);
  for (const [write, read] of lastReads) {
    const mark = gateway[write];
    if (trace.by === 'records' && !mark.fresh) continue;
    take({ by: 'browser', ms: browser[read].t_ms - (mark.done_ms ?? mark.t_ms), bytes: mark.bytes, mark: browser[read] });
  }
  for (const hold of waitsOf(upstream)) take(hold);
  const last = upstream[upstream.length - 1];
  const cut = last && trace.gones.findLast(({ lane, connection }) => lane === 'upstream' && connection === last.connection);
  if (cut && !cut.isWhole) take({ by: 'model', ms: cut.t_ms - last.t_ms, bytes: 0, mark: last });
  return holds;
}

/**
 * What was waited for before each read. The kernel says when it had the last segment of it, and of how many it is: many
 * small ones behind a pause, as many as else come in that time, may have lain there while the gateway was busy.
 *
 * @param {Mark[]} upstream
 * @returns {Hold[]}
 */
function waitsOf(upstream) {
  const gaps = upstream.slice(1).map((mark, n) => mark.t_ms - upstream[n].t_ms);
  const pace_ms = quantile(gaps.sort((a, b) => a - b), 500) ?? Infinity;
  /** @type {Hold[]} */
  const waits = [];
  let before_ms = 0;
  for (const mark of upstream) {
    const { t_ms, bytes } = mark;
    const segments = mark.segments ?? 1;
    const ms = t_ms - before_ms;
    const had_ms = Math.max(before_ms, Math.min(mark.kernel_ms ?? t_ms, t_ms));
    if (mark.n && segments >= SEVERAL && bytes / segments < FULL_BYTES && segments * pace_ms > ms / 2) {
      waits.push({ by: 'busy', ms, bytes, mark, segments });
    } else {
      waits.push({ by: 'busy', ms: t_ms - had_ms, bytes, mark }, { by: 'model', ms: had_ms - before_ms, bytes, mark });
    }
    before_ms = t_ms;
  }
  return waits;
}

/** @param {Mark[]} lane @param {number} from @param {number} to */
function sumOf(lane, from, to) {
  let [bytes, records] = [0, 0];
  for (const mark of lane.slice(from, to)) {
    bytes += mark.bytes;
    records += mark.fresh;
  }
  return { bytes, records };
}

/** What was found of writes that were made of several complete reads. @type {WeakMap<Mark, number>} */
const READY = new WeakMap();

/**
 * The first of a write's reads that completed a record; where none did, the last: nothing could be written before it.
 * Where the gateway translates, a record may become nothing (a role, a ping), and the model's time until its next one
 * is not the gateway's: what counts there is the first that completed a token, and where none did, the last record.
 *
 * @param {Trace} trace
 * @param {Mark} write
 * @param {number} from
 * @param {number} to
 * @returns {number | null}
 */
function readyIn(trace, write, from, to) {
  const { upstream } = trace.lanes;
  let [first, last] = [-1, -1];
  for (let n = from; n < to; n++) {
    if (!upstream[n]?.fresh) continue;
    if (first < 0) first = n;
    last = n;
  }
  if (first < 0) return to > from && upstream[to - 1] ? to - 1 : null;
  if (first === last || !trace.isTranslated) return first;
  let ready = READY.get(write);
  if (ready === undefined) READY.set(write, (ready = firstTokenIn(upstream.slice(from, last)) ?? last));
  return ready;
}

/** Which of these reads completed the first token in them. @param {Mark[]} reads @returns {number | null} */
function firstTokenIn(reads) {
  const token = new FirstToken();
  for (const read of reads) {
    const { head, tail } = shown(read);
    token.feed(head, read, false);
    if (tail.length) token.feed(tail, { ...read, fresh: tail.includes(10) ? 1 : 0 }, false);
    if (token.t_ms !== null) return read.n;
  }
  return null;
}
