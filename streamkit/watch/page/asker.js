// The form: takes the question, has it asked, and has the answer shown. One question at a time.

import { isThere, stoppedWhere, whatFailed } from './explain.js';
import { AskError, failureOf } from './failure.js';
import { ask } from './feeds.js';
import { modelNames } from './models.js';
import { TOOL, offered } from './question.js';

/** @typedef {import('./own.js').Own} Own */
/** @typedef {import('./feeds.js').Feed} Feed */

/** What the gateway tells of itself. @typedef {{is_mock: boolean, feeds: string[], speaks: string, upstream: string}} About */

/** @param {string} id @returns {any} */
const find = (id) => document.getElementById(id);

/** Asks what is in the form. */
export class Asker {
  /**
   * @param {object} parts
   * @param {import('./gate.js').Gate} parts.gate
   * @param {import('./answer.js').Answer} parts.answer
   * @param {import('./mock.js').MockPanel} parts.mock
   * @param {(feed: Feed) => Own} parts.begin
   * @param {(own: Own) => void} parts.judged how it has ended is known
   */
  constructor({ gate, answer, mock, begin, judged }) {
    this._gate = gate;
    this._answer = answer;
    this._mock = mock;
    this._begin = begin;
    this._judged = judged;
    /** @type {About | null} */
    this._about = null;
    /** Of the question that is being answered. @type {AbortController | null} */
    this._asking = null;
    this._questions = 0;
    this._listen();
  }

  /** The gateway can be asked from now on. @param {About} about */
  open(about) {
    this._about = about;
    for (const input of /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll('input[name=feed]'))) {
      if (about.feeds.includes(input.value)) continue;
      input.disabled = true;
      const label = /** @type {HTMLElement} */ (input.closest('label'));
      label.title = 'Only where the gateway knows in which dialect its server is asked: start it with --speaks.';
      find('feeds').querySelector('legend').textContent = 'The browser is fed by (the others need --speaks)';
    }
    if (about.is_mock) find('model').addEventListener('focus', () => this._loadModels(), { once: true });
    else void this._loadModels();
    find('ask').disabled = false;
  }

  /** Ask what is in the form, unless a question is being answered. */
  async ask() {
    if (this._asking !== null || this._about === null) return;
    const stopping = (this._asking = new AbortController());
    const question = (this._questions += 1);
    const answer = this._answer;
    /** @type {Own | null} */
    let own = null;
    /** @type {AskError | null} */
    let error = null;
    this._show(true);
    answer.begin();
    try {
      const tools = await this._tools();
      stopping.signal.throwIfAborted();
      const chosen = /** @type {HTMLInputElement} */ (document.querySelector('input[name=feed]:checked'));
      own = this._begin(/** @type {Feed} */ (chosen.value));
      await this._askAs(own, tools, stopping.signal);
    } catch (thrown) {
      if (stopping.signal.aborted) answer.stopped();
      else answer.fail((error = failureOf(thrown)));
    }
    this._asking = null;
    if (own !== null) {
      own.verdict = answer.verdict;
      this._judged(own);
    }
    this._show(false);
    // What only the gateway knows comes a little later, and is of no use once something else is asked.
    const isCurrent = () => question === this._questions;
    if (stopping.signal.aborted) {
      const where = await stoppedWhere(own);
      if (where && isCurrent()) answer.note(where);
    } else if (error || answer.hasFailed) {
      const isNetwork = error?.kind === 'cut' || error?.kind === 'unreachable';
      if (error && isNetwork && !(await isThere(this._gate))) {
        if (isCurrent()) answer.fail(new AskError(error.kind, 'the gateway is gone, nobody answers at its address'));
        return;
      }
      const why = await whatFailed(own, answer.said);
      if (why && isCurrent()) answer.note(why);
    }
  }

  /** Stop the answer, and the model. */
  stop() {
    this._asking?.abort();
  }

  /** @param {Own} own @param {string[]} tools @param {AbortSignal} signal */
  _askAs(own, tools, signal) {
    return ask({
      feed: own.feed,
      prompt: find('prompt').value,
      model: find('model').value.trim(),
      tools,
      gate: this._gate,
      tag: own.tag,
      signal,
      onRead: (read) => own.trace.browser(read),
      onEvent: (event) => this._answer.event(event),
    });
  }

  /** Set the mock server, where that is the model, as the page says, and return which tools to offer. */
  async _tools() {
    const tools = find('offer-tool').checked ? [TOOL] : [];
    if (!this._about?.is_mock) return tools;
    try {
      await this._mock.apply(true);
    } catch (cause) {
      const { message } = /** @type {Error} */ (cause);
      throw new AskError('refused', `the mock server cannot be set like that: ${message}`, { cause });
    }
    return offered([...tools, ...this._mock.tools]);
  }

  async _loadModels() {
    const model = find('model');
    const names = await modelNames(this._gate);
    find('models').replaceChildren(...names.map((name) => new Option(name, name)));
    if (!model.value) model.value = names[0] ?? '';
    if (!names.length) model.title = 'The server has no list of its models: type the name of one.';
  }

  /** @param {boolean} isAsking */
  _show(isAsking) {
    const [from, to] = isAsking ? [find('ask'), find('stop')] : [find('stop'), find('ask')];
    const hasFocus = document.activeElement === from;
    to.disabled = false;
    if (hasFocus) to.focus();
    from.disabled = true;
  }

  _listen() {
    const form = find('ask-form');
    form.addEventListener('submit', (/** @type {Event} */ event) => {
      event.preventDefault();
      void this.ask();
    });
    find('stop').addEventListener('click', () => this.stop());
    find('prompt').addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    });
    document.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !event.defaultPrevented && !document.querySelector('dialog[open]')) this.stop();
    });
  }
}
