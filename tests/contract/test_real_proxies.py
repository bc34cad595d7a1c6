"""Real proxies: what the contract says of nginx, HAProxy and Apache httpd, each as it comes and as one configures it.

Beside each stands every case that it fails or holds only loosely, and why. These are properties of these programs in
these configurations, measured and not wished for: with a newer version one of them may become a line shorter.

All of them run at the same time, once, because most of what a failing case does is wait. The ones in Python are slow,
and too big to be installed for a test: theirs run where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import pytest
import trio

from streamkit.contract.case import Case
from streamkit.contract.cases import CASES
from streamkit.contract.cases.flush import mixed_sizes, small_events
from streamkit.contract.lockstep import Source, lockstep
from streamkit.contract.matrix import run_matrix
from streamkit.contract.open import open_runner, open_upstream
from streamkit.contract.proxies import parse_with, running
from streamkit.contract.proxies.launch import find_program
from streamkit.contract.results import Result
from streamkit.contract.runner import BESIDE
from streamkit.contract.setting import Setting, Sizes
from streamkit.contract.stand import Stand
from streamkit.contract.upstream_end import FRAMINGS, Framing
from streamkit.contract.verdicts import Verdict
from streamkit.http.origin import parse_origin
from tests.contract.against import was_not_there

PATIENCE_S: Final = 240

LIMIT_S: Final = 2.0

SETTING: Final = Setting(
    parse_origin("http://127.0.0.1:1"),
    sizes=Sizes(random_bytes=1 << 20, absorb_bytes=(40 << 20, 56 << 20), events=5000),
)
"""The shorter length is more than sockets take in: mostly 3 to 6 MiB, but Linux may let one grow to 32."""


@dataclass(frozen=True)
class Expected:
    """What is found about a proxy.

    Attributes:
        failed, non_strict, unmet: the cases with these verdicts; all others hold, or are only recorded.
        either: those of which it depends on the version.
    """

    failed: frozenset[str] = frozenset()
    non_strict: frozenset[str] = frozenset()
    unmet: frozenset[str] = frozenset()
    either: frozenset[str] = frozenset()


def ids(text: str) -> frozenset[str]:
    """Return what is listed; what stands behind a # is for people."""
    return frozenset(word for line in text.splitlines() for word in line.partition("#")[0].split())


NGINX_BUFFERS: Final = ids("""
    flush.sse.close flush.sse.cl        # a buffer of 4 KiB is filled, unless the upstream lies that it speaks chunked
    flush.text.close
    flush.mixed.chunked flush.mixed.close  # chunked too, once a piece is larger than the buffer
    bp.absorb                           # to memory, then to disk
""")
NGINX_HEADS: Final = ids("limit.head.8k limit.head.16k limit.head.32k")  # an answer's head has to fit one 4 KiB buffer

EXPECTED: Final[dict[str, Expected]] = {
    "nginx": Expected(
        NGINX_BUFFERS | NGINX_HEADS,
        ids("""
            flush.head flush.head.get   # the head waits for the body
            flush.text.cl
            req.stream                  # requests are collected
            hdr.hop.response hdr.hop.request req.large-head
        """),
    ),
    "nginx:http10-unbuffered": Expected(
        NGINX_HEADS,
        ids("req.stream hdr.hop.response hdr.hop.request req.large-head"),
    ),
    "nginx:stream": Expected(
        NGINX_HEADS,
        ids("req.stream hdr.hop.response hdr.hop.request req.large-head"),
        either=ids("interim.103"),  # 1.22 takes it for the answer, and the real one for its body
    ),
    "nginx:gzip": Expected(
        NGINX_BUFFERS | NGINX_HEADS | ids("flush.gzip flush.gzip.no-transform"),  # now whatever the framing is
        ids("flush.head flush.head.get flush.text.cl req.stream hdr.hop.response hdr.hop.request req.large-head"),
    ),
    "nginx:stream-gzip": Expected(
        # The deflater is flushed behind each piece.
        NGINX_HEADS,
        ids("req.stream hdr.hop.response hdr.hop.request req.large-head"),
        either=ids("interim.103"),
    ),
    "haproxy": Expected(
        ids("""
            cancel.idle cancel.ttft     # it looks for its client when it writes to it
            limit.head.16k limit.head.32k
        """),
        ids("""
            lat.plateau                 # each piece waits for 200 ms in a corked socket
            cancel.nonstream
            hdr.hop.response hdr.hop.request req.large-head
        """),
    ),
    "haproxy:no-delay": Expected(
        ids("cancel.idle cancel.ttft limit.head.16k limit.head.32k"),
        ids("cancel.nonstream hdr.hop.response hdr.hop.request req.large-head"),
    ),
    "haproxy:stream": Expected(
        ids("limit.head.16k limit.head.32k"),
        ids("hdr.hop.response hdr.hop.request req.large-head"),
    ),
    "haproxy:tcp": Expected(non_strict=ids("hdr.hop.response hdr.hop.request")),  # it knows nothing of HTTP
    "apache": Expected(
        ids("cancel.idle cancel.ttft"),  # as HAProxy
        ids("cancel.nonstream req.stream"),  # requests wait for 16 KiB
    ),
}

COMMANDS: Final = {"nginx": "nginx", "haproxy": "haproxy", "apache": "apache2"}

NAMES: Final = [pytest.param(name, marks=pytest.mark.needs(COMMANDS[name.partition(":")[0]])) for name in EXPECTED]

HELD_WHOLE: Final = ids("""
    flush.sse.chunked flush.sse.close flush.sse.cl flush.sse.charset flush.sse.crlf flush.sse.get flush.sse.post
    flush.text.chunked flush.text.close flush.ndjson flush.octet flush.1byte flush.mixed.chunked flush.mixed.close
    flush.comment flush.gzip flush.gzip.no-transform flush.concurrent.8
    bp.absorb
""")
MITMPROXY_LOST: Final = ids("trailer.survive interim.103")  # the final answer never comes behind a 103

PYTHON: Final[dict[str, Expected]] = {
    "mitmproxy": Expected(
        HELD_WHOLE | MITMPROXY_LOST,
        ids("flush.head flush.head.get flush.text.cl req.stream hdr.hop.response hdr.hop.request"),
        unmet=ids("lat.added lat.plateau"),
        either=MITMPROXY_LOST,
    ),
    "mitmproxy:stream": Expected(
        MITMPROXY_LOST | ids("flush.1byte"),  # "larger than one byte": the first byte waits for the second
        ids("flush.head flush.head.get hdr.hop.response hdr.hop.request"),
        either=MITMPROXY_LOST,
    ),
    "litellm": Expected(
        ids("""
            cancel.ttft                 # it waits for the first piece before it looks for its client
            llm.truncated               # it makes up an end, with a reason
            bytes.empty-data
            llm.usage.none              # it counts by itself
        """),
        ids("""
            flush.comment               # comments are dropped
            cancel.nonstream req.stream
            hdr.retry-after hdr.ratelimit hdr.cache-control hdr.set-cookie
        """),
        either=ids("limit.line.2m bp.absorb"),  # it takes seconds for the one, and may give the other up
    ),
}


async def suite(name: str, limit_s: float = LIMIT_S, beside: int = BESIDE) -> list[Result]:
    """Run the suite on one proxy."""
    async with open_upstream() as (hub, upstream):
        with running(*parse_with(name), upstream) as run:
            own = replace(
                SETTING, limit_s=limit_s, target=parse_origin(run.url), profile=run.profile, headers=run.headers
            )
            async with open_runner(own, hub=hub, upstream=upstream) as runner:
                return await replace(runner, beside=beside).run([case for case in CASES if not case.is_slow])


@pytest.fixture(scope="module")
def found() -> dict[str, list[Result]]:
    """What was found about each proxy that is installed."""
    results: dict[str, list[Result]] = {}

    async def one(name: str) -> None:
        results[name] = await suite(name)

    async def every() -> None:
        with trio.fail_after(PATIENCE_S):
            async with trio.open_nursery() as nursery:
                for name in EXPECTED:
                    if find_program(parse_with(name)[0].programs):
                        nursery.start_soon(one, name)

    trio.run(every)
    return results


def check(results: Sequence[Result], expected: Expected) -> None:
    """Compare, and where it is not the same, show what was found."""

    def those(*verdicts: Verdict) -> set[str]:
        return {each.id for each in results if each.verdict in verdicts and not was_not_there(each)} - expected.either

    got = (those(Verdict.FAILED), those(Verdict.NON_STRICT), those(Verdict.DEPENDENCY_FAILED, Verdict.HARNESS_ERROR))
    wanted = tuple({*each} - expected.either for each in (expected.failed, expected.non_strict, expected.unmet))
    surprising = {name for some, others in zip(got, wanted, strict=True) for name in some ^ others}
    said = [f"{each.verdict} {each.id}: {each.ending}: {each.detail}" for each in results if each.id in surprising]
    assert got == wanted, "\n".join(said)


@pytest.mark.parametrize("name", NAMES)
def test_a_real_proxy_is_told_what_it_is(name: str, found: dict[str, list[Result]]) -> None:
    check(found[name], EXPECTED[name])


def unbuffered(framing: Framing, source: Callable[[Stand], Source]) -> Case:
    """A flush case whose upstream asks nginx not to buffer."""
    case = next(case for case in CASES if case.id == "flush.sse.chunked")
    drive = lockstep(source, framing=framing, headers=[("X-Accel-Buffering", "no")])
    return replace(case, id=f"{source.__name__}.{framing}", drive=drive)


@pytest.mark.needs("nginx")
async def test_default_nginx_holds_nothing_back_where_the_upstream_says_so() -> None:
    cases = [unbuffered(framing, source) for framing in FRAMINGS for source in (small_events, mixed_sizes)]
    with trio.fail_after(PATIENCE_S):
        matrix = await run_matrix([parse_with("nginx")], cases, SETTING)
    assert [(row.id, *row.verdicts) for row in matrix.rows[-6:]] == [(case.id, Verdict.OK) for case in cases]


@pytest.mark.needs("nginx")
async def test_a_matrix_tells_proxies_apart() -> None:
    chosen = [parse_with("nginx"), parse_with("nginx:stream")]
    cases = [case for case in CASES if case.id in {"flush.sse.chunked", "flush.sse.close", "end.clean.chunked"}]
    told: list[str] = []
    with trio.fail_after(PATIENCE_S):
        matrix = await run_matrix(
            chosen, cases, replace(SETTING, limit_s=1.0), on_start=lambda run: told.append(run.name)
        )
    assert matrix.names == tuple(told) == ("nginx:default", "nginx:stream")
    assert [(row.id, row.verdicts) for row in matrix.differing] == [("flush.sse.close", (Verdict.FAILED, Verdict.OK))]
    assert {row.id for row in matrix.rows} > {case.id for case in cases}
    for report in matrix.reports:
        assert (report.product, report.profile) == ("nginx", "pipe")
        assert report.product_version[0].isdigit()
    assert len({report.config_digest for report in matrix.reports}) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "limit_s", "beside"),
    [
        pytest.param("mitmproxy", LIMIT_S, BESIDE, marks=pytest.mark.optional("mitmdump")),
        pytest.param("mitmproxy:stream", LIMIT_S, BESIDE, marks=pytest.mark.optional("mitmdump")),
        pytest.param(
            "litellm", 2 * LIMIT_S, 1, marks=pytest.mark.optional("litellm")
        ),  # a long line holds up all others
    ],
)
async def test_a_real_proxy_in_python_is_told_what_it_is(name: str, limit_s: float, beside: int) -> None:
    with trio.fail_after(PATIENCE_S):
        check(await suite(name, limit_s, beside), PYTHON[name])
