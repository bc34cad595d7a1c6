// The server's clock, as the browser can know it: by round trips, with an uncertainty that holds.
//
// The server says when a question came and when the answer left. The question was asked before it came, and the answer
// was here after it left: so the offset between the clocks lies in [left - here, came - asked]. Each round trip gives
// such an interval, and the offset lies in all of them. Half the width of what remains, and the step of the browser's
// timer, is the uncertainty. Between two matches the clocks may drift apart, by 0.1 ms in a second at worst (two
// quartzes of 50 ppm); an older interval is made wider by that when it is used again.

const TRIPS = 16;
/** So few are enough where they are exact. */
const LEAST_TRIPS = 4;
const EXACT_MS = 0.4;
const AGAIN_MS = 10000;
const KEEP = 64;
const DRIFT = 1e-4;
const STEP_READINGS = 20000;

/**
 * The least step of a timer that is seen, in ms: what a time may be too early by.
 *
 * @param {() => number} now
 * @returns {number}
 */
export function timerStep(now) {
  let least = Infinity;
  let seen = 0;
  let last = now();
  for (let n = 0; n < STEP_READINGS && seen < 32; n++) {
    const next = now();
    if (next > last) {
      least = Math.min(least, next - last);
      seen++;
    }
    last = next;
  }
  return seen ? least : 1;
}

/**
 * What all intervals have in common, the newest first; those that contradict newer ones count no more (a computer that
 * slept has stopped one of the clocks).
 *
 * @param {{low: number, high: number, at_ms: number}[]} intervals in the order of time
 * @param {number} now_ms
 * @returns {{offset_ms: number, width_ms: number, used: number}}
 */
export function common(intervals, now_ms) {
  let low = -Infinity;
  let high = Infinity;
  let used = 0;
  for (let n = intervals.length - 1; n >= 0; n--) {
    const spread = (now_ms - intervals[n].at_ms) * DRIFT;
    const nextLow = Math.max(low, intervals[n].low - spread);
    const nextHigh = Math.min(high, intervals[n].high + spread);
    if (nextLow > nextHigh) break;
    low = nextLow;
    high = nextHigh;
    used++;
  }
  return { offset_ms: (low + high) / 2, width_ms: high - low, used };
}

/**
 * What a page has for this; tests have their own.
 *
 * @typedef {{
 *   now: () => number,
 *   tripOf?: (url: string) => {asked_ms: number, here_ms: number} | null,
 *   later: (run: () => void, ms: number) => unknown,
 *   forget: (timer: any) => void,
 *   isVisible: () => boolean,
 *   onVisible: (run: () => void) => void,
 * }} Surroundings
 */

/**
 * What the browser itself noted of the last request for this: nearer to the wire than what a script sees, and by the
 * same clock (Resource Timing). It keeps a bounded number of such notes, which only the clock reads here.
 *
 * @param {string} url
 */
function tripOf(url) {
  const entry = /** @type {PerformanceResourceTiming | undefined} */ (performance.getEntriesByName(url, 'resource').pop());
  performance.clearResourceTimings();
  return entry?.requestStart ? { asked_ms: entry.requestStart, here_ms: entry.responseStart } : null;
}

/** @returns {Surroundings} */
function ofThisPage() {
  return {
    now: () => performance.now(),
    tripOf,
    later: (run, ms) => setTimeout(run, ms),
    forget: (timer) => clearTimeout(timer),
    isVisible: () => document.visibilityState === 'visible',
    onVisible: (run) =>
      document.addEventListener('visibilitychange', () => {
        if (document.visibilityState === 'visible') run();
      }),
  };
}

/** Matches the clocks, and again every ten seconds while the page is seen. Server = browser + `offset_ms`. */
export class Clock {
  /**
   * @param {{fetch: (path: string) => Promise<Response>}} gate
   * @param {Surroundings} [surroundings]
   */
  constructor(gate, surroundings = ofThisPage()) {
    /** @type {number | null} null as long as nothing is known */
    this.offset_ms = null;
    /** In ms, to each side. */
    this.uncertainty_ms = Infinity;
    /** @type {(clock: Clock) => void} called when they are known better, or again */
    this.onChange = () => {};
    this._gate = gate;
    this._around = surroundings;
    /** @type {{low: number, high: number, at_ms: number}[]} */
    this._intervals = [];
    this._step_ms = 0;
    /** @type {unknown} */
    this._timer = null;
    this._isWanted = false;
    /** @type {Promise<boolean> | null} */
    this._running = null;
  }

  /**
   * Match now, and from now on again and again. Does not fail: where the gateway does not answer, the next time is soon.
   *
   * @returns {Promise<boolean>} whether there was an answer
   */
  match() {
    if (!this._isWanted) {
      this._isWanted = true;
      this._around.onVisible(() => this._isWanted && this.match());
    }
    this._running ??= this._match().finally(() => {
      this._running = null;
      this._around.forget(this._timer);
      if (this._isWanted) this._timer = this._around.later(() => this._again(), AGAIN_MS);
    });
    return this._running;
  }

  /** Match no more. */
  stop() {
    this._isWanted = false;
    this._around.forget(this._timer);
  }

  _again() {
    if (this._around.isVisible()) this.match();
  }

  async _match() {
    this._step_ms ||= timerStep(this._around.now);
    try {
      for (let trip = 0; trip < TRIPS; trip++) {
        const asked_ms = this._around.now();
        const response = await this._gate.fetch('clock');
        const here_ms = this._around.now();
        const { received_ns, sent_ns } = await response.json();
        const noted = this._around.tripOf?.(response.url);
        // A note of another request, or none, is of no use; what the script saw is never wrong, only wider.
        const isIts = noted && noted.asked_ms >= asked_ms && noted.here_ms <= here_ms && noted.here_ms > noted.asked_ms;
        const seen = isIts ? noted : { asked_ms, here_ms };
        const interval = { low: sent_ns / 1e6 - seen.here_ms, high: received_ns / 1e6 - seen.asked_ms, at_ms: here_ms };
        if (interval.low > interval.high) continue; // a clock was set while it was on its way
        this._intervals.push(interval);
        if (trip >= LEAST_TRIPS && common(this._intervals, here_ms).width_ms < EXACT_MS) break;
      }
    } catch {
      return false;
    }
    this._intervals.splice(0, this._intervals.length - KEEP);
    if (!this._intervals.length) return false;
    const { offset_ms, width_ms, used } = common(this._intervals, this._around.now());
    this._intervals.splice(0, this._intervals.length - used);
    this.offset_ms = offset_ms;
    this.uncertainty_ms = width_ms / 2 + this._step_ms;
    this.onChange(this);
    return true;
  }
}
