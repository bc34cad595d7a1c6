// Bytes for the eye: where they are cut, as text with escapes, as hex. Pure; knows nothing of streams or of the page.

const CR = 13;
const LF = 10;

/** How much of a read is kept for looking at: its first bytes and, of a longer one, its last. As the gateway does. */
export const HEAD_BYTES = 1024;
export const TAIL_BYTES = 256;

/**
 * A piece of text that is shown in one way: `text` as it is; `escape`: a character that cannot be seen, or does
 * something; `broken`: bytes that are no whole character.
 *
 * @typedef {{kind: 'text' | 'escape' | 'broken', text: string}} Piece
 *
 * @typedef {{at: number, hex: string[], text: string}} HexRow
 */

/**
 * The bytes that were sent in base64.
 *
 * @param {string} base64
 * @returns {Uint8Array}
 */
export function bytesOf(base64) {
  const text = atob(base64);
  const data = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) data[at] = text.charCodeAt(at);
  return data;
}

/**
 * What is kept of a read, as a copy: a slice of a large buffer would hold all of it.
 *
 * @param {Uint8Array} data
 * @returns {{head: Uint8Array, tail: Uint8Array}}
 */
export function excerpt(data) {
  if (data.length <= HEAD_BYTES + TAIL_BYTES) return { head: data.slice(), tail: new Uint8Array() };
  return { head: data.slice(0, HEAD_BYTES), tail: data.slice(-TAIL_BYTES) };
}

/** What a mark has brought, as far as it was kept. @param {import('./trace.js').Mark} mark */
export function shown(mark) {
  const head = typeof mark.head === 'string' ? bytesOf(mark.head) : mark.head;
  const tail = typeof mark.tail === 'string' ? bytesOf(mark.tail) : mark.tail;
  return { head, tail, hidden: Math.max(0, mark.bytes - head.length - tail.length) };
}

/**
 * How long the character is that begins with this byte in UTF-8; 0 if none does (RFC 3629).
 *
 * @param {number} lead
 */
function lengthOf(lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/**
 * Whether `byte` may be the `n`th of the character that `lead` begins: no overlong form, no surrogate, none too high.
 *
 * @param {number} lead
 * @param {number} n from 1
 * @param {number} byte
 */
function continues(lead, n, byte) {
  if (n > 1) return byte >= 0x80 && byte < 0xc0;
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  return byte >= low && byte <= high;
}

/**
 * How many bytes at the end belong to a character that is not whole: 0 to 3.
 *
 * @param {Uint8Array} data its last three bytes are enough
 * @returns {number}
 */
export function openBytes(data) {
  for (let back = 1; back <= Math.min(3, data.length); back++) {
    const lead = data[data.length - back];
    if (lead >= 0x80 && lead < 0xc0) continue;
    if (lengthOf(lead) <= back) return 0;
    return back === 1 || continues(lead, 1, data[data.length - back + 1]) ? back : 0;
  }
  return 0;
}

/**
 * Where a stream is cut, as `streamkit.codecs.cutplace` says it: the first of these that is true.
 *
 * @param {Uint8Array} tail the stream's last bytes before the cut, four or more where there are so many
 * @param {string} framing 'sse', 'ndjson'; of any other nothing is known but characters and CR
 * @returns {'character' | 'cr' | 'record' | 'between' | null}
 */
export function cutAt(tail, framing) {
  if (!tail.length) return 'between';
  if (openBytes(tail)) return 'character';
  if (tail[tail.length - 1] === CR) return 'cr';
  if (framing === 'sse') return endsBlank(tail) ? 'between' : 'record';
  if (framing === 'ndjson') return tail[tail.length - 1] === LF ? 'between' : 'record';
  return null;
}

/**
 * Whether the last line is an empty one, whatever ends the lines: there an SSE event is over.
 *
 * @param {Uint8Array} tail
 */
export function endsBlank(tail) {
  let end = tail.length;
  if (tail[end - 1] === LF) end -= tail[end - 2] === CR ? 2 : 1;
  else if (tail[end - 1] === CR) end -= 1;
  else return false;
  return end <= 0 || tail[end - 1] === LF || tail[end - 1] === CR;
}

/** @type {{[code: number]: string}} */
const SHORT = { 8: '\\b', 9: '\\t', 10: '\\n', 12: '\\f', 13: '\\r' };

// Controls, and what is not seen or turns the text around: zero width, line separators, direction marks, the BOM.
const UNSEEN = /[\p{Cc}\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/u;

const TURNS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Somebody's name or message in a sentence of ours: what would turn our words around is shown as an escape. @param {string} text */
export function upright(text) {
  return text.replace(TURNS, escaped);
}

/** @param {string} char one code point */
function escaped(char) {
  const code = /** @type {number} */ (char.codePointAt(0));
  const digits = code.toString(16);
  return SHORT[code] ?? (code < 256 ? `\\x${digits.padStart(2, '0')}` : `\\u${digits.padStart(4, '0')}`);
}

/**
 * Bytes as text in UTF-8, with what cannot be seen escaped, and what is no whole character as bytes.
 *
 * @param {Uint8Array} data
 * @returns {Piece[]}
 */
export function pieces(data) {
  /** @type {Piece[]} */
  const found = [];
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  /** @param {Piece['kind']} kind @param {string} text */
  const add = (kind, text) => {
    const last = found[found.length - 1];
    if (last?.kind === kind && kind !== 'escape') last.text += text;
    else found.push({ kind, text });
  };
  let at = 0;
  while (at < data.length) {
    const length = lengthOf(data[at]);
    let taken = 1;
    while (taken < length && at + taken < data.length && continues(data[at], taken, data[at + taken])) taken++;
    if (length && taken === length) {
      const char = decoder.decode(data.subarray(at, at + taken));
      if (UNSEEN.test(char)) add('escape', escaped(char));
      else add('text', char);
    } else {
      for (const byte of data.subarray(at, at + taken)) add('broken', `\\x${hexOf(byte)}`);
    }
    at += taken;
  }
  return found;
}

/** @param {number} byte */
function hexOf(byte) {
  return byte.toString(16).padStart(2, '0');
}

/**
 * Bytes in rows of hex, with what is ASCII of them beside.
 *
 * @param {Uint8Array} data
 * @param {number} [start] where they begin in the stream
 * @param {number} [width] bytes a row
 * @returns {HexRow[]}
 */
export function hexRows(data, start = 0, width = 16) {
  const rows = [];
  for (let at = 0; at < data.length; at += width) {
    const part = [...data.subarray(at, at + width)];
    rows.push({
      at: start + at,
      hex: part.map(hexOf),
      text: part.map((each) => (each >= 32 && each < 127 ? String.fromCharCode(each) : '·')).join(''),
    });
  }
  return rows;
}
