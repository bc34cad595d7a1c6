// Chunks of OpenAI's chat completions, and of all who speak like it, in the page's own few words. Pure.
//
// What is told is what records.js says; here is only where this dialect, and its relatives, have it.

import { countOf, jsonOf, listOf, objectOf, Reader, RecordError, say, shown, textOf } from './records.js';

/** @typedef {import('./records.js').PageEvent} PageEvent */

/**
 * Which call a fragment belongs to. By OpenAI's word that is its index; some servers have none, the same for all, or
 * repeat the id, so the id counts too.
 */
class Calls {
  constructor() {
    /** @type {{key: string, id: string, index: unknown}[]} */
    this._calls = [];
  }

  /** @param {unknown} id @param {unknown} index @returns {string} its key */
  keyOf(id, index) {
    const named = textOf(id);
    let call = named ? this._calls.find((each) => each.id === named) : undefined;
    const atIndex = index === undefined ? this._calls.at(-1) : this._calls.findLast((each) => each.index === index);
    if (!call && atIndex && (!named || !atIndex.id)) call = atIndex;
    if (!call) {
      call = { key: String(this._calls.length), id: named, index };
      this._calls.push(call);
    }
    if (!call.id) call.id = named;
    return call.key;
  }
}

/** Reads chunks of OpenAI's chat completions, and what others have added to them. */
export class OpenAIChunks extends Reader {
  constructor() {
    super();
    this._calls = new Calls();
  }

  /**
   * Take the data of an event.
   *
   * @param {string} data
   * @param {string} [event] its type
   * @returns {PageEvent[]}
   * @throws {RecordError}
   */
  takeData(data, event = 'message') {
    if (this.isOver) {
      this.records += 1;
      return [];
    }
    if (data.trim() === '[DONE]') {
      this.records += 1;
      /** @type {PageEvent[]} */
      const out = [];
      this._end(out);
      return out;
    }
    if (data === '') {
      this.records += 1;
      return [{ type: 'notice', message: 'There are records without data, which say nothing' }];
    }
    let value;
    try {
      value = JSON.parse(data);
    } catch {
      throw new RecordError(`is no JSON: ${shown(data)}`, this.records + 1);
    }
    if (event === 'error' && objectOf(value).error === undefined) value = { error: value };
    return this.take(value);
  }

  /** @param {Record<string, any>} chunk @param {PageEvent[]} out */
  _read(chunk, out) {
    const error = chunk.error ?? (chunk.object === 'error' || chunk.type === 'error' ? chunk : null);
    if (error !== null && error !== undefined) {
      const told = objectOf(error);
      this._fail(typeof error === 'string' ? error : textOf(told.message), textOf(told.type), out);
      return;
    }
    this._start(chunk.model, out);
    for (const choice of listOf(chunk.choices).map(objectOf)) {
      if (choice.index) continue;
      this._readDelta(objectOf(choice.delta ?? choice.message), out);
      const reason = textOf(choice.finish_reason);
      if (reason) out.push({ type: 'finish', reason: reason === 'function_call' ? 'tool_calls' : reason });
    }
    if (chunk.usage) {
      const usage = objectOf(chunk.usage);
      out.push({
        type: 'usage',
        input: countOf(usage.prompt_tokens),
        output: countOf(usage.completion_tokens),
        reasoning: countOf(objectOf(usage.completion_tokens_details).reasoning_tokens),
        cached: countOf(objectOf(usage.prompt_tokens_details).cached_tokens),
      });
    }
  }

  /** @param {Record<string, any>} delta @param {PageEvent[]} out */
  _readDelta(delta, out) {
    say('reasoning', textOf(delta.reasoning_content) || delta.reasoning, out);
    if (Array.isArray(delta.content)) {
      for (const piece of delta.content.map(objectOf)) {
        for (const thought of listOf(piece.thinking)) say('reasoning', objectOf(thought).text, out);
        say('text', piece.text, out);
      }
    } else {
      say('text', delta.content, out);
    }
    say('refusal', delta.refusal, out);
    const fragments = listOf(delta.tool_calls).map(objectOf);
    if (delta.function_call) fragments.push({ index: 'function_call', function: delta.function_call });
    for (const { id, index, function: called } of fragments) {
      const { name, arguments: json } = objectOf(called);
      const key = this._calls.keyOf(id, index);
      out.push({ type: 'tool', key, id: textOf(id), name: textOf(name), json: jsonOf(json) });
    }
  }
}
