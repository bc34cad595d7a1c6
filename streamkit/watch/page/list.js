// The list of streams: what passes the gateway, from this page and from everybody else, as it comes. At most a page of
// them is in the document, and news are shown once a frame. What a row says is streamrow.js's, which rows
// streambook.js's.

import { element } from './elements.js';
import { saveCassette } from './save.js';
import { StreamBook } from './streambook.js';
import { StreamItem } from './streamitem.js';

/** @typedef {import('./streamrow.js').Filter} Filter */

/** @type {[Filter, string][]} */
const FILTERS = [
  ['streams', 'Streams'],
  ['live', 'Live streams'],
  ['failed', 'Failed'],
  ['all', 'All requests'],
];

const EMPTY = {
  streams: 'No stream yet. Ask something, or point any client at this gateway: its streams appear here.',
  live: 'Nothing is live.',
  failed: 'Nothing has failed.',
  all: 'No request yet.',
};

const TICK_MS = 250;

/** The list, in its element. */
export class List {
  /**
   * @param {HTMLElement} element empty
   * @param {object} options
   * @param {Pick<import('./gate.js').Gate, 'fetch'>} options.gate
   * @param {(number: number) => void} options.onOpen a stream is to be shown
   * @param {(number: number) => Promise<void>} [options.onSave] saves a stream; else this does, as a download
   * @param {(tag: string) => boolean} [options.owns] whether a stream with this tag is this page's own
   */
  constructor(element, { gate, onOpen, onSave, owns = (tag) => tag !== '' }) {
    this._onOpen = onOpen;
    this._onSave = onSave ?? ((/** @type {number} */ number) => saveCassette(gate, number));
    this._owns = owns;
    this._book = new StreamBook();
    /** @type {Map<number, StreamItem>} */
    this._items = new Map();
    /** @type {Set<number>} */
    this._changed = new Set();
    /** @type {number | null} */
    this._selected = null;
    this._frame = 0;
    this._tick = 0;
    this._seen_ms = 0;
    this._offset_ms = NaN;
    this._build(element);
    document.addEventListener('visibilitychange', () => this._keepTicking());
    this._show();
  }

  /** What follows are the rows of a new following: those of the last one go with the first of them. */
  begin() {
    this._book.begin();
  }

  /** Forget all. */
  clear() {
    this._book.clear();
    this._show();
  }

  /**
   * Take a row of `GET streams`.
   *
   * @param {any} row
   */
  row(row) {
    const latest_ns = this._book.latest_ns;
    if (!this._book.take(row)) return;
    if (this._book.latest_ns !== latest_ns) this._seen_ms = performance.now();
    if (row.kind === 'stream') this._changed.add(row.number);
    this._show();
  }

  /**
   * Show which stream is open.
   *
   * @param {number | null} number
   */
  select(number) {
    this._selected = number;
    for (const item of this._items.values()) item.select(item.number === number);
  }

  /** @param {{offset_ms: number}} clock the gateway's, against this page's */
  setClock({ offset_ms }) {
    this._offset_ms = offset_ms;
  }

  /** What the gateway's clock says now, in ns; without a matched one, as nearly as the news tell it. */
  get _now_ns() {
    const now_ms = performance.now();
    if (Number.isFinite(this._offset_ms)) return (now_ms + this._offset_ms) * 1e6;
    return this._book.latest_ns + (now_ms - this._seen_ms) * 1e6;
  }

  /** @param {HTMLElement} place */
  _build(place) {
    const head = element('div', { class: 'list-head' });
    this._filter = document.createElement('select');
    this._filter.id = 'list-filter';
    this._filter.setAttribute('aria-label', 'Which requests are listed');
    this._filter.append(...FILTERS.map(([value, text]) => new Option(text, value)));
    this._filter.addEventListener('change', () => {
      this._book.filter = /** @type {Filter} */ (this._filter?.value);
      this._book.newest();
      this._show();
    });
    this._count = element('p', { class: 'list-count quiet' });
    head.append(this._filter, this._count);

    this._rows = element('ol', { class: 'list-rows' });
    this._rows.setAttribute('aria-label', 'Streams, the newest first');
    this._rows.addEventListener('keydown', (event) => this._moved(event));
    this._rows.addEventListener('click', (event) => this._clicked(event));
    this._rows.addEventListener('focusin', (event) => this._rove(this._itemOf(event.target)));
    this._empty = element('p', { class: 'list-empty quiet' });
    const pages = element('div', { class: 'list-pages' });
    this._newest = element('button', { type: 'button', class: 'small' }, 'Newest');
    this._older = element('button', { type: 'button', class: 'small' }, 'Older');
    this._newest.addEventListener('click', () => this._turn(() => this._book.newest()));
    this._older.addEventListener('click', () => this._turn(() => this._book.older()));
    pages.append(this._newest, this._older);
    place.append(head, this._rows, this._empty, pages);
  }

  /** Show what is new, with the next frame. */
  _show() {
    if (!this._frame) this._frame = requestAnimationFrame(() => this._draw());
  }

  _draw() {
    this._frame = 0;
    const { rows, newer, older, live } = this._book.view();
    const numbers = new Set(rows.map((row) => row.number));
    const lost = this._itemOf(document.activeElement);
    for (const [number, item] of this._items) {
      if (numbers.has(number) && item.startedAt_ns === this._book.find(number)?.started_at_ns) continue;
      item.element.remove();
      this._items.delete(number);
    }
    let next = this._rows?.firstElementChild ?? null;
    const now_ns = this._now_ns;
    for (const row of rows) {
      let item = this._items.get(row.number);
      if (!item) {
        item = new StreamItem(row, this._owns(row.tag), row.tag !== '');
        item.select(row.number === this._selected);
        this._items.set(row.number, item);
        item.update(row, now_ns);
      } else if (this._changed.has(row.number)) {
        item.update(row, now_ns);
      }
      if (item.element === next) next = next.nextElementSibling;
      else this._rows?.insertBefore(item.element, next);
    }
    this._changed.clear();
    this._finish(rows.length, newer, older, live);
    if (lost && !this._items.has(lost.number)) this._itemOf(this._rows?.lastElementChild ?? null)?.focus();
    if (!this._rows?.contains(document.activeElement)) {
      this._rove(this._items.get(this._selected ?? 0) ?? this._itemOf(this._rows?.firstElementChild ?? null));
    }
    this._keepTicking();
  }

  /**
   * @param {number} shown
   * @param {number} newer
   * @param {number} older
   * @param {number} live
   */
  _finish(shown, newer, older, live) {
    const { _count, _empty, _older, _newest, _rows } = this;
    if (!_count || !_empty || !_older || !_newest || !_rows) return;
    const part = newer || older ? `${newer + 1}–${newer + shown} of ${newer + shown + older}` : '';
    _count.textContent = [live ? `${live} live` : '', part].filter(Boolean).join(' · ');
    _empty.textContent = shown ? '' : EMPTY[this._book.filter];
    _empty.hidden = shown > 0;
    _rows.hidden = !shown;
    _older.disabled = !older;
    _newest.disabled = !newer;
    /** @type {HTMLElement} */ (_older.parentElement).hidden = !older && !newer;
  }

  /** Let times go on as long as anything that is seen is live. */
  _keepTicking() {
    const wanted = !document.hidden && [...this._items.values()].some((item) => item.isLive);
    if (wanted === (this._tick !== 0)) return;
    if (wanted) {
      this._tick = window.setInterval(() => {
        for (const item of this._items.values()) item.tick(this._now_ns);
      }, TICK_MS);
    } else {
      clearInterval(this._tick);
      this._tick = 0;
    }
  }

  /** @param {() => void} turn */
  _turn(turn) {
    turn();
    if (this._rows) this._rows.scrollTop = 0;
    this._show();
  }

  /** @param {EventTarget | null} target */
  _itemOf(target) {
    const found = target instanceof Element ? target.closest('#list [data-number]') : null;
    return found instanceof HTMLElement ? this._items.get(Number(found.dataset.number)) : undefined;
  }

  /** @param {StreamItem | undefined} item the one that the Tab key leads to */
  _rove(item) {
    if (!item) return;
    for (const each of this._items.values()) each.isReachable = each === item;
  }

  /** @param {MouseEvent} event */
  _clicked(event) {
    const item = this._itemOf(event.target);
    const button = event.target instanceof Element ? event.target.closest('button') : null;
    if (!item || !button) return;
    if ('save' in button.dataset) void this._save(item);
    else {
      this.select(item.number);
      this._onOpen(item.number);
    }
  }

  /** @param {KeyboardEvent} event */
  _moved(event) {
    const item = this._itemOf(event.target);
    if (!item || event.altKey || event.ctrlKey || event.metaKey) return;
    const { nextElementSibling: below, previousElementSibling: above } = item.element;
    const [first, last] = [this._rows?.firstElementChild, this._rows?.lastElementChild];
    const to = { ArrowDown: below, ArrowUp: above, Home: first, End: last };
    if (event.key in to) {
      this._itemOf(to[/** @type {keyof typeof to} */ (event.key)] ?? null)?.focus();
    } else if (event.key === 'ArrowRight' || event.key === 'ArrowLeft') {
      item.focus(event.key === 'ArrowRight');
    } else {
      return;
    }
    event.preventDefault();
  }

  /** @param {StreamItem} item */
  async _save(item) {
    item.note('');
    try {
      await this._onSave(item.number);
      item.note('Saved.');
    } catch (error) {
      item.note(/** @type {Error} */ (error).message, 'bad');
    }
  }
}
