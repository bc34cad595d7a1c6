// The bytes of one mark, as text with escapes or as hex, with what comes before and behind, and where they are cut.

import { hexRows, pieces, shown } from './bytes.js';
import { element } from './elements.js';
import { counted } from './scale.js';
import { CUTS, factsOf, LANES } from './words.js';

/**
 * @typedef {import('./trace.js').Trace} Trace
 * @typedef {import('./trace.js').Mark} Mark
 */

/** How much is shown of the marks before and behind. */
const BESIDE = 48;

/** Where 16 bytes fit into a row of hex, in pixels. */
const WIDE = 620;

const HINT = 'Point at a mark, or go there with the arrow keys, to see its bytes.';

/** Shows one mark. */
export class Inspect {
  /** @param {HTMLElement} place */
  constructor(place) {
    this.place = place;
    this._isHex = false;
    /** @type {Mark | null} */
    this._mark = null;
    /** @type {Trace | null} */
    this._trace = null;
    this._title = element('h3', {});
    this._toggle = element('button', { type: 'button', class: 'small', 'aria-pressed': 'false' }, 'Hex');
    this._toggle.addEventListener('click', () => {
      this._isHex = !this._isHex;
      this._toggle.setAttribute('aria-pressed', String(this._isHex));
      this._fill();
    });
    this._facts = element('dl', {});
    this._bytes = element('pre', { class: 'mono', tabindex: '0', 'aria-label': 'Bytes' });
    this._hint = element('p', { class: 'quiet inspect-hint' }, HINT);
    place.replaceChildren(this._hint, element('div', { class: 'inspect-head' }, this._title, this._toggle), this._facts, this._bytes);
    this.show(null, null);
  }

  /** @param {Mark | null} mark null: none @param {Trace | null} trace */
  show(mark, trace) {
    this._mark = mark;
    this._trace = trace;
    this._fill();
  }

  _fill() {
    const [mark, trace] = [this._mark, this._trace];
    this.place.classList.toggle('empty', !mark || !trace);
    this.place.hidden = !trace;
    if (!mark || !trace) {
      this._bytes.replaceChildren();
      return;
    }
    this.place.dataset.lane = mark.lane;
    this._title.textContent = `${LANES[mark.lane]} ${mark.n + 1}`;
    this._facts.replaceChildren(
      ...factsOf(mark, trace).map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value))),
    );
    this._bytes.replaceChildren(...(this._isHex ? hexOf(mark, this.place.clientWidth < WIDE ? 8 : 16) : textOf(mark, trace)));
    this._bytes.scrollTop = 0;
  }
}

/**
 * @param {Mark} mark
 * @param {Trace} trace
 * @returns {Node[]}
 */
function textOf(mark, trace) {
  const { head, tail, hidden } = shown(mark);
  const before = trace.previous(mark);
  const next = trace.next(mark);
  const cutBefore = before && trace.cutOf(before);
  const cut = trace.cutOf(mark);
  const found = [];
  if (before && cutBefore && cutBefore !== 'between') {
    const last = shown(before);
    found.push(beside((last.tail.length ? last.tail : last.head).slice(-BESIDE)), cutMark(cutBefore, 'begin'));
  }
  const body = element('span', { class: 'own' }, ...written(head));
  if (hidden) body.append(element('span', { class: 'left-out' }, `… ${counted(hidden, 'byte')} not kept …`), ...written(tail));
  found.push(body);
  if (cut) found.push(cutMark(cut, 'end'));
  if (next && cut && cut !== 'between') found.push(beside(shown(next).head.slice(0, BESIDE)));
  return found;
}

/**
 * @param {Mark} mark
 * @param {number} width bytes a row
 * @returns {Node[]}
 */
function hexOf(mark, width) {
  const { head, tail, hidden } = shown(mark);
  const parts = [{ data: head, start: mark.start }];
  if (hidden) parts.push({ data: tail, start: mark.start + mark.bytes - tail.length });
  const found = [];
  for (const { data, start } of parts) {
    if (found.length) found.push(element('span', { class: 'left-out' }, `… ${counted(hidden, 'byte')} not kept …`));
    const digits = String(mark.start + mark.bytes).length;
    for (const row of hexRows(data, start, width)) {
      found.push(
        element(
          'span',
          { class: 'hex' },
          element('span', { class: 'offset' }, String(row.at).padStart(digits)),
          element('span', {}, row.hex.join(' ')),
          element('span', { class: 'ascii' }, row.text),
        ),
      );
    }
  }
  return found;
}

/**
 * @param {'character' | 'cr' | 'record' | 'between'} cut
 * @param {'begin' | 'end'} side
 */
function cutMark(cut, side) {
  return element('span', { class: 'cut', 'data-cut': cut, 'data-side': side, title: CUTS[cut] }, side === 'end' ? CUTS[cut] : '');
}

/** @param {Uint8Array} data */
function beside(data) {
  return element('span', { class: 'beside' }, ...written(data));
}

/** @param {Uint8Array} data @returns {(Node | string)[]} */
function written(data) {
  return pieces(data).flatMap(({ kind, text }) => {
    if (kind === 'text') return [text];
    const made = element('span', { class: kind }, text);
    return text === '\\n' ? [made, '\n'] : [made];
  });
}
