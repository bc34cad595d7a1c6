// Rows as the gateway tells them of a stream, made by hand. Times are given in ms since the request arrived.

export const ARRIVED_NS = 5_000_000_000_000;

const ns = (ms) => ARRIVED_NS + Math.round(ms * 1e6);

export const base64 = (text) => Buffer.from(text).toString('base64');

export const stream = (more = {}) => ({ kind: 'stream', number: 1, arrived_ns: ARRIVED_NS, is_live: true, is_resumable: false, ...more });

export const head = (lane, t_ms, more = {}) => ({
  kind: 'head', lane, connection: 0, at_ns: ns(t_ms), status: 200, media_type: 'text/event-stream', n: 0, ...more,
}); // prettier-ignore

export const gone = (lane, t_ms, more = {}) => ({ kind: 'gone', lane, connection: 0, at_ns: ns(t_ms), how: 'end', is_whole: true, ...more });

export const end = (more = {}) => ({ kind: 'end', stream: stream({ is_live: false, outcome: 'ok', ...more }) });

/** Makes the marks of one lane, one after the other. */
export function laneOf(lane, connection = 0) {
  const at = { n: 0, start: 0, records: 0 };
  return (t_ms, text, { records = 1, cut = 'between', through = at.n, done_ms = null, n = at.n, ...more } = {}) => {
    const bytes = Buffer.byteLength(text);
    at.records += records;
    const row = {
      kind: 'mark', lane, n, connection, at_ns: ns(t_ms), done_ns: done_ms === null ? null : ns(done_ms), kernel_ns: null,
      segments: null, start: at.start, bytes, records: at.records, cut, through, head: base64(text), tail: '', ...more,
    }; // prettier-ignore
    at.start += bytes;
    at.n = n + 1;
    return row;
  };
}

export const event = (text) => `data: {"choices":[{"delta":{"content":"${text}"}}]}\n\n`;

const encoder = new TextEncoder();

/** What the browser reads, on a clock that is `offset_ms` behind the gateway's. */
export function browserOf(trace, offset_ms = 0, connection = 0) {
  let records = 0;
  return (t_ms, text, { fresh = 1 } = {}) => {
    records += fresh;
    const data = encoder.encode(text);
    trace.browser({ at_ms: ARRIVED_NS / 1e6 + t_ms - offset_ms, bytes: data.length, records, connection, data });
  };
}
