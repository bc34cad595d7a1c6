// One run of an answer in the page: its text, its reasoning, or a tool call. Text only, and of a long one no more than
// its beginning and its end (excerpt.js).

import { element } from './elements.js';
import { Excerpt } from './excerpt.js';

/** @typedef {'text' | 'reasoning' | 'refusal' | 'tool'} PartName */

/** @type {Record<string, string>} */
const TITLES = { text: '', reasoning: 'Reasoning', refusal: 'Refusal', tool: 'Tool call' };

/** One run of text in the page. */
export class Part {
  /**
   * @param {PartName} name
   * @param {HTMLElement} parent
   */
  constructor(name, parent) {
    this.name = name;
    this.excerpt = new Excerpt();
    this.isDirty = false;
    const isReasoning = name === 'reasoning';
    this.box = element(isReasoning ? 'details' : 'section', { class: `part part-${name}` });
    if (isReasoning) this.box.setAttribute('open', '');
    this.title = element(isReasoning ? 'summary' : 'h3', { class: 'part-title' }, TITLES[name]);
    if (TITLES[name]) this.box.append(this.title);
    this.body = this.box.appendChild(element(name === 'tool' ? 'pre' : 'div', { class: 'part-body', 'data-part': name }));
    parent.append(this.box);
    this._head = this.body.appendChild(document.createTextNode(''));
    /** @type {HTMLElement | null} */
    this._gap = null;
    /** @type {Text[]} */
    this._tail = [];
    this._first = 0;
  }

  /** @param {string} text */
  append(text) {
    this.excerpt.append(text);
    this.isDirty = true;
  }

  /** Bring the page up to date. */
  draw() {
    if (!this.isDirty) return;
    this.isDirty = false;
    const { head, tail, first, omitted } = this.excerpt;
    extend(this._head, head);
    while (this._first < first) {
      this._tail.shift()?.remove();
      this._first += 1;
    }
    tail.forEach((text, at) => {
      if (at === this._tail.length) this._tail.push(this.body.appendChild(document.createTextNode('')));
      extend(this._tail[at], text);
    });
    if (omitted === 0) return;
    if (this._gap === null) {
      this._gap = element('span', { class: 'omitted' });
      this._head.after(this._gap);
    }
    this._gap.dataset.omitted = String(omitted);
    this._gap.textContent = `… ${omitted.toLocaleString('en')} characters are not shown here …`;
  }
}

/** Let a text node say what it says and more. @param {Text} node @param {string} text */
function extend(node, text) {
  if (text.length > node.length) node.appendData(text.slice(node.length));
}
