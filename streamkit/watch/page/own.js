// The streams that this page has asked for: what its own browser saw of them is known to nobody else.
//
// Each has a tag, by which the gateway's list of streams tells its number. A bounded number of them is kept, so that
// they can be shown again with all three lanes.

import { Trace } from './trace.js';

/** @typedef {import('./feeds.js').Feed} Feed */

const MOST = 20;

/** @type {Record<Feed, 'bytes' | 'records'>} How the browser counts what it reads. */
const BY = { sse: 'bytes', ndjson: 'bytes', eventsource: 'records', websocket: 'records' };

/** One of them. */
export class Own {
  /** @param {Feed} feed */
  constructor(feed) {
    const bytes = crypto.getRandomValues(new Uint8Array(8));
    this.tag = `page-${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
    this.feed = feed;
    this.trace = new Trace({ by: BY[feed] });
    /** The gateway's number of it, 0 as long as it is not known. */
    this.number = 0;
    /** The gateway's line of it. @type {any} */
    this.row = null;
    /** How it has ended for this page. @type {import('./streamrow.js').Verdict | ''} */
    this.verdict = '';
    /** @type {(() => void)[]} */
    this._waiting = [];
  }

  /** Take the gateway's line of it. @param {any} row @returns {boolean} whether it is the first one */
  told(row) {
    const isFirst = this.row === null;
    this.row = row;
    this.number = row.number;
    if (!row.is_live) this._waiting.splice(0).forEach((go) => go());
    return isFirst;
  }

  /**
   * Wait until the gateway has said that it is over.
   *
   * @param {number} patience_ms it may never say so
   * @returns {Promise<any>} its line, or null
   */
  async over(patience_ms) {
    if (this.row === null || this.row.is_live) {
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, patience_ms);
        this._waiting.push(() => {
          clearTimeout(timer);
          resolve(undefined);
        });
      });
    }
    return this.row?.is_live === false ? this.row : null;
  }
}

/** All that are kept. */
export class OwnStreams {
  constructor() {
    /** @type {Map<string, Own>} */
    this._byTag = new Map();
  }

  [Symbol.iterator]() {
    return this._byTag.values();
  }

  /** @param {Feed} feed */
  begin(feed) {
    const own = new Own(feed);
    this._byTag.set(own.tag, own);
    for (const tag of this._byTag.keys()) {
      if (this._byTag.size <= MOST) break;
      this._byTag.delete(tag);
    }
    return own;
  }

  /** @param {string} tag */
  tagged(tag) {
    return this._byTag.get(tag);
  }

  /** @param {number} number */
  numbered(number) {
    return [...this].find((each) => each.number === number);
  }

  /** @param {number} number */
  drop(number) {
    const own = this.numbered(number);
    if (own) this._byTag.delete(own.tag);
  }

  /** The gateway was started again: its numbers mean others. */
  clear() {
    this._byTag.clear();
  }
}
