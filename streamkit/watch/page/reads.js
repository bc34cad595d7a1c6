// What one body brings, read by read, and turns of working on it: a fast stream is not to keep the page from the user.

/** @typedef {import('./feeds.js').BrowserRead} BrowserRead */

/** How long records are worked on before the page may do something else. */
const TURN_MS = 24;

/** The reads of one body. How many records one brought is known when the next comes, or when there is a pause. */
export class Reads {
  /** @param {(read: BrowserRead) => void} onRead */
  constructor(onRead) {
    this.records = 0;
    this._isHeld = false;
    this._onRead = onRead;
    /** @type {{at_ms: number, data: Uint8Array} | null} */
    this._last = null;
    /** @type {(bytes: Uint8Array, at_ms: number) => void} */
    this.take = (data, at_ms) => {
      this.flush();
      this._last = { at_ms, data };
      this._later();
    };
  }

  /** A turn is over: records of the last read are still to come. */
  hold() {
    this._isHeld = true;
  }

  go() {
    this._isHeld = false;
    this._later();
  }

  /** All that is in a read is yielded before the browser does anything else, unless a turn is over meanwhile. */
  _later() {
    setTimeout(() => this._isHeld || this.flush());
  }

  flush() {
    if (this._last === null) return;
    const { at_ms, data } = this._last;
    this._last = null;
    this._onRead({ at_ms, bytes: data.length, records: this.records, connection: 0, data });
  }
}

/** Lets the page draw and answer the user while records keep coming. */
export class Turn {
  /** @param {Reads | null} reads */
  constructor(reads) {
    this._reads = reads;
    this._began_ms = performance.now();
  }

  isOver() {
    return performance.now() - this._began_ms > TURN_MS;
  }

  async next() {
    if (this._reads) this._reads.hold();
    await new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel(); // a timer would make a page in the background crawl
      port1.onmessage = () => {
        port1.close();
        resolve(undefined);
      };
      port2.postMessage(null);
    });
    if (this._reads) this._reads.go();
    this._began_ms = performance.now();
  }
}
