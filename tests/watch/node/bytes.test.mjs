// Bytes for the eye: cuts, escapes, hex.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { bytesOf, cutAt, excerpt, hexRows, openBytes, pieces } from '../page/bytes.js';

const bytes = (text) => new TextEncoder().encode(text);

test('a character that is not whole is seen at every place of it', () => {
  for (const char of ['ß', 'こ', '🐢', '\u0800', '\ud7ff', '\u{10ffff}']) {
    const whole = bytes(`a${char}`);
    for (let length = 1; length <= whole.length; length++) {
      const expected = length === whole.length ? 0 : length - 1;
      assert.equal(openBytes(whole.subarray(0, length)), expected, `${char} after ${length}`);
    }
  }
});

test('what can never be a character is none that is not whole', () => {
  for (const bad of [[0xc0], [0xc1], [0xf5], [0xff], [0x80], [0xe0, 0x80], [0xed, 0xa0], [0xf0, 0x80], [0xf4, 0x90]]) {
    assert.equal(openBytes(Uint8Array.from([97, ...bad])), 0, bad.map((each) => each.toString(16)).join(' '));
  }
});

test('where a stream is cut', () => {
  const places = {
    sse: { 'data: 1\n\n': 'between', 'data: 1\r\n\r\n': 'between', 'data: 1\n\r\n': 'between', 'data: 1\r\n\n': 'between',
      'data: 1\n': 'record', 'data: 1\r\n': 'record', 'data: 1': 'record', 'data: 1\r': 'cr', 'data: 1\r\r': 'cr', '\n': 'between' },
    ndjson: { '{}\n': 'between', '{}\r\n': 'between', '{}\r': 'cr', '{': 'record', '{}': 'record' },
    '': { 'a': null, 'a\n': null, 'a\r': 'cr' },
  }; // prettier-ignore
  for (const [framing, cases] of Object.entries(places)) {
    for (const [text, place] of Object.entries(cases)) assert.equal(cutAt(bytes(text).slice(-4), framing), place, JSON.stringify(text));
  }
  assert.equal(cutAt(bytes('data: ß').slice(0, -1), 'sse'), 'character');
  assert.equal(cutAt(new Uint8Array(), 'sse'), 'between');
});

test('text is shown with what cannot be seen escaped, and no byte is lost', () => {
  const shown = (data) => pieces(data).map(({ kind, text }) => `${kind[0]}:${text}`);
  assert.deepEqual(shown(bytes('a\r\n\tß🐢')), ['t:a', 'e:\\r', 'e:\\n', 'e:\\t', 't:ß🐢']);
  assert.deepEqual(shown(bytes('\u2028\u202e\ufeff\u0000\u200b')), ['e:\\u2028', 'e:\\u202e', 'e:\\ufeff', 'e:\\x00', 'e:\\u200b']);
  assert.deepEqual(shown(bytes('🐢').slice(0, 3)), ['b:\\xf0\\x9f\\x90']);
  assert.deepEqual(shown(Uint8Array.from([97, 0xff, 0xc3, 98])), ['t:a', 'b:\\xff\\xc3', 't:b']);
  assert.deepEqual(shown(bytes('<script>alert(1)</script>')), ['t:<script>alert(1)</script>']);
  assert.deepEqual(shown(bytes('こ').slice(1)), ['b:\\x81\\x93']);
});

test('a long read is kept as its beginning and its end, in a copy', () => {
  const long = Uint8Array.from({ length: 5000 }, (_, at) => at % 251);
  const { head, tail } = excerpt(long);
  assert.deepEqual([head, tail], [long.slice(0, 1024), long.slice(-256)]);
  assert.equal(head.buffer.byteLength, 1024);
  assert.deepEqual(excerpt(long.slice(0, 1280)), { head: long.slice(0, 1280), tail: new Uint8Array() });
});

test('hex has sixteen to a row, from where they are in the body', () => {
  const rows = hexRows(bytes('The quick brown 🐢'), 32);
  assert.deepEqual(rows[0], { at: 32, hex: [...bytes('The quick brown ')].map((each) => each.toString(16)), text: 'The quick brown ' });
  assert.deepEqual(rows[1], { at: 48, hex: ['f0', '9f', '90', 'a2'], text: '····' });
});

test('base64 is what it was', () => {
  const all = Uint8Array.from({ length: 256 }, (_, at) => at);
  assert.deepEqual(bytesOf(Buffer.from(all).toString('base64')), all);
});
