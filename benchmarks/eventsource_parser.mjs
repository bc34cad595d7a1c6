// Times eventsource-parser, turn by turn. Started by eventsource_parser.py:
//   node eventsource_parser.mjs PACKAGE_FOLDER WIRE_FILE
// Each line on stdin is a turn as JSON: {"ends": [byte offsets where the reads end]} sets the reads,
// {"at_least_ms": 30} takes a turn. Each turn answers one line: {"ns": a pass, "events": n, "chars": n}.
// `chars` counts UTF-16 units, as JavaScript does.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, wireFile] = process.argv.slice(2);
const { createParser } = await import(pathToFileURL(join(folder, "dist", "index.js")));
const wire = readFileSync(wireFile);
let reads = [wire];

// What a user of fetch does: decode each read as a piece of one UTF-8 stream, feed the text, read `data` of each event.
function pass() {
  let events = 0;
  let chars = 0;
  const parser = createParser({
    onEvent(event) {
      events += 1;
      chars += event.data.length;
    },
  });
  const decoder = new TextDecoder();
  for (const read of reads) parser.feed(decoder.decode(read, { stream: true }));
  return { events, chars };
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  if (order.ends) {
    let start = 0;
    reads = order.ends.map((end) => wire.subarray(start, (start = end)));
    continue;
  }
  let passes = 0;
  let spent = 0n;
  let tally;
  const start = process.hrtime.bigint();
  do {
    tally = pass();
    passes += 1;
    spent = process.hrtime.bigint() - start;
  } while (spent < BigInt(order.at_least_ms) * 1000000n);
  process.stdout.write(JSON.stringify({ ns: Number(spent / BigInt(passes)), ...tally }) + "\n");
}
