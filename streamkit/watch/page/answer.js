// Shows an answer as it comes: thoughts, text and tool calls apart, each as text and never as markup.
//
// What comes is drawn once a frame, however many records it was, and of a text that is too long to lay out only the
// beginning and the end are in the page. While the page is in the background nothing is drawn; it catches up at once.

import { upright } from './bytes.js';
import { element } from './elements.js';
import { Notices } from './notices.js';
import { Part } from './part.js';
import { counted } from './scale.js';

/** @typedef {import('./records.js').PageEvent} PageEvent */
/** @typedef {import('./part.js').PartName} PartName */
/** @typedef {import('./streamrow.js').Verdict} Verdict */

/** @type {Record<string, string>} */
const FINISHES = {
  stop: 'the model has finished',
  stop_sequence: 'stopped at a stop sequence',
  length: 'cut off by its bound on tokens',
  context_overflow: 'cut off: the context is full',
  tool_calls: 'the model waits for what its calls return',
  content_filter: 'held back by a content filter',
  pause: 'the model pauses',
  load: 'the model was only loaded',
  unload: 'the model was only unloaded',
};

/** @type {Record<string, string>} */
const FAILURES = {
  refused: 'Not answered',
  unreachable: 'No answer',
  unexpected: 'Not a stream of this kind',
  malformed: 'A record is malformed',
  truncated: 'Cut',
  cut: 'The connection broke',
  broken: 'Failed',
};

const ASKED = 'Asked. Nothing has come yet.';

/** How near to the end the user has to be for the page to scroll along. */
const NEAR_PX = 40;
const MAX_CALLS = 50;
/** For how many times as long as drawing has taken nothing is drawn: the page has other things to do. */
const REST = 3;

/** The answer's part of the page. */
export class Answer {
  /**
   * @param {HTMLElement} place where the parts go
   * @param {HTMLElement} state says how it goes
   */
  constructor(place, state) {
    this._place = place;
    this._state = state;
    // Not for those who are read to: it changes all the time.
    this._progress = element('span', { class: 'progress', 'aria-hidden': 'true' });
    this._words = element('span', {}, state.textContent ?? '');
    state.replaceChildren(this._words, this._progress);
    this._units = 0;
    /** @type {Map<string, Part>} */
    this._parts = new Map();
    this._isDue = false;
    this._drawn_ms = 0;
    this._rest_ms = 0;
    this._follows = true;
    place.addEventListener('scroll', () => {
      this._follows = place.scrollHeight - place.scrollTop - place.clientHeight < NEAR_PX;
    });
    this._runs = element('div', { class: 'runs' });
    this._notes = element('ul', { class: 'notes' });
    this._place.replaceChildren(this._runs, this._notes);
    this._began_ms = 0;
    this._finish = '';
    this._usage = '';
    this._omittedCalls = 0;
    this._hasFailed = this._hasBegun = this._isLost = false;
    /** How it has ended, as far as this page has seen it; empty as long as it has not. @type {Verdict | ''} */
    this.verdict = '';
    this._answers = ASKED;
    this._notices = new Notices();
  }

  _reset() {
    this._parts.clear();
    this._runs.replaceChildren();
    this._units = 0;
    this._notes.replaceChildren();
    this._notes.hidden = true;
    this._began_ms = performance.now();
    this._finish = '';
    this._usage = '';
    this._omittedCalls = 0;
    this._hasFailed = this._hasBegun = this._isLost = false;
    this.verdict = '';
    this._answers = ASKED;
    this._notices.clear();
    this._follows = true;
  }

  /** A question is on its way. */
  begin() {
    this._reset();
    this._say('live', ASKED);
  }

  /** Something has come. @param {PageEvent} event */
  event(event) {
    if (this._isLost && event.type !== 'lost') {
      this._isLost = false;
      this._say('live', this._answers);
    }
    switch (event.type) {
      case 'start':
        this._answers = event.model ? `${event.model} answers` : 'The model answers';
        this._hasBegun = true;
        this._say('live', this._answers);
        break;
      case 'lost':
        this._isLost = true;
        this._say('warn', `${event.message}.`);
        break;
      case 'text':
      case 'reasoning':
      case 'refusal':
        this._units += event.text.length;
        this._part(event.type).append(event.text);
        break;
      case 'tool':
        this._call(event);
        break;
      case 'finish':
        this._finish = FINISHES[event.reason] ?? event.reason;
        break;
      case 'usage':
        this._usage = usageWords(event);
        break;
      case 'notice':
        this._note(event.message);
        break;
      case 'error':
        this._hasFailed = true;
        this.verdict = event.kind === 'truncated' ? 'cut' : 'failed';
        this._say('bad', `${this._howItFailed(event.kind)}: ${event.message}`);
        break;
      case 'end':
        this._end();
        break;
    }
    this._later();
  }

  /**
   * It has failed on its way.
   *
   * @param {{kind?: string, message: string}} error
   */
  fail(error) {
    this._hasFailed = true;
    this.verdict = error.kind === 'cut' || error.kind === 'truncated' ? 'cut' : 'failed';
    this._say('bad', `${FAILURES[error.kind ?? 'broken'] ?? FAILURES.broken}: ${error.message}`);
    this._later();
  }

  /** The user has stopped it. */
  stopped() {
    if (this._state.dataset.mood === 'good') this._note('Stopped by you behind the end of the answer.');
    else {
      this.verdict = 'stopped';
      this._say('warn', `Stopped by you after ${this._elapsed()}.`);
    }
    this._later();
  }

  /** Whether the answer has said itself that it failed. */
  get hasFailed() {
    return this._hasFailed;
  }

  /** What is said of how it goes. */
  get said() {
    return this._words.textContent ?? '';
  }

  /** Say something more, below. @param {string} message */
  note(message) {
    this._note(message);
    this._later();
  }

  /** @param {string} kind @returns {string} */
  _howItFailed(kind) {
    if (kind === 'truncated') return FAILURES.truncated;
    return this._hasBegun ? 'The answer says that it failed' : FAILURES.refused;
  }

  _end() {
    if (this._hasFailed) return;
    this.verdict = 'complete';
    const words = [this._finish || 'the stream is whole', this._usage, this._elapsed()].filter(Boolean).join(' · ');
    this._say('good', `${words[0].toUpperCase()}${words.slice(1)}`);
  }

  _elapsed(digits = 2) {
    return `${((performance.now() - this._began_ms) / 1000).toFixed(digits)} s`;
  }

  /** @param {string} mood @param {string} words */
  _say(mood, words) {
    this._state.dataset.mood = mood;
    this._words.textContent = upright(words);
    if (mood !== 'live') this._progress.textContent = '';
  }

  /** @param {string} message @param {string} [about] */
  _note(message, about) {
    this._notices.add(message, about);
    this._notes.hidden = false;
    this._notes.replaceChildren(...this._notices.lines.map((line) => element('li', {}, upright(line))));
  }

  /** @param {PartName} name @param {string} [key] */
  _part(name, key = name) {
    let part = this._parts.get(key);
    if (part === undefined) {
      part = new Part(name, this._runs);
      this._parts.set(key, part);
    }
    return part;
  }

  /** @param {import('./records.js').ToolEvent} call */
  _call({ key, id, name, json }) {
    const key_ = `tool ${key}`;
    if (!this._parts.has(key_) && this._parts.size >= MAX_CALLS) {
      if (name) this._omittedCalls += 1;
      this._note(`${counted(this._omittedCalls, 'more tool call')} ${this._omittedCalls === 1 ? 'is' : 'are'} not shown`, 'calls');
      return;
    }
    const part = this._part('tool', key_);
    if (name) {
      part.body.dataset.name = name;
      part.title.replaceChildren('Tool call ', element('code', {}, upright(name)));
    }
    if (id) part.body.dataset.id = id;
    part.append(json);
  }

  _later() {
    if (this._isDue) return;
    this._isDue = true;
    const wait_ms = this._rest_ms - (performance.now() - this._drawn_ms);
    if (wait_ms > 0) setTimeout(() => requestAnimationFrame(() => this._draw()), wait_ms);
    else requestAnimationFrame(() => this._draw());
  }

  _draw() {
    const began_ms = performance.now();
    const place = this._place;
    this._isDue = false;
    for (const part of this._parts.values()) part.draw();
    if (this._state.dataset.mood === 'live' && this._hasBegun) {
      this._progress.textContent = `${this._elapsed(1)} · ${this._units.toLocaleString('en')} characters`;
    }
    // Asking for the height makes the browser lay it all out, so that what it costs is known.
    if (this._follows) place.scrollTop = place.scrollHeight;
    this._drawn_ms = performance.now();
    this._rest_ms = (this._drawn_ms - began_ms) * REST;
  }
}

/** @param {import('./records.js').UsageEvent} usage */
function usageWords({ input, output, reasoning, cached }) {
  const words = [];
  if (input !== null) words.push(`${input} tokens in${cached ? ` (${cached} cached)` : ''}`);
  if (output !== null) words.push(`${output} out${reasoning ? ` (${reasoning} of them reasoning)` : ''}`);
  return words.join(', ');
}
