// Response bodies for tests: streams that hand out given pieces, one for each read and none ahead of the reader.

/**
 * A body of these pieces. It notes in `log` how many bytes it has given, and with what it was cancelled.
 *
 * @param {Uint8Array[]} pieces
 * @param {{given?: number, cancelled?: unknown, isCancelled?: boolean}} [log]
 */
export function bodyOf(pieces, log = {}) {
  let next = 0;
  log.given = 0;
  return new ReadableStream(
    {
      pull(controller) {
        if (next >= pieces.length) return controller.close();
        const piece = pieces[next++];
        log.given += piece.length;
        controller.enqueue(piece);
      },
      cancel(reason) {
        log.isCancelled = true;
        log.cancelled = reason;
      },
    },
    { highWaterMark: 0 },
  );
}

/** The bytes, cut at these places. @param {Uint8Array} bytes @param {number[]} places ascending */
export function cutAt(bytes, places) {
  const ends = [...places, bytes.length];
  return ends.map((end, index) => bytes.subarray(index ? ends[index - 1] : 0, end));
}

/**
 * Whole, byte by byte, in two at every place (of more than 2000 bytes: at 20 places) and at random places.
 *
 * @param {Uint8Array} bytes
 * @param {() => number} random
 */
export function* everyCut(bytes, random) {
  const size = bytes.length;
  yield [bytes];
  if (size < 2) return;
  if (size <= 20_000) yield cutAt(bytes, Array.from({ length: size - 1 }, (_, index) => index + 1));
  const step = size > 2000 ? Math.ceil(size / 20) : 1;
  for (let at = 1; at < size; at += step) yield cutAt(bytes, [at]);
  for (let draw = 0; draw < 3; draw++) {
    const places = Array.from({ length: 1 + Math.floor(random() * 9) }, () => Math.floor(random() * size));
    yield cutAt(bytes, places.sort((a, b) => a - b)); // the same place twice is an empty read
  }
}

/** A generator of numbers in [0, 1), the same in every run (mulberry32). @param {number} seed */
export function randomOf(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Read all of it.
 *
 * @param {AsyncIterable<any>} iterator
 * @param {{given?: number}} [log] of the body
 * @returns {Promise<{records: any[], at: (number | undefined)[], error: any}>} `at`: how many bytes had been given when
 *   each record came, and last when the end or the error did
 */
export async function readAll(iterator, log = {}) {
  const records = [];
  const at = [];
  let error = null;
  try {
    for await (const record of iterator) {
      records.push(record);
      at.push(log.given);
    }
  } catch (thrown) {
    error = thrown;
  }
  at.push(log.given);
  return { records, at, error };
}
