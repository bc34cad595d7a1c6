r"""How much CPU does `ndjson-to-sse` spend on a large file, against jq doing the same?

The file is 200 MB of Ollama-like lines (a block of 2 MB again and again). jq runs `jq -r '"data: \(tojson)\n"'`, which
writes the same bytes (checked on the first thousand lines before anything is measured). Both read the file by name and
write to the null device. The figure is user plus system time of the whole process, start-up included, from `wait4`; the
programs take turns, and the ratio is the median over the rounds.

jq's default buffers its output. `jq --unbuffered` is what forwards record by record, as ours always does; its row
has no target. `--quick` takes 20 MB, where the start of Python weighs ten times as much.

What the figure does not say: jq's parser builds and prints any JSON and can do far more with it; this is about the one
job. jq 1.7 and later may differ: the row names the version.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.commands import command, tool
from benchmarks.measure import Effort, Figure, Usage, alternate, ratio, usage_of
from benchmarks.report import Row, Target
from benchmarks.workloads import ollama_chat_lines, sized_ndjson

NAME = "jq"
FILE_BYTES = 200_000_000
TARGET = Target(">=", 12, "x")
PROGRAM = r'"data: \(tojson)\n"'


def run(effort: Effort) -> list[Row]:
    """Answer the question.

    Raises:
        Unavailable: there is no jq.
    """
    jq = tool("jq")
    version = subprocess.run([jq, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    commands = {
        "ndjson-to-sse": command("ndjson-to-sse"),
        version: [jq, "-r", PROGRAM],
        f"{version} --unbuffered": [jq, "--unbuffered", "-r", PROGRAM],
    }
    ours, buffered, unbuffered = commands
    with tempfile.TemporaryDirectory() as folder:
        sample = Path(folder, "sample.ndjson")
        sample.write_bytes(b"".join(ollama_chat_lines(1000, effort.seed)))
        check_same(list(commands.values()), sample)
        file = Path(folder, "chat.ndjson")
        with file.open("wb") as out:
            out.writelines(sized_ndjson(effort.of(FILE_BYTES), effort.seed))
        size_mb = file.stat().st_size / 1_000_000
        usages: dict[str, list[Usage]] = {name: [] for name in commands}
        turns = {name: _turn([*line, str(file)], usages[name]) for name, line in commands.items()}
        # jq takes a quarter of a minute for the full file: three rounds, however many the others get.
        taken = alternate(turns, min(3, effort.rounds), warm_up=False)
    cpu = {name: Figure.of([ns / 1e9 for ns in times], "s CPU") for name, times in taken.items()}
    detail = {
        "wall": Figure.of([usage.wall_s for usage in usages[ours]], "s"),
        "peer's wall": Figure.of([usage.wall_s for usage in usages[buffered]], "s"),
    }
    what = f"{size_mb:.0f} MB file"
    return [
        Row(NAME, what, cpu[ours], cpu[buffered], buffered, ratio(taken[buffered], taken[ours]), TARGET, detail=detail),
        Row(
            NAME,
            f"{what}, a write a record",
            cpu[ours],
            cpu[unbuffered],
            unbuffered,
            ratio(taken[unbuffered], taken[ours]),
        ),
    ]


def check_same(commands: Sequence[Sequence[str]], file: Path) -> None:
    """See that all commands write the same bytes for this file.

    Raises:
        RuntimeError: they do not.
    """
    outputs = [subprocess.run([*line, str(file)], stdout=subprocess.PIPE, check=True).stdout for line in commands]
    if len({hashlib.sha256(output).digest() for output in outputs}) > 1:
        msg = f"the outputs differ: {[len(output) for output in outputs]} bytes"
        raise RuntimeError(msg)


def _turn(line: Sequence[str], usages: list[Usage]) -> Callable[[], int]:
    def take() -> int:
        usage = usage_of(line)
        usages.append(usage)
        return round(usage.cpu_s * 1e9)

    return take
