// The streams that the list knows, newest first, and which of them are to be seen: a page of a few, whatever there are.
// Pure: elements are list.js's.

import { passes } from './streamrow.js';

/** @typedef {import('./streamrow.js').StreamRow} StreamRow */
/** @typedef {import('./streamrow.js').Filter} Filter */

/** How many are seen at once. */
export const PAGE = 40;

/** Rows by their numbers. */
export class StreamBook {
  constructor() {
    /** @type {Map<number, StreamRow>} */
    this._rows = new Map();
    /** @type {number[]} newest, the highest, first */
    this._numbers = [];
    this._isOld = false;
    /** @type {number | null} */
    this._from = null;
    /** @type {Filter} */
    this.filter = 'streams';
    /** The latest moment of the gateway's clock that a row has told, in ns. */
    this.latest_ns = 0;
  }

  get size() {
    return this._rows.size;
  }

  /** The rows are of an earlier following, and go with the first that comes now. */
  begin() {
    this._isOld = true;
  }

  /** Forget all. */
  clear() {
    this._isOld = false;
    this._rows.clear();
    this._numbers = [];
    this._from = null;
    this.latest_ns = 0;
  }

  /**
   * Take a row of `GET streams`.
   *
   * @param {any} row
   * @returns {boolean} whether there is a change
   */
  take(row) {
    if (this._isOld) {
      this.clear();
      this.take(row);
      return true;
    }
    if (row.kind === 'dropped') {
      if (!this._rows.delete(row.number)) return false;
      this._numbers.splice(this._place(row.number), 1);
      return true;
    }
    if (row.kind !== 'stream') return false;
    if (!this._rows.has(row.number)) this._numbers.splice(this._place(row.number), 0, row.number);
    this._rows.set(row.number, row);
    this.latest_ns = Math.max(this.latest_ns, row.last_ns, row.ended_ns ?? 0);
    return true;
  }

  /** @param {number} number */
  find(number) {
    return this._rows.get(number);
  }

  /**
   * @returns {{rows: StreamRow[], newer: number, older: number, live: number}} what is to be seen, how many there are
   *   before and behind it, and how many are live, seen or not
   */
  view() {
    /** @type {StreamRow[]} */
    const rows = [];
    let newer = 0;
    let older = 0;
    let live = 0;
    for (const number of this._numbers) {
      const row = /** @type {StreamRow} */ (this._rows.get(number));
      if (row.is_live) live += 1;
      if (!passes(row, this.filter)) continue;
      if (this._from !== null && number > this._from) newer += 1;
      else if (rows.length < PAGE) rows.push(row);
      else older += 1;
    }
    return { rows, newer, older, live };
  }

  /** See the page that is older than the one that is seen. */
  older() {
    const { rows, older } = this.view();
    if (older) this._from = rows[rows.length - 1].number - 1;
  }

  /** See the newest ones, and those that come. */
  newest() {
    this._from = null;
  }

  /**
   * @param {number} number
   * @returns {number} where it stands, or would
   */
  _place(number) {
    let low = 0;
    let high = this._numbers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this._numbers[middle] > number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
