// The figures below the lanes: a sentence that says who held something back, and a table, hop by hop.

import { element } from './elements.js';
import { bytesText, timeText } from './scale.js';
import { firstTokenText, LANES, verdict } from './words.js';

/**
 * @typedef {import('./trace.js').Trace} Trace
 * @typedef {import('./trace.js').Lane} Lane
 * @typedef {import('./measure.js').Hop} Hop
 */

const LIVE_MS = 200;

const HELD = 'What the hop before had brought, and this hop had not passed on or read yet';

const NAMES = /** @type {Lane[]} */ (['upstream', 'gateway', 'browser']);

/** @type {[name: string, title: string, of: (hop: Hop) => string][]} */
const ROWS = [
  ['first-byte', 'First byte', (hop) => timeText(hop.firstByte_ms)],
  ['first-token', 'First token', (hop) => timeText(hop.firstToken_ms)],
  ['marks', 'Reads, writes', (hop) => hop.marks.toLocaleString('en')],
  ['bytes', 'Bytes', (hop) => bytesText(hop.bytes)],
  ['records', 'Records', (hop) => hop.records.toLocaleString('en')],
  ['per-mark', 'Records in each', (hop) => (hop.perMark === null ? '–' : hop.perMark.toFixed(hop.perMark < 9.95 ? 2 : 1))],
  ['gap50', 'Gap, median', (hop) => timeText(hop.gap50_ms)],
  ['gap95', 'Gap, 95 in 100', (hop) => timeText(hop.gap95_ms)],
  ['gap-most', 'Gap, longest', (hop) => timeText(hop.gapMost_ms)],
];

/** Shows the figures of one stream at a time. */
export class Figures {
  /** @param {HTMLElement} place */
  constructor(place) {
    this.place = place;
    this._shown_ms = -Infinity;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this._timer = undefined;
    /** @type {Map<string, HTMLElement>} */
    this._cells = new Map();
    this._build();
  }

  /** Show what there is now; of a live stream, a few times in a second. @param {Trace} trace */
  show(trace) {
    clearTimeout(this._timer);
    const wait_ms = trace.isOver ? 0 : this._shown_ms + LIVE_MS - performance.now();
    if (wait_ms > 0) this._timer = setTimeout(() => this.show(trace), wait_ms);
    else this._fill(trace);
  }

  /** Show none. */
  clear() {
    clearTimeout(this._timer);
    this._shown_ms = -Infinity;
    this.place.hidden = true;
  }

  /** @param {string} name @param {string} tag @returns {HTMLElement} */
  _cell(name, tag) {
    const made = element(/** @type {'td'} */ (tag), { 'data-figure': name });
    this._cells.set(name, made);
    return made;
  }

  _build() {
    const head = element(
      'tr',
      {},
      element('td', {}),
      ...NAMES.map((lane) => element('th', { scope: 'col', 'data-lane': lane }, ...LANES[lane].split(' ').map((word) => element('span', {}, word)))),
    );
    const rows = ROWS.map(([name, title]) =>
      element('tr', {}, element('th', { scope: 'row' }, title), ...NAMES.map((lane) => this._laneCell(`${lane}-${name}`, lane))),
    );
    const held = [
      ['held-now', 'Bytes held, now'],
      ['held-most', 'Bytes held, most'],
    ].map(([name, title]) =>
      element('tr', { title: HELD }, element('th', { scope: 'row' }, title), ...NAMES.map((lane) => this._laneCell(`${lane}-${name}`, lane))),
    );
    this.place.replaceChildren(
      this._cell('verdict', 'p'),
      this._cell('more', 'p'),
      this._cell('token-path', 'p'),
      this._cell('lost', 'p'),
      element('table', {}, element('thead', {}, head), element('tbody', {}, ...rows, ...held)),
    );
    this.clear();
  }

  /** @param {string} name @param {Lane} lane */
  _laneCell(name, lane) {
    const made = this._cell(name, 'td');
    made.dataset.lane = lane;
    return made;
  }

  /** @param {Trace} trace */
  _fill(trace) {
    this._shown_ms = performance.now();
    const figures = trace.figures();
    const said = verdict(trace);
    this.place.hidden = false;
    this.place.dataset.lanes = figures.browser || trace.by ? '3' : '2';
    this._put('verdict', said.text);
    /** @type {HTMLElement} */ (this._cells.get('verdict')).dataset.by = said.by;
    this._put('more', said.more);
    this._put('token-path', firstTokenText(trace));
    const { lost_moments: lost = 0, lost_bytes: lostBytes = 0 } = trace.stream ?? {};
    const since = trace.told_ms ? `more since ${timeText(trace.told_ms)}: its two lanes, and what is said of them, end there` : 'of this stream';
    const told = trace.isCutOff ? `The gateway has told nothing ${since}.` : '';
    this._put('lost', lost ? `${lost.toLocaleString('en')} later reads and writes (${bytesText(lostBytes)}) were not kept.` : told);
    for (const lane of NAMES) {
      const hop = figures[lane];
      for (const [name, , of] of ROWS) this._put(`${lane}-${name}`, hop ? of(hop) : '–');
    }
    const nowRow = this._cells.get('gateway-held-now')?.parentElement;
    if (nowRow) nowRow.hidden = trace.isOver || trace.isCutOff;
    const held = { upstream: null, gateway: figures.heldByGateway, browser: figures.heldBehind };
    for (const lane of NAMES) {
      this._put(`${lane}-held-now`, bytesText(held[lane]?.now));
      this._put(`${lane}-held-most`, bytesText(held[lane]?.most));
    }
  }

  /** @param {string} name @param {string} text */
  _put(name, text) {
    const cell = this._cells.get(name);
    if (cell && cell.textContent !== text) cell.textContent = text;
    if (cell?.tagName === 'P') cell.hidden = !text;
  }
}
