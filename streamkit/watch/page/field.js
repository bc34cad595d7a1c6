// The fields of the mock panel: one for each setting, with what it does below it and what is wrong with it. They hold
// text; what it means is the mock server's business.

import { element } from './elements.js';
import { joined, parted } from './xmock.js';

/** @typedef {import('./xmock.js').Choice} Choice */
/** @typedef {import('./xmock.js').Control} Control */

/** A field that is written freely, and what all have in common. */
export class Field {
  /**
   * @param {string} key
   * @param {Control} control
   */
  constructor(key, control) {
    this.key = key;
    this.control = control;
    this.element = element('div', { class: 'mock-field' });
    this.element.dataset.key = key;
    const label = element('label', { class: 'mono' }, key);
    this.help = element('p', { class: 'mock-help quiet', title: control.summary }, control.summary);
    this.help.id = `mock-help-${key}`;
    this.error = element('p', { class: 'mock-error' });
    this.error.id = `mock-error-${key}`;
    this.error.dataset.error = key;
    this.error.hidden = true;
    const inputs = this.inputs();
    label.htmlFor = inputs[0].id;
    inputs[0].setAttribute('aria-describedby', `${this.error.id} ${this.help.id}`);
    const row = element('div', { class: 'mock-inputs' });
    row.append(...inputs);
    this.element.append(label, row, this.error, this.help);
  }

  /** @returns {(HTMLInputElement | HTMLSelectElement)[]} the first one bears the label */
  inputs() {
    const { takes, example } = this.control;
    this.input = inputOf(this.key, example ? `e.g. ${example}` : takes);
    return [this.input];
  }

  /** What is set, as the grammar wants it; empty for nothing. */
  get value() {
    return this.input?.value.trim() ?? '';
  }

  set value(text) {
    if (this.input) this.input.value = text;
  }

  focus() {
    /** @type {HTMLElement | null} */ (this.element.querySelector('input, select'))?.focus();
  }

  /** @param {string} reason empty: nothing is wrong */
  blame(reason) {
    this.error.textContent = reason;
    this.error.hidden = !reason;
    for (const input of this.element.querySelectorAll('input, select')) {
      if (reason) input.setAttribute('aria-invalid', 'true');
      else input.removeAttribute('aria-invalid');
    }
  }
}

/** A field with a menu: a name, what it takes, and for a fault its place. */
export class ChoiceField extends Field {
  inputs() {
    const choices = this.control.choices ?? [];
    this.menu = document.createElement('select');
    this.menu.id = `mock-${this.key}`;
    this.menu.name = this.key;
    this.menu.append(new Option(this.control.default ? `(${this.control.default})` : '(not set)', ''));
    for (const [label, group] of grouped(choices)) {
      const options = group.map((each) => new Option(each.name, each.name));
      if (!label) {
        this.menu.append(...options);
        continue;
      }
      this.menu.append(element('optgroup', { label }, ...options));
    }
    this.argument = inputOf(`${this.key}-argument`, '');
    this.place = inputOf(`${this.key}-place`, '');
    this.menu.addEventListener('change', () => {
      const { argument, place } = this;
      if (argument) argument.value = this.chosen?.example ?? '';
      if (place) place.value = '';
      this._dress();
    });
    this._dress();
    return [this.menu, this.argument, this.place];
  }

  /** @returns {Choice | undefined} */
  get chosen() {
    return this.control.choices?.find((each) => each.name === this.menu?.value);
  }

  get value() {
    return joined({
      name: this.menu?.value ?? '',
      argument: this.argument?.value.trim() ?? '',
      place: this.place?.value.trim().replace(/^@/, '') ?? '',
    });
  }

  set value(text) {
    const { menu, argument, place } = this;
    if (!menu || !argument || !place) return;
    const parts = text ? parted(text, this.control.choices ?? []) : null;
    menu.value = parts?.name ?? '';
    argument.value = parts?.argument ?? '';
    place.value = parts?.place ?? '';
    this._dress();
  }

  /** Show what the choice takes, and what it does. */
  _dress() {
    const chosen = this.chosen;
    const { argument, place } = this;
    if (!argument || !place) return;
    argument.hidden = !chosen?.takes;
    const takes = chosen?.takes.replace(/^\[|\]$/g, '') ?? '';
    argument.placeholder = chosen?.default ? `${takes}, else ${chosen.default}` : takes;
    argument.setAttribute('aria-label', `${this.key}: ${takes}`);
    place.hidden = !chosen?.places.length;
    place.placeholder = `at ${chosen?.place ?? ''}`;
    place.setAttribute('aria-label', `${this.key}: where`);
    place.title = `Where: ${(chosen?.places ?? []).map((each) => PLACES[each] ?? each).join(', ')}`;
    if (!this.help) return;
    this.help.textContent = this.help.title = chosen?.summary || this.control.summary;
  }
}

/** @type {Record<string, string>} how kinds of place are written that have numbers */
const PLACES = { token: 'token:N', event: 'event:N', 'event+bytes': 'event:N+BYTES' };

/**
 * @param {string} name
 * @param {string} placeholder
 */
function inputOf(name, placeholder) {
  const input = document.createElement('input');
  input.id = `mock-${name}`;
  input.name = name;
  input.placeholder = placeholder;
  input.autocomplete = 'off';
  input.spellcheck = false;
  input.setAttribute('autocapitalize', 'off');
  return input;
}

/**
 * @param {Choice[]} choices
 * @returns {Map<string, Choice[]>} those for any answer first, then those of some dialects
 */
function grouped(choices) {
  /** @type {Map<string, Choice[]>} */
  const groups = new Map([['', []]]);
  const hasDialects = choices.some((each) => each.dialects.length);
  for (const choice of choices) {
    const dialects = choice.dialects.length > 3 ? 'some dialects' : choice.dialects.join(', ');
    const label = dialects ? `only ${dialects}` : hasDialects ? 'any answer' : '';
    groups.set(label, [...(groups.get(label) ?? []), choice]);
  }
  return groups;
}
