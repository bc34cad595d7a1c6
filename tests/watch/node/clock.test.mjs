// The match of two clocks, in a time that only the test moves.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Clock, common, timerStep } from '../page/clock.js';

/** A browser and a gateway whose clock is ahead; a trip takes these ms there, in the gateway, and back. */
function worldOf(offset_ms, trips, { notes = () => null, step_ms = 0.005 } = {}) {
  const world = { now_ms: 1000, asked: 0, isVisible: true, timers: [], onVisible: () => {} };
  const gate = {
    async fetch(path) {
      assert.equal(path, 'clock');
      const trip = trips[world.asked++ % trips.length];
      if (trip === null) throw new Error('the gateway is gone');
      const [there, inside, back] = trip;
      world.now_ms += there;
      const received_ns = (world.now_ms + offset_ms) * 1e6;
      world.now_ms += inside;
      const sent_ns = (world.now_ms + offset_ms) * 1e6;
      world.now_ms += back;
      return { url: 'clock', json: async () => ({ received_ns, sent_ns }) };
    },
  };
  const around = {
    now: () => (world.now_ms += step_ms),
    tripOf: (url) => notes(url, world),
    later: (run, ms) => world.timers.push({ run, ms }),
    forget: () => {},
    isVisible: () => world.isVisible,
    onVisible: (run) => (world.onVisible = run),
  };
  return { world, clock: new Clock(gate, around) };
}

test('the offset is within its uncertainty, however lopsided the trips are', async () => {
  for (const trips of [[[1, 0.1, 1]], [[9, 0, 0.1]], [[0.1, 0, 9]], [[5, 3, 1], [1, 2, 7], [0.4, 1, 0.3], [20, 0, 20]]]) {
    const { clock } = worldOf(77_000, trips);
    assert.equal(await clock.match(), true);
    assert.ok(Math.abs(clock.offset_ms - 77_000) <= clock.uncertainty_ms, `${clock.offset_ms} ± ${clock.uncertainty_ms}`);
    assert.ok(clock.uncertainty_ms < 6);
  }
});

test('trips that are quick one way each are more exact together than the best alone', async () => {
  const { clock } = worldOf(-500, [[0.1, 0, 8], [8, 0, 0.1]]); // prettier-ignore
  await clock.match();
  assert.ok(clock.uncertainty_ms < 0.25, String(clock.uncertainty_ms));
  assert.ok(Math.abs(clock.offset_ms + 500) <= clock.uncertainty_ms);
});

test('the timer is never more exact than its step', async () => {
  const { clock } = worldOf(10, [[0, 0, 0]], { step_ms: 0.1 });
  await clock.match();
  assert.ok(clock.uncertainty_ms >= 0.1);
  assert.equal(timerStep(() => 5), 1);
});

test("the browser's own notes narrow it, and those that cannot be of this trip do not", async () => {
  const wide = worldOf(50, [[3, 0, 3]]);
  await wide.clock.match();
  const noted = worldOf(50, [[3, 0, 3]], { notes: (_, { now_ms }) => ({ asked_ms: now_ms - 3.1, here_ms: now_ms - 2.9 }) });
  await noted.clock.match();
  assert.ok(noted.clock.uncertainty_ms < 0.2 && wide.clock.uncertainty_ms > 2.5);
  assert.ok(Math.abs(noted.clock.offset_ms - 50) <= noted.clock.uncertainty_ms);
  const foreign = worldOf(50, [[3, 0, 3]], { notes: () => ({ asked_ms: 1, here_ms: 2 }) });
  await foreign.clock.match();
  assert.equal(foreign.clock.uncertainty_ms.toFixed(3), wide.clock.uncertainty_ms.toFixed(3));
});

test('it matches again while the page is seen, and when it is seen again', async () => {
  const { world, clock } = worldOf(1, [[1, 0, 1]]);
  let told = 0;
  clock.onChange = () => told++;
  await clock.match();
  assert.deepEqual([told, world.timers.map(({ ms }) => ms)], [1, [10000]]);
  world.isVisible = false;
  const asked = world.asked;
  world.timers[0].run();
  assert.equal(world.asked, asked);
  world.isVisible = true;
  await world.onVisible();
  assert.equal(told, 2);
});

test('a gateway that is gone leaves what is known, and is asked again', async () => {
  const { world, clock } = worldOf(1, [null]);
  assert.equal(await clock.match(), false);
  assert.deepEqual([clock.offset_ms, clock.uncertainty_ms, world.timers.length], [null, Infinity, 1]);
});

test('a clock that jumped is believed anew', () => {
  const before = [0, 100].map((at_ms) => ({ low: 9.9, high: 10.1, at_ms }));
  const found = common([...before, { low: 499, high: 501, at_ms: 200 }], 200);
  assert.deepEqual([found.offset_ms, found.used], [500, 1]);
});

test('an old match counts less, as clocks drift', () => {
  const exact = { low: 9.99, high: 10.01, at_ms: 0 };
  const loose = { low: 9, high: 11, at_ms: 10_000 };
  assert.equal(common([exact, loose], 10_000).width_ms.toFixed(2), '2.00');
  assert.equal(common([exact, { ...loose, at_ms: 1000 }], 1000).width_ms.toFixed(2), '0.22');
});
