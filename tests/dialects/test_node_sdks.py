"""The official JavaScript SDKs read our streams over a real HTTP response, and see what the vendor's own SDK sees.

The law is that of `test_python_sdks`. One node process (`node/view.mjs`) reads everything, once. Its packages are
looked for in the folder that `NODE_SDKS_DIR` names, or else in `tests/dialects/node` (`npm ci` there puts them in).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from streamkit.dialects.registry import DIALECTS
from tests.dialects.examples import Example
from tests.dialects.loopback import Loopback
from tests.dialects.referees import (
    OWN_FRAMING,
    UNFINISHED,
    UNREADABLE,
    Failed,
    View,
    carried,
    converted,
    records_of,
    view,
)

HERE = Path(__file__).parent / "node"

SDKS = {
    "openai-chat": "openai-chat",
    "openai-chat-chunks": "openai-chat",
    "openai-completions": "openai-completions",
    "openai-responses": "openai-responses",
    "anthropic": "anthropic",
    "ollama-chat": "ollama-chat",
    "ollama-generate": "ollama-generate",
    "ag-ui": "ag-ui",
    "vercel-ui": "vercel-ui",
}
"""The readers of `view.mjs`, and the dialect of each."""

ERRORS = {
    "openai": {"APIError"},
    "anthropic": {"APIError"},
    "ollama": {"Error"},
    "ag-ui": {"RunError"},
    "vercel-ui": {"Error"},
}
"""What the SDKs of a family raise when the stream says that it has failed. Anything else they raise is our mistake."""

BLIND = {"openai-chat-chunks", "openai-completions", "openai-responses", "ag-ui", "vercel-ui"}
"""The readers that take the end of the body for the end of the answer. Our decoders do not."""

pytestmark = [
    pytest.mark.needs("node"),
    pytest.mark.parametrize("sdk", [sdk for sdk, dialect in SDKS.items() if dialect in DIALECTS]),
]


class Job(NamedTuple):
    """One stream that one SDK reads."""

    example: Example
    sdk: str
    made: str  # "itself", "converted", "cut" (half of it), "cut-end" (without its last record, and converted)


Answers = Mapping[Job, View | Failed]


@pytest.fixture(scope="module")
def answers(server: Loopback) -> Answers:
    """What each SDK sees."""
    folder = Path(os.environ.get("NODE_SDKS_DIR", HERE))
    if not (folder / "node_modules" / "openai").is_dir():
        pytest.skip(f"no SDKs in {folder}/node_modules: npm ci in tests/dialects/node puts them there")
    jobs = {job: wire for sdk in SDKS for job, wire in jobs_of(sdk)}
    orders = [{"sdk": job.sdk, "url": server.offer(SDKS[job.sdk], wire)} for job, wire in jobs.items()]
    done = subprocess.run(
        [shutil.which("node") or "node", HERE / "view.mjs", folder],
        input=json.dumps(orders).encode(),
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    )
    lines = done.stdout.rstrip(b"\n").split(b"\n")
    return {job: answer_of(json.loads(line)) for job, line in zip(jobs, lines, strict=True)}


def jobs_of(sdk: str) -> list[tuple[Job, bytes]]:
    dialect = SDKS[sdk]
    jobs: list[tuple[Job, bytes]] = []
    if dialect not in DIALECTS:
        return jobs
    for example in OWN_FRAMING:
        jobs.append((Job(example, sdk, "converted"), converted(example.source, dialect, example.wire)[0]))
        records = records_of(example)
        if example.ends_cleanly and example.framing != "text":  # of that, nobody knows what is missing
            without_end = converted(example.source, dialect, b"".join(records[:-1]))[0]
            jobs.append((Job(example, sdk, "cut-end"), without_end))
        if example.dialect == dialect:
            jobs.append((Job(example, sdk, "itself"), example.wire))
            if example.case == "plain":
                jobs.append((Job(example, sdk, "cut"), b"".join(records[: len(records) // 2])))
    return jobs


def answer_of(answer: dict[str, Any]) -> View | Failed:
    if "failed" in answer:
        return Failed(answer["failed"], answer["message"])
    calls = [(name, arguments) for name, arguments in answer["calls"]]
    return view(answer["text"], answer["reasoning"], calls, answer["finish"], answer["usage"] and (*answer["usage"],))


def differences(found: Mapping[Example, View | Failed], expected: Mapping[Example, View]) -> list[str]:
    """Return what differs, in words."""
    return [f"{each}: {found[each]}, not {expected[each]}" for each in expected if found[each] != expected[each]]


@pytest.fixture(scope="module")
def sources(answers: Answers, seen: dict[Example, View]) -> dict[Example, View]:
    """What there is to see in each clean example that some SDK reads."""
    found = dict(seen)
    for (example, sdk, made), answer in answers.items():
        if made == "itself" and example.ends_cleanly and example not in found:
            expected = UNREADABLE.get((example.dialect, example.case), answer)
            assert isinstance(expected, View), f"{example} in {sdk}: {expected}"
            found[example] = expected
    return found


def test_the_vendors_sdk_reads_the_examples(sdk: str, answers: Answers, sources: dict[Example, View]) -> None:
    own = [each for each in sources if each.dialect == SDKS[sdk]]
    readable = [each for each in own if (each.dialect, each.case) not in UNREADABLE or sdk == "ollama-generate"]
    found = {each: answers[Job(each, sdk, "itself")] for each in own}
    assert differences(found, {each: sources[each] for each in readable}) == []
    for each in set(own) - {*readable}:
        assert found[each] != sources[each], f"it can read {each} now"


def test_the_sdk_sees_in_conversions_what_the_vendors_see_in_the_sources(
    sdk: str, answers: Answers, sources: dict[Example, View]
) -> None:
    expected = {example: carried(source, SDKS[sdk]) for example, source in sources.items()}
    if sdk == "vercel-ui":  # it has a place for the completed input of `UNREADABLE`
        own = {example: answers.get(Job(example, sdk, "itself")) for example in expected}
        expected |= {example: answer for example, answer in own.items() if isinstance(answer, View)}
    found = {example: answers[Job(example, sdk, "converted")] for example in expected}
    assert differences(found, expected) == []


def test_the_sdk_takes_no_failure_for_a_success(sdk: str, answers: Answers) -> None:
    of_failures = {
        job: answer
        for job, answer in answers.items()
        if job.sdk == sdk
        and (
            job.made == "cut-end"
            or (job.made == "converted" and not job.example.ends_cleanly)
            or (job.made == "itself" and job.example.case == "error")
        )
    }
    assert len(of_failures) > 10
    kinds = next(kinds for family, kinds in ERRORS.items() if sdk.startswith(family))
    wrong = [
        f"{job.example} {job.made}: {answer}"
        for job, answer in of_failures.items()
        if not isinstance(answer, Failed) or answer.kind not in kinds
    ]
    assert wrong == []


def test_a_cut_between_records_goes_unnoticed_by_some_sdks(sdk: str, answers: Answers) -> None:
    of_cuts = {job: answer for job, answer in answers.items() if job.sdk == sdk and job.made == "cut"}
    for answer in of_cuts.values():
        if sdk in BLIND:
            assert isinstance(answer, View)
            assert answer.finish == UNFINISHED
        else:
            assert isinstance(answer, Failed)
