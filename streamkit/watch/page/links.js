// Which marks of two neighbouring lanes are the same bytes. Pure; told of each mark once, in the order of its lane.
//
// A write is of the reads since the write before on its connection: the gateway says how many reads there were when it
// began (`through`). Where there were none since, it is the rest of the last one, or the gateway's own: a heartbeat, or
// a record that says why the answer ends. A browser's read is of the writes that it overlaps in the body: counted in bytes where the page
// reads the body itself, in records where the browser takes the records apart (EventSource, WebSocket).

/** @typedef {import('./trace.js').Mark} Mark */

/** How soon behind the write before it a write begins that is of the same read. */
const AT_ONCE_MS = 20;

/** Heartbeats of the gateway's own are of no read. @param {Mark} mark @param {() => Uint8Array} bytes */
export function isHeartbeat(mark, bytes) {
  if (mark.fresh) return false;
  const data = bytes();
  return data[0] === 0x3a || data.every((each) => each === 10 || each === 13 || each === 32);
}

/** One connection of the gateway to the browser, and what the browser has read of it. */
class Way {
  constructor() {
    /** @type {Mark[]} */
    this.writes = [];
    /** @type {Mark[]} */
    this.reads = [];
    this.write = 0;
    this.read = 0;
  }
}

/** The lines between the lanes, as pairs of `n`, flat: `[from, to, from, to...]`. */
export class Links {
  /** @param {'bytes' | 'records' | null} by what places a browser's read in the body; null: there is no browser here */
  constructor(by) {
    this.by = by;
    /** @type {number[]} */
    this.readToWrite = [];
    /** @type {number[]} */
    this.writeToBrowser = [];
    /** The first and behind the last read of each write. @type {[number, number][]} */
    this.readsOf = [];
    /** @type {Map<number, number>} how far the reads went of which a connection has brought something */
    this._through = new Map();
    /** @type {Map<number, Mark>} the last write of each connection that was no heartbeat */
    this._last = new Map();
    /** @type {Set<number>} */
    this._gone = new Set();
    /** Which of the gateway's connections are answers that a browser reads, in their order. @type {number[]} */
    this._answers = [];
    /** @type {Map<number, Way>} by the browser's number of it */
    this._ways = new Map();
  }

  /** All connections that a browser reads. */
  get ways() {
    return [...this._ways.values()];
  }

  /** The gateway has begun to answer on a connection. @param {number} connection @param {number} status */
  answered(connection, status) {
    if ((status === 200 || status === 101 || status >= 400) && !this._answers.includes(connection)) {
      this._answers.push(connection);
    }
  }

  /** A connection of the gateway is over. @param {number} connection */
  gone(connection) {
    this._gone.add(connection);
  }

  /**
   * The gateway has written.
   *
   * @param {Mark} mark
   * @param {() => Uint8Array} data
   * @param {Mark[]} upstream what was read
   */
  wrote(mark, data, upstream) {
    const before = this._through.get(mark.connection);
    const from = before ?? this._throughOfGone();
    let range = /** @type {[number, number]} */ ([Math.min(from, mark.through), mark.through]);
    if (isHeartbeat(mark, data)) {
      // The model's own ones are passed on as they are. Others may come while a record is not complete.
      const size = upstream.slice(...range).reduce((sum, read) => sum + read.bytes, 0);
      if (size !== mark.bytes) range = [range[0], range[0]];
    } else {
      if (range[0] === range[1] && mark.through && this._isRest(mark)) range[0]--;
      this._last.set(mark.connection, mark);
    }
    this.readsOf.push(range);
    for (let n = range[0]; n < range[1]; n++) this.readToWrite.push(n, mark.n);
    this._through.set(mark.connection, range[1]);
    if (!this._answers.includes(mark.connection)) this._answers.push(mark.connection);
    const way = this._way(this._answers.indexOf(mark.connection));
    way.writes.push(mark);
    this._pair(way);
  }

  /** Whether a write with no read since is of the read that the one before has begun to bring. @param {Mark} mark */
  _isRest(mark) {
    const last = this._last.get(mark.connection);
    if (!last) return true; // to somebody who has come again
    const isInside = last.cut !== 'between' && last.cut !== null;
    return isInside || mark.t_ms - (last.done_ms ?? last.t_ms) < AT_ONCE_MS;
  }

  /** The browser has read. @param {Mark} mark */
  read(mark) {
    const way = this._way(mark.connection);
    way.reads.push(mark);
    this._pair(way);
  }

  /** Where a mark begins and ends in the body, in what the browser counts. @param {Mark} mark */
  span(mark) {
    if (this.by === 'bytes') return [mark.start, mark.start + mark.bytes];
    const isInside = mark.lane === 'gateway' && mark.cut !== 'between' && mark.cut !== null;
    return [mark.records - mark.fresh, mark.records + (isInside ? 0.5 : 0)];
  }

  /** A reader that comes again goes on where the one before was. */
  _throughOfGone() {
    let through = 0;
    for (const [connection, reached] of this._through) if (this._gone.has(connection)) through = Math.max(through, reached);
    return through;
  }

  /** @param {number} connection */
  _way(connection) {
    let way = this._ways.get(connection);
    if (!way) this._ways.set(connection, (way = new Way()));
    return way;
  }

  /** @param {Way} way */
  _pair(way) {
    if (this.by === null) return;
    while (way.write < way.writes.length && way.read < way.reads.length) {
      const write = way.writes[way.write];
      const read = way.reads[way.read];
      const [writeFrom, writeTo] = this.span(write);
      const [readFrom, readTo] = this.span(read);
      // A record that is cut counts half, and the half that is brought later begins where it was cut.
      const from = Math.max(way.write ? this.span(way.writes[way.write - 1])[1] : writeFrom, readFrom);
      if (from < Math.min(writeTo, readTo)) this.writeToBrowser.push(write.n, read.n);
      if (writeTo <= readTo) way.write++;
      if (readTo <= writeTo) way.read++;
    }
  }
}
