"""What Locust's command line has for us, beside its own options, and the job that comes of it. Pure.

`--host` is the URL and `--users` the concurrency, as Locust's own pages have them. All others begin with `--bench`.
"""

from __future__ import annotations

from typing import Final, Protocol

from streamkit.bench.loads import parse_concurrency, parse_rate
from streamkit.bench.locust.said import Job
from streamkit.bench.plan import Limits, Load, Plan, Server
from streamkit.bench.slo import check_slo, parse_slo
from streamkit.dialects.registry import get_dialect
from streamkit.errors import ConfigError

__all__ = ["OPTIONS", "Options", "Parser", "add_options", "job_of"]

PROMPT: Final = "Write a short story about a lighthouse."

OPTIONS: Final[tuple[tuple[str, type, str | int | float, str], ...]] = (
    ("--bench-dialect", str, "openai-chat", "What the server speaks: a name of `streamkit dialects`."),
    ("--bench-model", str, "", "The model that is asked."),
    ("--bench-prompt", str, PROMPT, "What is asked. Each request's begins with words that no other has."),
    ("--bench-max-tokens", int, 0, "Of each answer; 0 for whatever the server does."),
    ("--bench-requests", int, 0, "How many in all, on all machines; 0 for no such end."),
    ("--bench-duration", float, 0.0, "For how many seconds requests begin; 0 for no such end."),
    ("--bench-rate", str, "", "An open loop, poisson:20 for instance, on all machines together; not --users at once."),
    ("--bench-slo", str, "", "What a request has to keep to be good: ttft=200ms,tpot=30ms."),
    ("--bench-processes", int, 1, "How many processes each worker has for it."),
    ("--bench-calibrate", float, 5.0, "How many seconds each calibration takes, before and after; 0 for none."),
    ("--bench-seed", int, 0, "What schedules are drawn from."),
    ("--bench-api-key-env", str, "", "The environment variable, of each worker's machine, that has the key."),
    ("--bench-authorities", str, "", "A PEM file, on each worker's machine, of whom to trust."),
    ("--bench-json", str, "", "Where the master writes the result."),
)


class Parser(Protocol):
    """What is used of Locust's parser."""

    def add_argument(self, name: str, *, type: type, default: object, help: str) -> object:  # noqa: A002
        """See argparse."""
        ...


class Options(Protocol):
    """What is used of Locust's options."""

    host: str | None
    bench_dialect: str
    bench_model: str
    bench_prompt: str
    bench_max_tokens: int
    bench_requests: int
    bench_duration: float
    bench_rate: str
    bench_slo: str
    bench_processes: int
    bench_calibrate: float
    bench_seed: int
    bench_api_key_env: str
    bench_authorities: str
    bench_json: str


def add_options(parser: Parser) -> None:
    """Add ours to Locust's."""
    for name, kind, default, words in OPTIONS:
        parser.add_argument(name, type=kind, default=default, help=f"streamkit: {words}")


def job_of(options: Options, host: str, users: int) -> Job:
    """Return what all machines together are to do.

    Args:
        options: of the master.
        host: the URL.
        users: how many requests at once, where there is no rate.

    Raises:
        ConfigError: that makes no sense.
    """
    if not host:
        raise ConfigError("--host is missing: the URL of the endpoint, http://gpu1:8000/v1 for instance")
    get_dialect(options.bench_dialect)
    counts = {
        "--bench-max-tokens": options.bench_max_tokens,
        "--bench-requests": options.bench_requests,
        "--bench-duration": options.bench_duration,
        "--bench-calibrate": options.bench_calibrate,
        "--bench-processes": options.bench_processes - 1,
    }
    for name, count in counts.items():
        if not 0 <= count < 1e9:
            raise ConfigError(f"{name} is out of bounds")
    load: Load = parse_rate(options.bench_rate) if options.bench_rate else parse_concurrency(str(users))[0]
    bounds = parse_slo(options.bench_slo).bounds if options.bench_slo else []
    check_slo(bounds, [load])
    server = Server(
        "direct",
        host,
        options.bench_dialect,
        options.bench_model,
        authorities=options.bench_authorities,
    )
    plan = Plan(
        servers=[server],
        load=load,
        prompts=[options.bench_prompt],
        requests=options.bench_requests or None,
        duration_s=options.bench_duration or None,
        max_tokens=options.bench_max_tokens or None,
        seed=options.bench_seed,
        limits=Limits(),
    )
    return Job(plan, bounds, options.bench_api_key_env, options.bench_processes, options.bench_calibrate)
