// The lanes on the page: which part of time is seen and which mark is selected. Draws with paint.js, once a frame at most
// and only when something is different; what pointer and keyboard mean is in steering.js.

import { element } from './elements.js';
import { Figures } from './figures.js';
import { AXIS_HEIGHT, bounds, LANE_HEIGHT, lanesOf, markAt, TOP } from './geometry.js';
import { legend, SIGNS } from './legend.js';
import { nearest } from './measure.js';
import { paint } from './paint.js';
import { timeAt } from './scale.js';
import { steer } from './steering.js';
import { moved, zoomed } from './view.js';
import { markText, partners } from './words.js';

/**
 * @typedef {import('./trace.js').Trace} Trace
 * @typedef {import('./trace.js').Mark} Mark
 * @typedef {import('./paint.js').Scene} Scene
 */

const COLOURS = /** @type {const} */ (['upstream', 'gateway', 'browser', 'ink', 'quiet', 'line', 'panel', 'warn', 'bad']);
const TICK_MS = 250;
/** For letters of this size the lanes are laid out: with larger ones all of it is larger. */
const LETTER_PX = 15;
/** How far from a mark one may point, and pick, in pixels. */
const REACH = 24;
const PICK_REACH = 40;
const EMPTY =
  'Ask something, or open a stream from the list: a mark for each read and write appears here, on one line of time, with lines between the same bytes.';
const HELP = 'Arrow keys go from mark to mark; plus, minus and 0 zoom.';

/** The lanes of one stream at a time. */
export class Lanes {
  /**
   * @param {HTMLElement} place
   * @param {{onSelect?: (mark: Mark | null, trace: Trace | null) => void, figures?: HTMLElement | null}} [options]
   *   `figures`: where the figures are shown
   */
  constructor(place, { onSelect = () => {}, figures = document.getElementById('figures') } = {}) {
    this.place = place;
    this._onSelect = onSelect;
    this._figures = figures && new Figures(figures);
    /** @type {Trace | null} */
    this._trace = null;
    /** What is seen of time; null: all of it. @type {{from_ms: number, to_ms: number} | null} */
    this._view = null;
    /** @type {Mark | null} */
    this._selected = null;
    this._isPinned = false;
    this._frame = 0;
    this._drawnVersion = -1;
    /** @type {Scene['colours'] | null} */
    this._colours = null;
    this._size = 1;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this._timer = undefined;
    const label = `The lanes. ${HELP}`;
    this._canvas = element('canvas', { tabindex: '-1', role: 'application', 'aria-label': label });
    this._stage = element('div', { class: 'lanes-stage' }, this._canvas);
    this._legend = legend();
    this._said = element('p', { class: 'lanes-said', role: 'status', 'aria-live': 'polite' });
    this._probe = element('span', { class: 'lanes-probe', 'aria-hidden': 'true' });
    this._all = this._button('Show all', 'Show all of the time', () => this._show(null));
    const less = this._button('−', 'Zoom out', () => this._zoom(2));
    const more = this._button('+', 'Zoom in', () => this._zoom(0.5));
    const tools = element('div', { class: 'lanes-tools' }, less, more, this._all);
    const title = element('h2', {}, 'Where the tokens are');
    const help = element('p', { class: 'quiet lanes-help', 'aria-hidden': 'true' }, HELP);
    const head = element('div', { class: 'lanes-head' }, title, help, tools);
    const empty = element('p', { class: 'quiet lanes-empty' }, EMPTY);
    place.replaceChildren(head, empty, this._stage, this._legend, this._said, this._probe);
    this.clear();
    this._listen();
  }

  /** Show a stream, as it is and as it goes on. @param {Trace} trace */
  show(trace) {
    if (trace === this._trace) return this._change();
    this.clear();
    this._trace = trace;
    trace.onChange = () => this._change();
    this.place.classList.remove('empty');
    this._canvas.tabIndex = 0;
    this._stage.style.height = `${(lanesOf(trace).length * LANE_HEIGHT + TOP + AXIS_HEIGHT) / LETTER_PX}rem`;
    for (const [sign, , isRare] of SIGNS) this._legend.dataset[sign] = isRare ? '' : '1';
    this._onSelect(null, trace);
    this._change();
    this._tick();
  }

  /** Show none. */
  clear() {
    if (this._trace) this._trace.onChange = () => {};
    clearTimeout(this._timer);
    this._trace = null;
    this._view = null;
    this._isPinned = false;
    this._drawnVersion = -1;
    this.place.classList.add('empty');
    this._canvas.tabIndex = -1;
    for (const lane of ['upstream', 'gateway', 'browser']) this.place.dataset[lane] = '0';
    this._figures?.clear();
    this._select(null, true);
  }

  /** @param {string} text @param {string} title @param {() => void} run */
  _button(text, title, run) {
    const made = element('button', { type: 'button', class: 'small', title, 'aria-label': title }, text);
    made.addEventListener('click', run);
    return made;
  }

  _listen() {
    steer(this._canvas, {
      point: (x, y) => this._isPinned || this._pick(x, y, REACH),
      pick: (x, y) => {
        this._isPinned = this._pick(x, y, PICK_REACH);
        if (!this._isPinned) this._select(null, true);
      },
      leave: () => this._leave(),
      go: (by) => this._go(by),
      cross: (by) => this._cross(by),
      zoom: (factor, x) => this._zoom(factor, x),
      pan: (pixels) => this._pan(pixels),
      showAll: () => this._show(null),
    });
    new ResizeObserver(() => this._change(true)).observe(this._stage);
    const again = () => {
      this._colours = null;
      this._change(true);
    };
    for (const query of ['(prefers-color-scheme: dark)', '(forced-colors: active)', `(resolution: ${devicePixelRatio}dppx)`]) {
      matchMedia(query).addEventListener('change', again);
    }
  }

  /** @param {boolean} [isForced] also where the stream is the same */
  _change(isForced = false) {
    if (isForced) this._drawnVersion = -1;
    this._frame ||= requestAnimationFrame(() => {
      this._frame = 0;
      this._draw();
    });
  }

  /** Time goes on in a live stream also where nothing comes. */
  _tick() {
    if (!this._trace || this._trace.isOver) return;
    this._timer = setTimeout(() => {
      this._change(true);
      this._tick();
    }, TICK_MS);
  }

  /** @returns {Scene | null} */
  _scene() {
    const trace = this._trace;
    this._size = parseFloat(getComputedStyle(document.documentElement).fontSize) / LETTER_PX;
    const [width, height] = [this._stage.clientWidth, this._stage.clientHeight].map((each) => each / this._size);
    if (!trace || !width) return null;
    const now_ms = trace.isOver || trace.isCutOff || !trace.stream ? null : trace.time(performance.now());
    const scale = { ...(this._view ?? this._whole(now_ms)), ...bounds(width) };
    return { trace, scale, width, height, colours: this._colour(), selected: this._selected, chain: this._chain(), now_ms };
  }

  /** All of the time of the stream, and a little more on both sides. @param {number | null} now_ms */
  _whole(now_ms = null) {
    const end_ms = Math.max(this._trace?.end_ms ?? 0, now_ms ?? 0, 1);
    return { from_ms: -end_ms * 0.01, to_ms: end_ms * 1.01 };
  }

  _draw() {
    const scene = this._scene();
    if (!scene || scene.trace.version === this._drawnVersion) return;
    this._drawnVersion = scene.trace.version;
    const dots = devicePixelRatio * this._size;
    const [width, height] = [scene.width, scene.height].map((each) => Math.round(each * dots));
    if (this._canvas.width !== width || this._canvas.height !== height) {
      this._canvas.width = width;
      this._canvas.height = height;
    }
    const context = /** @type {CanvasRenderingContext2D} */ (this._canvas.getContext('2d'));
    context.setTransform(dots, 0, 0, dots, 0, 0);
    for (const sign of paint(context, scene)) this._legend.dataset[sign] = '1';
    for (const [lane, marks] of Object.entries(scene.trace.lanes)) this.place.dataset[lane] = String(marks.length);
    this._all.disabled = !this._view;
    this._figures?.show(scene.trace);
  }

  /** The canvas knows no custom properties: an element's own colour tells what they are. */
  _colour() {
    if (this._colours) return this._colours;
    const style = getComputedStyle(this._probe);
    const colours = /** @type {Scene['colours']} */ ({ font: style.fontFamily });
    for (const name of COLOURS) {
      this._probe.style.color = `var(--${name})`;
      colours[name] = style.color;
    }
    this._colours = colours;
    return colours;
  }

  /** The selected mark, and the marks in the other lanes that are the same bytes. @returns {Set<Mark>} */
  _chain() {
    const chain = /** @type {Set<Mark>} */ (new Set());
    const mark = this._selected;
    if (!mark || !this._trace) return chain;
    const { upstream, gateway, browser } = this._trace.lanes;
    const { readToWrite, writeToBrowser } = this._trace.links();
    let writes = [mark.n];
    if (mark.lane === 'upstream') writes = partners(readToWrite, mark.n, 0);
    else if (mark.lane === 'browser') writes = partners(writeToBrowser, mark.n, 1);
    chain.add(mark);
    for (const n of writes) {
      chain.add(gateway[n]);
      if (mark.lane !== 'upstream') for (const read of partners(readToWrite, n, 1)) chain.add(upstream[read]);
      if (mark.lane !== 'browser') for (const read of partners(writeToBrowser, n, 0)) chain.add(browser[read]);
    }
    return chain;
  }

  /** @param {Mark | null} mark @param {boolean} isSaid to those who do not see it */
  _select(mark, isSaid) {
    if (mark !== this._selected) {
      this._selected = mark;
      this._onSelect(mark, this._trace);
      this._change(true);
    }
    if (isSaid) this._said.textContent = mark && this._trace ? markText(mark, this._trace) : '';
  }

  /** @param {number} x @param {number} y @param {number} reach @returns {boolean} whether there is a mark */
  _pick(x, y, reach) {
    const scene = this._scene();
    const mark = scene && markAt(scene, x / this._size, y / this._size, reach);
    if (mark) this._select(mark, reach === PICK_REACH);
    return Boolean(mark);
  }

  _leave() {
    if (!this._selected) return false;
    this._isPinned = false;
    this._select(null, true);
    return true;
  }

  /** @param {{from_ms: number, to_ms: number} | null} view */
  _show(view) {
    this._view = view;
    this._change(true);
  }

  /** @param {number} factor @param {number} [x] what stays where it is */
  _zoom(factor, x) {
    const scene = this._scene();
    if (!scene) return;
    const { scale, now_ms } = scene;
    const middle = this._selected?.t_ms ?? (scale.from_ms + scale.to_ms) / 2;
    this._show(zoomed(scale, this._whole(now_ms), factor, x === undefined ? middle : timeAt(scale, x / this._size)));
  }

  /** @param {number} pixels to the right, of time @returns {boolean} whether there is more than what is seen */
  _pan(pixels) {
    const scene = this._scene();
    if (!scene || !this._view) return false;
    const { scale, now_ms } = scene;
    this._show(moved(scale, this._whole(now_ms), (pixels / this._size / scale.width) * (scale.to_ms - scale.from_ms)));
    return true;
  }

  /** Go along the lane. @param {number} by */
  _go(by) {
    const lane = this._trace?.lanes[this._selected?.lane ?? 'upstream'] ?? [];
    if (!lane.length) return;
    const isFromEnd = by === Infinity || (by < 0 && by > -Infinity);
    const n = this._selected ? this._selected.n + by : isFromEnd ? lane.length - 1 : 0;
    this._goTo(lane[Math.min(lane.length - 1, Math.max(0, n))]);
  }

  /** Go to the same bytes in the next lane, or to what is nearest there. @param {1 | -1} by */
  _cross(by) {
    const [trace, mark] = [this._trace, this._selected];
    if (!trace || !mark) return this._go(1);
    const names = lanesOf(trace);
    const name = names[names.indexOf(mark.lane) + by];
    if (!name) return;
    const same = [...this._chain()].find((each) => each.lane === name);
    const found = same ?? nearest(trace.lanes[name], mark.t_ms);
    if (found) this._goTo(found);
  }

  /** @param {Mark} mark */
  _goTo(mark) {
    this._isPinned = true;
    const view = this._view;
    if (view && (mark.t_ms < view.from_ms || mark.t_ms > view.to_ms)) {
      this._view = moved(view, this._whole(), mark.t_ms - (view.from_ms + view.to_ms) / 2);
    }
    this._select(mark, true);
  }
}
