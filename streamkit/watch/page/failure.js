// Why an answer failed: one error class for all ways of feeding, and how other errors become it.

import { RecordError } from './records.js';
import { StreamError } from './stream.js';

/**
 * What can happen to an answer, but for what it says itself (which is an event, `{type: 'error'}`).
 *
 * - `refused`: the gateway, or the server behind it, answered that it will not, or cannot
 * - `unreachable`: nobody answered
 * - `unexpected`: the answer is no stream of the kind that was asked for
 * - `malformed`: a record is none
 * - `truncated`: it ended like a whole one, without the record that says that it is
 * - `cut`: the connection broke in the middle
 * - `broken`: something else; a mistake of this page, if anything
 *
 * @typedef {'refused' | 'unreachable' | 'unexpected' | 'malformed' | 'truncated' | 'cut' | 'broken'} Kind
 */

/** @type {Record<string, Kind>} */
const KINDS = {
  status: 'refused',
  'media-type': 'unexpected',
  'bad-json': 'malformed',
  'bad-utf8': 'malformed',
  'too-large': 'malformed',
  truncated: 'truncated',
  closed: 'cut',
};

/** An answer failed. */
export class AskError extends Error {
  /**
   * @param {Kind} kind
   * @param {string} message for people
   * @param {{status?: number, cause?: unknown}} [more]
   */
  constructor(kind, message, { status = 0, cause } = {}) {
    super(message, { cause });
    this.name = 'AskError';
    this.kind = kind;
    this.status = status;
  }
}

/** Say what any error means for an answer. @param {unknown} error @returns {AskError} */
export function failureOf(error) {
  if (error instanceof AskError) return error;
  if (error instanceof RecordError) return new AskError('malformed', error.message, { cause: error });
  if (error instanceof StreamError) {
    return new AskError(KINDS[error.code] ?? 'broken', error.message, { cause: error });
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new AskError('broken', message, { cause: error });
}

/** The error of a stream that ended without its end. @param {string} terminator @param {number} records */
export function truncated(terminator, records) {
  const came = records === 1 ? '1 record' : `${records} records`;
  return new AskError('truncated', `it ended behind ${came} without ${terminator}, which would say that it is whole`);
}

/**
 * The error of a response that is no success, with what it says itself, in whichever vendor's form.
 *
 * @param {Response} response
 */
export async function refusalOf(response) {
  const text = await response.text().catch(() => '');
  let message = '';
  try {
    const body = JSON.parse(text);
    const error = body?.error ?? body;
    message = typeof error === 'string' ? error : (error?.message ?? '');
  } catch {
    // A gateway that does not know its server's dialect says it in plain text. A page of a proxy says nothing here.
    if (/^text\/plain\b/.test(response.headers.get('Content-Type') ?? '')) message = text.trim().slice(0, 500);
  }
  const status = `${response.status} ${response.statusText}`.trim();
  return new AskError('refused', message ? `${message} (${status})` : status, { status: response.status });
}
