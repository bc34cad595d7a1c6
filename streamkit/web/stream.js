// Streams of records, read in the browser (or any other JavaScript with web streams): async iterators over the body of
// a `fetch` and over the messages of a WebSocket. One file, no dependencies; works as it is, without a build.
//
//     for await (const { event, data } of readSSE(await fetch('/v1/chat/completions', question))) show(event, data);
//
// A read is not a record: the network cuts where it likes, inside a line, a character or a CRLF. What is promised here:
//
// - The records do not depend on the cuts, and each comes with the read that brings its last byte, not later.
// - Nothing is read ahead of the loop. Leaving the loop cancels the body, and so does the signal, at once; with the
//   signal the loop throws its reason, as `fetch` does.
// - Whatever is wrong is a `StreamError` that says what and where, behind all records before it.
// - The time is linear in the bytes, and no more than one record (`maxBytes`) is held.
//
// Not here: what the records mean (`[DONE]` is an event like another), asking again after a loss, and showing them.

/** The most that one record may have, unless told otherwise: 16 MiB. */
const MAX_BYTES = 16 * 1024 * 1024;
/** What may wait for a loop that is slower than its WebSocket, unless told otherwise. A socket cannot be held back. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
/** Longer `retry` values are ignored: 10^15 ms are 30000 years. */
const MAX_RETRY_DIGITS = 15;
const CR = 13;
const LF = 10;

/**
 * What each of the three takes.
 *
 * @typedef {object} ReadOptions
 * @property {AbortSignal} [signal] ends the loop, which throws its reason, and cancels the body or closes the socket
 * @property {number} [maxBytes] the most bytes of one record, 16 MiB by default
 * @property {(bytes: Uint8Array, at_ms: number) => void} [onRead] is given each read (or message) before what is in it
 *   comes, and when it was had (`performance.now()`); do not change the bytes
 */

/**
 * What only an event stream has.
 *
 * @typedef {object} SSEOnly
 * @property {(text: string) => void} [onComment] is given each comment line, in its place between the events
 * @property {(retry_ms: number) => void} [onRetry] is given each reconnection time that the stream asks for
 * @property {(bytes: number) => void} [onDropped] is told at the end how many bytes of an unfinished event, which the
 *   standard drops, there were
 *
 * @typedef {ReadOptions & SSEOnly} SSEOptions
 */

/**
 * One event: its type ('message' where the stream names none), its data lines joined by LF, and the last event id.
 *
 * @typedef {{event: string, data: string, id: string}} SSEEvent
 */

/**
 * What is wrong with a stream. The codes:
 *
 * - `status`: the answer is no success; its body is left unread, for you to see why
 * - `media-type`: the answer is of another kind; its body is left unread too
 * - `bad-json`, `bad-utf8`: a record (line, message) is no JSON text
 * - `too-large`: a record is over `maxBytes`
 * - `truncated`: the body ended inside a record
 * - `closed`: the connection was lost, or the socket closed with a code other than 1000
 */
export class StreamError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{record?: number, offset?: number, cause?: unknown}} [where]
   */
  constructor(code, message, { record = 0, offset = 0, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'StreamError';
    /** One of the codes above. */
    this.code = code;
    /** Which record it is, counted from 1; 0 where it is none. */
    this.record = record;
    /** Where that record begins: so many bytes (of all messages, on a socket) come before it. */
    this.offset = offset;
  }
}

/**
 * Read an event stream (WHATWG HTML, section 9.2.6), as an EventSource would.
 *
 * @param {Response | ReadableStream<Uint8Array>} response
 * @param {SSEOptions} [options]
 * @returns {AsyncGenerator<SSEEvent, void, undefined>}
 * @throws {StreamError} status, media-type, too-large, closed
 */
export function readSSE(response, options = {}) {
  return readBody(response, options, new SSEDecoder(options), (type) => type === 'text/event-stream');
}

/**
 * Read newline-delimited JSON. A record ends at LF alone, blank lines are skipped, the last line needs no LF.
 *
 * @param {Response | ReadableStream<Uint8Array>} response
 * @param {ReadOptions} [options]
 * @returns {AsyncGenerator<any, void, undefined>} the values
 * @throws {StreamError} status, media-type, bad-json, bad-utf8, too-large, truncated, closed
 */
export function readNDJSON(response, options = {}) {
  // What lines of JSON are sent as is not settled; these two they are not.
  const takes = (/** @type {string} */ type) => type !== 'text/html' && type !== 'text/event-stream';
  return readBody(response, options, new NDJSONDecoder(options), takes);
}

/**
 * Read the messages of a WebSocket, each of which is a JSON text, until it closes with 1000 or without a code. Messages
 * are kept from the call on, so call it before the socket is open. Leaving the loop closes the socket.
 *
 * @param {WebSocket} socket its `binaryType` is set to 'arraybuffer'
 * @param {ReadOptions & {maxWaitingBytes?: number}} [options] `maxWaitingBytes`: of messages that wait for the loop
 * @returns {AsyncGenerator<any, void, undefined>} the values
 * @throws {StreamError} bad-json, bad-utf8, too-large, closed
 */
export function readEvents(socket, options = {}) {
  return readInbox(new Inbox(socket, options), options.signal);
}

/**
 * @template T
 * @typedef {object} Decoder
 * @property {number} records that have come
 * @property {number} start where the one being read begins
 * @property {(bytes: Uint8Array) => Iterable<T>} feed
 * @property {() => Iterable<T>} finish
 */

/**
 * @template T
 * @param {Response | ReadableStream<Uint8Array>} response
 * @param {ReadOptions} options
 * @param {Decoder<T>} decoder
 * @param {(mediaType: string) => boolean} takes
 * @returns {AsyncGenerator<T, void, undefined>}
 */
async function* readBody(response, { signal, onRead }, decoder, takes) {
  const body = bodyOf(response, takes);
  if (body === null) {
    signal?.throwIfAborted();
    return;
  }
  const reader = body.getReader();
  let isOver = false;
  const cancel = () => void reader.cancel(signal?.reason).catch(() => {});
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    signal?.throwIfAborted();
    let size = 0;
    for (;;) {
      let read;
      try {
        read = await reader.read();
      } catch (cause) {
        isOver = true;
        signal?.throwIfAborted();
        if (!(cause instanceof TypeError)) throw cause; // not the network: the signal of the fetch, for instance
        const where = { record: decoder.records + 1, offset: decoder.start, cause };
        throw new StreamError('closed', `the connection was lost after ${size} bytes (${cause})`, where);
      }
      const at_ms = performance.now();
      signal?.throwIfAborted();
      if (read.done) break;
      if (read.value?.[Symbol.toStringTag] !== 'Uint8Array') throw new TypeError('a read of the body is no Uint8Array');
      size += read.value.length;
      onRead?.(read.value, at_ms);
      for (const record of decoder.feed(read.value)) {
        yield record;
        signal?.throwIfAborted();
      }
    }
    isOver = true;
    for (const record of decoder.finish()) {
      yield record;
      signal?.throwIfAborted();
    }
  } finally {
    signal?.removeEventListener('abort', cancel);
    if (!isOver) cancel();
    reader.releaseLock();
  }
}

/**
 * @param {Response | ReadableStream<Uint8Array>} response
 * @param {(mediaType: string) => boolean} takes
 */
function bodyOf(response, takes) {
  if (!('body' in response)) return response;
  const said = response.headers.get('Content-Type') ?? '';
  const type = said.split(';', 1)[0].trim().toLowerCase();
  if (!response.ok) throw new StreamError('status', `the answer is ${response.status} ${response.statusText}`.trim());
  // Without a type it may be a Response that a page has made for itself.
  if (type && !takes(type)) throw new StreamError('media-type', `the answer is ${type}, no such stream`);
  if (response.bodyUsed) throw new TypeError('the body was read already');
  return response.body;
}

/** The bytes of one unfinished line. It grows by doubling, so that each byte is copied a bounded number of times. */
class Held {
  constructor() {
    this.bytes = new Uint8Array(0);
    this.length = 0;
  }

  /** @param {Uint8Array} piece */
  add(piece) {
    const length = this.length + piece.length;
    if (length > this.bytes.length) {
      const bytes = new Uint8Array(Math.max(length, 2 * this.bytes.length, 256));
      bytes.set(this.bytes.subarray(0, this.length));
      this.bytes = bytes;
    }
    this.bytes.set(piece, this.length);
    this.length = length;
  }

  /** Hand out what is held and `piece` after it, and hold nothing. @param {Uint8Array} piece */
  take(piece) {
    if (this.length === 0) return piece;
    this.add(piece);
    const line = this.bytes.subarray(0, this.length);
    this.bytes = new Uint8Array(0);
    this.length = 0;
    return line;
  }
}

/** @param {Uint8Array} line */
function withoutBOM(line) {
  return line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf ? line.subarray(3) : line;
}

/** Bytes to events. */
class SSEDecoder {
  /** @param {SSEOptions} options */
  constructor({ maxBytes = MAX_BYTES, onComment, onRetry, onDropped }) {
    this.records = 0;
    this.start = 0; // of the block being read
    this._end = 0; // of all that has come
    this._maxBytes = maxBytes;
    this._tell = { onComment, onRetry, onDropped };
    this._text = new TextDecoder('utf-8', { ignoreBOM: true });
    this._held = new Held();
    this._isFirst = true;
    this._isAfterCR = false;
    this._heldBytes = 0; // of the event's lines before this one, with one for each line end
    this._event = '';
    /** @type {string[]} */
    this._data = [];
    this._id = '';
    this._lastId = '';
  }

  /** @param {Uint8Array} bytes @returns {Generator<SSEEvent, void, undefined>} */
  *feed(bytes) {
    const begin = this._end;
    this._end += bytes.length;
    let at = 0;
    if (this._isAfterCR && bytes.length > 0) {
      this._isAfterCR = false;
      if (bytes[0] === LF) at = 1;
      if (this.start === begin) this.start += at;
    }
    let [cr, lf] = [-1, -1];
    while (at < bytes.length) {
      // Each byte is searched once for each: the next CR stays the next one while lines end at LF.
      if (cr < at) cr = place(bytes.indexOf(CR, at));
      if (lf < at) lf = place(bytes.indexOf(LF, at));
      const stop = Math.min(cr, lf);
      const piece = bytes.subarray(at, Math.min(stop, bytes.length));
      this._check(this._held.length + piece.length);
      if (stop >= bytes.length) {
        this._held.add(piece);
        return;
      }
      at = stop + 1;
      if (stop === cr) {
        if (at === bytes.length) this._isAfterCR = true;
        else if (bytes[at] === LF) at += 1;
      }
      let line = this._held.take(piece);
      if (this._isFirst) line = withoutBOM(line);
      this._isFirst = false;
      if (line.length > 0) {
        this._take(line);
        continue;
      }
      this.start = begin + at;
      const event = this._dispatch();
      if (event !== null) yield event;
    }
  }

  /** @returns {SSEEvent[]} */
  finish() {
    let line = this._held.take(new Uint8Array(0));
    if (this._isFirst) line = withoutBOM(line);
    const isPending = line.length > 0 || this._data.length > 0 || this._event !== '' || this._id !== this._lastId;
    if (isPending) this._tell.onDropped?.(this._end - this.start);
    return [];
  }

  /** @param {number} lineBytes */
  _check(lineBytes) {
    if (lineBytes <= this._maxBytes - this._heldBytes || lineBytes === 0) return;
    const where = { record: this.records + 1, offset: this.start };
    throw new StreamError('too-large', `an event has more than ${this._maxBytes} bytes`, where);
  }

  /** @param {Uint8Array} line */
  _take(line) {
    const text = this._text.decode(line);
    const colon = text.indexOf(':');
    const name = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? '' : text.slice(colon + (text[colon + 1] === ' ' ? 2 : 1));
    if (name === 'data') this._data.push(value);
    else if (name === 'event') this._event = value;
    else if (name === 'id') this._id = value.includes('\0') ? this._id : value;
    else {
      if (colon === 0) this._tell.onComment?.(value);
      else if (name === 'retry' && /^[0-9]+$/.test(value) && value.length <= MAX_RETRY_DIGITS) {
        this._tell.onRetry?.(Number(value));
      }
      return;
    }
    this._heldBytes += line.length + 1;
  }

  /** @returns {SSEEvent | null} */
  _dispatch() {
    const [event, data] = [this._event || 'message', this._data];
    this._lastId = this._id;
    this._heldBytes = 0;
    this._event = '';
    if (data.length === 0) return null;
    this._data = [];
    this.records += 1;
    return { event, data: data.length === 1 ? data[0] : data.join('\n'), id: this._id };
  }
}

/** @param {number} index */
function place(index) {
  return index < 0 ? Infinity : index;
}

/** Bytes to values. */
class NDJSONDecoder {
  /** @param {ReadOptions} options */
  constructor({ maxBytes = MAX_BYTES }) {
    this.records = 0;
    this.start = 0; // of the line being read
    this._maxBytes = maxBytes;
    this._text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    this._held = new Held();
    this._isFirst = true;
  }

  /** @param {Uint8Array} bytes @returns {Generator<any, void, undefined>} */
  *feed(bytes) {
    for (let at = 0; at < bytes.length; ) {
      const stop = bytes.indexOf(LF, at);
      const piece = bytes.subarray(at, stop < 0 ? bytes.length : stop);
      this._check(piece);
      if (stop < 0) {
        this._held.add(piece);
        return;
      }
      at = stop + 1;
      const line = this._held.take(piece);
      const start = this.start;
      this.start += line.length + 1;
      yield* this._values(line, start, false);
    }
  }

  /** @returns {Generator<any, void, undefined>} */
  *finish() {
    yield* this._values(this._held.take(new Uint8Array(0)), this.start, true);
  }

  /** @param {Uint8Array} piece */
  _check(piece) {
    const size = this._held.length + piece.length;
    const last = piece.length > 0 ? piece[piece.length - 1] : this._held.bytes[size - 1];
    if (size <= this._maxBytes || (size === this._maxBytes + 1 && last === CR)) return; // CRLF is a line end too
    const where = { record: this.records + 1, offset: this.start };
    throw new StreamError('too-large', `a record has more than ${this._maxBytes} bytes`, where);
  }

  /** @param {Uint8Array} whole @param {number} start @param {boolean} isCut */
  *_values(whole, start, isCut) {
    const line = this._isFirst ? withoutBOM(whole) : whole;
    const offset = start + whole.length - line.length;
    this._isFirst = false;
    if (line.every((byte) => byte === 32 || byte === 9 || byte === CR)) return;
    this.records += 1;
    yield parsed(line, this._text, { record: this.records, offset }, isCut);
  }
}

/**
 * @param {Uint8Array | string} record
 * @param {TextDecoder} decoder
 * @param {{record: number, offset: number}} where
 * @param {boolean} isCut whether it is what the body ended with
 * @returns {any}
 */
function parsed(record, decoder, where, isCut) {
  let code = 'bad-utf8';
  try {
    const text = typeof record === 'string' ? record : decoder.decode(record);
    code = 'bad-json';
    return JSON.parse(text);
  } catch (cause) {
    const why = code === 'bad-utf8' ? 'it is not UTF-8' : /** @type {Error} */ (cause).message;
    const at = `record ${where.record}, at byte ${where.offset}`;
    if (isCut) throw new StreamError('truncated', `the body ends inside ${at} (${why})`, { ...where, cause });
    throw new StreamError(code, `${at}: ${why}`, { ...where, cause });
  }
}

/** The messages of a socket that the loop has not taken yet. */
class Inbox {
  /** @param {WebSocket} socket @param {ReadOptions & {maxWaitingBytes?: number}} options */
  constructor(socket, { signal, maxBytes = MAX_BYTES, maxWaitingBytes = MAX_WAITING_BYTES, onRead }) {
    /** @type {{message: string | Uint8Array, size: number}[]} */
    this.waiting = [];
    this.waitingBytes = 0;
    this.isOver = false;
    /** @type {unknown} */
    this.error = null;
    this.wake = () => {};
    let [record, offset] = [0, 0];
    const encoder = new TextEncoder();

    /** @param {unknown} error */
    const end = (error) => {
      if (this.isOver) return;
      this.isOver = true;
      this.error = error;
      socket.removeEventListener('message', take);
      socket.removeEventListener('close', close);
      signal?.removeEventListener('abort', abort);
      if (socket.readyState <= 1) socket.close();
      this.wake();
    };
    const abort = () => end(signal?.reason);
    /** @param {CloseEvent} event */
    const close = ({ code, reason }) => {
      const message = `the socket was closed (${reason ? `${code}, ${reason}` : code})`;
      end(code === 1000 || code === 1005 ? null : new StreamError('closed', message, { record: record + 1, offset }));
    };
    /** @param {MessageEvent} event */
    const take = ({ data }) => {
      const at_ms = performance.now();
      const message = typeof data === 'string' ? data : new Uint8Array(data);
      const bytes = typeof message === 'string' ? encoder.encode(message) : message;
      const size = bytes.length;
      try {
        onRead?.(bytes, at_ms);
      } catch (error) {
        end(error);
        return;
      }
      record += 1;
      this.waitingBytes += size;
      let fault = '';
      if (size > maxBytes) fault = `a message has more than ${maxBytes} bytes`;
      else if (this.waitingBytes > maxWaitingBytes) fault = `more than ${maxWaitingBytes} bytes wait for a slow loop`;
      if (fault) {
        end(new StreamError('too-large', fault, { record, offset }));
        return;
      }
      offset += size;
      this.waiting.push({ message, size });
      this.wake();
    };

    this.leave = () => end(null);
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('message', take);
    socket.addEventListener('close', close);
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) abort();
    else if (socket.readyState === 3) end(new StreamError('closed', 'the socket was closed before'));
  }
}

/**
 * @param {Inbox} inbox
 * @param {AbortSignal | undefined} signal
 * @returns {AsyncGenerator<any, void, undefined>}
 */
async function* readInbox(inbox, signal) {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let [record, offset] = [0, 0];
  try {
    for (;;) {
      const some = inbox.waiting;
      inbox.waiting = [];
      for (const { message, size } of some) {
        signal?.throwIfAborted();
        record += 1;
        inbox.waitingBytes -= size;
        yield parsed(message, decoder, { record, offset }, false);
        offset += size;
      }
      signal?.throwIfAborted();
      if (inbox.waiting.length > 0) continue;
      if (inbox.isOver && inbox.error !== null) throw inbox.error;
      if (inbox.isOver) return;
      await new Promise((resolve) => (inbox.wake = () => resolve(undefined)));
    }
  } finally {
    inbox.leave();
  }
}
