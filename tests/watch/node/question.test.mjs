// What the page asks of each endpoint, and how its key travels with a WebSocket.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { envelope, offered, ollamaBody, openAIBody, subprotocols } from '../page/question.js';

const QUESTION = { prompt: 'Hi', model: 'm' };

test('the same question in each form', () => {
  const messages = [{ role: 'user', content: 'Hi' }];
  assert.deepEqual(ollamaBody(QUESTION), { model: 'm', stream: true, messages });
  assert.deepEqual(openAIBody(QUESTION), { model: 'm', stream: true, messages, stream_options: { include_usage: true } });
  assert.deepEqual(envelope(QUESTION), { dialect: 'openai-chat', request: openAIBody(QUESTION) });
});

test('tools are offered where they are wanted', () => {
  const { tools } = openAIBody({ ...QUESTION, tools: ['get_weather', 'other'] });
  assert.deepEqual(tools.map((each) => each.function.name), ['get_weather', 'other']);
  assert.deepEqual(offered(['auto', 'find', 'none', 'find']), ['get_weather', 'find']);
});

test('a key goes as a subprotocol of RFC 6455’s characters, whatever is in it', () => {
  assert.deepEqual(subprotocols(''), ['streamkit']);
  assert.deepEqual(subprotocols('secret'), ['streamkit', 'streamkit.key.c2VjcmV0']);
  const [, protocol] = subprotocols('\u00ff\u00fe?>~ ä');
  assert.match(protocol, /^[A-Za-z0-9._-]+$/);
  const base64 = protocol.slice('streamkit.key.'.length);
  assert.equal(Buffer.from(base64, 'base64url').toString(), '\u00ff\u00fe?>~ ä');
});
