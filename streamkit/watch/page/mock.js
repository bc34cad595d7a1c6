// How the embedded mock server answers next: a field for each setting that people want often, one for all others, and
// what is set as one text. The mock server reads that text and says what is wrong with it; this only writes it.

import { upright } from './bytes.js';
import { element } from './elements.js';
import { ChoiceField, Field } from './field.js';
import { blamed, shared, written } from './xmock.js';

/** @typedef {import('./xmock.js').Control} Control */
/** @typedef {import('./xmock.js').Pair} Pair */
/** @typedef {{settings: string, pairs: Pair[], controls: Record<string, Control>}} MockState */
/** @typedef {Pick<import('./gate.js').Gate, 'json'>} Gate */

const OTHER = 'other';

const NOTE =
  'Holds from the next request on, for every client. The same text goes into a request’s header X-Mock, ' +
  'or behind streamkit watch --mock.';

/** The panel of the mock server's settings. */
export class MockPanel {
  /**
   * @param {HTMLElement} element the whole, hidden until the mock server has said what it takes
   * @param {HTMLFormElement} form empty; the fields go there
   * @param {Gate} gate
   */
  constructor(element, form, gate) {
    this._element = element;
    this._form = form;
    this._gate = gate;
    /** @type {Map<string, Field>} */
    this._fields = new Map();
    /** @type {Record<string, Control>} */
    this._controls = {};
    this._isEdited = false;
    this._settings = '';
    /** @type {Promise<void>} */
    this._turn = Promise.resolve();
  }

  /** What is to be set, as in a header X-Mock. */
  get text() {
    const pairs = [...this._fields.values()].map((each) => /** @type {Pair} */ ([each.key, each.value]));
    const told = written(pairs.filter(([key, value]) => key !== OTHER && value));
    return [told, this._fields.get(OTHER)?.value].filter(Boolean).join('; ');
  }

  /**
   * The names of the tools that the mock server is told to call: it calls those only that a request offers.
   *
   * @returns {string[]}
   */
  get tools() {
    return [...this.text.matchAll(/(?:^|[;,]\s*)call="?([A-Za-z0-9_.-]+)/g)].map((match) => match[1]);
  }

  /** Get the settings and what they may be; hides the panel where the model is no mock server. */
  async load() {
    try {
      const state = /** @type {MockState} */ (await this._gate.json('mock'));
      if (!this._fields.size) this._build(state.controls);
      this._fill(state);
      this._element.hidden = false;
    } catch (error) {
      if (/** @type {{status?: number}} */ (error).status !== 404) throw error;
      this._element.hidden = true;
    }
  }

  /**
   * Set what is in the fields; where nothing was edited, look what is set.
   *
   * @param {boolean} [isAsking] whether somebody waits for it, who is then led to the field that is wrong
   * @returns {Promise<void>} when the next request will be answered as the fields say
   * @throws {Error} the mock server does not take a setting, which its field shows, or the gateway is gone
   */
  apply(isAsking = false) {
    const turn = this._turn.then(() => this._apply(isAsking));
    this._turn = turn.catch(() => {});
    return turn;
  }

  /** @param {boolean} isAsking */
  async _apply(isAsking) {
    if (!this._fields.size) return;
    if (!this._isEdited) {
      const state = await this._gate.json('mock').catch(() => null); // whoever asks next will say it
      if (state && !this._isEdited && state.settings !== this._settings) this._fill(state);
      return;
    }
    const text = this.text;
    this._say('');
    try {
      const state = /** @type {MockState} */ (await this._gate.json('mock', { method: 'PUT', body: text }));
      this._settings = state.settings;
    } catch (error) {
      this._blame(/** @type {Error} */ (error).message, isAsking);
      throw error;
    }
    if (this.text === text) this._isEdited = false;
    this._blame('');
    this._say('Set.');
  }

  /** @param {Record<string, Control>} controls */
  _build(controls) {
    this._controls = controls;
    /** @type {Map<string, Field[]>} */
    const groups = new Map();
    for (const [key, control] of Object.entries(controls)) {
      const field = control.choices ? new ChoiceField(key, control) : new Field(key, control);
      this._fields.set(key, field);
      groups.set(control.group, [...(groups.get(control.group) ?? []), field]);
    }
    for (const [heading, fields] of groups) this._form.append(groupOf(heading, fields));
    const other = new Field(OTHER, OTHER_CONTROL);
    this._fields.set(OTHER, other);
    this._form.append(groupOf(OTHER_CONTROL.group, [other]), this._footer());

    this._form.addEventListener('input', () => this._edited());
    this._form.addEventListener('change', () => {
      this._edited();
      this.apply().catch(() => {}); // its field shows it
    });
    this._form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.apply().catch(() => {});
    });
    this._element.addEventListener('toggle', () => {
      if (/** @type {HTMLDetailsElement} */ (this._element).open) this.apply().catch(() => {});
    });
  }

  _footer() {
    const footer = element('div', { class: 'mock-footer' });
    this._told = element('code', { class: 'mono' });
    this._told.id = 'mock-text';
    const buttons = element('div', { class: 'buttons' });
    this._copy = buttonOf('Copy', 'mock-copy', () => this._copyText());
    this._back = buttonOf('Set back', 'mock-back', () => {
      for (const field of this._fields.values()) field.value = '';
      this._edited();
      this.apply().catch(() => {});
    });
    buttons.append(this._copy, this._back);
    this._status = element('p', { class: 'mock-status' });
    this._status.setAttribute('role', 'status');
    footer.append(this._told, buttons, this._status, element('p', { class: 'mock-help quiet' }, NOTE));
    this._summary = element('code', { class: 'mono mock-summary' });
    this._element.querySelector('summary')?.append(' ', this._summary);
    return footer;
  }

  /** @param {MockState} state */
  _fill(state) {
    const { fields, others } = shared(state.pairs, this._controls);
    for (const field of this._fields.values()) field.value = fields[field.key] ?? '';
    const other = this._fields.get(OTHER);
    if (other) other.value = written(others);
    this._settings = state.settings;
    this._isEdited = false;
    this._blame('');
    this._show();
  }

  _edited() {
    this._isEdited = true;
    this._say('');
    this._show();
  }

  _show() {
    const text = this.text;
    if (!this._told || !this._summary || !this._copy || !this._back) return;
    this._told.textContent = text ? `X-Mock: ${text}` : 'Nothing is set.';
    this._summary.textContent = upright(text);
    this._copy.disabled = this._back.disabled = !text;
  }

  /** @param {string} text */
  _say(text) {
    if (this._status) this._status.textContent = text;
  }

  /**
   * Show what is wrong at the field that it is about.
   *
   * @param {string} message empty: nothing is wrong
   * @param {boolean} [leads] there; nobody is taken away from where he writes
   */
  _blame(message, leads = false) {
    for (const field of this._fields.values()) field.blame('');
    if (!message) return;
    const { key, reason } = blamed(message);
    const named = this._fields.get(key);
    const field = named?.value ? named : this._fields.get(OTHER);
    field?.blame(field === named ? reason : message);
    /** @type {HTMLDetailsElement} */ (this._element).open = true;
    if (leads && !this._element.contains(document.activeElement)) field?.focus();
  }

  async _copyText() {
    try {
      await navigator.clipboard.writeText(this.text);
      this._say('Copied.');
    } catch {
      // No clipboard without a secure context, or not allowed: then it can be copied by hand.
      if (this._told) getSelection()?.selectAllChildren(this._told);
      this._say('Selected: copy it with the keyboard.');
    }
  }
}

/** @type {Control} */
const OTHER_CONTROL = {
  group: 'Anything else',
  takes: 'KEY=VALUE; KEY=VALUE',
  summary: 'Any setting of the mock server, as in X-Mock; settings are parted by semicolons.',
  default: '',
  example: 'heartbeat=1s; framing=close',
  repeats: true,
  choices: null,
};

/**
 * @param {string} heading
 * @param {Field[]} fields
 */
function groupOf(heading, fields) {
  const group = element('fieldset', { class: fields.length === 1 ? 'mock-group mock-single' : 'mock-group' });
  const grid = element('div', { class: 'mock-grid' });
  grid.append(...fields.map((each) => each.element));
  group.append(element('legend', {}, heading), grid);
  return group;
}

/**
 * @param {string} text
 * @param {string} id
 * @param {() => void} onClick
 */
function buttonOf(text, id, onClick) {
  const button = element('button', { type: 'button', class: 'small' }, text);
  button.id = id;
  button.addEventListener('click', onClick);
  return button;
}
