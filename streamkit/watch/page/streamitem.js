// One stream in the list, as elements: a button that opens it, one that saves it, and what there is to say about it.

import { upright } from './bytes.js';
import { element } from './elements.js';
import { caveatOf, factsOf, stateOf, titleOf, wayOf } from './streamrow.js';

/** @typedef {import('./streamrow.js').StreamRow} StreamRow */

/** The line of a stream. */
export class StreamItem {
  /**
   * @param {StreamRow} row
   * @param {boolean} isOwn whether this page has asked for it
   * @param {boolean} isPage whether some page like this one has
   */
  constructor(row, isOwn, isPage) {
    this.number = row.number;
    this.startedAt_ns = row.started_at_ns; // another one's with the same number is another gateway's
    this.isLive = false;
    this._row = row;
    this.element = element('li', { class: 'stream' });
    this.element.dataset.number = String(row.number);
    this._open = button('stream-open', 'open');
    this._save = button('stream-save small', 'save', 'Save');
    this._save.setAttribute('aria-label', `Save stream ${row.number} as a cassette`);
    this._save.title = 'Save as a cassette, which mockserver --replay plays';
    this._state = element('span', { class: 'stream-state' });
    this._facts = element('span', { class: 'stream-facts' });
    this._way = element('span', { class: 'stream-way quiet' });
    this._detail = element('span', { class: 'stream-detail' });
    this._note = element('p', { class: 'stream-note' });
    this._note.setAttribute('role', 'status');
    this._note.hidden = true;

    const first = element('span', { class: 'stream-line' });
    const target = element('span', { class: 'stream-target' }, upright(row.target) || '(no request)');
    if (row.method !== 'POST') target.prepend(element('span', { class: 'quiet' }, `${row.method} `));
    first.append(element('span', { class: 'stream-number quiet' }, String(row.number)), target);
    if (isPage) first.append(element('span', { class: 'stream-badge' }, isOwn ? 'yours' : 'page'));
    const second = element('span', { class: 'stream-line' });
    second.append(this._state, this._facts);
    this._open.append(first, second, this._way, this._detail);
    this.element.append(this._open, this._save, this._note);
  }

  /** Whether the Tab key leads here; of all of them to one. */
  get isReachable() {
    return this._open.tabIndex === 0;
  }

  set isReachable(is) {
    this._open.tabIndex = this._save.tabIndex = is ? 0 : -1;
  }

  /**
   * @param {StreamRow} row
   * @param {number} now_ns by the gateway's clock
   */
  update(row, now_ns) {
    this._row = row;
    this.isLive = row.is_live;
    const { mood, text } = stateOf(row);
    this.element.dataset.live = String(row.is_live);
    this.element.dataset.mood = mood;
    this._state.textContent = text;
    this._state.title = caveatOf(row);
    this._way.textContent = wayOf(row);
    this._detail.textContent = this._detail.title = upright(row.detail);
    this._detail.hidden = !row.detail;
    this._open.title = upright(titleOf(row));
    this._facts.textContent = factsOf(row, now_ns);
  }

  /** @param {number} now_ns by the gateway's clock */
  tick(now_ns) {
    if (this.isLive) this._facts.textContent = factsOf(this._row, now_ns);
  }

  /** @param {boolean} isOpen whether this stream is shown */
  select(isOpen) {
    if (isOpen) this._open.setAttribute('aria-current', 'true');
    else this._open.removeAttribute('aria-current');
  }

  /** @param {boolean} [onSave] the button that saves, not the one that opens */
  focus(onSave = false) {
    (onSave ? this._save : this._open).focus();
  }

  /**
   * @param {string} text
   * @param {'good' | 'bad'} [mood]
   */
  note(text, mood = 'good') {
    this._note.textContent = upright(text);
    this._note.dataset.mood = mood;
    this._note.hidden = !text;
  }
}

/**
 * @param {string} className
 * @param {string} name
 * @param {string} [text]
 */
function button(className, name, text = '') {
  const made = element('button', { type: 'button', class: className }, text);
  made.tabIndex = -1;
  made.dataset[name] = '';
  return made;
}
