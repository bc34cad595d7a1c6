// What there is to say besides an answer: the last few lines, each said once. Pure.

const MOST = 3;

/** The lines. */
export class Notices {
  constructor() {
    /** @type {{about: string, message: string, times: number}[]} */
    this._last = [];
  }

  /** @param {string} message @param {string} [about] of what only the last word is of interest */
  add(message, about = message) {
    const last = this._last.at(-1);
    if (last?.about !== about) this._last.push({ about, message, times: 1 });
    else if (last.message === message) last.times += 1;
    else last.message = message;
    if (this._last.length > MOST) this._last.shift();
  }

  clear() {
    this._last = [];
  }

  get lines() {
    return this._last.map(({ message, times }) => (times > 1 ? `${message} (${times} times)` : message));
  }
}
