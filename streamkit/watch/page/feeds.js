// Asks one question and is fed the answer, in one of four ways: an event stream or lines read by `fetch`, an EventSource
// on a resumable stream, a WebSocket.
//
// Each read of the browser is told (`onRead`) with how many records were complete with it, and what the records say
// (`onEvent`), in the order in which they came. What happens to the answer on its way is an `AskError`; the abort of the
// signal stops the model too, whatever feeds.

import { AskError, failureOf, refusalOf, truncated } from './failure.js';
import { OpenAIChunks } from './openai.js';
import { envelope, ollamaBody, openAIBody, subprotocols } from './question.js';
import { Reads, Turn } from './reads.js';
import { NeutralEvents, OllamaLines } from './records.js';
import { readEvents, readNDJSON, readSSE } from './stream.js';

/**
 * @typedef {'sse' | 'eventsource' | 'ndjson' | 'websocket'} Feed
 *
 * @typedef {object} BrowserRead one read, or message, as the browser had it
 * @property {number} at_ms `performance.now()` then
 * @property {number} bytes of the body that it brought
 * @property {number} records how many were complete with it, on its connection
 * @property {number} connection counted from 0; EventSource may need several
 * @property {Uint8Array} data what it brought
 *
 * @typedef {object} Asked
 * @property {Feed} feed
 * @property {string} prompt
 * @property {string} model
 * @property {string[]} [tools]
 * @property {{key: string, keyHeaders: Record<string, string>}} gate
 * @property {string} tag how the gateway is to call this stream
 * @property {AbortSignal} signal
 * @property {(read: BrowserRead) => void} onRead
 * @property {(event: import('./records.js').PageEvent) => void} onEvent
 */

/**
 * Ask, and take the answer to its end.
 *
 * @param {Asked} asked
 * @throws {AskError} it failed
 * @throws {unknown} the signal's reason, where that was it
 */
export async function ask(asked) {
  const { signal, feed } = asked;
  signal.throwIfAborted();
  try {
    if (feed === 'eventsource') await byEventSource(asked);
    else if (feed === 'websocket') await byWebSocket(asked);
    else if (feed === 'ndjson') await byLines(asked);
    else await byEvents(asked);
  } catch (error) {
    signal.throwIfAborted();
    throw failureOf(error);
  }
}

/** @param {Asked} asked */
async function byEvents(asked) {
  const { signal, onEvent } = asked;
  const response = await post(asked, 'v1/chat/completions', openAIBody(asked));
  const reads = new Reads(asked.onRead);
  const records = new OpenAIChunks();
  const turn = new Turn(reads);
  try {
    for await (const { event, data } of readSSE(response, { signal, onRead: reads.take })) {
      reads.records += 1;
      records.takeData(data, event).forEach(onEvent);
      if (turn.isOver()) await turn.next();
    }
  } catch (error) {
    tellLate(error, records.isOver, asked);
  } finally {
    reads.flush();
  }
  if (!records.isOver) throw truncated('[DONE]', records.records);
}

/** @param {Asked} asked */
async function byLines(asked) {
  const { signal, onEvent } = asked;
  const response = await post(asked, 'api/chat', ollamaBody(asked));
  const reads = new Reads(asked.onRead);
  const records = new OllamaLines();
  const turn = new Turn(reads);
  try {
    for await (const value of readNDJSON(response, { signal, onRead: reads.take })) {
      reads.records += 1;
      records.take(value).forEach(onEvent);
      if (turn.isOver()) await turn.next();
    }
  } catch (error) {
    tellLate(error, records.isOver, asked);
  } finally {
    reads.flush();
  }
  if (!records.isOver) throw truncated('a line with "done":true', records.records);
}

/**
 * Throw an error of the body, unless the answer was whole before.
 *
 * @param {unknown} error
 * @param {boolean} isOver
 * @param {Asked} asked
 */
function tellLate(error, isOver, { signal, onEvent }) {
  if (!isOver || signal.aborted) throw error;
  onEvent({ type: 'notice', message: `Behind the end of the answer its body broke: ${failureOf(error).message}` });
}

/** @param {Asked} asked */
async function byWebSocket(asked) {
  const { signal, onEvent, onRead, gate, tag } = asked;
  const url = urlOf(`ws?watch=${encodeURIComponent(tag)}`);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(url, subprotocols(gate.key));
  let isOpen = false;
  socket.addEventListener('open', () => {
    isOpen = true;
    socket.send(JSON.stringify(envelope(asked)));
  });
  signal.addEventListener('abort', () => {
    if (socket.readyState === WebSocket.OPEN) socket.send('{"cancel":true}');
  });
  let messages = 0;
  /** @param {Uint8Array} bytes @param {number} at_ms */
  const take = (bytes, at_ms) => {
    messages += 1;
    onRead({ at_ms, bytes: bytes.length, records: messages, connection: 0, data: bytes });
  };
  const records = new NeutralEvents();
  const turn = new Turn(null);
  /** @param {() => void} onOver */
  const read = async (onOver) => {
    for await (const value of readEvents(socket, { signal, onRead: take })) {
      records.take(value).forEach(onEvent);
      if (records.isOver) {
        onOver();
        socket.close();
      }
      if (turn.isOver()) await turn.next();
    }
    if (!records.isOver) throw truncated('a record "end"', records.records);
  };
  try {
    await new Promise((resolve, reject) => {
      read(() => resolve(undefined)).then(resolve, reject);
    });
  } catch (error) {
    const failed = failureOf(error);
    if (isOpen || failed.kind !== 'cut') throw failed;
    throw new AskError('unreachable', 'the WebSocket was refused, or nobody answered; the browser does not tell which');
  }
}

/** @param {Asked} asked */
async function byEventSource(asked) {
  const response = await post(asked, 'streams', envelope(asked));
  const { id, events } = await response.json();
  const cancel = () => fetch(urlOf(`streams/${id}`), { method: 'DELETE', keepalive: true, headers: asked.gate.keyHeaders });
  // Nobody comes back to a page that is left, and the gateway would wait for somebody.
  const leave = () => void cancel().catch(() => {});
  addEventListener('pagehide', leave);
  let isWhole = false;
  try {
    await readSource(asked, new EventSource(urlOf(events)));
    isWhole = true;
  } finally {
    removeEventListener('pagehide', leave);
    // Also where a record is none: what is not read any more is not to be made.
    if (!isWhole) await cancel().catch(() => {});
  }
}

/**
 * @param {Asked} asked
 * @param {EventSource} source is closed in the end
 * @returns {Promise<void>}
 */
async function readSource({ signal, onRead, onEvent }, source) {
  const records = new NeutralEvents();
  const encoder = new TextEncoder();
  let connection = -1;
  let messages = 0;
  /** @type {() => void} */
  let stop = () => {};
  try {
    await new Promise((resolve, reject) => {
      stop = () => reject(signal.reason);
      if (signal.aborted) stop();
      signal.addEventListener('abort', stop);
      source.addEventListener('open', () => {
        connection += 1;
        messages = 0;
        if (connection > 0) onEvent({ type: 'notice', message: 'The connection was lost, and EventSource has resumed the stream' });
      });
      source.addEventListener('message', ({ data }) => {
        const at_ms = performance.now();
        const bytes = encoder.encode(data);
        messages += 1;
        onRead({ at_ms, bytes: bytes.length, records: messages, connection, data: bytes });
        try {
          records.take(parsed(data, records.records + 1)).forEach(onEvent);
          if (records.isOver) resolve(undefined);
        } catch (error) {
          reject(error);
        }
      });
      source.addEventListener('error', () => {
        if (source.readyState === EventSource.CLOSED) reject(givenUp(records.records));
        else onEvent({ type: 'lost', message: 'The connection was lost; EventSource tries again' });
      });
    });
  } finally {
    signal.removeEventListener('abort', stop);
    source.close();
  }
}

/** @param {number} records */
function givenUp(records) {
  const came = records === 1 ? '1 record' : `${records} records`;
  return new AskError('cut', `EventSource has given up behind ${came}: the gateway has no such stream, or not any more`);
}

/** @param {string} data @param {number} record */
function parsed(data, record) {
  try {
    return JSON.parse(data);
  } catch {
    throw new AskError('malformed', `record ${record} is no JSON: ${data.slice(0, 80)}`);
  }
}

/**
 * @param {Asked} asked
 * @param {string} path
 * @param {object} body
 * @returns {Promise<Response>} a success
 */
async function post({ gate, tag, signal }, path, body) {
  let response;
  try {
    response = await fetch(urlOf(path), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-Streamkit-Watch': tag, ...gate.keyHeaders },
      body: JSON.stringify(body),
      signal,
    });
  } catch (cause) {
    throw new AskError('unreachable', 'nobody answered', { cause });
  }
  if (!response.ok) throw await refusalOf(response);
  return response;
}

/** Where something of the gateway is, as seen from the page. @param {string} path @returns {URL} */
export function urlOf(path) {
  return new URL(`../${path.replace(/^\//, '')}`, document.baseURI);
}
