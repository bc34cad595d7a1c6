"""aiperf and guidellm against the same server: how far off are the TTFT that they print?

Both are run as they are started by their users, with 64 streams at once, the load of `accuracy.py`. They name no
requests that the server could be asked for, so the error here is the quantile that the tool prints less the quantile
that the server has stamped, and ours by the same measure stands beside it. Either is taken from the PATH, or from
beside this Python; it wants an environment of its own, since both bring a hundred packages.

A tokenizer is needed by both: one of whole words is written for them, so that nothing is downloaded.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.bench.accuracy import GAP_MS, TOKENS, TTFT_MS, measured
from benchmarks.bench.truth import Stamps, truth
from benchmarks.measure import Effort, Figure, Unavailable, percentile, ratio
from benchmarks.report import Row, Target, skipped

__all__ = ["NAME", "run"]

NAME: Final = "bench-peers"
STREAMS: Final = 64
REQUESTS_EACH: Final = 20
MAX_ROUNDS: Final = 3
RUN_S: Final = 300.0
TIMES_SMALLER = Target(">=", 20, "x")
QUANTILES: Final = (50, 99)

Quantiles = dict[int, float]
"""In ms, by the percentage."""


def run(effort: Effort) -> list[Row]:
    """Answer the question."""
    rows: list[Row] = []
    requests = STREAMS * effort.of(REQUESTS_EACH, at_least=4)
    rounds = min(MAX_ROUNDS, effort.rounds)
    ours = [off(ours_at, requests) for _ in range(rounds)]
    for name, ask in PEERS.items():
        if command_of(name) is None:
            rows.append(skipped(NAME, name, f"there is no `{name}` on the PATH"))
            continue
        try:
            theirs = [off(ask, requests) for _ in range(rounds)]
        except Unavailable as reason:
            rows.append(skipped(NAME, name, str(reason)))
            continue
        for percent in QUANTILES:
            mine, other = ([each[percent] for each in found] for found in (ours, theirs))
            rows.append(
                Row(
                    NAME,
                    f"{STREAMS} streams: the TTFT's p{percent} is off by",
                    Figure.of(mine, "ms"),
                    Figure.of(other, "ms"),
                    name,
                    ratio(other, [max(each, 1e-6) for each in mine]),
                    TIMES_SMALLER,
                    note="ratio: how many times smaller ours is",
                )
            )
    return rows


def off(ask: Callable[[str, int, Path], Quantiles], requests: int) -> Quantiles:
    """Return how far the quantiles of a tool are from the server's own, in ms."""
    with tempfile.TemporaryDirectory() as folder, truth(TTFT_MS, GAP_MS, TOKENS) as server:
        said = ask(server.url, requests, Path(folder))
        true = true_quantiles(server.fetch_all())
    return {percent: abs(said[percent] - true[percent]) for percent in QUANTILES}


def true_quantiles(stamps: Sequence[Stamps]) -> Quantiles:
    """Return what the server knows."""
    ttfts = [each.ttft_ns / 1e6 for each in stamps]
    return {percent: percentile(ttfts, percent) for percent in QUANTILES}


def ours_at(url: str, requests: int, _: Path) -> Quantiles:
    """Ask with our own tool."""
    records = measured(url, STREAMS, requests)
    ttfts = [(record.first_token_ns or 0) / 1e6 - (record.sent_ns or 0) / 1e6 for record in records]
    return {percent: percentile(ttfts, percent) for percent in QUANTILES}


def aiperf(url: str, requests: int, folder: Path) -> Quantiles:
    """Ask with aiperf."""
    words = [
        *("profile", "-m", "truth", "--url", url.removeprefix("http://"), "--endpoint-type", "chat", "--streaming"),
        *("--tokenizer", str(write_tokenizer(folder)), "--concurrency", str(STREAMS)),
        *("--request-count", str(requests), "--synthetic-input-tokens-mean", "16"),
        *("--synthetic-input-tokens-stddev", "0", "--output-tokens-mean", str(TOKENS)),
        *("--ui-type", "none", "--artifact-dir", str(folder / "out")),
    ]
    run_tool("aiperf", words, folder)
    for path in sorted((folder / "out").rglob("*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        ttft = found.get("time_to_first_token") if isinstance(found, dict) else None
        if isinstance(ttft, dict) and "p50" in ttft:
            return {percent: float(ttft[f"p{percent}"]) for percent in QUANTILES}
    raise Unavailable("aiperf wrote no result with a time_to_first_token")


def guidellm(url: str, requests: int, folder: Path) -> Quantiles:
    """Ask with guidellm."""
    tokenizer = write_tokenizer(folder)
    out = folder / "out.json"
    words = [
        *("run", "--backend", f"kind=openai_http,target={url},model=truth"),
        *("--profile", f"kind=concurrent,streams={STREAMS}", "--constraint", f"kind=max_requests,count={requests}"),
        *("--tokenizer", f"kind=huggingface_auto,model={tokenizer}"),
        *("--data", f"kind=synthetic_text,prompt_tokens=16,output_tokens={TOKENS}"),
        *("--output", f"kind=json,path={out}", "--disable-console-interactive"),
    ]
    run_tool("guidellm", words, folder)
    found = search(json.loads(out.read_text(encoding="utf-8")), "time_to_first_token_ms")
    percentiles = search(found, "percentiles")
    if not isinstance(percentiles, dict):
        raise Unavailable("guidellm wrote no result with a time_to_first_token_ms")
    return {percent: float(percentiles[f"p{percent:02d}"]) for percent in QUANTILES}


def search(value: Any, key: str) -> Any:  # noqa: ANN401 - JSON
    """Return the first value under a key that is not None, at any depth; None where there is none."""
    if isinstance(value, dict):
        if value.get(key) is not None:
            return value[key]
        value = [*value.values()]
    if isinstance(value, list):
        for each in value:
            found = search(each, key)
            if found is not None:
                return found
    return None


def command_of(name: str) -> str | None:
    """Return where a peer is."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name)


def run_tool(name: str, words: Sequence[str], folder: Path) -> None:
    """Run a peer to its end, without a word to anybody.

    Raises:
        Unavailable: it fails, or takes too long.
    """
    quiet = {"HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1", "HOME": str(folder)}
    command = command_of(name)
    assert command is not None
    try:
        done = subprocess.run(
            [command, *words],
            cwd=folder,
            env={**os.environ, **quiet},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=RUN_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{name} took longer than {RUN_S:g} s") from error
    if done.returncode:
        raise Unavailable(f"{name} ended with {done.returncode}: {(done.stderr or done.stdout)[-300:]!r}")


def write_tokenizer(folder: Path) -> Path:
    """Write a tokenizer whose tokens are whole words, in the files that both look for."""
    place = folder / "tokenizer"
    place.mkdir(exist_ok=True)
    names = ["[UNK]", "token", *(f"word{number}" for number in range(2000))]
    tokenizer: dict[str, object] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": {name: n for n, name in enumerate(names)}, "unk_token": "[UNK]"},
    }
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]", "model_max_length": 100_000}
    (place / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    (place / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return place


PEERS: Final[dict[str, Callable[[str, int, Path], Quantiles]]] = {"aiperf": aiperf, "guidellm": guidellm}
