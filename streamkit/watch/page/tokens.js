// When the first token of an answer is there: the first piece of text, reasoning or arguments that is not empty. Pure.
//
// It looks for the names that the dialects have for such text, in the bytes as they pass, and parses nothing: a record
// that only opens the answer (a role, an empty content) is no token. A token is there when its record is complete.

const TEXT =
  /"(?:content|text|thinking|response|reasoning|reasoning_content|delta|partial_json|json_text|arguments|generated_text|completion)"\s*:\s*"(?!")/;

/** Longer than any of the names with its colon: such a beginning may be cut. */
const CARRY = 64;

/** Takes the marks of one lane until it knows. */
export class FirstToken {
  constructor() {
    /** @type {number | null} */
    this.t_ms = null;
    this._text = '';
    this._isBegun = false;
    this._decoder = new TextDecoder();
  }

  /**
   * @param {Uint8Array} data the mark's first bytes
   * @param {{t_ms: number, fresh: number, cut: string | null}} mark
   * @param {boolean} isPlain whether the body is text without records: then each byte is
   */
  feed(data, mark, isPlain) {
    if (this.t_ms !== null) return;
    if (this._isBegun) {
      if (mark.fresh) this.t_ms = mark.t_ms;
      return;
    }
    const text = this._text + this._decoder.decode(data);
    const found = TEXT.exec(text);
    this._text = text.slice(-CARRY);
    if (isPlain) this.t_ms = mark.t_ms;
    else if (found) {
      const isComplete = mark.cut === 'between' || /[\r\n]/.test(text.slice(found.index));
      if (isComplete) this.t_ms = mark.t_ms;
      else this._isBegun = true;
    }
  }
}
