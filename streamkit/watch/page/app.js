// The page: brings its parts together. Who asks is asker.js, who knows a stream trace.js, who draws it lanes.js; here is
// only who is told what, and when.

import { Answer } from './answer.js';
import { Asker } from './asker.js';
import { Clock } from './clock.js';
import { Gate, GateError } from './gate.js';
import { Inspect } from './inspect.js';
import { askKey } from './key.js';
import { Lanes } from './lanes.js';
import { List } from './list.js';
import { MockPanel } from './mock.js';
import { OwnStreams } from './own.js';
import { Trace } from './trace.js';

/** @param {string} id @returns {any} */
const find = (id) => document.getElementById(id);

const gate = new Gate((why) => {
  link('warn', 'The gateway wants its key');
  return askKey(why);
});
const clock = new Clock(gate);
const owns = new OwnStreams();
const answer = new Answer(find('answer'), find('answer-state'));
const mock = new MockPanel(find('mock-panel'), find('mock-form'), gate);
const inspect = new Inspect(find('inspect'));
const lanes = new Lanes(find('lanes'), { onSelect: (mark, trace) => inspect.show(mark, trace) });
const list = new List(find('list'), { gate, onOpen: open, owns: (tag) => owns.tagged(tag) !== undefined });
const asker = new Asker({ gate, answer, mock, begin, judged });

/** How often, and after what time, the marks of a stream are asked for again. */
const TRIES = 20;
const AGAIN_MS = 500;

/** Which run of the gateway the numbers in the list are of. */
let run = '';
/** What the lanes show. */
let shown = new Trace({ by: null });
/** Those that the gateway tells news of. @type {Set<Trace>} */
const followed = new Set();
/** Of another client's stream, while it is shown. */
let following = new AbortController();

async function boot() {
  link('live', 'Connecting');
  try {
    await gate.enter();
    const about = await gate.json('about');
    run = gate.run;
    const speaks = about.speaks ? `, asked in ${about.speaks}` : '';
    find('model-line').textContent = `${about.is_mock ? 'the embedded mock server' : about.upstream}${speaks}`;
    if (about.is_mock) await mock.load();
    else find('model').value = '';
    asker.open(about);
  } catch (error) {
    link('bad', `The gateway does not let the page in: ${/** @type {Error} */ (error).message}`);
    return;
  }
  clock.onChange = ({ offset_ms, uncertainty_ms }) => {
    for (const { trace } of owns) trace.setClock({ offset_ms, uncertainty_ms });
    if (offset_ms !== null) list.setClock({ offset_ms });
  };
  void clock.match();
  void gate.keepFollowing('streams', onRow, { onState: onLink });
}

/** @param {string} mood @param {string} words */
function link(mood, words) {
  const state = find('link-state');
  if (state.textContent === words) return;
  state.dataset.mood = mood;
  state.textContent = words;
}

/** @param {boolean} isThere @param {Error} [error] */
function onLink(isThere, error) {
  if (!isThere) {
    if (!followed.has(shown)) shown.cutOff();
    link('bad', error ? 'The gateway does not answer; trying again' : 'The gateway has stopped; trying again');
    return;
  }
  link('good', 'Connected');
  list.begin();
  if (gate.run !== run) owns.clear(); // it was started again, and its numbers mean other streams
  run = gate.run;
}

/** Take a row of the list of streams. @param {any} row */
function onRow(row) {
  const own = row.kind === 'stream' && row.tag ? owns.tagged(row.tag) : undefined;
  list.row(own ? { ...row, verdict: own.verdict } : row);
  const trace = own?.trace ?? (row.number === shown.stream?.number && row.started_at_ns === shown.stream.started_at_ns ? shown : null);
  if (row.kind === 'stream') trace?.told(row);
  if (row.kind === 'dropped') owns.drop(row.number);
  if (own?.told(row)) {
    if (own.trace === shown) {
      list.select(row.number);
      tell(`Stream ${row.number}, asked by this page`);
    }
    void follow(own.trace, row.number);
  }
}

/**
 * Take what the gateway has seen of a stream. Where the connection breaks it is asked again: a trace takes nothing twice.
 *
 * @param {Trace} trace
 * @param {number} number
 * @param {AbortSignal} [signal]
 */
async function follow(trace, number, signal) {
  const known = run;
  for (let tries = 0; tries < TRIES && run === known && !trace.isOver; tries++) {
    try {
      followed.add(trace);
      await gate.follow(`streams/${number}`, (row) => trace.row(row), { signal });
      trace.cutOff();
    } catch (error) {
      if (signal?.aborted) return;
      trace.cutOff();
      if (error instanceof GateError) {
        if (trace === shown) tell(`Stream ${number} cannot be shown: ${error.message}`);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    } finally {
      followed.delete(trace);
    }
  }
}

/** How a question of our own has ended for this page, the list says too. @param {import('./own.js').Own} own */
function judged(own) {
  if (own.row !== null && owns.tagged(own.tag) === own) list.row({ ...own.row, verdict: own.verdict });
}

/** Begin to trace a question of our own. @param {import('./feeds.js').Feed} feed */
function begin(feed) {
  const own = owns.begin(feed);
  const { offset_ms, uncertainty_ms } = clock;
  own.trace.setClock({ offset_ms, uncertainty_ms });
  show(own.trace);
  tell('Your question');
  return own;
}

/** Show a stream's lanes. @param {number} number */
function open(number) {
  const own = owns.numbered(number);
  show(own?.trace ?? new Trace({ by: null }));
  list.select(number);
  tell(own ? `Stream ${number}, asked by this page` : `Stream ${number}, asked by another client`);
  if (!own) void follow(shown, number, following.signal);
}

/** @param {Trace} trace */
function show(trace) {
  following.abort();
  following = new AbortController();
  shown = trace;
  lanes.show(trace);
}

/** Say which stream the lanes show, or why they do not. @param {string} words */
function tell(words) {
  find('lanes-of').textContent = words;
}

await boot();
