// What can be counted of a stream, hop by hop: how soon, how evenly, in what pieces, and who held something back. Pure.

import { holdsOf } from './holds.js';
import { firstFrom, quantile } from './scale.js';

/**
 * @typedef {import('./trace.js').Trace} Trace
 * @typedef {import('./trace.js').Mark} Mark
 * @typedef {import('./trace.js').Lane} Lane
 *
 * One lane. `perMark`: records that are complete with one mark, on average.
 * @typedef {{
 *   marks: number, bytes: number, records: number, perMark: number | null, firstByte_ms: number | null,
 *   firstToken_ms: number | null, gap50_ms: number | null, gap95_ms: number | null, gapMost_ms: number | null,
 * }} Hop
 *
 * Bytes of the body that one hop has and the next has not: now, the most there were, and when. Of a finished stream
 * nothing is held now, and of one that the gateway tells nothing of any more that is not known.
 * @typedef {{now: number | null, most: number, most_ms: number | null}} Held
 *
 * The longest wait of its kind. `model`: before a read, or behind the last of a body that was not whole (then with no
 * bytes), and nothing else was waited for; `gateway`: from the read
 * with which there was something to write to its write; `reader`: until the kernel had taken the write, because the other side did not
 * read; `absent`: nobody was there to be written to; `browser`: from there to the browser's read; `busy`: in the
 * gateway's kernel, and not read.
 * @typedef {'model' | 'busy' | 'gateway' | 'reader' | 'absent' | 'browser'} Holder
 *
 * `records`: how many were complete with what the gateway held. `segments`: of a read that may have lain there: of how
 * many it was made.
 *
 * @typedef {{by: Holder, ms: number, bytes: number, mark: Mark, records?: number, segments?: number}} Hold
 *
 * @typedef {{
 *   upstream: Hop, gateway: Hop, browser: Hop | null,
 *   heldByGateway: Held, heldBehind: Held | null, holds: Partial<Record<Holder, Hold>>,
 * }} Figures
 */

/**
 * @param {Trace} trace
 * @returns {Figures}
 */
export function measure(trace) {
  const { upstream, gateway, browser } = trace.lanes;
  const hasBrowser = trace.by !== null && browser.length > 0;
  return {
    upstream: hopOf(trace, upstream, 'upstream'),
    gateway: hopOf(trace, gateway, 'gateway'),
    browser: hasBrowser ? hopOf(trace, browser, 'browser') : null,
    heldByGateway: heldByGateway(trace),
    heldBehind: hasBrowser ? heldBehind(trace) : null,
    holds: holdsOf(trace),
  };
}

/**
 * @param {Trace} trace
 * @param {Mark[]} marks
 * @param {Lane} lane
 * @returns {Hop}
 */
function hopOf(trace, marks, lane) {
  const gaps = [];
  let bytes = 0;
  let records = 0;
  for (let n = 0; n < marks.length; n++) {
    bytes += marks[n].bytes;
    records += marks[n].fresh;
    if (n) gaps.push(Math.max(0, marks[n].t_ms - marks[n - 1].t_ms));
  }
  gaps.sort((a, b) => a - b);
  return {
    marks: marks.length,
    bytes,
    records,
    perMark: marks.length ? records / marks.length : null,
    firstByte_ms: marks[0]?.t_ms ?? null,
    firstToken_ms: trace.firstToken(lane),
    gap50_ms: quantile(gaps, 500),
    gap95_ms: quantile(gaps, 950),
    gapMost_ms: quantile(gaps, 1000),
  };
}

/** Read from upstream, and of no write that the kernel has taken. @param {Trace} trace @returns {Held} */
function heldByGateway(trace) {
  const { upstream, gateway } = trace.lanes;
  const released = gateway.map((mark) => ({ t_ms: mark.done_ms ?? mark.t_ms, through: mark.through }));
  released.sort((a, b) => a.t_ms - b.t_ms);
  const held = new Holding();
  let through = 0;
  let next = 0;
  /** @param {number} until_ms */
  const release = (until_ms) => {
    for (; next < released.length && released[next].t_ms <= until_ms; next++) {
      for (; through < released[next].through; through++) held.less(upstream[through]?.bytes ?? 0);
    }
  };
  for (const mark of upstream) {
    release(mark.t_ms);
    held.more(mark.bytes, mark.t_ms);
  }
  release(Infinity);
  return held.result(trace);
}

/** Written by the gateway, and not read by the browser. @param {Trace} trace @returns {Held} */
function heldBehind(trace) {
  const links = trace.detail;
  const held = new Holding();
  /** @type {{t_ms: number, bytes: number}[]} */
  const changes = [];
  for (const { writes, reads } of links.ways) {
    let write = 0;
    for (const mark of writes) changes.push({ t_ms: mark.t_ms, bytes: mark.bytes });
    let taken = 0;
    for (const read of reads) {
      const reached = links.span(read)[1];
      if (links.by === 'bytes') {
        changes.push({ t_ms: read.t_ms, bytes: -read.bytes });
      } else {
        taken = 0;
        for (; write < writes.length && links.span(writes[write])[1] <= reached; write++) taken += writes[write].bytes;
        changes.push({ t_ms: read.t_ms, bytes: -taken });
      }
    }
  }
  changes.sort((a, b) => a.t_ms - b.t_ms);
  for (const change of changes) {
    if (change.bytes < 0) held.less(-change.bytes);
    else held.more(change.bytes, change.t_ms);
  }
  return held.result(trace);
}

/** A sum that goes up and down, and its highest. */
class Holding {
  constructor() {
    this.now = 0;
    this.most = 0;
    /** @type {number | null} */
    this.most_ms = null;
  }

  /** @param {number} bytes @param {number} t_ms */
  more(bytes, t_ms) {
    this.now += bytes;
    if (this.now > this.most) [this.most, this.most_ms] = [this.now, t_ms];
  }

  /** @param {number} bytes */
  less(bytes) {
    this.now -= bytes;
  }

  /** @param {Trace} trace @returns {Held} */
  result(trace) {
    return { now: trace.isOver || trace.isCutOff ? null : Math.max(0, this.now), most: this.most, most_ms: this.most_ms };
  }
}

/** The mark of a lane that is nearest in time. @param {Mark[]} lane @param {number} t_ms @returns {Mark | null} */
export function nearest(lane, t_ms) {
  const at = firstFrom(lane, t_ms, (mark) => mark.t_ms);
  const [before, behind] = [lane[at - 1], lane[at]];
  if (!before || !behind) return before ?? behind ?? null;
  return t_ms - before.t_ms <= behind.t_ms - t_ms ? before : behind;
}
