import assert from 'node:assert/strict';
import test from 'node:test';

import { PAGE, StreamBook } from '../page/streambook.js';
import { caveatOf, factsOf, isStream, passes, stateOf, wayOf } from '../page/streamrow.js';

const row = (number, changes = {}) => ({
  kind: 'stream', number, tag: '', is_live: false, client: '127.0.0.1:5', method: 'POST', target: '/api/chat',
  dialect: 'ollama-chat', upstream_dialect: 'openai-chat', status: 200, outcome: 'ok', detail: '', is_resumable: false,
  started_at_ns: 0, arrived_ns: 1e9, first_read_ns: 1.1e9, first_write_ns: 1.2e9, last_ns: 2e9, ended_ns: 3e9,
  reads: 2, read_bytes: 2048, writes: 2, written_bytes: 1024, lost_moments: 0, lost_bytes: 0, ...changes,
});
const numbers = (book) => book.view().rows.map((each) => each.number);

test('only what the gateway has read to its end is complete', () => {
  assert.deepEqual(stateOf(row(1)), { mood: 'good', text: 'complete' });
  for (const changes of [
    { dialect: '', upstream_dialect: '' }, // passed on unread
    { is_resumable: true, status: 201 },
    { detail: 'openai-chat: the sender reported an error' },
    { status: 429 },
    { outcome: 'upstream-cut' },
    { outcome: 'client-left' },
    { outcome: 'stopped' },
    { is_live: true, outcome: '' },
  ]) {
    assert.notEqual(stateOf(row(1, changes)).mood, 'good', JSON.stringify(changes));
  }
  assert.equal(stateOf(row(1, { status: 429 })).text, 'answered 429');
  assert.equal(stateOf(row(1, { is_live: true, outcome: '', reads: 0 })).text, 'waiting for the model');
});

test('how its own streams ended, the page knows where the gateway does not', () => {
  const passedOn = { dialect: '', upstream_dialect: '' };
  const said = (changes) => Object.values(stateOf(row(1, changes))).join(' ');
  for (const changes of [passedOn, { is_resumable: true, status: 201 }]) {
    assert.equal(said({ ...changes, verdict: '' }).split(' ')[0], 'plain');
    assert.equal(said({ ...changes, verdict: 'complete' }), 'good complete');
    assert.equal(said({ ...changes, verdict: 'cut' }), 'bad cut');
    assert.equal(said({ ...changes, verdict: 'failed' }), 'bad failed');
    assert.equal(said({ ...changes, verdict: 'complete', is_live: true }), 'live live');
  }
  for (const outcome of ['ok', 'client-left']) assert.equal(said({ outcome, detail: 'it was cancelled', verdict: 'stopped' }), 'warn stopped by you');
  assert.equal(said({ outcome: 'client-left', verdict: 'complete' }), 'good complete');
  assert.equal(said({ outcome: 'upstream-cut', verdict: 'failed' }), 'bad cut by the model', 'the gateway knows why');
  assert.equal(passes(row(1, { ...passedOn, verdict: 'cut' }), 'failed'), true);
});

test('what is not said to be complete says why', () => {
  assert.equal(caveatOf(row(1)), '');
  assert.match(caveatOf(row(1, { dialect: '' })), /unread/);
  assert.match(caveatOf(row(1, { is_resumable: true })), /lanes/);
});

test('a row says how much, how long, which way', () => {
  assert.equal(factsOf(row(1), 9e9), '2 reads · 2.0 kB · 2.00 s');
  assert.equal(factsOf(row(1, { is_live: true, ended_ns: null, reads: 1 }), 5e9), '1 read · 2.0 kB · 4.00 s');
  assert.equal(factsOf(row(1, { is_live: true, ended_ns: null }), 0), '2 reads · 2.0 kB · 1.00 s'); // no clock yet
  assert.equal(wayOf(row(1)), 'ollama-chat → openai-chat · first byte 200 ms');
  assert.equal(wayOf(row(1, { dialect: '', upstream_dialect: '', first_write_ns: null })), '');
  assert.match(wayOf(row(1, { lost_moments: 1, lost_bytes: 5e6 })), /5\.0 MB not kept/);
});

test('requests that are no streams are apart', () => {
  const list = row(1, { method: 'GET', target: '/v1/models' });
  assert.equal(isStream(list), false);
  assert.equal(isStream(row(2, { method: 'GET', target: '/ws?watch=a' })), true);
  assert.deepEqual(['streams', 'live', 'failed', 'all'].map((filter) => passes(list, filter)), [false, false, false, true]);
  assert.equal(passes(row(3, { method: 'GET', outcome: 'unreachable', status: 502 }), 'failed'), true);
  assert.equal(passes(row(4, { is_live: true }), 'live'), true);
});

test('the newest come first, in whatever order they are told', () => {
  const book = new StreamBook();
  for (const number of [5, 3, 9, 3, 4]) book.take(row(number));
  assert.deepEqual(numbers(book), [9, 5, 4, 3]);
  assert.equal(book.take({ kind: 'dropped', number: 4 }), true);
  assert.equal(book.take({ kind: 'dropped', number: 4 }), false);
  assert.equal(book.take({ kind: 'ping' }), false);
  assert.deepEqual(numbers(book), [9, 5, 3]);
  assert.equal(book.size, 3);
});

test('a page is all that is seen, and stays where it is while others come', () => {
  const book = new StreamBook();
  for (let n = 1; n <= 3 * PAGE; n++) book.take(row(n, { is_live: n === 1 }));
  assert.equal(book.view().rows.length, PAGE);
  assert.deepEqual([book.view().newer, book.view().older, book.view().live], [0, 2 * PAGE, 1]);
  book.older();
  const seen = numbers(book);
  assert.equal(seen[0], 2 * PAGE);
  book.take(row(3 * PAGE + 1));
  assert.deepEqual(numbers(book), seen);
  assert.equal(book.view().newer, PAGE + 1);
  book.older();
  book.older(); // there are no older ones
  assert.deepEqual([numbers(book).at(-1), book.view().older], [1, 0]);
  book.newest();
  assert.equal(numbers(book)[0], 3 * PAGE + 1);
});

test('a new following takes the place of the last one, at its first row', () => {
  const book = new StreamBook();
  for (const number of [100, 101]) book.take(row(number));
  book.begin();
  assert.deepEqual(numbers(book), [101, 100]); // what was there is there as long as nothing else is known
  book.take(row(2, { last_ns: 7, ended_ns: 8 }));
  assert.deepEqual(numbers(book), [2]);
  assert.equal(book.latest_ns, 8); // another gateway's clock
  book.begin();
  book.take({ kind: 'ping' }); // there is nothing in it
  assert.equal(book.size, 0);
});
