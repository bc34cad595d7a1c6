// Asks a gateway at this port by all that stream.js reads, and prints what came as JSON: `feeds.mjs PORT read|leave`.
// With `leave` each answer is left behind its first text. Run by `test_stream_js_gateway.py`, which holds the model.

import { readEvents, readNDJSON, readSSE } from './stream.js';

const [port, how] = process.argv.slice(2);
const gateway = `http://127.0.0.1:${port}`;
const messages = [{ role: 'user', content: 'Say it.' }];

/** @param {string} path @param {AbortSignal} signal */
function post(path, signal) {
  const body = JSON.stringify({ model: 'm', stream: true, messages });
  return fetch(gateway + path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body, signal });
}

/** @type {Record<string, (signal: AbortSignal) => AsyncGenerator<string>>} */
const FEEDS = {
  async *sse(signal) {
    for await (const { data } of readSSE(await post('/v1/chat/completions', signal), { signal })) {
      if (data !== '[DONE]') yield JSON.parse(data).choices[0]?.delta.content ?? '';
    }
  },
  async *ndjson(signal) {
    for await (const { message } of readNDJSON(await post('/api/chat', signal), { signal })) yield message.content;
  },
  async *websocket(signal) {
    const socket = new WebSocket(`${gateway.replace('http', 'ws')}/ws`, ['streamkit']);
    const events = readEvents(socket, { signal });
    socket.onopen = () => socket.send(JSON.stringify({ dialect: 'openai-chat', request: { model: 'm', messages } }));
    for await (const event of events) {
      if (event.streamkit === 'text') yield event.text;
      if (event.streamkit === 'end') return; // leaves the loop, which closes the socket
    }
  },
};

/** @type {Record<string, string>} */
const told = {};
for (const [name, feed] of Object.entries(FEEDS)) {
  const controller = new AbortController();
  told[name] = '';
  try {
    for await (const text of feed(controller.signal)) {
      told[name] += text;
      if (how === 'leave' && text) controller.abort();
    }
  } catch (error) {
    told[name] += ` ${error.name}`;
  }
}
console.log(JSON.stringify(told));
