// Bodies read by stream.js: leaving, aborting, losing, limits, what is told on the way, and what it costs.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import test from 'node:test';

import { bodyOf, cutAt, readAll } from './bodies.mjs';
import { readNDJSON, readSSE, StreamError } from './stream.js';

const encoder = new TextEncoder();
const bytesOf = (/** @type {string} */ text) => encoder.encode(text);
const EVENTS = 'data: 1\n\ndata: 2\n\ndata: 3\n\n';
const LINES = '1\n2\n3\n';
const BOTH = [
  { name: 'readSSE', read: readSSE, wire: EVENTS, type: 'text/event-stream', valueOf: ({ data }) => Number(data) },
  { name: 'readNDJSON', read: readNDJSON, wire: LINES, type: 'application/x-ndjson', valueOf: (value) => value },
];

/** A body of which nothing comes but what `feed` is given. */
function openBody() {
  const log = { isCancelled: false, reason: undefined, feed: (text) => controller.enqueue(bytesOf(text)) };
  let controller;
  const body = new ReadableStream({
    start: (given) => void (controller = given),
    cancel(reason) {
      log.isCancelled = true;
      log.reason = reason;
    },
  });
  return { body, log };
}

/** A signal that knows how many listen to it. */
function watchedSignal() {
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
  signal.addEventListener = (...all) => ((listeners += 1), add(...all));
  signal.removeEventListener = (...all) => ((listeners -= 1), remove(...all));
  return { controller, signal, listeners: () => listeners };
}

async function serving(answer) {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return { server, url: `http://127.0.0.1:${port}/` };
}

for (const { name, read, wire, type, valueOf } of BOTH) {
  test(`${name}: nothing is read ahead of the loop`, async () => {
    const log = {};
    const size = wire.length / 3;
    const records = read(bodyOf(cutAt(bytesOf(wire), [size, 2 * size]), log));
    assert.equal(log.given, 0);
    await records.next();
    assert.equal(log.given, size);
    await records.next();
    assert.equal(log.given, 2 * size);
  });

  test(`${name}: leaving the loop cancels the body`, async () => {
    const log = {};
    for await (const record of read(bodyOf([bytesOf(wire), bytesOf(wire)], log))) {
      assert.equal(valueOf(record), 1);
      break;
    }
    assert.ok(log.isCancelled);
  });

  test(`${name}: an exception in the loop cancels the body`, async () => {
    const log = {};
    const failing = async () => {
      for await (const _ of read(bodyOf([bytesOf(wire), bytesOf(wire)], log))) throw new RangeError('mine');
    };
    await assert.rejects(failing, RangeError);
    assert.ok(log.isCancelled);
  });

  test(`${name}: a body that is read to its end is left alone, and no one listens to the signal any more`, async () => {
    const log = {};
    const { signal, listeners } = watchedSignal();
    const body = bodyOf([bytesOf(wire)], log);
    const { records, error } = await readAll(read(body, { signal }), log);
    assert.deepEqual([records.map(valueOf), error, log.isCancelled], [[1, 2, 3], null, undefined]);
    assert.equal(listeners(), 0);
    assert.equal(body.locked, false);
  });

  test(`${name}: the signal ends a loop that waits, and cancels the body`, async () => {
    const { body, log } = openBody();
    const { controller, signal, listeners } = watchedSignal();
    const records = read(body, { signal });
    log.feed(wire.slice(0, wire.length / 3 + 1)); // and the beginning of a second one
    assert.equal(valueOf((await records.next()).value), 1);
    const waiting = records.next();
    const reason = new Error('enough');
    controller.abort(reason);
    await assert.rejects(waiting, reason);
    assert.deepEqual([log.isCancelled, log.reason], [true, reason]);
    assert.equal(listeners(), 0);
    assert.deepEqual(await records.next(), { value: undefined, done: true });
  });

  test(`${name}: after the signal nothing comes of what was there, and the body is cancelled at once`, async () => {
    const { body, log } = openBody();
    const controller = new AbortController();
    log.feed(wire);
    const seen = [];
    const reading = async () => {
      for await (const record of read(body, { signal: controller.signal })) {
        seen.push(valueOf(record));
        controller.abort();
        assert.ok(log.isCancelled);
      }
    };
    await assert.rejects(reading, { name: 'AbortError' });
    assert.deepEqual(seen, [1]);
  });

  test(`${name}: with a signal that is aborted already, nothing is read`, async () => {
    const log = {};
    const { records, error } = await readAll(read(bodyOf([bytesOf(wire)], log), { signal: AbortSignal.abort() }), log);
    assert.deepEqual([records, error.name, log.given, log.isCancelled], [[], 'AbortError', 0, true]);
  });

  test(`${name}: a server sees at once that the loop was left, or its signal aborted`, async () => {
    for (const isLeft of [true, false]) {
      const gone = {};
      const { server, url } = await serving((_, response) => {
        gone.promise = once(response, 'close');
        response.writeHead(200, { 'Content-Type': type }).write(wire);
      });
      const controller = new AbortController();
      const reading = async () => {
        for await (const _ of read(await fetch(url), { signal: controller.signal })) {
          if (isLeft) break;
          controller.abort();
        }
      };
      if (isLeft) await reading();
      else await assert.rejects(reading, { name: 'AbortError' });
      await gone.promise; // or the test never ends
      server.close();
    }
  });

  test(`${name}: a connection that is lost is an error behind what came`, async () => {
    let cut = () => {};
    const { server, url } = await serving((_, response) => {
      cut = () => response.destroy();
      response.writeHead(200, { 'Content-Type': type }).write(wire + wire.slice(0, 1));
    });
    const seen = [];
    let error = null;
    try {
      for await (const record of read(await fetch(url))) {
        seen.push(valueOf(record));
        if (seen.length === 3) cut();
      }
    } catch (thrown) {
      error = thrown;
    }
    server.close();
    assert.deepEqual(seen, [1, 2, 3]);
    assert.ok(error instanceof StreamError);
    assert.deepEqual([error.code, error.record, error.offset], ['closed', 4, wire.length]);
    assert.ok(error.cause instanceof TypeError);
  });

  test(`${name}: the signal of the fetch, and what a body of the page's own fails with, come as they are`, async () => {
    const { server, url } = await serving((_, response) => {
      response.writeHead(200, { 'Content-Type': type }).write(wire);
    });
    const controller = new AbortController();
    const reading = async () => {
      for await (const _ of read(await fetch(url, { signal: controller.signal }))) controller.abort();
    };
    await assert.rejects(reading, { name: 'AbortError' });
    server.close();
    const mine = new RangeError('mine');
    const failing = new ReadableStream({ pull: (given) => given.error(mine) });
    assert.equal((await readAll(read(failing))).error, mine);
  });

  test(`${name}: an answer that is none says so, and its body can still be read`, async () => {
    for (const [options, code] of [
      [{ status: 503, headers: { 'Content-Type': 'application/json' } }, 'status'],
      [{ status: 404, headers: { 'Content-Type': type } }, 'status'],
      [{ status: 200, headers: { 'Content-Type': 'text/html; charset=utf-8' } }, 'media-type'],
    ]) {
      const response = new Response('{"error":"busy"}', options);
      const { records, error } = await readAll(read(response));
      assert.deepEqual([records, error.name, error.code], [[], 'StreamError', code]);
      assert.match(error.message, code === 'status' ? new RegExp(options.status) : /text\/html/);
      assert.equal(await response.text(), '{"error":"busy"}');
    }
  });

  test(`${name}: what a Response may be`, async () => {
    const bare = new Response(bytesOf(wire));
    assert.deepEqual((await readAll(read(bare))).records.map(valueOf), [1, 2, 3]);
    const named = new Response(bytesOf(wire), { headers: { 'Content-Type': `${type.toUpperCase()} ;charset=x` } });
    assert.deepEqual((await readAll(read(named))).records.map(valueOf), [1, 2, 3]);
    const empty = new Response(null, { status: 204 });
    assert.deepEqual((await readAll(read(empty))).records, []);
  });

  test(`${name}: a body that was read already, or is not of bytes, is an error and no empty stream`, async () => {
    const response = new Response(wire, { headers: { 'Content-Type': type } });
    assert.equal((await readAll(read(response))).records.length, 3);
    const again = await readAll(read(response));
    assert.deepEqual([again.records, again.error?.name, again.error?.message], [[], 'TypeError', 'the body was read already']);
    for (const piece of [bytesOf(wire).buffer, wire, new Uint16Array(8), undefined]) {
      const log = {};
      const body = new ReadableStream({ start: (to) => to.enqueue(piece), cancel: () => void (log.isCancelled = true) });
      const { records, error } = await readAll(read(body));
      assert.deepEqual([records, error?.name, log.isCancelled], [[], 'TypeError', true]);
    }
    const aborted = await readAll(read(new Response(null), { signal: AbortSignal.abort() }));
    assert.equal(aborted.error?.name, 'AbortError');
  });

  test(`${name}: each read is told with its time, before what is in it`, async () => {
    const whole = bytesOf(wire);
    const pieces = cutAt(whole, [1, 9]);
    const told = [];
    const onRead = (bytes, at_ms) => told.push({ bytes, at_ms });
    const before = performance.now();
    for await (const record of read(bodyOf(pieces), { onRead })) {
      const size = told.reduce((sum, { bytes }) => sum + bytes.length, 0);
      assert.ok(size >= (valueOf(record) * wire.length) / 3);
    }
    assert.deepEqual(told.map(({ bytes }) => bytes), pieces);
    const times = [before, ...told.map(({ at_ms }) => at_ms), performance.now()];
    assert.deepEqual(times, [...times].sort((a, b) => a - b));
  });
}

test('comments and retries are told in their places', async () => {
  const order = [];
  const options = { onComment: (text) => order.push(`: ${text}`), onRetry: (retry_ms) => order.push(retry_ms) };
  const wire = ': a\ndata: 1\n\n:b\nretry: 5\n\ndata: 2\n\n: c\n';
  for await (const { data } of readSSE(bodyOf([bytesOf(wire)]), options)) order.push(data);
  assert.deepEqual(order, [': a', '1', ': b', 5, '2', ': c']);
});

test('a retry of more digits than a number can hold is none', async () => {
  const told = [];
  const wire = `retry: ${'9'.repeat(15)}\nretry: ${'9'.repeat(16)}\n`;
  await readAll(readSSE(bodyOf([bytesOf(wire)]), { onRetry: (retry_ms) => told.push(retry_ms) }));
  assert.deepEqual(told, [999_999_999_999_999]);
});

test('a record may have as many bytes as the limit says, and not one more', async () => {
  const cases = [
    { read: readNDJSON, wire: '"12345678"\n', bytes: 10 },
    { read: readNDJSON, wire: '"12345678"\r\n', bytes: 10 },
    { read: readNDJSON, wire: '"12345678"', bytes: 10 },
    { read: readSSE, wire: 'data: 1234\n\n', bytes: 10 },
    { read: readSSE, wire: 'event: x\ndata: 1234\n\n', bytes: 19 },
    { read: readSSE, wire: ': 12345678\ndata: 1\n\n', bytes: 10 }, // a comment is held only while it is read
  ];
  for (const { read, wire, bytes } of cases) {
    const good = read === readSSE ? 'data: a\n\n' : '1\n';
    const whole = bytesOf(good + wire);
    for (const pieces of [[whole], Array.from(whole, (byte) => Uint8Array.of(byte))]) {
      const fits = await readAll(read(bodyOf(pieces), { maxBytes: bytes }));
      assert.deepEqual([fits.error, fits.records.length], [null, 2], wire);
      const log = {};
      const over = await readAll(read(bodyOf(pieces, log), { maxBytes: bytes - 1 }), log);
      assert.deepEqual([over.error?.code, over.records.length], ['too-large', 1], wire);
      assert.deepEqual([over.error.record, over.error.offset], [2, good.length], wire);
      assert.ok(log.isCancelled || wire.endsWith('"'));
    }
  }
});

test('a line without end is given up with its first byte too many', async () => {
  for (const read of [readSSE, readNDJSON]) {
    const log = {};
    const pieces = Array.from({ length: 100 }, () => bytesOf('x'.repeat(64)));
    const { error } = await readAll(read(bodyOf(pieces, log), { maxBytes: 1000 }), log);
    assert.equal(error.code, 'too-large');
    assert.equal(log.given, 1024);
    assert.ok(log.isCancelled);
  }
});

/** How many bytes were looked at or copied while `work` was done: the work itself, whatever the machine does. */
async function bytesTouched(work) {
  let touched = 0;
  const { indexOf, set, every } = Uint8Array.prototype;
  Uint8Array.prototype.indexOf = function (byte, from = 0) {
    const found = indexOf.call(this, byte, from);
    touched += (found < 0 ? this.length : found + 1) - from;
    return found;
  };
  Uint8Array.prototype.set = function (source, at) {
    touched += source.length;
    return set.call(this, source, at);
  };
  Uint8Array.prototype.every = function (test_) {
    return every.call(this, (...all) => ((touched += 1), test_(...all)));
  };
  try {
    await work();
  } finally {
    Object.assign(Uint8Array.prototype, { indexOf, set, every });
  }
  return touched;
}

test('a byte of a line of 8 MiB costs what one of a line of 64 KiB does, in small reads too', async () => {
  const perByte = async (read, begin, end, size, readBytes) => {
    const line = bytesOf(begin + 'x'.repeat(size - begin.length - end.length) + end);
    const places = Array.from({ length: Math.floor((size - 1) / readBytes) }, (_, index) => (index + 1) * readBytes);
    const pieces = cutAt(line, places);
    const touched = await bytesTouched(async () => {
      assert.equal((await readAll(read(bodyOf(pieces)))).records.length, 1);
    });
    return touched / size;
  };
  for (const [read, begin, end] of [
    [readSSE, 'data: "', '"\r\n\r\n'],
    [readNDJSON, '"', '"\n'],
  ]) {
    for (const readBytes of [256, 16384]) {
      const small = await perByte(read, begin, end, 64 * 1024, readBytes);
      const large = await perByte(read, begin, end, 8 * 1024 * 1024, readBytes);
      assert.ok(small > 1, `${small}: nothing was counted`);
      assert.ok(large < 6 && large < 1.5 * small, `${read.name}, reads of ${readBytes}: ${small} became ${large}`);
    }
  }
});

test('many small events in one read cost what their bytes do', async () => {
  for (const [read, one] of [
    [readSSE, 'data: {"a":1}\n\n'],
    [readSSE, 'data: {"a":1}\r\r'],
    [readSSE, 'data: {"a":1}\r\n\r\n'],
    [readNDJSON, '{"a":1}\n'],
  ]) {
    const cost = async (count) => {
      const whole = bytesOf(one.repeat(count));
      const touched = await bytesTouched(async () => {
        assert.equal((await readAll(read(bodyOf([whole])))).records.length, count);
      });
      return touched / count;
    };
    const [few, many] = [await cost(10), await cost(2000)];
    assert.ok(many < 2 * few, `${JSON.stringify(one)}: ${few} became ${many}`);
  }
});
