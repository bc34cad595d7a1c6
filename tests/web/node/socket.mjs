// The messages of a WebSocket, by a stand-in that says exactly when what comes. Real ones are in test_gateway_feeds.py.

import assert from 'node:assert/strict';
import test from 'node:test';

import { readAll } from './bodies.mjs';
import { readEvents, StreamError } from './stream.js';

/** What readEvents sees of a WebSocket. */
class StandIn extends EventTarget {
  constructor() {
    super();
    this.readyState = 1;
    this.binaryType = 'blob';
    this.closedWith = /** @type {unknown[] | null} */ (null);
    this.listeners = 0;
  }

  addEventListener(...all) {
    this.listeners += 1;
    super.addEventListener(...all);
  }

  removeEventListener(...all) {
    this.listeners -= 1;
    super.removeEventListener(...all);
  }

  close(...all) {
    this.closedWith = all;
    this.readyState = 2;
  }

  says(...messages) {
    for (const data of messages) this.dispatchEvent(Object.assign(new Event('message'), { data }));
  }

  ends(code, reason = '') {
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event('close'), { code, reason, wasClean: code !== 1006 }));
  }
}

test('messages from the call on, in their order, until the socket closes', async () => {
  const socket = new StandIn();
  const events = readEvents(socket);
  socket.says('{"a":1}', '[2]');
  assert.deepEqual((await events.next()).value, { a: 1 });
  socket.says('"é\\u2028"');
  assert.deepEqual((await events.next()).value, [2]);
  assert.equal((await events.next()).value, 'é\u2028');
  const waiting = events.next();
  socket.says('3', '4');
  assert.equal((await waiting).value, 3);
  socket.ends(1000);
  assert.equal((await events.next()).value, 4); // it came before the end
  assert.equal((await events.next()).done, true);
  assert.deepEqual([socket.listeners, socket.closedWith], [0, null]);
});

test('closing without a code is an end, another code is an error', async () => {
  for (const [code, reason, isError] of [
    [1000, 'done', false],
    [1005, '', false],
    [1001, 'the gateway goes away', true],
    [1006, '', true],
    [1011, 'the upstream failed', true],
  ]) {
    const socket = new StandIn();
    const events = readEvents(socket);
    socket.says('1');
    socket.ends(code, reason);
    const { records, error } = await readAll(events);
    assert.deepEqual(records, [1]);
    if (!isError) assert.equal(error, null);
    else {
      assert.ok(error instanceof StreamError);
      assert.deepEqual([error.code, error.record, error.offset], ['closed', 2, 1]);
      assert.ok(error.message.includes(String(code)) && error.message.includes(reason));
    }
  }
});

test('a socket that was closed before', async () => {
  const socket = new StandIn();
  socket.ends(1006);
  const { error } = await readAll(readEvents(socket));
  assert.equal(error.code, 'closed');
  assert.equal(socket.listeners, 0);
});

test('a message that is no JSON, behind those before it; the socket is closed', async () => {
  const socket = new StandIn();
  const events = readEvents(socket);
  socket.says('"é"', '{"a":', '2');
  const { records, error } = await readAll(events);
  assert.deepEqual(records, ['é']);
  assert.deepEqual([error.name, error.code, error.record, error.offset], ['StreamError', 'bad-json', 2, 4]);
  assert.deepEqual([socket.closedWith, socket.listeners], [[], 0]);
});

test('binary messages are text too', async () => {
  const socket = new StandIn();
  const events = readEvents(socket);
  assert.equal(socket.binaryType, 'arraybuffer');
  socket.says(Uint8Array.from(Buffer.from('["é"]')).buffer, Uint8Array.of(34, 255, 34).buffer);
  const { records, error } = await readAll(events);
  assert.deepEqual([records, error.code, error.record, error.offset], [[['é']], 'bad-utf8', 2, 6]);
});

test('leaving the loop closes the socket', async () => {
  const socket = new StandIn();
  const events = readEvents(socket);
  socket.says('1', '2');
  for await (const event of events) {
    assert.equal(event, 1);
    break;
  }
  assert.deepEqual([socket.closedWith, socket.listeners], [[], 0]);
});

test('the signal closes the socket, and nothing comes after it', async () => {
  const socket = new StandIn();
  const controller = new AbortController();
  const events = readEvents(socket, { signal: controller.signal });
  socket.says('1', '2');
  await events.next();
  controller.abort();
  assert.deepEqual([socket.closedWith, socket.listeners], [[], 0]);
  await assert.rejects(events.next(), { name: 'AbortError' });

  const waiting = new StandIn();
  const other = new AbortController();
  const next = readEvents(waiting, { signal: other.signal }).next();
  const reason = new Error('enough');
  other.abort(reason);
  await assert.rejects(next, reason);
  assert.deepEqual(waiting.closedWith, []);

  const late = new StandIn();
  await assert.rejects(readEvents(late, { signal: AbortSignal.abort(reason) }).next(), reason);
  assert.deepEqual(late.closedWith, []);
});

test('a message over the limit, and too many that wait', async () => {
  const socket = new StandIn();
  const events = readEvents(socket, { maxBytes: 4 });
  socket.says('"é"', '"éx"', '1'); // the limit counts bytes
  const { records, error } = await readAll(events);
  assert.deepEqual([records, error.code, error.record, error.offset], [['é'], 'too-large', 2, 4]);
  assert.deepEqual(socket.closedWith, []);

  const busy = new StandIn();
  const slow = readEvents(busy, { maxWaitingBytes: 10 });
  busy.says('"123"', '"456"');
  assert.equal((await slow.next()).value, '123');
  busy.says('"789"'); // one was taken, so there is room again
  assert.equal(busy.closedWith, null);
  busy.says('0');
  assert.deepEqual(busy.closedWith, []);
  const rest = await readAll(slow);
  assert.deepEqual([rest.records, rest.error.code], [['456', '789'], 'too-large']);
});

test('each message is told with its time when it comes', async () => {
  const socket = new StandIn();
  const told = [];
  readEvents(socket, { onRead: (bytes, at_ms) => told.push([Buffer.from(bytes).toString(), typeof at_ms]) });
  socket.says('"é"', Uint8Array.of(49).buffer);
  assert.deepEqual(told, [['"é"', 'number'], ['1', 'number']]);
});

test('what onRead throws ends the loop, behind what came before', async () => {
  const socket = new StandIn();
  const onRead = (bytes) => {
    if (bytes.length > 1) throw new RangeError('mine');
  };
  const events = readEvents(socket, { onRead });
  socket.says('1', '22', '3');
  const { records, error } = await readAll(events);
  assert.deepEqual([records, error?.message, socket.closedWith, socket.listeners], [[1], 'mine', [], 0]);
});
