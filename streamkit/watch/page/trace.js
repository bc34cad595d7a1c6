// Everything that is known of one stream: the marks of its three lanes, on one line of time. Pure: knows no page.
//
// A mark is a read or a write that brought some of the body. Times are ms since the request arrived at the gateway, by
// the gateway's clock; the browser's are matched (clock.js), and wait here until they can be. What belongs together is
// in links.js, what can be counted in measure.js.

import { excerpt, shown } from './bytes.js';
import { cutOf } from './cuts.js';
import { Links } from './links.js';
import { measure } from './measure.js';
import { FirstToken } from './tokens.js';

/**
 * @typedef {'upstream' | 'gateway' | 'browser'} Lane
 * @typedef {'character' | 'cr' | 'record' | 'between' | null} Cut
 *
 * `at_ms` is by the clock of who saw it, in ms; of the browser's, before it is matched, `t_ms` is not a number.
 * `done_ms`: when the kernel had taken the last of a write, where that was later. `kernel_ms`: when the kernel had
 * received a read. `records` counts those of its connection that are complete, `fresh` those that are with this mark.
 *
 * @typedef {{
 *   lane: Lane, n: number, connection: number, at_ms: number, t_ms: number, done_ms: number | null,
 *   kernel_ms: number | null, segments: number | null, start: number, bytes: number, records: number, fresh: number,
 *   cut: Cut, through: number, head: string | Uint8Array, tail: string | Uint8Array, ends: Uint8Array | null,
 * }} Mark
 *
 * @typedef {{lane: Lane, connection: number, t_ms: number, status: number, mediaType: string}} Head
 * @typedef {{lane: Lane, connection: number, t_ms: number, how: string, isWhole: boolean}} Gone
 */

const ENDS = 4;

/** How many reads of the browser are kept; more are counted. And how much of their bytes, for looking at. */
const MOST_READS = 100000;
const MOST_BYTES = 8 << 20;

/** One stream. */
export class Trace {
  /** @param {{by: 'bytes' | 'records' | null}} how the browser counts what it reads; null: the stream is not this page's */
  constructor({ by }) {
    this.by = by;
    /** Goes up with each change. */
    this.version = 0;
    /** Called with each change; one who draws sets it. */
    this.onChange = () => {};
    /** @type {{upstream: Mark[], gateway: Mark[], browser: Mark[]}} */
    this._lanes = { upstream: [], gateway: [], browser: [] };
    /** @type {Head[]} */
    this.heads = [];
    /** @type {Gone[]} */
    this.gones = [];
    /** The gateway's own line of it (`rows.py`, StreamRow). @type {any} */
    this.stream = null;
    this.isOver = false;
    /** Whether the gateway tells no more of it, though it is not over. */
    this.isCutOff = false;
    /** Reads of the browser that were not kept. */
    this.lostReads = 0;
    this._keptBytes = 0;
    /** How far the browser's marks may be off to each side; null as long as nothing is known. @type {number | null} */
    this.uncertainty_ms = null;
    this.tokens = { upstream: new FirstToken(), gateway: new FirstToken(), browser: new FirstToken() };
    this._links = new Links(by);
    /** @type {number | null} */
    this._arrived_ms = null;
    /** @type {number | null} */
    this._offset_ms = null;
    /** @type {{version: number, figures: import('./measure.js').Figures} | null} */
    this._measured = null;
  }

  /** The marks, each lane in its order. The browser's are there once the clocks are matched. */
  get lanes() {
    const isPlaced = this._offset_ms !== null && this._arrived_ms !== null;
    return isPlaced ? this._lanes : { ...this._lanes, browser: /** @type {Mark[]} */ ([]) };
  }

  /** Which marks are the same bytes: pairs of `n`, flat. */
  links() {
    const hasBrowser = this.lanes.browser.length > 0;
    const { readToWrite, writeToBrowser } = this._links;
    return { readToWrite, writeToBrowser: hasBrowser ? writeToBrowser : [] };
  }

  /** How the marks lie to each other; for measure.js. */
  get detail() {
    return this._links;
  }

  /** @returns {import('./measure.js').Figures} */
  figures() {
    if (this._measured?.version !== this.version) this._measured = { version: this.version, figures: measure(this) };
    return this._measured.figures;
  }

  /** Whether records are made into others on the way: what is read is not what is written. */
  get isTranslated() {
    const { dialect = '', upstream_dialect: upstream = '' } = this.stream ?? {};
    return upstream !== '' && upstream !== dialect;
  }

  /** When anything was seen last, in ms since the request arrived. */
  get end_ms() {
    const times = Object.values(this.lanes).map((lane) => lane[lane.length - 1]);
    return Math.max(0, ...times.map((mark) => mark?.done_ms ?? mark?.t_ms ?? 0), ...this.gones.map((each) => each.t_ms));
  }

  /** What time it is on this line; null where the clocks are not matched. @param {number} browser_ms */
  time(browser_ms) {
    return this._offset_ms === null || this._arrived_ms === null ? null : browser_ms + this._offset_ms - this._arrived_ms;
  }

  /** Take a row of `streams/N`; what is known already is not taken twice. @param {any} row */
  row(row) {
    if (row.kind === 'stream') this._told(row);
    else if (row.kind === 'end') {
      this._told(row.stream);
      this.isOver = true;
    } else if (row.kind === 'mark') this._marked(row);
    else if (row.kind === 'head') this._headed(row);
    else if (row.kind === 'gone') this._ended(row);
    else return;
    this.isCutOff = false;
    this._changed();
  }

  /** Take its line in the list, which may know more by now. @param {any} stream */
  told(stream) {
    if (this.isOver) return;
    this._told(stream);
    this._changed();
  }

  /** What the gateway has told ends here: it has stopped, or cannot be reached. */
  cutOff() {
    if (this.isOver || this.isCutOff) return;
    this.isCutOff = true;
    this._changed();
  }

  /** The last that the gateway has told of, in ms since the request arrived. */
  get told_ms() {
    const marks = [this._lanes.upstream.at(-1), this._lanes.gateway.at(-1)];
    return Math.max(0, ...marks.map((mark) => mark?.t_ms ?? 0));
  }

  /**
   * Take what the browser has read at once.
   *
   * @param {{at_ms: number, bytes: number, records: number, connection: number, data: Uint8Array}} read `at_ms` by
   *   `performance.now()`; `bytes` it has brought; `records` that are complete so far on the connection
   */
  browser({ at_ms, bytes, records, connection, data }) {
    const lane = this._lanes.browser;
    if (lane.length >= MOST_READS) {
      this.lostReads++;
      return;
    }
    const before = lastOf(lane, connection);
    const isAll = data.length >= bytes;
    const ends = isAll ? Uint8Array.from([...(before?.ends ?? []), ...data.slice(-ENDS)]).slice(-ENDS) : null;
    /** @type {Mark} */
    const mark = {
      lane: 'browser', n: lane.length, connection, at_ms, t_ms: NaN, done_ms: null, kernel_ms: null, segments: null,
      start: before ? before.start + before.bytes : 0, bytes, records, fresh: records - (before?.records ?? 0),
      cut: this.by === 'records' ? 'between' : null, through: 0,
      ...excerpt(this._keptBytes < MOST_BYTES ? data : data.slice(0, 0)), ends,
    }; // prettier-ignore
    this._keptBytes += mark.head.length + mark.tail.length;
    this._place(mark);
    lane.push(mark);
    this._links.read(mark);
    this._look(mark);
    this._changed();
  }

  /** Place the browser's marks. @param {{offset_ms: number | null, uncertainty_ms: number}} clock server = browser + offset */
  setClock({ offset_ms, uncertainty_ms }) {
    if (offset_ms === null || !Number.isFinite(offset_ms)) return;
    // Long after a stream the clocks have drifted: what was known then is better, unless this is more exact.
    if (this.isOver && this.uncertainty_ms !== null && uncertainty_ms >= this.uncertainty_ms) return;
    this._offset_ms = offset_ms;
    this.uncertainty_ms = uncertainty_ms;
    this._replace();
    this._changed();
  }

  /** Where a mark ended. @param {Mark} mark @returns {Cut} */
  cutOf(mark) {
    return cutOf(mark, this);
  }

  /** The mark before it on the same connection. @param {Mark} mark */
  previous(mark) {
    return lastOf(this._lanes[mark.lane], mark.connection, mark.n);
  }

  /** The mark behind it on the same connection. @param {Mark} mark */
  next(mark) {
    const lane = this._lanes[mark.lane];
    for (let n = mark.n + 1; n < lane.length; n++) if (lane[n].connection === mark.connection) return lane[n];
    return null;
  }

  _changed() {
    this.version++;
    this.onChange();
  }

  /** @param {any} stream */
  _told(stream) {
    this.stream = stream;
    if (this._arrived_ms === null) {
      this._arrived_ms = stream.arrived_ns / 1e6;
      this._replace();
    }
  }

  /** @param {any} row */
  _headed(row) {
    const { lane, connection, status } = row;
    const t_ms = this._since(row.at_ns);
    if (this.heads.some((each) => each.lane === lane && each.connection === connection && each.t_ms === t_ms)) return;
    this.heads.push({ lane, connection, t_ms, status, mediaType: row.media_type });
    if (lane === 'gateway') this._links.answered(connection, status);
  }

  /** @param {any} row */
  _ended(row) {
    const { lane, connection, how } = row;
    if (this.gones.some((each) => each.lane === lane && each.connection === connection)) return;
    this.gones.push({ lane, connection, t_ms: this._since(row.at_ns), how, isWhole: row.is_whole });
    if (lane === 'gateway') this._links.gone(connection);
  }

  /** @param {any} row */
  _marked(row) {
    const lane = this._lanes[/** @type {Lane} */ (row.lane)];
    if (row.n !== lane.length) return;
    const before = lastOf(lane, row.connection);
    /** @type {Mark} */
    const mark = {
      lane: row.lane, n: row.n, connection: row.connection, at_ms: row.at_ns / 1e6, t_ms: this._since(row.at_ns),
      done_ms: row.done_ns === null ? null : this._since(row.done_ns),
      kernel_ms: row.kernel_ns === null ? null : this._since(row.kernel_ns),
      segments: row.segments, start: row.start, bytes: row.bytes, records: row.records,
      fresh: row.records - (before?.records ?? 0), cut: row.cut, through: row.through, head: row.head, tail: row.tail,
      ends: null,
    }; // prettier-ignore
    lane.push(mark);
    if (mark.lane === 'gateway') this._links.wrote(mark, () => shown(mark).head, this._lanes.upstream);
    this._look(mark);
  }

  /** @param {Mark} mark */
  _look(mark) {
    const token = this.tokens[mark.lane];
    if (token.t_ms !== null) return;
    const isPlain = this.mediaOf(mark) === 'text/plain';
    token.feed(shown(mark).head, { ...mark, t_ms: mark.lane === 'browser' ? mark.at_ms : mark.t_ms }, isPlain);
  }

  /** When the first token was there, in ms since the request arrived. @param {Lane} lane */
  firstToken(lane) {
    const t_ms = this.tokens[lane].t_ms;
    return t_ms === null || lane !== 'browser' ? t_ms : this.time(t_ms);
  }

  /** @param {Mark} mark */
  _place(mark) {
    mark.t_ms = this.time(mark.at_ms) ?? NaN;
  }

  _replace() {
    for (const mark of this._lanes.browser) this._place(mark);
  }

  /** @param {number} at_ns */
  _since(at_ns) {
    return at_ns / 1e6 - (this._arrived_ms ?? 0);
  }

  /** The media type of the body that a mark is of. @param {Mark} mark */
  mediaOf(mark) {
    const lane = mark.lane === 'upstream' ? 'upstream' : 'gateway';
    const heads = this.heads.filter((each) => each.lane === lane);
    return (heads.findLast((each) => mark.lane === 'browser' || each.connection === mark.connection) ?? { mediaType: '' }).mediaType;
  }
}

/**
 * The last mark of a connection, before the `n`th.
 *
 * @param {Mark[]} lane
 * @param {number} connection
 * @param {number} [before]
 */
function lastOf(lane, connection, before = lane.length) {
  for (let n = before - 1; n >= 0; n--) if (lane[n].connection === connection) return lane[n];
  return null;
}
