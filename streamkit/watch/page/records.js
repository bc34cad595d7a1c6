// What the records of an answer say, in the page's own few words. Pure.
//
// A record is a line of Ollama's chat or a neutral event; those of OpenAI's chat completions are in openai.js. Each
// reader takes records of one kind, in their order, and returns page events; `isOver` says whether the stream's own
// end, or an error, was among them. Who reads only the connection cannot know: a cut stream ends like a whole one.
//
// Vendors differ from each other here, so what is missing or null is taken for nothing; what is no record at all is an
// error with the record's number. Of several answers to one request only the first is told.

/**
 * @typedef {{type: 'start', model: string}} StartEvent
 * @typedef {{type: 'text' | 'reasoning' | 'refusal', text: string}} TextEvent
 * @typedef {{type: 'tool', key: string, id: string, name: string, json: string}} ToolEvent `json` is a piece of the
 *   arguments; `key` says to which call it belongs, `id` and `name` are empty where an earlier piece had them
 * @typedef {{type: 'finish', reason: string}} FinishEvent
 * @typedef {{type: 'usage', input: number | null, output: number | null, reasoning: number | null,
 *   cached: number | null}} UsageEvent
 * @typedef {{type: 'error', message: string, kind: string}} ErrorEvent the stream says itself that it has failed
 * @typedef {{type: 'end'}} EndEvent
 * @typedef {{type: 'notice' | 'lost', message: string}} NoticeEvent `lost`: nothing comes for now, and may again
 * @typedef {StartEvent | TextEvent | ToolEvent | FinishEvent | UsageEvent | ErrorEvent | EndEvent | NoticeEvent
 *   } PageEvent
 */

const SHOWN_CHARACTERS = 80;

/** A record is none, or not of the kind that was expected. */
export class RecordError extends Error {
  /**
   * @param {string} what is wrong with it
   * @param {number} record its number, counted from 1
   */
  constructor(what, record) {
    super(`record ${record} ${what}`);
    this.name = 'RecordError';
    this.record = record;
  }
}

/** @param {unknown} value @returns {Record<string, any>} */
export function objectOf(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

/** @param {unknown} value @returns {any[]} */
export function listOf(value) {
  return Array.isArray(value) ? value : [];
}

/** @param {unknown} value */
export function textOf(value) {
  return typeof value === 'string' ? value : '';
}

/** @param {unknown} value */
export function countOf(value) {
  return typeof value === 'number' ? value : null;
}

/** @param {unknown} value the arguments of a call: JSON text, or what it says */
export function jsonOf(value) {
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? '' : JSON.stringify(value);
}

/** @param {string} text */
export function shown(text) {
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}

/** What the readers share. */
export class Reader {
  constructor() {
    /** Whether nothing more can come: the stream has said so, or has failed. */
    this.isOver = false;
    /** How many records there were. */
    this.records = 0;
    this._isStarted = false;
  }

  /**
   * Take a record.
   *
   * @param {unknown} value a JSON value
   * @returns {PageEvent[]}
   * @throws {RecordError}
   */
  take(value) {
    this.records += 1;
    if (this.isOver) return [];
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new RecordError(`is JSON, but no object: ${shown(JSON.stringify(value))}`, this.records);
    }
    /** @type {PageEvent[]} */
    const out = [];
    this._read(/** @type {Record<string, any>} */ (value), out);
    return out;
  }

  /** @param {Record<string, any>} record @param {PageEvent[]} out */
  _read(record, out) {}

  /** @param {unknown} model @param {PageEvent[]} out */
  _start(model, out) {
    if (!this._isStarted) out.push({ type: 'start', model: textOf(model) });
    this._isStarted = true;
  }

  /** @param {PageEvent[]} out */
  _end(out) {
    this.isOver = true;
    out.push({ type: 'end' });
  }

  /** @param {string} message @param {string} kind @param {PageEvent[]} out */
  _fail(message, kind, out) {
    this.isOver = true;
    out.push({ type: 'error', message: message || 'it does not say why', kind });
  }
}

/** @param {'text' | 'reasoning' | 'refusal'} type @param {unknown} text @param {PageEvent[]} out */
export function say(type, text, out) {
  const said = textOf(text);
  if (said) out.push({ type, text: said });
}

/** Reads lines of Ollama's chat. */
export class OllamaLines extends Reader {
  constructor() {
    super();
    this._calls = 0;
  }

  /** @param {Record<string, any>} line @param {PageEvent[]} out */
  _read(line, out) {
    if (line.error !== undefined && line.error !== null) {
      this._fail(textOf(line.error) || textOf(objectOf(line.error).message), '', out);
      return;
    }
    this._start(line.model, out);
    const message = objectOf(line.message);
    say('reasoning', message.thinking, out);
    say('text', message.content, out);
    for (const call of listOf(message.tool_calls).map(objectOf)) {
      const { name, arguments: json } = objectOf(call.function);
      const key = String(this._calls++);
      out.push({ type: 'tool', key, id: textOf(call.id), name: textOf(name), json: jsonOf(json) });
    }
    if (line.done !== true) return;
    out.push({ type: 'finish', reason: textOf(line.done_reason) || 'stop' });
    const [input, output] = [countOf(line.prompt_eval_count), countOf(line.eval_count)];
    if (input !== null || output !== null) out.push({ type: 'usage', input, output, reasoning: null, cached: null });
    this._end(out);
  }
}

/** Reads neutral events: the gateway's own, which EventSource and WebSocket bring. */
export class NeutralEvents extends Reader {
  /** @param {Record<string, any>} event @param {PageEvent[]} out */
  _read(event, out) {
    if (event.choice) return;
    switch (event.streamkit) {
      case 'start':
        this._start(event.model, out);
        break;
      case 'text':
      case 'reasoning':
      case 'refusal':
        say(event.streamkit, event.text, out);
        break;
      case 'part-start':
        if (event.kind !== 'tool') break;
        out.push({ type: 'tool', key: String(event.part), id: textOf(event.tool_id), name: textOf(event.tool_name), json: '' });
        break;
      case 'tool-args':
        out.push({ type: 'tool', key: String(event.part), id: '', name: '', json: textOf(event.json_text) });
        break;
      case 'usage':
        out.push({
          type: 'usage',
          input: countOf(event.input_total),
          output: countOf(event.output_total),
          reasoning: countOf(event.reasoning),
          cached: countOf(event.cached),
        });
        break;
      case 'finish':
        out.push({ type: 'finish', reason: textOf(event.reason) });
        break;
      case 'custom':
        if (event.name === 'dropped') {
          out.push({ type: 'notice', message: `The server has no place for ${listOf(event.value).join(', ')}` });
        }
        break;
      case 'error':
        this._fail(textOf(event.message), textOf(event.type), out);
        break;
      case 'end':
        this._end(out);
        break;
      case 'part-end':
      case 'ping':
      case 'raw':
        break;
      default:
        throw new RecordError(`is no neutral event: ${shown(JSON.stringify(event))}`, this.records);
    }
  }
}
