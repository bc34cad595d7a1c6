// What the records of an answer become on the page: OpenAI's chunks, Ollama's lines, neutral events.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { OpenAIChunks } from '../page/openai.js';
import { NeutralEvents, OllamaLines, RecordError } from '../page/records.js';

const chunk = (delta, more = {}) => ({ model: 'm', choices: [{ index: 0, delta, finish_reason: null, ...more }] });

/** All events of these chunks. */
function readChunks(...chunks) {
  const reader = new OpenAIChunks();
  return chunks.flatMap((each) => reader.takeData(typeof each === 'string' ? each : JSON.stringify(each)));
}

function readAll(reader, ...values) {
  return values.flatMap((each) => reader.take(each));
}

/** The calls that tool events come to. */
function callsIn(events) {
  const calls = new Map();
  for (const { key, name, json } of events.filter((each) => each.type === 'tool')) {
    const call = calls.get(key) ?? { name: '', json: '' };
    calls.set(key, { name: name || call.name, json: call.json + json });
  }
  return [...calls.values()];
}

const call = (id, index, name, json) => chunk({ tool_calls: [{ id, index, function: { name, arguments: json } }] });

test('an answer of OpenAI: reasoning, text, why it stopped, usage, end', () => {
  const events = readChunks(
    chunk({ role: 'assistant', content: '' }),
    chunk({ reasoning_content: 'Hm' }),
    chunk({ content: 'Grö' }),
    chunk({ content: '🐢' }),
    chunk({}, { finish_reason: 'stop' }),
    {
      model: 'm',
      choices: [],
      usage: { prompt_tokens: 1, completion_tokens: 3, completion_tokens_details: { reasoning_tokens: 1 } },
    },
    '[DONE]',
  );
  assert.deepEqual(events, [
    { type: 'start', model: 'm' },
    { type: 'reasoning', text: 'Hm' },
    { type: 'text', text: 'Grö' },
    { type: 'text', text: '🐢' },
    { type: 'finish', reason: 'stop' },
    { type: 'usage', input: 1, output: 3, reasoning: 1, cached: null },
    { type: 'end' },
  ]);
});

test('what vendors write differently says the same', () => {
  const said = (delta) => readChunks(chunk(delta)).slice(1);
  assert.deepEqual(said({ reasoning: 'Hm' }), [{ type: 'reasoning', text: 'Hm' }]);
  assert.deepEqual(said({ content: [{ type: 'thinking', thinking: [{ text: 'Hm' }] }, { type: 'text', text: 'Hi' }] }), [
    { type: 'reasoning', text: 'Hm' },
    { type: 'text', text: 'Hi' },
  ]);
  assert.deepEqual(said({ refusal: 'No' }), [{ type: 'refusal', text: 'No' }]);
  assert.deepEqual(readChunks({ model: 'm', choices: null, usage: null }), [{ type: 'start', model: 'm' }]);
  assert.deepEqual(readChunks({ choices: [{ index: 1, delta: { content: 'other' } }] }), [{ type: 'start', model: '' }]);
});

test('the pieces of tool calls find together, however they are numbered', () => {
  const two = [
    { name: 'a', json: '{"x":1}' },
    { name: 'b', json: '{}' },
  ];
  const numberings = {
    'as they should be': [call('i', 0, 'a', ''), call(undefined, 0, undefined, '{"x":1}'), call('j', 1, 'b', '{}')],
    'from one': [call('i', 1, 'a', ''), call(undefined, 1, undefined, '{"x":1}'), call('j', 2, 'b', '{}')],
    'not at all': [call('i', undefined, 'a', '{"x"'), call(undefined, undefined, '', ':1}'), call('j', undefined, 'b', '{}')],
    'all the same': [call('i', 0, 'a', '{"x"'), call(undefined, 0, '', ':1}'), call('j', 0, 'b', ''), call(undefined, 0, '', '{}')],
    'overlapping': [call('i', 0, 'a', '{"x"'), call('j', 1, 'b', ''), call(undefined, 0, '', ':1}'), call(undefined, 1, '', '{}')],
    'with the id again and again': [call('i', 0, 'a', '{"x"'), call('i', 0, 'a', ':1}'), call('j', 1, 'b', '{}')],
    'with arguments that are an object': [call('i', 0, 'a', { x: 1 }), call('j', 1, 'b', {})],
  };
  for (const [how, chunks] of Object.entries(numberings)) {
    assert.deepEqual(callsIn(readChunks(...chunks)), two, how);
  }
  const legacy = chunk({ function_call: { name: 'a', arguments: '{"x":1}' } });
  assert.deepEqual(callsIn(readChunks(legacy)), two.slice(0, 1));
});

test('an error in the stream, in whichever form, is the last that counts', () => {
  const forms = [
    '{"error":{"message":"no room","type":"overloaded"}}',
    '{"error":"no room"}',
    '{"object":"error","message":"no room"}',
    '{"type":"error","message":"no room"}',
  ];
  for (const form of forms) {
    const events = readChunks(form, chunk({ content: 'more' }), '[DONE]');
    assert.deepEqual(events.map(({ type, message }) => [type, message]), [['error', 'no room']], form);
  }
  const named = new OpenAIChunks();
  assert.equal(named.takeData('{"message":"no room"}', 'error')[0].message, 'no room');
});

test('a record that is none is told with its number and how it begins', () => {
  const reader = new OpenAIChunks();
  reader.takeData(JSON.stringify(chunk({ content: 'a' })));
  assert.throws(() => reader.takeData('{"id":'), (error) => {
    assert.ok(error instanceof RecordError);
    assert.equal(error.record, 2);
    assert.equal(error.message, 'record 2 is no JSON: {"id":');
    return true;
  });
  for (const value of [null, 3, 'text', []]) {
    assert.throws(() => new OllamaLines().take(value), /record 1 is JSON, but no object/);
  }
  assert.throws(() => new NeutralEvents().take({ streamkit: 'nothing' }), /record 1 is no neutral event/);
  assert.throws(() => new OpenAIChunks().takeData('x'.repeat(1000)), (error) => error.message.length < 120);
});

test('only the terminator makes it whole', () => {
  const openai = new OpenAIChunks();
  openai.takeData(JSON.stringify(chunk({ content: 'a' }, { finish_reason: 'stop' })));
  assert.equal(openai.isOver, false);
  openai.takeData('[DONE]');
  assert.equal(openai.isOver, true);
  const ollama = new OllamaLines();
  ollama.take({ message: { content: 'a' }, done: false });
  assert.equal(ollama.isOver, false);
  ollama.take({ done: true });
  assert.equal(ollama.isOver, true);
  assert.deepEqual(ollama.take({ message: { content: 'behind it' }, done: false }), []);
});

test('an answer of Ollama', () => {
  const events = readAll(
    new OllamaLines(),
    { model: 'm', message: { content: '', thinking: 'Hm' }, done: false },
    { model: 'm', message: { content: 'Hi' }, done: false },
    { model: 'm', message: { tool_calls: [{ function: { name: 'a', arguments: { x: 1 } } }, { function: { name: 'a' } }] } },
    { model: 'm', message: { content: '' }, done: true, done_reason: 'length', prompt_eval_count: 2, eval_count: 5 },
  );
  assert.deepEqual(events.filter(({ type }) => type !== 'tool'), [
    { type: 'start', model: 'm' },
    { type: 'reasoning', text: 'Hm' },
    { type: 'text', text: 'Hi' },
    { type: 'finish', reason: 'length' },
    { type: 'usage', input: 2, output: 5, reasoning: null, cached: null },
    { type: 'end' },
  ]);
  assert.deepEqual(callsIn(events), [{ name: 'a', json: '{"x":1}' }, { name: 'a', json: '' }]);
  assert.deepEqual(readAll(new OllamaLines(), { error: 'no room' }), [{ type: 'error', message: 'no room', kind: '' }]);
});

test('an answer in neutral events', () => {
  const events = readAll(
    new NeutralEvents(),
    { streamkit: 'custom', name: 'dropped', value: ['seed', 'top_k'] },
    { streamkit: 'start', model: 'm' },
    { streamkit: 'part-start', part: 0, kind: 'reasoning' },
    { streamkit: 'reasoning', part: 0, text: 'Hm' },
    { streamkit: 'part-end', part: 0 },
    { streamkit: 'text', part: 1, text: 'Hi' },
    { streamkit: 'text', part: 0, choice: 1, text: 'another answer' },
    { streamkit: 'part-start', part: 2, kind: 'tool', tool_id: 'i', tool_name: 'a' },
    { streamkit: 'tool-args', part: 2, json_text: '{"x"' },
    { streamkit: 'tool-args', part: 2, json_text: ':1}' },
    { streamkit: 'ping' },
    { streamkit: 'finish', reason: 'tool_calls' },
    { streamkit: 'usage', input_total: 1, output_total: 2 },
    { streamkit: 'end' },
  );
  assert.deepEqual(events.filter(({ type }) => type !== 'tool'), [
    { type: 'notice', message: 'The server has no place for seed, top_k' },
    { type: 'start', model: 'm' },
    { type: 'reasoning', text: 'Hm' },
    { type: 'text', text: 'Hi' },
    { type: 'finish', reason: 'tool_calls' },
    { type: 'usage', input: 1, output: 2, reasoning: null, cached: null },
    { type: 'end' },
  ]);
  assert.deepEqual(callsIn(events), [{ name: 'a', json: '{"x":1}' }]);
});
