// What the list says of a stream, in words. Pure. Only what is known: where the gateway passes bytes on without reading
// them, that a response came to its end does not say that the answer in it did. Of the page's own streams the page
// knows it, for it has read them.

import { bytesText, counted, timeText } from './scale.js';

/**
 * How a stream has ended for the page that has asked for it.
 *
 * @typedef {'complete' | 'cut' | 'failed' | 'stopped'} Verdict
 */

/**
 * A row of `GET streams`, with what this page knows beside it (`verdict`); times are ns of the gateway's clock, but for `started_at_ns`.
 *
 * @typedef {{kind: string, number: number, tag: string, is_live: boolean, client: string, method: string,
 *   target: string, dialect: string, upstream_dialect: string, status: number | null, outcome: string, detail: string,
 *   is_resumable: boolean, started_at_ns: number, arrived_ns: number, first_read_ns: number | null,
 *   first_write_ns: number | null, last_ns: number, ended_ns: number | null, reads: number, read_bytes: number,
 *   writes: number, written_bytes: number, lost_moments: number, lost_bytes: number,
 *   verdict?: Verdict | ''}} StreamRow
 */

/** @typedef {'live' | 'good' | 'plain' | 'warn' | 'bad'} Mood */

/** @typedef {'streams' | 'live' | 'failed' | 'all'} Filter */

/** @type {Record<string, [Mood, string]>} */
const OUTCOMES = {
  refused: ['bad', 'refused by the gateway'],
  unreachable: ['bad', 'model not reached'],
  timeout: ['bad', 'timed out'],
  'bad-response': ['bad', 'bad response of the model'],
  'upstream-cut': ['bad', 'cut by the model'],
  'client-left': ['warn', 'client left'],
  'bad-request': ['bad', 'bad request'],
  stopped: ['warn', 'gateway stopped'],
  failed: ['bad', 'gateway failed'],
};

/** @type {Record<Verdict, [Mood, string]>} */
const VERDICTS = {
  complete: ['good', 'complete'],
  cut: ['bad', 'cut'],
  failed: ['bad', 'failed'],
  stopped: ['warn', 'stopped by you'],
};

const WEBSOCKET = '/ws';

/**
 * @param {StreamRow} row
 * @returns {{mood: Mood, text: string}} how it is, or how it ended
 */
export function stateOf(row) {
  if (row.is_live) return { mood: 'live', text: row.reads ? 'live' : 'waiting for the model' };
  if (row.verdict === 'stopped') return judged(row.verdict);
  const known = row.outcome === 'client-left' && row.verdict ? undefined : OUTCOMES[row.outcome];
  if (known) return { mood: known[0], text: known[1] };
  if (row.status !== null && row.status >= 400) return { mood: 'bad', text: `answered ${row.status}` };
  if (row.detail) return { mood: 'bad', text: 'ended in an error' };
  if (row.verdict) return judged(row.verdict);
  if (row.is_resumable) return { mood: 'plain', text: 'over' };
  return row.dialect ? { mood: 'good', text: 'complete' } : { mood: 'plain', text: 'passed on' };
}

/** @param {Verdict} verdict */
function judged(verdict) {
  const [mood, text] = VERDICTS[verdict];
  return { mood, text };
}

/**
 * @param {StreamRow} row
 * @returns {string} why it is not said to be complete; empty where there is nothing to explain
 */
export function caveatOf(row) {
  if (stateOf(row).mood !== 'plain') return '';
  if (row.is_resumable) return 'Nothing more comes, and nobody reads it. Its lanes show how it ended.';
  return 'The response came to its end. It was passed on unread: whether the answer in it was whole is not known here.';
}

/**
 * @param {StreamRow} row
 * @returns {boolean} false for what only asks about something: lists of models, health, a browser's preflight
 */
export function isStream(row) {
  return row.method === 'POST' || pathOf(row) === WEBSOCKET;
}

/**
 * @param {StreamRow} row
 * @param {Filter} filter
 */
export function passes(row, filter) {
  if (filter === 'all') return true;
  if (filter === 'failed') return stateOf(row).mood === 'bad';
  return isStream(row) && (filter === 'streams' || row.is_live);
}

/**
 * @param {StreamRow} row
 * @param {number} now_ns by the gateway's clock
 * @returns {string} how much was read, and since when or for how long
 */
export function factsOf(row, now_ns) {
  const until_ns = row.is_live ? Math.max(now_ns, row.last_ns) : (row.ended_ns ?? row.last_ns);
  const span = timeText((until_ns - row.arrived_ns) / 1e6);
  return `${counted(row.reads, 'read')} · ${bytesText(row.read_bytes)} · ${span}`;
}

/**
 * @param {StreamRow} row
 * @returns {string} from which dialect to which, and when the first bytes went out
 */
export function wayOf(row) {
  const parts = [];
  if (row.dialect && row.upstream_dialect && row.dialect !== row.upstream_dialect) {
    parts.push(`${row.dialect} → ${row.upstream_dialect}`);
  } else if (row.dialect || row.upstream_dialect) {
    parts.push(row.dialect || row.upstream_dialect);
  }
  if (row.first_write_ns !== null) {
    parts.push(`first byte ${timeText((row.first_write_ns - row.arrived_ns) / 1e6)}`);
  }
  if (row.lost_moments) parts.push(`${bytesText(row.lost_bytes)} not kept`);
  return parts.join(' · ');
}

/**
 * @param {StreamRow} row
 * @returns {string} all that is known of where it came from, for who asks
 */
export function titleOf(row) {
  const lines = [`${row.method} ${row.target}`, `asked by ${row.client || 'an unknown client'}`];
  lines.push(`at ${new Date(row.started_at_ns / 1e6).toLocaleString()}`);
  if (row.status !== null) lines.push(`status ${row.status}`);
  lines.push(`${counted(row.writes, 'write')}, ${bytesText(row.written_bytes)} to the client`);
  return lines.join('\n');
}

/** @param {StreamRow} row */
export function pathOf(row) {
  return row.target.split('?')[0];
}
