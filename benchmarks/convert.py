r"""What does a conversion cost, against jq doing the same, one record at a time, and over a long run?

Three questions, all answered by `python -m benchmarks convert`:

- `convert-jq`: the CPU of `streamkit convert --from ollama-chat --to openai-chat` on one answer of 200 MB, against a jq
  program with the same mapping. Both read the file by name and write to the null device; on a sample the outputs are
  byte for byte the same, which is checked first. We decode every record into neutral events and keep every law (ids,
  lifecycle, what a cut means); jq copies one field.
- `convert-memory`: the peak memory of the process for a file ten times as long. Flat means a ratio of 1.
- `convert-pairs`: microseconds from one text record in to its frame out, for every ordered pair of dialects, fed one
  record at a time as a live stream brings them. In this process, without I/O. No target: there is no peer.

What they do not say: anything about the time a network takes, or about other mappings that jq could do.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path
from statistics import median

from benchmarks.commands import command, tool
from benchmarks.jq import check_same
from benchmarks.measure import Effort, Figure, Unavailable, Usage, alternate, ratio, usage_of
from benchmarks.report import Row, Target, row_object, show_rows, show_table, skipped, write_json
from benchmarks.workloads import ANSWER_CREATED, ANSWER_MODEL, ollama_answer, tokens
from streamkit.dialects.convert import Converter, encoder_of
from streamkit.dialects.events import End, Event, Finish, PartEnd, PartStart, Start, Text
from streamkit.dialects.registry import DIALECTS

__all__ = ["run"]

FILE_BYTES = 200_000_000
BLOCK_TOKENS = 16_000
PAIR_TOKENS = 400

JQ_TARGET = Target(">=", 4, "x")
MEMORY_TARGET = Target("<=", 1.05, "x")

PROGRAM = r"""
def chunk(choices): {id: "chatcmpl-0", object: "chat.completion.chunk", created: $created, model: $model,
                     choices: choices};
def delta(d; why): chunk([{index: 0, delta: d, logprobs: null, finish_reason: why}]);
def counts: {prompt_tokens: .prompt_eval_count, completion_tokens: .eval_count,
             total_tokens: (.prompt_eval_count + .eval_count)};
def frame: "data: \(tojson)\n";
(delta({role: "assistant", content: ""}; null) | frame),
(inputs | if .done then (delta({}; .done_reason) | frame), (chunk([]) + {usage: counts} | frame), "data: [DONE]\n"
          else delta({content: .message.content}; null) | frame end)
"""


def answer(total_bytes: int, seed: int) -> Iterator[bytes]:
    """One Ollama answer of about `total_bytes`, in blocks of lines; the same block again and again."""
    *lines, last = ollama_answer(tokens(BLOCK_TOKENS, seed))
    block = b"".join(lines)
    for _ in range(max(1, total_bytes // len(block))):
        yield block
    yield last


def against_jq(effort: Effort) -> list[Row]:
    """Answer `convert-jq`.

    Raises:
        Unavailable: there is no jq.
    """
    jq = tool("jq")
    version = subprocess.run([jq, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    theirs = [jq, "-n", "-r", "--argjson", "created", str(ANSWER_CREATED), "--arg", "model", ANSWER_MODEL, PROGRAM]
    options = ["--from", "ollama-chat", "--to", "openai-chat", "--id", "chatcmpl-0"]
    commands = {"streamkit convert": command("streamkit", "convert", *options), version: theirs}
    with tempfile.TemporaryDirectory() as folder:
        sample = Path(folder, "sample.ndjson")
        sample.write_bytes(b"".join(ollama_answer(tokens(1000, effort.seed))))
        check_same(list(commands.values()), sample)
        file = Path(folder, "answer.ndjson")
        with file.open("wb") as out:
            out.writelines(answer(effort.of(FILE_BYTES), effort.seed))
        size_mb = file.stat().st_size / 1_000_000
        turns = {name: _turn([*line, str(file)]) for name, line in commands.items()}
        taken = alternate(turns, min(3, effort.rounds), warm_up=False)
    ours, peer = (Figure.of([ns / 1e9 for ns in taken[name]], "s CPU") for name in commands)
    times = ratio(taken[version], taken["streamkit convert"])
    what = f"ollama-chat to openai-chat, {size_mb:.0f} MB"
    return [Row("convert-jq", what, ours, peer, version, times, JQ_TARGET)]


def _turn(line: Sequence[str]) -> Callable[[], int]:
    def take() -> int:
        usage: Usage = usage_of(line)
        return round(usage.cpu_s * 1e9)

    return take


def memory(effort: Effort) -> list[Row]:
    """Answer `convert-memory`."""
    line = command("streamkit", "convert", "--from", "ollama-chat", "--to", "openai-chat")
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for size in (effort.of(FILE_BYTES) // 10, effort.of(FILE_BYTES)):
            file = Path(folder, "answer.ndjson")
            with file.open("wb") as out:
                out.writelines(answer(size, effort.seed))
            peaks.append(peak_bytes_of([*line, str(file)]) / 1_000_000)
    short, long = (Figure.of([peak], "MB") for peak in peaks)
    what = f"peak for {effort.of(FILE_BYTES) / 1_000_000:g} MB, against a tenth of it"
    return [Row("convert-memory", what, long, short, "a tenth", ratio([peaks[1]], [peaks[0]]), MEMORY_TARGET)]


def peak_bytes_of(line: Sequence[str]) -> int:
    """Run a command to its end; return the most memory that it had at once.

    Asked again and again while it runs: what `wait4` says of a process counts the memory of the one that started it.

    Raises:
        Unavailable: this system does not say.
        RuntimeError: the command failed.
    """
    process = subprocess.Popen(list(line), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    status = Path(f"/proc/{process.pid}/status")
    peak_kib = 0
    while process.poll() is None:
        try:
            found = re.search(r"VmHWM:\s+([0-9]+) kB", status.read_text())
        except OSError:
            continue
        peak_kib = int(found[1]) if found else peak_kib
        time.sleep(0.005)
    if process.returncode:
        msg = f"{' '.join(line)} ended with {process.returncode}"
        raise RuntimeError(msg)
    if not peak_kib:
        msg = "this system does not say how much memory a process had"
        raise Unavailable(msg)
    return peak_kib * 1024


def sources() -> list[str]:
    """Every dialect in its own framing, but for those whose records this cannot time: text has none."""
    return [name for name, dialect in DIALECTS.items() if dialect.framings[0] != "text"]


def text_stream(count: int, seed: int) -> list[Event]:
    """One answer of `count` tokens."""
    texts: list[Event] = [Text(0, token) for token in tokens(count, seed)]
    start = Start("id-1", "model-1", created_ns=ANSWER_CREATED * 10**9)
    return [start, PartStart(0, "text"), *texts, PartEnd(0), Finish("stop", "stop"), End()]


def records_of(dialect: str, events: Iterable[Event]) -> tuple[list[bytes], list[bytes]]:
    """What opens the stream, and its text records."""
    encoder = encoder_of(dialect)
    opening: list[bytes] = []
    texts: list[bytes] = []
    for event in events:
        if isinstance(event, PartEnd):
            break
        (texts if isinstance(event, Text) else opening).extend(encoder.feed(event))
    return opening, texts


def pair_ns(source: str, target: str, opening: Sequence[bytes], texts: Sequence[bytes]) -> float:
    """Return the median time from a text record in to its frame out."""
    converter = Converter(source, target)
    for record in opening:
        converter.feed(record)
    spent = []
    for record in texts:
        begin = time.perf_counter_ns()
        frames = converter.feed(record)
        spent.append(time.perf_counter_ns() - begin)
        if not frames:
            msg = f"{source} to {target}: a text record brought nothing out"
            raise RuntimeError(msg)
    return median(spent)


def pairs(effort: Effort) -> list[Row]:
    """Answer `convert-pairs`."""
    events = text_stream(effort.of(PAIR_TOKENS, at_least=20), effort.seed)
    wires = {source: records_of(source, events) for source in sources()}
    rows = []
    for source, target in product(wires, DIALECTS):
        opening, texts = wires[source]
        samples = [pair_ns(source, target, opening, texts) / 1000 for _ in range(min(3, effort.rounds))]
        rows.append(Row("convert-pairs", f"{source} to {target}", Figure.of(samples, "us")))
    return rows


def show_pairs(rows: Sequence[Row]) -> None:
    """Print the table of all pairs, one line a source."""
    found = {row.what: row for row in rows}
    cells = [
        [
            source,
            *(f"{figure.value:.1f}" if (figure := found[f"{source} to {target}"].ours) else "" for target in DIALECTS),
        ]
        for source in sources()
    ]
    show_table("us from a text record in to its frame out; from (down) to (across)", ["", *DIALECTS], cells)


QUESTIONS: dict[str, Callable[[Effort], list[Row]]] = {
    "convert-jq": against_jq,
    "convert-memory": memory,
    "convert-pairs": pairs,
}


def run(names: Sequence[str], *, effort: Effort, json_file: Path | None = None, strict: bool = False) -> int:
    """Ask the named questions, print the tables, write the JSON; return the exit status, as `codecs.run` does."""
    rows: list[Row] = []
    for name in names:
        print(f"measuring {name} ...", file=sys.stderr)
        try:
            rows += QUESTIONS[name](effort)
        except Unavailable as why:
            rows.append(skipped(name, "all of it", str(why)))
    judged = [row for row in rows if row.question != "convert-pairs"]
    if judged:
        show_rows(f"convert: size {effort.size:g}, {effort.rounds} rounds, seed {effort.seed}", judged)
    if len(judged) < len(rows):
        show_pairs([row for row in rows if row.question == "convert-pairs"])
    if json_file is not None:
        settings = {"size": effort.size, "rounds": effort.rounds, "seed": effort.seed}
        write_json(json_file, "convert", settings, [row_object(row) for row in rows])
    return 1 if strict and any(row.verdict == "missed" for row in rows) else 0
