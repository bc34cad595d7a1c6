// The beginning and the end of a text that is too long to show.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Excerpt, HEAD_UNITS, TAIL_UNITS } from '../page/excerpt.js';

const SMALL = { head: 8, tail: 12, piece: 4 };

/** Whether what is kept is the beginning and the end of this text, and the rest is counted. */
function checkOf(excerpt, text) {
  const tail = excerpt.tail.join('');
  assert.equal(excerpt.units, text.length);
  assert.equal(excerpt.head.length + excerpt.omitted + tail.length, text.length);
  assert.ok(text.startsWith(excerpt.head));
  assert.ok(text.endsWith(tail));
  if (excerpt.omitted === 0) assert.equal(excerpt.head + tail, text);
  for (const piece of [excerpt.head, ...excerpt.tail]) assert.ok(piece.isWellFormed(), 'a pair was cut');
}

test('whatever the pieces, the beginning and the end are kept', () => {
  const text = Array.from({ length: 60 }, (_, at) => (at % 3 ? `${at % 10}` : '🐢')).join('');
  const units = [...text];
  for (let step = 1; step <= units.length; step++) {
    const excerpt = new Excerpt(SMALL);
    let so_far = '';
    for (let at = 0; at < units.length; at += step) {
      const piece = units.slice(at, at + step).join('');
      so_far += piece;
      excerpt.append(piece);
      checkOf(excerpt, so_far);
      const kept = excerpt.tail.join('').length;
      assert.ok(kept <= SMALL.tail + 2 * SMALL.piece, `${kept} are kept`);
      assert.ok(excerpt.omitted === 0 || kept >= SMALL.tail - 1);
    }
  }
});

test('pieces keep their numbers, so that only what is new needs to be drawn', () => {
  const excerpt = new Excerpt(SMALL);
  const seen = new Map();
  for (let at = 0; at < 200; at++) {
    excerpt.append(String(at % 10));
    excerpt.tail.forEach((piece, index) => {
      const number = excerpt.first + index;
      assert.ok(piece.startsWith(seen.get(number) ?? ''));
      seen.set(number, piece);
    });
  }
});

test('what fits is whole', () => {
  const excerpt = new Excerpt();
  const text = 'x'.repeat(HEAD_UNITS + TAIL_UNITS);
  excerpt.append(text);
  assert.equal(excerpt.omitted, 0);
  checkOf(excerpt, text);
});

test('a text of many megabytes costs no more than what is kept of it', () => {
  const excerpt = new Excerpt();
  for (let at = 0; at < 4; at++) excerpt.append('y'.repeat(10 * 1024 * 1024));
  assert.equal(excerpt.units, 40 * 1024 * 1024);
  assert.ok(excerpt.tail.length < 100);
});
