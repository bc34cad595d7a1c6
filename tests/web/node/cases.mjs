// The wire examples of the codecs, which `test_stream_js.py` has written to the file `cases.json` beside this one:
// what comes out, and with which byte.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { bodyOf, everyCut, randomOf, readAll } from './bodies.mjs';
import { readNDJSON, readSSE } from './stream.js';

const told = JSON.parse(readFileSync(new URL('cases.json', import.meta.url), 'utf8'));
const random = randomOf(20);
const bytesOf = (/** @type {string} */ hex) => Uint8Array.from(Buffer.from(hex, 'hex'));

/** @type {[string, unknown][]} */
const outcomes = [];

/** Do it before there is a test: node follows every promise of a test, and here are a million. */
async function check(/** @type {string} */ name, /** @type {() => Promise<void>} */ work) {
  try {
    await work();
    outcomes.push([name, null]);
  } catch (error) {
    outcomes.push([name, error]);
  }
}

/** The first place at or behind `byte` at which a piece ends. */
function seenAt(pieces, byte) {
  let end = 0;
  for (const piece of pieces) {
    end += piece.length;
    if (end >= byte) break;
  }
  return end;
}

async function sseAs(pieces) {
  const log = {};
  const [comments, retries] = [[], []];
  let dropped = 0;
  const options = {
    onComment: (text) => comments.push(text),
    onRetry: (retry_ms) => retries.push(retry_ms),
    onDropped: (bytes) => (dropped = bytes),
  };
  const { records, at, error } = await readAll(readSSE(bodyOf(pieces, log), options), log);
  assert.equal(error, null);
  const events = records.map(({ event, data, id }) => [event, data, id]);
  return { events, at: at.slice(0, -1), comments, retry: retries.at(-1) ?? null, dropped };
}

await check('the rules of event streams, in every cut', async () => {
  assert.ok(told.sse.length > 200);
  for (const { name, wire, events, complete_at, retry, dropped } of told.sse) {
    for (const pieces of everyCut(bytesOf(wire), random)) {
      const seen = await sseAs(pieces);
      assert.deepEqual(seen.events, events, name);
      assert.deepEqual(seen.at, complete_at.map((byte) => seenAt(pieces, byte)), name);
      assert.equal(seen.dropped, dropped, name);
      if (retry !== -1) assert.equal(seen.retry, retry, name);
    }
  }
});

await check('event streams made of pieces that matter: as our decoder in Python', async () => {
  assert.ok(told.drawn_sse.length >= 400);
  for (const { wire, events, comments, retry, dropped } of told.drawn_sse) {
    for (const pieces of everyCut(bytesOf(wire), random)) {
      const { at, ...seen } = await sseAs(pieces);
      assert.deepEqual(seen, { events, comments, retry, dropped }, wire);
    }
  }
});

async function ndjsonAs(pieces) {
  const log = {};
  const { records, at, error } = await readAll(readNDJSON(bodyOf(pieces, log)), log);
  return { records, at, error };
}

/** @param {any} error @param {any} bad what our decoder in Python says of it @param {string} name */
function assertBad(error, bad, name) {
  const { code, record, offset } = error ?? {};
  // Python's decoder names the wrong byte, this one the first of the record.
  assert.deepEqual({ code, record, start: offset }, bad, name);
}

await check('the rules of NDJSON, in every cut', async () => {
  assert.ok(told.ndjson.length > 70);
  for (const { name, wire, values, bad, decided_at } of told.ndjson) {
    for (const pieces of everyCut(bytesOf(wire), random)) {
      const { records, at, error } = await ndjsonAs(pieces);
      assert.deepEqual(records, values, name);
      if (bad === null) assert.equal(error, null, name);
      else assertBad(error, bad, name);
      assert.deepEqual(at.slice(0, decided_at.length), decided_at.map((byte) => seenAt(pieces, byte)), name);
    }
  }
});

await check('lines made of pieces that matter: as our decoder in Python', async () => {
  assert.ok(told.drawn_ndjson.length >= 400);
  for (const { wire, values, bad } of told.drawn_ndjson) {
    for (const pieces of everyCut(bytesOf(wire), random)) {
      const { records, error } = await ndjsonAs(pieces);
      assert.deepEqual(records, values, wire);
      if (bad === null) assert.equal(error, null, wire);
      else assertBad(error, bad, wire);
    }
  }
});

// Where JavaScript's own JSON.parse takes what our decoder refuses. It is the parser that every page has, so its
// numbers and strings are what the page's own code would get.
const TAKEN_HERE = [
  /^surrogate-escaped/, // half of a surrogate pair: a string may have it
  /^float-too-(large|small)/, // becomes Infinity
  /^float-just-too-large/,
  /^int-\d+-digits/,
  /^depth-(513|1000$)/, // it does not recurse
  /^depth-after-string/,
];

await check('JSON texts: the same verdict, but for what JSON.parse takes', async () => {
  const differing = [];
  for (const { name, text, code, value } of told.texts) {
    const line = Buffer.concat([bytesOf(text), Buffer.from('\n')]);
    const { records, error } = await ndjsonAs([new Uint8Array(line)]);
    if (code === null) {
      assert.equal(error, null, name);
      assert.deepEqual(records, [JSON.parse(value)], name);
    } else if (error === null) differing.push(name);
    else assert.equal(error.code, code, name);
  }
  const expected = told.texts.filter(({ name, code }) => code && TAKEN_HERE.some((each) => each.test(name)));
  assert.deepEqual(differing, expected.map(({ name }) => name));
});

for (const [name, error] of outcomes) {
  test(name, () => {
    if (error !== null) throw error;
  });
}
