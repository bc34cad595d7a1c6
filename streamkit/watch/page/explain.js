// Completes an answer's failure with what only the gateway knows: a browser says no more than that the network failed.

/** How long the gateway's own word is waited for. */
const PATIENCE_MS = 3000;
const LOOK_MS = 50;

/** @type {Record<string, string>} The gateway's outcomes, but for `ok` and what the browser itself has done. */
const OUTCOMES = {
  unreachable: 'it could not reach the server',
  timeout: 'the server took too long',
  'bad-response': 'the server sent what is no answer',
  'upstream-cut': 'the answer from upstream has no end',
  'bad-request': 'the request was not in order',
  refused: 'the request was refused',
  stopped: 'it was stopped itself',
  failed: 'it has failed itself',
};

const UNANSWERED = 'the server ended its connection before it answered';

/** Whether the gateway, from which an answer was cut off, is there at all. @param {import('./gate.js').Gate} gate */
export async function isThere(gate) {
  try {
    await gate.json('clock');
    return true;
  } catch {
    return false;
  }
}

/**
 * Say what the gateway knows of a stream that has failed.
 *
 * @param {import('./own.js').Own | null} own
 * @param {string} known what was said already
 * @returns {Promise<string>} empty where it knows nothing more
 */
export async function whatFailed(own, known) {
  const row = await own?.over(PATIENCE_MS);
  const isUnanswered = row?.outcome === 'upstream-cut' && row.first_read_ns === null;
  const meaning = isUnanswered ? UNANSWERED : row && OUTCOMES[row.outcome];
  if (!meaning) return '';
  if (row.detail && !known.includes(row.detail)) return `The gateway says: ${meaning} (${row.detail}).`;
  return row.outcome === 'unreachable' ? '' : `The gateway says: ${meaning}.`;
}

/**
 * Say what a stop has reached.
 *
 * @param {import('./own.js').Own | null} own
 * @returns {Promise<string>} empty where the gateway has not said it
 */
export async function stoppedWhere(own) {
  if (own === null) return '';
  const until_ms = performance.now() + PATIENCE_MS;
  while (performance.now() < until_ms) {
    const gone = own.trace.gones.findLast(({ lane }) => lane === 'upstream');
    if (gone) return gone.how === 'abort' ? 'The gateway has closed its connection to the model.' : '';
    if (own.row?.is_live === false && own.row.reads === 0) return 'The gateway has let go of the model.';
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return '';
}
