// What the page says besides an answer, and of what only the gateway knows.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { upright } from '../page/bytes.js';
import { whatFailed } from '../page/explain.js';
import { Notices } from '../page/notices.js';

test('a notice that comes again is counted, one that is put right is replaced, and the last three stay', () => {
  const notices = new Notices();
  for (const count of [1, 2, 3]) notices.add(`${count} more calls are not shown`, 'calls');
  notices.add('The connection was lost');
  notices.add('The connection was lost');
  assert.deepEqual(notices.lines, ['3 more calls are not shown', 'The connection was lost (2 times)']);
  for (const line of ['a', 'b', 'c']) notices.add(line);
  assert.deepEqual(notices.lines, ['a', 'b', 'c']);
});

test('what would turn the words around it is shown as an escape', () => {
  assert.equal(upright('gpt\u202e-4 answers\u2069 \u05d0'), 'gpt\\u202e-4 answers\\u2069 \u05d0');
});

test('an answer that never began had no middle', async () => {
  const own = (first_read_ns) => ({ over: async () => ({ outcome: 'upstream-cut', detail: '', first_read_ns }) });
  assert.equal(await whatFailed(own(null), ''), 'The gateway says: the server ended its connection before it answered.');
  assert.equal(await whatFailed(own(7), ''), 'The gateway says: the answer from upstream has no end.');
  assert.equal(await whatFailed(null, ''), '');
});
