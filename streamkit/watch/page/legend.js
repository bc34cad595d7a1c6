// What the signs in the lanes mean. Rare ones are explained once they are there (lanes.css).

import { element } from './elements.js';

/** @type {[sign: string, text: string, isRare: boolean][]} */
export const SIGNS = [
  ['bar', 'read or write, taller with more bytes', false],
  ['link', 'the same bytes', false],
  ['late', 'more than 20 ms apart', true],
  ['token', 'first token', false],
  ['ring', 'ends inside a record', true],
  ['dot', 'ends inside a character or between CR and LF', true],
  ['haze', 'how far the browser’s clock may be off', true],
  ['cross', 'broken off', true],
];

/** @returns {HTMLUListElement} */
export function legend() {
  const items = SIGNS.map(([sign, text]) => element('li', { 'data-sign': sign }, element('i', { 'aria-hidden': 'true' }), text));
  return element('ul', { class: 'lanes-legend', 'aria-label': 'Signs' }, ...items);
}
