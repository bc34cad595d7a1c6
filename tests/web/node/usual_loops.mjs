// What the loops that pages usually have make of a stream, by how it is cut and written: how many of its 200 tokens are
// right. The table in the module's README is compared with this one.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { bodyOf, cutAt } from './bodies.mjs';
import { readSSE } from './stream.js';

const encoder = new TextEncoder();
const TOKENS = Array.from({ length: 200 }, (_, index) => `${index}${['é', '你好', '👋🏽', ' ok'][index % 4]};`);

// --- the stream, as different servers write it ----------------------------------------------------------------------

const chunkOf = (/** @type {string} */ text) => ({ choices: [{ index: 0, delta: { content: text } }] });

/** @param {(json: string) => string} write */
const written = (write) => [...TOKENS.map((text) => write(JSON.stringify(chunkOf(text)))), write('[DONE]')];

const LF = written((json) => `data: ${json}\n\n`);
const CRLF = written((json) => `data: ${json}\r\n\r\n`);
const CR = written((json) => `data: ${json}\r\r`);
const NO_SPACE = written((json) => `data:${json}\n\n`);
const TWO_LINES = written((json) => `data: ${json.replace('"delta"', '\ndata: "delta"')}\n\n`);
const NAMED = written((json) => `event: message\nid: 7\ndata: ${json}\n\n`);
const HEARTBEATS = written((json) => `: still here\n\ndata: ${json}\n\n`);

/** @param {string[]} events */
const eventByEvent = (events) => events.map((event) => encoder.encode(event));

/** @param {string[]} events @param {number} size */
function inReadsOf(events, size) {
  const bytes = encoder.encode(events.join(''));
  const places = Array.from({ length: Math.ceil(bytes.length / size) - 1 }, (_, index) => (index + 1) * size);
  return cutAt(bytes, places);
}

/** Each event in a read of its own, but the line end that ends it comes with the next one. */
function blankLineLater(events) {
  let offset = 0;
  const bytes = encoder.encode(events.join(''));
  return cutAt(bytes, events.slice(0, -1).map((event) => (offset += encoder.encode(event).length) - 1));
}

/** @type {[string, Uint8Array[]][]} */
const STREAMS = [
  ['one event a read, LF', eventByEvent(LF)],
  ['all in one read', inReadsOf(LF, 1e9)],
  ['reads of 1460 bytes', inReadsOf(LF, 1460)],
  ['reads of 64 bytes', inReadsOf(LF, 64)],
  ['byte by byte', inReadsOf(LF, 1)],
  ['the last LF comes later', blankLineLater(LF)],
  ['CRLF', eventByEvent(CRLF)],
  ['CRLF, reads of 64 bytes', inReadsOf(CRLF, 64)],
  ['CR', eventByEvent(CR)],
  ['no space after `data:`', eventByEvent(NO_SPACE)],
  ['an event of two data lines', eventByEvent(TWO_LINES)],
  ['`event:` and `id:` too', eventByEvent(NAMED)],
  ['heartbeats', eventByEvent(HEARTBEATS)],
  ['a byte-order mark', [Uint8Array.of(0xef, 0xbb, 0xbf), ...eventByEvent(LF)]],
];

// --- the loops ------------------------------------------------------------------------------------------------------

/** @param {string} json @param {(text: string) => void} onText */
function take(json, onText) {
  if (json === '[DONE]') return;
  try {
    onText(JSON.parse(json).choices[0].delta.content);
  } catch {
    // "incomplete chunk, ignore": the comment that stands here in the wild
  }
}

/** The loop of most tutorials. */
async function splitEachChunk(body, onText) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const chunk = decoder.decode(value);
    for (const line of chunk.split('\n')) {
      if (line.startsWith('data: ')) take(line.slice(6), onText);
    }
  }
}

/** With the decoder's own memory, so that no character is cut. */
async function splitEachText(body, onText) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const chunk = decoder.decode(value, { stream: true });
    for (const line of chunk.split('\n')) {
      if (line.startsWith('data: ')) take(line.slice(6), onText);
    }
  }
}

/** And with a buffer for the line that is not there yet. */
async function splitBufferedLines(body, onText) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let buffer = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    buffer += decoder.decode(value, { stream: true });
    const lines = buffer.split('\n');
    buffer = lines.pop() ?? '';
    for (const line of lines) {
      if (line.startsWith('data: ')) take(line.slice(6), onText);
    }
  }
}

/** Or for the event that is not there yet. */
async function splitBufferedEvents(body, onText) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let buffer = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    buffer += decoder.decode(value, { stream: true });
    const events = buffer.split('\n\n');
    buffer = events.pop() ?? '';
    for (const event of events) {
      if (event.startsWith('data: ')) take(event.slice(6), onText);
    }
  }
}

async function withReadSSE(body, onText) {
  for await (const { data } of readSSE(body)) {
    if (data === '[DONE]') return;
    onText(JSON.parse(data).choices[0].delta.content);
  }
}

const LOOPS = [splitEachChunk, splitEachText, splitBufferedLines, splitBufferedEvents, withReadSSE];

/** How many tokens of the answer came as they are, in their order. */
async function rightTokens(loop, pieces) {
  let right = 0;
  let next = 0;
  await loop(bodyOf(pieces), (text) => {
    const found = TOKENS.indexOf(text, next);
    if (found < 0) return;
    right += 1;
    next = found + 1;
  });
  return right;
}

/** @type {Map<string, number[]>} */
const table = new Map();
for (const [name, pieces] of STREAMS) {
  const row = [];
  for (const loop of LOOPS) row.push(await rightTokens(loop, pieces));
  table.set(name, row);
}

test('readSSE has every token of every stream', () => {
  for (const [name, row] of table) assert.equal(row.at(-1), TOKENS.length, name);
});

test('on the machine of the one who writes them, all loops are right', () => {
  assert.deepEqual(new Set(table.get('one event a read, LF')), new Set([TOKENS.length]));
});

test('each of the usual loops loses tokens somewhere', () => {
  for (const index of LOOPS.slice(0, -1).keys()) {
    assert.ok([...table.values()].some((row) => row[index] < TOKENS.length), LOOPS[index].name);
  }
});

test('the cut inside a character', async () => {
  const pieces = cutAt(encoder.encode(LF[2]), [encoder.encode(LF[2].slice(0, LF[2].indexOf('👋'))).length + 2]);
  assert.equal(pieces.map((piece) => new TextDecoder().decode(piece)).join('').includes('\ufffd'), true);
  assert.equal(await rightTokens(withReadSSE, pieces), 1);
});

test('a record that came waits for nothing: the usual loop with a buffer for events holds it back', async () => {
  const told = [];
  // The blank line of the first event is a CR: a server that ends its lines so has ended the event.
  const pieces = ['data: 1\r\r', 'data: 2\r\r'].map((text) => encoder.encode(text));
  const log = {};
  for await (const { data } of readSSE(bodyOf(pieces, log))) told.push([data, log.given]);
  assert.deepEqual(told, [['1', 9], ['2', 18]]);
});

test('the table in the README is this one', () => {
  const readme = readFileSync(new URL('README.md', import.meta.url), 'utf8');
  for (const [name, row] of table) {
    const line = `| ${name} | ${row.join(' | ')} |`;
    assert.ok(readme.includes(line), `the README has not: ${line}`);
  }
});
