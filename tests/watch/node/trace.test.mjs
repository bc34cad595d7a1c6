// One stream's marks on one line of time: what belongs together, what was held by whom, and what is said of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Trace } from '../page/trace.js';
import { factsOf, firstTokenText, markText, verdict } from '../page/words.js';
import { ARRIVED_NS, base64, browserOf, end, event, gone, head, laneOf, stream } from './rows.mjs';

const pairs = (flat) => Array.from({ length: flat.length / 2 }, (_, at) => `${flat[at * 2]}-${flat[at * 2 + 1]}`).join(' ');

/** A stream that was passed on at once: read at 10, 20, 30 ms, written 1 ms and read by the browser 2 ms later. */
function calm(by = 'bytes', texts = ['a', 'b', 'c']) {
  const trace = new Trace({ by });
  const [read, write] = [laneOf('upstream'), laneOf('gateway')];
  trace.setClock({ offset_ms: 400, uncertainty_ms: 0.5 });
  trace.row(stream());
  trace.row(head('upstream', 9));
  trace.row(head('gateway', 10));
  const browser = browserOf(trace, 400);
  texts.forEach((text, n) => {
    trace.row(read(10 * n + 10, event(text)));
    trace.row(write(10 * n + 11, event(text), { through: n + 1 }));
    browser(10 * n + 12, event(text));
  });
  return trace;
}

test('each hop has its marks, and lines join the same bytes', () => {
  for (const by of ['bytes', 'records']) {
    const trace = calm(by);
    const { upstream, gateway, browser } = trace.lanes;
    assert.deepEqual([upstream.length, gateway.length, browser.length], [3, 3, 3]);
    assert.deepEqual(browser.map((mark) => Math.round(mark.t_ms * 100) / 100), [12, 22, 32]);
    const { readToWrite, writeToBrowser } = trace.links();
    assert.deepEqual([pairs(readToWrite), pairs(writeToBrowser)], ['0-0 1-1 2-2', '0-0 1-1 2-2']);
  }
});

test('whether the rows or the reads of the browser come first changes nothing', () => {
  const late = new Trace({ by: 'bytes' });
  const [read, write] = [laneOf('upstream'), laneOf('gateway')];
  const browser = browserOf(late, 400);
  for (let n = 0; n < 3; n++) browser(10 * n + 12, event('abc'[n]));
  assert.deepEqual(late.lanes.browser, []);
  late.row(stream());
  assert.deepEqual([late.lanes.browser, late.links().writeToBrowser], [[], []]);
  late.row(head('upstream', 9));
  late.row(head('gateway', 10));
  for (let n = 0; n < 3; n++) late.row(read(10 * n + 10, event('abc'[n])));
  for (let n = 0; n < 3; n++) late.row(write(10 * n + 11, event('abc'[n]), { through: n + 1 }));
  late.setClock({ offset_ms: 400, uncertainty_ms: 0.5 });
  const early = calm();
  assert.deepEqual(late.links(), early.links());
  assert.deepEqual(late.figures(), early.figures());
});

test('a row that is told again is not a second mark, and each change is told', () => {
  const trace = calm();
  let told = 0;
  trace.onChange = () => told++;
  const version = trace.version;
  const again = laneOf('upstream');
  trace.row(stream());
  trace.row(head('upstream', 9));
  trace.row(again(10, event('a')));
  trace.row({ kind: 'ping' });
  assert.deepEqual([trace.lanes.upstream.length, trace.heads.length, told], [3, 2, 3]);
  assert.equal(trace.version, version + 3);
});

test('a browser that reads several writes at once, or one in pieces, has lines to each', () => {
  const trace = calm('bytes', []);
  const [read, write] = [laneOf('upstream'), laneOf('gateway')];
  for (let n = 0; n < 3; n++) {
    trace.row(read(10 + n, '0123456789'));
    trace.row(write(10 + n, '0123456789', { through: n + 1 }));
  }
  const browser = browserOf(trace, 400);
  browser(20, '0123456789012', { fresh: 1 });
  browser(21, '3', { fresh: 0 });
  browser(22, '4567890123456789', { fresh: 2 });
  assert.equal(pairs(trace.links().writeToBrowser), '0-0 1-0 1-1 1-2 2-2');
});

test('in records: what was cut by the gateway belongs to the message that it becomes', () => {
  const trace = calm('records', []);
  const [read, write] = [laneOf('upstream'), laneOf('gateway')];
  trace.row(read(10, event('abcd')));
  trace.row(write(11, 'id: 1\ndata: {"stre', { through: 1, records: 0, cut: 'record' }));
  trace.row(write(12, 'amkit":"text"}\n\nid: 2\n', { through: 1, records: 1, cut: 'record' }));
  trace.row(write(13, 'data: 2\n\nid: 3\ndata: 3\n\n', { through: 1, records: 2 }));
  const browser = browserOf(trace, 400);
  for (const t_ms of [14, 15, 16]) browser(t_ms, '{"text":"a"}');
  assert.equal(pairs(trace.links().writeToBrowser), '0-0 1-0 1-1 2-1 2-2');
  assert.equal(pairs(trace.links().readToWrite), '0-0 0-1 0-2');
});

test("a heartbeat of the gateway's own is of no read", () => {
  const trace = calm('bytes', []);
  const [read, write] = [laneOf('upstream'), laneOf('gateway')];
  trace.row(read(10, event('a')));
  trace.row(write(11, 'data: ', { records: 0, cut: 'record', through: 1 }));
  trace.row(write(50, ': ping\n\n', { records: 0, cut: 'record', through: 1 }));
  assert.equal(pairs(trace.links().readToWrite), '0-0');
  trace.row(write(60, 'rest\n\n', { through: 1 }));
  assert.equal(pairs(trace.links().readToWrite), '0-0 0-2', 'a read may become several writes');
  trace.row(read(70, 'data: {"cho', { records: 0, cut: 'record' }));
  trace.row(write(15000, ': ping\n\n', { records: 0, through: 2 }));
  trace.row(read(15100, 'ices":[]}\n\n'));
  trace.row(write(15101, event('a'), { through: 3 }));
  assert.equal(pairs(trace.links().readToWrite), '0-0 0-2 1-4 2-4', 'nor of a record that has only begun');
  trace.row(read(15200, ': model\n\n', { records: 0 }));
  trace.row(write(15201, ': model\n\n', { records: 0, through: 4 }));
  assert.equal(pairs(trace.links().readToWrite), '0-0 0-2 1-4 2-4 3-5', "the model's is passed on");
});

test("a record of the gateway's own, of a silence that it has ended, is of no read, and the silence is told", () => {
  for (const by of ['bytes', 'records']) {
    const trace = calm(by, []);
    const [read, write] = [laneOf('upstream'), laneOf('gateway')];
    trace.row(read(10, event('a')));
    trace.row(write(10.1, '{"message":{"content":"a"}}\n', { through: 1 }));
    trace.row(read(11, event('b') + event('c'), { records: 2 }));
    for (const t_ms of [11.1, 11.2]) trace.row(write(t_ms, '{"message":{"content":"b"}}\n', { through: 2 }));
    trace.row(gone('upstream', 3011, { how: 'abort', is_whole: false }));
    trace.row(write(3012, '{"error":"the upstream was silent for 3 s"}\n', { through: 2 }));
    assert.equal(pairs(trace.links().readToWrite), '0-0 1-1 1-2');
    const said = verdict(trace);
    assert.equal(said.by, 'none');
    assert.match(said.more, / The longest wait was for upstream: 3\.00 s behind read 2, until the connection was broken off\.$/);
  }
});

test('a reader that comes again goes on where the one before was left', () => {
  const trace = new Trace({ by: 'records' });
  const read = laneOf('upstream');
  trace.row(stream({ is_resumable: true }));
  trace.row(head('gateway', 1, { status: 201, media_type: 'application/json' }));
  trace.row(head('gateway', 2, { connection: 1 }));
  trace.row(read(10, event('a')));
  trace.row(laneOf('gateway', 1)(11, event('a'), { through: 1 }));
  trace.row(gone('gateway', 12, { connection: 1, how: 'reset', is_whole: false }));
  trace.row(read(20, event('b')));
  trace.row(read(30, event('c')));
  trace.row(head('gateway', 40, { connection: 2 }));
  trace.row(laneOf('gateway', 2)(41, event('b') + event('c'), { n: 1, through: 3, records: 2 }));
  trace.setClock({ offset_ms: 0, uncertainty_ms: 0.1 });
  browserOf(trace, 0, 0)(12, 'a');
  const again = browserOf(trace, 0, 1);
  again(42, 'b');
  again(43, 'c');
  const { readToWrite, writeToBrowser } = trace.links();
  assert.deepEqual([pairs(readToWrite), pairs(writeToBrowser)], ['0-0 1-1 2-1', '0-0 1-1 1-2']);
  assert.equal(verdict(trace).by, 'absent');
  trace.row(laneOf('gateway', 2)(41.2, 'data: 3\n\n', { n: 2, through: 3 }));
  assert.deepEqual([trace.links().readToWrite.slice(-2), trace.figures().holds.gateway], [[2, 2], undefined], 'and the rest of it too');
});

test('the figures of each hop', () => {
  const trace = calm();
  const { upstream, gateway, browser, heldByGateway, heldBehind } = trace.figures();
  const size = event('a').length;
  assert.deepEqual([upstream.firstByte_ms, gateway.firstByte_ms, Math.round(browser.firstByte_ms)], [10, 11, 12]);
  assert.deepEqual([upstream.gap50_ms, upstream.gap95_ms, upstream.gapMost_ms], [10, 10, 10]);
  assert.deepEqual([upstream.perMark, gateway.records, gateway.bytes], [1, 3, 3 * size]);
  assert.deepEqual([heldByGateway, heldBehind.most], [{ now: 0, most: size, most_ms: 10 }, size]);
  trace.row(end());
  assert.equal(trace.figures().heldByGateway.now, null);
});

test('bytes that are read and not written are held by the gateway, and said so', () => {
  const trace = calm('bytes', []);
  const [read, write] = [laneOf('upstream'), laneOf('gateway')];
  const text = event('x');
  for (let n = 0; n < 4; n++) trace.row(read(10 + 100 * n, text));
  assert.deepEqual(trace.figures().heldByGateway, { now: 4 * text.length, most: 4 * text.length, most_ms: 310 });
  trace.row(write(311, text.repeat(4), { through: 4, records: 4 }));
  assert.equal(trace.figures().heldByGateway.now, 0);
  assert.equal(trace.figures().holds.gateway.ms, 301);
  assert.match(verdict(trace).text, /^The gateway held \d+ B back for 301 ms \(write 1\)\.$/);
});

test('where the gateway tells no more, nothing is said of what is held now', () => {
  const trace = calm();
  trace.cutOff();
  assert.deepEqual([trace.isCutOff, trace.told_ms, trace.figures().heldByGateway.now], [true, 31, null]);
  trace.told(stream({ dialect: 'ollama-chat' }));
  assert.equal(trace.isCutOff, true, 'the list is other news');
  trace.row(stream());
  assert.deepEqual([trace.isCutOff, trace.figures().heldByGateway.now], [false, 0]);
  trace.row(end());
  trace.cutOff();
  trace.told(stream({ outcome: 'x' }));
  assert.deepEqual([trace.isCutOff, trace.stream.outcome], [false, 'ok'], 'it is over');
});

test('what waits for the end of its record is held by nobody', () => {
  const trace = calm('bytes', []);
  const [read, write] = [laneOf('upstream'), laneOf('gateway')];
  trace.row(read(10, 'data: {"content":"a', { records: 0, cut: 'record' }));
  trace.row(read(900, '"}\n\n', { records: 1 }));
  trace.row(write(901, 'data: {"content":"a"}\n\n', { through: 2 }));
  assert.equal(trace.figures().holds.gateway.ms, 1);
  assert.deepEqual([trace.figures().upstream.firstToken_ms, trace.figures().upstream.firstByte_ms], [900, 10]);
  const said = verdict(trace);
  assert.equal(said.by, 'none');
  assert.match(said.more, /The longest wait was for upstream: 890 ms before read 2\./);
});

/** A translated stream whose model opens its answer (a role, a ping) 2 s before the first token. */
function translated(dialect, text) {
  const trace = calm('bytes', []);
  const [read, write] = [laneOf('upstream'), laneOf('gateway')];
  trace.row(stream({ dialect, upstream_dialect: dialect && 'openai-chat' }));
  trace.row(read(10, 'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'));
  trace.row(read(1000, 'event: ping\ndata: {"type":"ping"}\n\n'));
  trace.row(read(2000, text.slice(0, 40), { records: 0, cut: 'record' }));
  trace.row(read(2001, text.slice(40)));
  return { trace, read, write };
}

test('where the gateway translates, the wait for the first token behind a role is for the model', () => {
  const line = '{"message":{"content":"Hi"}}\n';
  const { trace, read, write } = translated('ollama-chat', event('Hi'));
  trace.row(write(2002, line, { through: 4 }));
  assert.equal(trace.figures().holds.gateway.ms, 1);
  assert.equal(verdict(trace).by, 'none');
  assert.match(verdict(trace).more, /The longest wait was for upstream: 1\.00 s before read 3\./);
  trace.row(read(2100, 'data: {"choices":[{"finish_reason":"stop"}]}\n\n'));
  trace.row(read(3100, 'data: [DONE]\n\n'));
  trace.row(write(3101, '{"done":true}\n', { through: 6 }));
  assert.equal(verdict(trace).by, 'none', 'nor is the end of it');
  trace.row(read(3200, event('a')));
  trace.row(read(3300, event('b')));
  trace.row(write(3301, line + line, { through: 8, records: 2 }));
  assert.equal(Math.round(trace.figures().holds.gateway.ms), 101, 'tokens that it has are held');
  for (let n = 0; n < 3; n++) trace.row(read(4000 + 100 * n, event('a')));
  trace.row(write(4300, line, { through: 11 }));
  assert.match(verdict(trace).text, /^The gateway held \d+ B back for 300 ms, to make 1 record of 3 \(write 4\)\.$/);
});

test('a token that has only begun in the read that completes the role is the next read\'s', () => {
  const trace = calm('bytes', []);
  const [read, write] = [laneOf('upstream'), laneOf('gateway')];
  trace.row(stream({ dialect: 'ollama-chat', upstream_dialect: 'openai-chat' }));
  const text = event('Hi');
  trace.row(read(10, `data: {"choices":[{"delta":{"content":""}}]}\n\n${text.slice(0, -4)}`, { cut: 'record' }));
  trace.row(read(500, text.slice(-4)));
  trace.row(write(501, '{"message":{"content":"Hi"}}\n', { through: 2 }));
  assert.equal(trace.figures().holds.gateway.ms, 1);
});

test('where it passes bytes on, all of them could have been written', () => {
  const { trace, write } = translated('', event('Hi'));
  trace.row(write(2002, event('Hi'), { through: 4, records: 3 }));
  assert.equal(trace.figures().holds.gateway.ms, 1992);
  assert.equal(verdict(trace).by, 'gateway');
});

test('a gateway that was busy is named, as far as its kernel knows', () => {
  const trace = calm('bytes', []);
  const [read, write] = [laneOf('upstream'), laneOf('gateway')];
  const step = (t_ms, count, more) => {
    trace.row(read(t_ms, event('x').repeat(count), { records: count, ...more }));
    trace.row(write(t_ms + 0.1, event('x').repeat(count), { records: count, through: trace.lanes.upstream.length }));
  };
  const kernel_ns = (t_ms) => ARRIVED_NS + t_ms * 1e6;
  step(2000, 3, { segments: 3, kernel_ns: kernel_ns(1999.9) });
  for (let t_ms = 2020; t_ms <= 2200; t_ms += 20) step(t_ms, 1, { segments: 1, kernel_ns: kernel_ns(t_ms - 0.1) });
  assert.equal(verdict(trace).by, 'none', 'what comes at once in the beginning is the model');
  step(2600, 20, { segments: 20, kernel_ns: kernel_ns(2594) });
  assert.equal(verdict(trace).by, 'busy');
  assert.match(verdict(trace).text, /^The gateway read nothing for 400 ms, then 940 B in 20 TCP segments \(read 12\), as many as .*: it was busy, or they came at once\.$/);
  assert.equal(trace.figures().holds.model.mark.n, 0);
  step(3400, 1, { segments: 1, kernel_ns: kernel_ns(2900) });
  assert.match(verdict(trace).text, /^The gateway was busy: it read 47 B 500 ms after its kernel had them \(read 13\)\.$/);
});

test('a reader that does not read, and a long way to the browser, are named', () => {
  const stalled = calm('bytes', []);
  stalled.row(laneOf('upstream')(10, event('a')));
  stalled.row(laneOf('gateway')(11, event('a'), { through: 1, done_ms: 511 }));
  assert.equal(verdict(stalled).by, 'reader');
  assert.equal(stalled.figures().heldByGateway.most, event('a').length);
  const far = calm('bytes', []);
  far.row(laneOf('upstream')(10, event('a')));
  far.row(laneOf('gateway')(11, event('a'), { through: 1 }));
  browserOf(far, 400)(91, event('a'));
  assert.deepEqual([verdict(far).by, Math.round(far.figures().holds.browser.ms)], ['browser', 80]);
  assert.match(verdict(far).text, / took 80\.0 ms \(± 0\.50 ms\) from the gateway to the browser/);
  far.setClock({ offset_ms: 400, uncertainty_ms: 70 });
  assert.equal(verdict(far).by, 'none', 'that may be the clock');
});

test('the first token is the first text that is not empty, once its record is complete', () => {
  const trace = calm('bytes', []);
  const [read, write] = [laneOf('upstream'), laneOf('gateway')];
  trace.row(read(10, 'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'));
  trace.row(read(20, 'data: {"choices":[{"delta":{"cont', { records: 0, cut: 'record' }));
  trace.row(read(30, 'ent":"H', { records: 0, cut: 'record' }));
  trace.row(read(40, 'i"}}]}\n\n'));
  trace.row(write(41, '{"message":{"content":"Hi"}}\n', { through: 4 }));
  browserOf(trace, 400)(43, '{"message":{"content":"Hi"}}\n');
  const { upstream, gateway, browser } = trace.figures();
  assert.deepEqual([upstream.firstByte_ms, upstream.firstToken_ms, gateway.firstToken_ms], [10, 40, 41]);
  assert.equal(Math.round(browser.firstToken_ms), 43);
  assert.equal(
    firstTokenText(trace),
    'First token in the browser 43.0 ms after the request: 40.0 ms until it was read from upstream, 1.00 ms in the gateway, 2.00 ms (± 0.50 ms) to the browser.',
  );
});

test('where the browser was cut is found in its own bytes', () => {
  const trace = calm('bytes', []);
  const browser = browserOf(trace, 400);
  trace.browser({ at_ms: 0, bytes: 7, records: 0, connection: 0, data: new TextEncoder().encode('data: ß').slice(0, 7) });
  browser(2, 'data: 1\r', { fresh: 0 });
  browser(3, '\n', { fresh: 0 });
  browser(4, '\r\n', { fresh: 1 });
  browser(5, 'da', { fresh: 0 });
  browser(6, 'ta: 2\r', { fresh: 0 });
  browser(7, '\rdata: 3\n\n', { fresh: 2 });
  const cuts = trace.lanes.browser.map((mark) => trace.cutOf(mark));
  assert.deepEqual(cuts, ['character', 'cr', 'record', 'between', 'record', 'record', 'between']);
});

test('a long read that is not whole here has the cut of the write that ends with it', () => {
  const trace = calm('bytes', []);
  trace.row(laneOf('upstream')(1, event('a')));
  trace.row(laneOf('gateway')(2, 'x'.repeat(5000), { through: 1, cut: 'record', head: base64('x'.repeat(1024)) }));
  trace.browser({ at_ms: 0, bytes: 5000, records: 0, connection: 0, data: new Uint8Array(100) });
  assert.equal(trace.cutOf(trace.lanes.browser[0]), 'record');
});

test('the bytes that a page keeps of what it reads are bounded, its marks are not lost', () => {
  const trace = new Trace({ by: 'bytes' });
  const data = new Uint8Array(64 << 10).fill(65);
  for (let n = 0; n < 8000; n++) trace.browser({ at_ms: n, bytes: data.length, records: 0, connection: 0, data });
  trace.row(stream());
  trace.setClock({ offset_ms: 0, uncertainty_ms: 1 });
  const kept = trace.lanes.browser.reduce((sum, { head, tail }) => sum + head.length + tail.length, 0);
  assert.ok(kept > 8e6 && kept < 9e6, String(kept));
  assert.equal(trace.figures().browser.bytes, 8000 * data.length);
});

test('the clock is not moved under a stream that is over, unless it is known better', () => {
  const trace = calm();
  trace.row(end());
  trace.setClock({ offset_ms: 900, uncertainty_ms: 0.6 });
  assert.equal(Math.round(trace.lanes.browser[0].t_ms), 12);
  trace.setClock({ offset_ms: 400.2, uncertainty_ms: 0.1 });
  assert.equal(trace.lanes.browser[0].t_ms.toFixed(1), '12.2');
  trace.setClock({ offset_ms: null, uncertainty_ms: Infinity });
  assert.equal(trace.uncertainty_ms, 0.1);
});

test('marks and empty streams in words', () => {
  const trace = calm();
  assert.equal(markText(trace.lanes.gateway[1], trace), 'Gateway write 2 of 3, 21.0 ms after the request, 47 B, 1 record, ends between records');
  assert.deepEqual(factsOf(trace.lanes.browser[1], trace).find(([name]) => name === 'on the way'), ['on the way', '1.00 ms ± 0.50 ms']);
  const empty = new Trace({ by: null });
  empty.row(stream());
  assert.equal(verdict(empty).text, 'Nothing was read from upstream yet.');
  empty.row(end());
  assert.equal(verdict(empty).text, 'No body came from upstream.');
});

test('ten thousand marks: each is linked and looked at once', () => {
  const trace = calm('bytes', Array.from({ length: 10_000 }, (_, at) => `w${at}`));
  assert.equal(trace.links().writeToBrowser.length, 20_000);
  assert.equal(trace.figures().browser.marks, 10_000);
  assert.equal(trace.figures(), trace.figures());
});
