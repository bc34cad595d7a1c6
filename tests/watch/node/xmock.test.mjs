import assert from 'node:assert/strict';
import test from 'node:test';

import { blamed, joined, parted, shared, written } from '../page/xmock.js';

const choice = (name, takes = '', places = []) => ({
  name, takes, places, summary: '', example: '', default: '', place: places[0] ?? '', dialects: [],
});
const CUTS = [choice('size', 'N'), choice('random', 'MIN:MAX'), choice('hostile')];
const FAULTS = [choice('reset', '', ['token']), choice('error', '[MESSAGE]', ['token']), choice('error-line', '', ['token'])];
const control = (choices = null) => ({
  group: '', takes: '', summary: '', default: '', example: '', repeats: false, choices,
});
const CONTROLS = { rate: control(), say: control(), split: control(CUTS), fault: control(FAULTS) };

test('what needs no quotes has none', () => {
  assert.equal(written([['rate', '20'], ['split', 'random:1:16']]), 'rate=20; split=random:1:16');
  assert.equal(written([['call', 'find:{"q": "a; b", "n": 1}']]), 'call=find:{"q": "a; b", "n": 1}');
  assert.equal(written([['say', 'Größe 🐢']]), 'say=Größe 🐢');
});

test('what would be read as something else is quoted', () => {
  assert.equal(written([['say', 'one; two']]), 'say="one; two"');
  assert.equal(written([['say', 'one, rate=3']]), 'say="one, rate=3"');
  assert.equal(written([['say', '"quoted"']]), 'say="\\"quoted\\""');
  assert.equal(written([['say', ' a\n']]), 'say=" a\\n"');
  assert.equal(written([['say', 'a ']]), 'say="a "');
  assert.equal(written([['say', 'Ã©']]), 'say="Ã\\u00a9"'); // else it could be taken for the UTF-8 of é
});

test('a value comes apart, and together again', () => {
  for (const [text, parts] of [
    ['hostile', ['hostile', '', '']],
    ['random:1:16', ['random', '1:16', '']],
  ]) {
    assert.deepEqual(Object.values(parted(text, CUTS)), parts);
    assert.equal(joined(parted(text, CUTS)), text);
  }
  assert.deepEqual(parted('reset@token:5', FAULTS), { name: 'reset', argument: '', place: 'token:5' });
  assert.deepEqual(parted('error-line@event:2', FAULTS)?.name, 'error-line');
  assert.deepEqual(parted('error:a\\@b@token:2,first:1', FAULTS), {
    name: 'error', argument: 'a\\@b', place: 'token:2,first:1',
  });
  assert.deepEqual(parted('size:7@token:1', CUTS), { name: 'size', argument: '7@token:1', place: '' });
});

test('what is none of the choices, or written otherwise, does not come apart', () => {
  for (const text of ['', 'nothing', 'reset,first:2', 'reset:', 'reset@', 'Reset', 'random']) {
    const parts = parted(text, FAULTS);
    assert.ok(parts === null || joined(parts) === text, text);
  }
  assert.equal(parted('reset,first:2', FAULTS), null);
  assert.equal(parted('random:1:2', FAULTS), null);
  assert.equal(joined({ name: '', argument: '5', place: 'token:1' }), '');
});

test('each setting goes into its field once, and all else stays what it is', () => {
  const { fields, others } = shared(
    [
      ['rate', '5'], ['heartbeat', '1s'], ['fault', 'reset@token:1'], ['fault', 'error'], ['split', 'coalesce:3'],
      ['say', ''], ['constructor', 'x'],
    ],
    CONTROLS,
  );
  assert.deepEqual(fields, { rate: '5', fault: 'reset@token:1' });
  assert.deepEqual(others, [
    ['heartbeat', '1s'], ['fault', 'error'], ['split', 'coalesce:3'], ['say', ''], ['constructor', 'x'],
  ]);
});

test('the mock server names the setting that is wrong', () => {
  assert.deepEqual(blamed("rate: 'x' is no number: write 0"), { key: 'rate', reason: "'x' is no number: write 0" });
  assert.deepEqual(blamed('there is no setting'), { key: '', reason: 'there is no setting' });
});
