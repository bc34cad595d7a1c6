// A text that grows, of which only its beginning and its end are kept: what can be shown of it. Pure.
//
// An answer may have megabytes, and a page that lays them all out stands still. Nothing that fits is left out.

/** How many UTF-16 code units of the beginning, and of the end, are kept; the end in pieces of about so many. */
export const HEAD_UNITS = 8_192;
export const TAIL_UNITS = 32_768;
const PIECE_UNITS = 2_048;

/** The beginning and the end of a text. */
export class Excerpt {
  /** @param {{head?: number, tail?: number, piece?: number}} [units] */
  constructor({ head = HEAD_UNITS, tail = TAIL_UNITS, piece = PIECE_UNITS } = {}) {
    /** The text's beginning; all of it while there is no `tail`. */
    this.head = '';
    /** What follows `head`, or, where `omitted` is not 0, the end of the text, in pieces. @type {string[]} */
    this.tail = [];
    /** How many pieces there were before the first one in `tail`. */
    this.first = 0;
    /** How many code units between the two are not kept. */
    this.omitted = 0;
    this._tailUnits = 0;
    this._most = { head, tail, piece };
  }

  /** How many code units the text has. */
  get units() {
    return this.head.length + this.omitted + this._tailUnits;
  }

  /** @param {string} text */
  append(text) {
    const most = this._most;
    let at = 0;
    if (this.tail.length === 0 && this.omitted === 0 && this.head.length < most.head) {
      at = stepBack(text, Math.min(text.length, most.head - this.head.length));
      this.head += text.slice(0, at);
    }
    const rest = text.length - at;
    if (rest > most.tail + most.piece) {
      // Of a piece larger than all that is kept, the middle is not even looked at.
      const end = stepBack(text, text.length - most.tail);
      this.omitted += end - at + this._tailUnits;
      this.first += this.tail.length;
      this.tail = [];
      this._tailUnits = 0;
      at = end;
    }
    while (at < text.length) {
      let last = this.tail.length - 1;
      if (last < 0 || this.tail[last].length >= most.piece) last = this.tail.push('') - 1;
      const room = Math.max(most.piece - this.tail[last].length, 2); // for a pair that would be cut
      let end = stepBack(text, Math.min(text.length, at + room));
      if (end <= at) end = Math.min(text.length, at + 2);
      this.tail[last] += text.slice(at, end);
      this._tailUnits += end - at;
      at = end;
    }
    while (this._tailUnits - this.tail[0]?.length >= most.tail) {
      const gone = /** @type {string} */ (this.tail.shift()).length;
      this.first += 1;
      this.omitted += gone;
      this._tailUnits -= gone;
    }
  }
}

/** Where a text may be cut: not inside of a surrogate pair. @param {string} text @param {number} at */
function stepBack(text, at) {
  const unit = at < text.length ? text.charCodeAt(at) : 0;
  return unit >= 0xdc00 && unit <= 0xdfff && at > 0 ? at - 1 : at;
}
