"""What `streamkit bench` makes of its options: a job, and what is refused.

An option that would do nothing is refused: who wrote it expects that it does something.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from streamkit.cli.asking import api_key_in
from streamkit.cli.reports import check_places, read_file
from streamkit.errors import ConfigError

if TYPE_CHECKING:
    from streamkit.bench.job import Job
    from streamkit.bench.plan import Limits, Load, Server
    from streamkit.bench.prompts import Prompts
    from streamkit.bench.traces import Trace

__all__ = ["job_of"]

APART: Final = (
    ("url", "direct", "upstream"),
    ("url", "proxies"),
    ("concurrency", "rates", "trace_path"),
    ("prompt", "prompts_path", "input_tokens", "trace_path"),
    ("requests", "until"),
)
"""Options of which only one can be meant; by the names of their parameters."""

REPORTS: Final = ("json", "html", "hlog", "raw")

NEVER_EMPTY: Final = ("slo", "until", "upstream", "concurrency", "direct")
"""Options that an empty text would switch off, as a script's variable that is not set."""

NEEDS: Final = {"direct": "proxies", "upstream": "proxies"}

PERCENT: Final = re.compile(r"(\d+(?:\.\d+)?)%")

NAMED: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,39})=(?=https?://)")

DEVICES: Final = Path("/dev")

NO_LIMIT_S: Final = 7 * 24 * 3600.0


def job_of(options: Mapping[str, Any], given: Mapping[str, str]) -> Job:
    """Return the job.

    Raises:
        ConfigError: the options make no sense.
    """
    from streamkit.bench.job import Job
    from streamkit.bench.slo import check_slo, parse_slo
    from streamkit.bench.until import check_until, parse_until
    from streamkit.bench.warmup import parse_warmup

    check_together(given)
    check_values(options, given)
    check_places(options, REPORTS)
    trace = trace_of(options)
    prompts = trace.prompts if trace else prompts_of(options)
    loads: list[Load] = [trace.load] if trace else loads_of(options)
    slo = parse_slo(options["slo"]) if options["slo"] else None
    if slo is not None:
        check_slo(slo.bounds, loads)
    until = parse_until(options["until"]) if options["until"] else None
    if until is not None:
        check_until(until, loads)
    return Job(
        servers_of(options),
        loads,
        prompts.texts,
        prompts.words,
        requests=options["requests"],
        duration_s=options["duration_s"],
        until=until,
        warmup=parse_warmup(options["warmup"]),
        same_prompt=options["same_prompt"],
        max_tokens=options["max_tokens"],
        seed=options["seed"],
        limits=limits_of(options),
        slo=slo.bounds if slo else [],
        workers=options["workers"],
        calibration_s=options["calibration_s"] or 0.0,
        max_tool_error=share_of(options["max_tool_error"]),
        is_strict=options["strict"],
        upstream=options["upstream"] or "",
        raw=options["raw_path"],
        notes=[*(trace.notes if trace else []), *(slo.notes if slo else [])],
    )


def check_together(given: Mapping[str, str]) -> None:
    """Refuse what does not go together.

    Raises:
        ConfigError: it does not.
    """
    shown = {**given, "url": "URL"}
    for names in APART:
        both = [shown[name] for name in names if name in given]
        if len(both) > 1:
            raise ConfigError(f"{both[0]} and {both[1]} cannot both be meant")
    for name, wanted in NEEDS.items():
        if name in given and wanted not in given:
            raise ConfigError(f"{shown[name]} is for beside a proxy: add --proxy URL, or give the URL alone")
    if "proxies" in given and "direct" not in given and "upstream" not in given:
        raise ConfigError("--proxy is compared with the server itself: add --direct URL, or --upstream HOST:PORT")
    if "url" not in given and "proxies" not in given:
        raise ConfigError("say what is to be measured: a URL, like http://127.0.0.1:11434")


def check_values(options: Mapping[str, Any], given: Mapping[str, str]) -> None:
    """Refuse values that leave nothing to do, or that make another option do nothing.

    Raises:
        ConfigError: there is one.
    """
    if options["url"] == "compare":
        raise ConfigError("compare comes first: streamkit bench compare A.json B.json")
    for name in NEVER_EMPTY:
        if name in given and not options[name]:
            raise ConfigError(f"{given[name]} '' says nothing: leave it out, or write a value")
    if "duration_s" in given and not options["duration_s"]:
        raise ConfigError("--duration 0 leaves no time for a request to begin: write a time like 30s")
    if not options["calibration_s"]:
        for name in ("strict", "max_tool_error"):
            if name in given:
                raise ConfigError(f"{given[name]} goes by the calibration: leave --calibration 0 out")
    paths = [path for name in REPORTS if (path := options[f"{name}_path"]) is not None]
    files = [path.resolve() for path in paths]
    for path, file in zip(paths, files, strict=True):
        if files.count(file) > 1 and path.absolute().parent != DEVICES:
            raise ConfigError(f"two reports would be written to {path}: name two files")
    raw = options["raw_path"]
    if raw is not None and raw.is_fifo() and DEVICES not in raw.absolute().parents:
        raise ConfigError(f"--raw {raw}: a pipe that nobody may be reading would hold everything up: name a file")


def servers_of(options: Mapping[str, Any]) -> list[Server]:
    """Return who is asked: the server itself first.

    Raises:
        ConfigError: two have the same name, there is no key, or a header is not the user's to set.
    """
    from streamkit.bench.plan import Server
    from streamkit.client.asking import headers_of

    key = api_key_in(options["api_key_env"])
    headers = headers_of(options["headers"])
    named: list[tuple[str, str]] = []
    first = options["url"] or options["direct"]
    if first:
        named.append(("server" if options["url"] else "direct", first))
    for number, text in enumerate(options["proxies"], 1):
        found = NAMED.match(text)
        name = found[1] if found else "proxy" if len(options["proxies"]) == 1 else f"proxy-{number}"
        named.append((name, text[found.end() :] if found else text))
    names = [name for name, _ in named] + (["direct"] if options["upstream"] else [])
    if len({*names}) < len(names):
        raise ConfigError(f"two of {', '.join(names)} have the same name; name them like --proxy nginx=http://...")
    if options["server_ca"] and not any(url.lower().startswith("https:") for _, url in named):
        raise ConfigError("--server-ca is about servers whose URL begins with https:, and there is none")
    authorities = str(options["server_ca"]) if options["server_ca"] else ""
    return [Server(name, url, options["dialect"], options["model"], headers, key, authorities) for name, url in named]


def loads_of(options: Mapping[str, Any]) -> list[Load]:
    """Return the loads, one after the other."""
    from streamkit.bench.loads import parse_concurrency, parse_rates

    if options["rates"]:
        return [*parse_rates(options["rates"])]
    return [*parse_concurrency(options["concurrency"] or "1")]


def trace_of(options: Mapping[str, Any]) -> Trace | None:
    """Return what `--trace` names; None where it is not given."""
    from streamkit.bench.traces import parse_trace

    path = options["trace_path"]
    if path is None:
        return None
    text = text_in(path, "--trace")
    return parse_trace(text, str(path), seed=options["seed"], same_prompt=options["same_prompt"])


def prompts_of(options: Mapping[str, Any]) -> Prompts:
    """Return what is asked."""
    from streamkit.bench.prompts import default_prompt, one_prompt, parse_prompts, synthetic_prompt

    if options["prompt"] is not None:
        return one_prompt(options["prompt"])
    if options["prompts_path"] is not None:
        return parse_prompts(text_in(options["prompts_path"], "--prompts"), str(options["prompts_path"]))
    if options["input_tokens"] is not None:
        return synthetic_prompt(options["input_tokens"], options["seed"], same_prompt=options["same_prompt"])
    return default_prompt()


def limits_of(options: Mapping[str, Any]) -> Limits:
    """Return how long things may take; 0 on the command line is no limit, which is a week here."""
    from streamkit.bench.plan import Limits

    connect_s, first_token_s, idle_s, total_s = (
        float(options[name] or NO_LIMIT_S) for name in ("connect_s", "first_token_s", "idle_s", "total_s")
    )
    return Limits(connect_s, first_token_s, idle_s, total_s)


def share_of(text: str) -> float:
    """Return `10%` as 0.1.

    Raises:
        ConfigError: it is no share.
    """
    found = PERCENT.fullmatch(text.strip())
    if found is None:
        raise ConfigError(f"--max-tool-error {text[:40]!r} is no share: write it like 10%")
    return float(found[1]) / 100


def text_in(path: Any, option: str) -> str:  # noqa: ANN401 - click's path
    """Return the text of a file.

    Raises:
        ConfigError: it cannot be read, or is no text.
    """
    try:
        text: str = read_file(path, option).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{option} {path}: it is no UTF-8, at byte {error.start}") from None
    return text
