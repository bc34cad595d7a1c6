// Time on a line, figures for people, and which part of time is seen.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { bytesText, firstFrom, quantile, ticks, timeAt, timeText, xOf } from '../page/scale.js';
import { moved, zoomed } from '../page/view.js';

test('ticks are round, apart, and all within', () => {
  for (const span of [0.05, 0.7, 9, 33, 420, 5000, 61_000, 3_600_000]) {
    for (const from_ms of [-1, 0, 12.34]) {
      const scale = { from_ms, to_ms: from_ms + span, left: 100, width: 800 };
      const found = ticks(scale, 84);
      assert.ok(found.length >= 2 && found.length <= 10, `${span}: ${found.length}`);
      assert.equal(new Set(found.map(({ text }) => text)).size, found.length, found.map(({ text }) => text).join());
      for (const { t_ms } of found) assert.ok(Math.abs(timeAt(scale, xOf(scale, t_ms)) - t_ms) < 1e-6);
    }
  }
});

test('figures have as many digits as count', () => {
  assert.deepEqual([0, 0.456, 9.994, 45.21, 123.4, 1234, 12_345, 123_456, null, NaN].map(timeText),
    ['0.00 ms', '0.46 ms', '9.99 ms', '45.2 ms', '123 ms', '1.23 s', '12.3 s', '123 s', '–', '–']); // prettier-ignore
  assert.deepEqual([0, 999, 1000, 99_400, 999_600, 10_485_760, null].map(bytesText),
    ['0 B', '999 B', '1.0 kB', '99.4 kB', '1.0 MB', '10.5 MB', '–']); // prettier-ignore
});

test('quantiles are of the nearest rank', () => {
  assert.deepEqual([500, 950, 1000].map((permille) => quantile([1, 2, 3, 4], permille)), [2, 4, 4]);
  assert.equal(quantile([], 500), null);
  assert.equal(firstFrom([1, 3, 3, 5], 3, (each) => each), 1);
});

test('zooming keeps what is pointed at, and ends with all of it', () => {
  const all = { from_ms: 0, to_ms: 1000 };
  assert.deepEqual(zoomed(all, all, 0.5, 800), { from_ms: 400, to_ms: 900 });
  assert.equal(zoomed({ from_ms: 400, to_ms: 900 }, all, 2, 500), null);
  assert.deepEqual(zoomed({ from_ms: 0, to_ms: 100 }, all, 2, 0), { from_ms: 0, to_ms: 200 });
  assert.deepEqual(moved({ from_ms: 400, to_ms: 900 }, all, 5000), { from_ms: 500, to_ms: 1000 });
  assert.deepEqual(moved({ from_ms: 400, to_ms: 900 }, all, -5000), { from_ms: 0, to_ms: 500 });
  assert.ok(zoomed({ from_ms: 5, to_ms: 5.06 }, all, 0.001, 5).to_ms - 5 <= 0.051);
});
