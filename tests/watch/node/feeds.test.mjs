// The two ways of feeding by fetch, over bodies that are made here: what is told of reads and records, and how they fail.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';

globalThis.document = { baseURI: 'http://gateway.test/_watch/' };
const { ask } = await import('../page/feeds.js');

const encoder = new TextEncoder();
const realFetch = globalThis.fetch;
afterEach(() => {
  globalThis.fetch = realFetch;
});

const chunk = (content) => `data: ${JSON.stringify({ model: 'm', choices: [{ index: 0, delta: { content } }] })}\n\n`;
const line = (content, done = false) => `${JSON.stringify({ model: 'm', message: { content }, done })}\n`;

/** A response whose body comes in these pieces; an error among them breaks it. */
function response(pieces, { status = 200, type = 'text/event-stream', onCancel = () => {} } = {}) {
  const left = [...pieces];
  const body = new ReadableStream(
    {
      pull(controller) {
        const piece = left.shift();
        if (piece === undefined) controller.close();
        else if (piece instanceof Error) controller.error(piece);
        else if (piece instanceof Promise) return piece;
        else controller.enqueue(encoder.encode(piece));
        return undefined;
      },
      cancel: onCancel,
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { status, headers: { 'Content-Type': type } });
}

/** Ask, and be answered with this response. */
async function asked(answer, { feed = 'sse', signal = new AbortController().signal, onEvent = () => {} } = {}) {
  const told = { reads: [], events: [], request: null, error: null };
  globalThis.fetch = async (url, options) => {
    told.request = { url: String(url), ...options };
    if (answer instanceof Error) throw answer;
    return answer;
  };
  try {
    await ask({
      feed,
      prompt: 'Hi',
      model: 'm',
      gate: { key: 'k', keyHeaders: { Authorization: 'Bearer k' } },
      tag: 'tag-1',
      signal,
      onRead: (read) => told.reads.push(read),
      onEvent: (event) => {
        told.events.push(event);
        onEvent(event);
      },
    });
  } catch (error) {
    told.error = error;
  }
  return told;
}

const textIn = ({ events }) => events.map((each) => (each.type === 'text' ? each.text : '')).join('');

test('each read is told with the records that were complete with it', async () => {
  const whole = chunk('a') + chunk('b');
  const told = await asked(response([whole + chunk('c').slice(0, 9), chunk('c').slice(9), 'data: [DONE]\n\n']));
  assert.equal(told.error, null);
  assert.equal(textIn(told), 'abc');
  assert.deepEqual(told.events.at(-1), { type: 'end' });
  assert.deepEqual(told.reads.map(({ records, connection }) => [records, connection]), [[2, 0], [3, 0], [4, 0]]);
  assert.equal(told.reads[0].bytes, whole.length + 9);
  assert.ok(told.reads.every(({ data, bytes }) => data.length === bytes));
});

test('a read is told also while nothing follows', async () => {
  const stopping = new AbortController();
  let seen = 0;
  const body = response([chunk('a'), new Promise(() => {})]);
  const told = asked(body, { signal: stopping.signal, onEvent: ({ type }) => type === 'text' && (seen += 1) });
  while (!seen) await new Promise((resolve) => setImmediate(resolve));
  setTimeout(() => stopping.abort(), 5);
  const { reads, error } = await told;
  assert.deepEqual(reads.map(({ records }) => records), [1]);
  assert.equal(error.name, 'AbortError');
});

test('the question goes where it belongs, with tag and key', async () => {
  const { request } = await asked(response([line('a'), line('', true)], { type: 'application/x-ndjson' }), { feed: 'ndjson' });
  assert.equal(request.url, 'http://gateway.test/api/chat');
  assert.equal(request.headers['X-Streamkit-Watch'], 'tag-1');
  assert.equal(request.headers.Authorization, 'Bearer k');
  assert.equal(JSON.parse(request.body).messages[0].content, 'Hi');
  assert.equal((await asked(response(['data: [DONE]\n\n']))).request.url, 'http://gateway.test/v1/chat/completions');
});

test('what happens to an answer is told as what it is', async () => {
  const ndjson = { feed: 'ndjson' };
  const lines = { type: 'application/x-ndjson' };
  const cases = [
    ['cut', response([chunk('a'), new TypeError('network error')]), {}, /lost after \d+ bytes/],
    ['truncated', response([chunk('a'), chunk('b')]), {}, /behind 2 records without \[DONE\]/],
    ['truncated', response([line('a')], lines), ndjson, /behind 1 record without a line with "done":true/],
    ['truncated', response([line('a'), line('b').slice(0, -9)], lines), ndjson, /ends inside record 2/],
    ['malformed', response([chunk('a'), 'data: {"a":\n\n']), {}, /record 2 is no JSON/],
    ['malformed', response([line('a'), '{"a":\n'], lines), ndjson, /record 2, at byte \d+/],
    ['unexpected', response(['<p>'], { type: 'text/html' }), {}, /text\/html/],
    ['refused', response(['{"error":{"message":"no room"}}'], { status: 429, type: 'application/json' }), {}, /^no room \(429/],
    ['refused', response(['no such server'], { status: 502, type: 'text/plain' }), {}, /^no such server \(502/],
    ['refused', response(['<h1>Bad'], { status: 502, type: 'text/html' }), {}, /^502/],
    ['unreachable', new TypeError('Failed to fetch'), {}, /nobody answered/],
  ];
  for (const [kind, answer, options, message] of cases) {
    const { error } = await asked(answer, options);
    assert.equal(error?.name, 'AskError', `${kind}: ${error?.stack}`);
    assert.equal(error.kind, kind);
    assert.match(error.message, message);
  }
});

test('a malformed record ends the request', async () => {
  let isCancelled = false;
  const body = response([chunk('a'), 'data: {"a":\n\n', chunk('b')], { onCancel: () => (isCancelled = true) });
  const told = await asked(body);
  assert.equal(textIn(told), 'a');
  assert.ok(isCancelled);
});

test('what breaks behind the end of the answer leaves it whole', async () => {
  const told = await asked(response([chunk('a'), 'data: [DONE]\n\n', new TypeError('network error')]));
  assert.equal(told.error, null);
  assert.deepEqual(told.events.slice(-2).map(({ type }) => type), ['end', 'notice']);
});

test('an error in the stream is an event, and nothing is missed behind it', async () => {
  const told = await asked(response([chunk('a'), 'data: {"error":{"message":"no room"}}\n\n']));
  assert.equal(told.error, null);
  assert.deepEqual(told.events.at(-1), { type: 'error', message: 'no room', kind: '' });
});

test('an event without data is passed over, as the gateway does', async () => {
  const told = await asked(response([chunk('a'), 'data:\n\n', chunk('b'), 'data: [DONE]\n\n']));
  assert.deepEqual([told.error, textIn(told), told.reads.at(-1).records], [null, 'ab', 4]);
  assert.match(told.events.find(({ type }) => type === 'notice').message, /without data/);
});

test('a WebSocket is closed with the end of its answer', async () => {
  /** A gateway that answers at once. */
  class Socket extends EventTarget {
    static OPEN = 1;

    constructor() {
      super();
      this.readyState = 1;
      setImmediate(() => this.dispatchEvent(new Event('open')));
    }

    send() {
      for (const record of [{ streamkit: 'start' }, { streamkit: 'text', text: 'a' }, { streamkit: 'end' }]) {
        this.dispatchEvent(Object.assign(new Event('message'), { data: JSON.stringify(record) }));
      }
    }

    close() {
      closed.push(told.events.at(-1).type);
      this.readyState = 3;
      setImmediate(() => this.dispatchEvent(Object.assign(new Event('close'), { code: 1005, reason: '' })));
    }
  }
  const closed = [];
  const told = { events: [] };
  globalThis.WebSocket = Socket;
  const gate = { key: '', keyHeaders: {} };
  const { signal } = new AbortController();
  const waiting = globalThis.setTimeout;
  globalThis.setTimeout = (...all) => assert.fail(`waits: ${all}`);
  try {
    await ask({
      feed: 'websocket', prompt: 'Hi', model: 'm', gate, tag: 't', signal, onRead: () => {}, onEvent: (event) => told.events.push(event),
    }); // prettier-ignore
  } finally {
    globalThis.setTimeout = waiting;
  }
  assert.deepEqual(closed, ['end']);
});
