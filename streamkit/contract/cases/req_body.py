"""The case of `req` that is about what comes: body, path, query and credentials, as the client sent them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streamkit.contract.case import Case, levels
from streamkit.contract.cases.conn import answer
from streamkit.contract.trace import Pairs, Trace
from streamkit.contract.verdicts import Finding

if TYPE_CHECKING:
    from streamkit.contract.stand import Stand
    from streamkit.contract.upstream_end import UpstreamEnd

__all__ = ["BODY", "differs"]

WORDS: Final = 40_000
"""How many numbered words the message has: about 280 KB. nginx takes 1 MiB at most, unless it is told otherwise."""

SENT: Final[Pairs] = [("X-Streamkit-Said", "as it was; a=1, b=2")]
"""A field that nobody knows. Who passes it on passes on others, too."""

SAME: Final = ("content-type", "accept", "authorization", "x-streamkit-said")
"""Fields that are the upstream's matter: a proxy has no say in them."""


def differs(sent: bytes, came: bytes) -> str:
    """Say where two bodies differ; empty if they do not."""
    if sent == came:
        return ""
    at = next((at for at, (one, other) in enumerate(zip(sent, came, strict=False)) if one != other), None)
    if at is None:
        return f"{len(came)} of {len(sent)} bytes of the body came"
    return f"byte {at} of the body came as {came[at : at + 20]!r} instead of {sent[at : at + 20]!r}"


async def whole_body(stand: Stand, up: UpstreamEnd) -> bytes:
    """Read a request's body as long as anything of it comes."""
    has_more = True

    async def receive() -> None:
        nonlocal has_more
        has_more = await up.receive_body() is not None

    while has_more and await stand.within(stand.limit_s, receive):
        pass
    return up.exchanged.request_body


async def drive(stand: Stand) -> None:
    """Ask with a long message, and compare what the upstream gets."""
    padding = " ".join(f"w{number:05}" for number in range(WORDS))
    has_credentials = any(name.lower() == "authorization" for name, _ in stand.setting.headers)
    headers = SENT if has_credentials else [*SENT, ("Authorization", "Bearer streamkit-contract")]
    by_bytes = stand.setting.by_bytes
    asked = stand.talk.request(headers=headers if by_bytes else None, padding=padding)
    problems: list[str] = []
    stand.trace.facts["problems"], stand.trace.facts["body_bytes"] = problems, len(asked.body)
    client, up = await stand.try_ask(asked)
    if up is None:
        head = client.exchanged.head
        problems.append("it did not get through" if head is None else f"it was refused: {head.status}")
        return
    body = await whole_body(stand, up)
    if not by_bytes:
        if padding.encode() not in body:
            problems.append(f"the message did not come whole: the body has {len(body)} bytes")
    else:
        problems += filter(None, [differs(asked.body, body)])
        target = up.line.line.split(" ")[1]
        if not target.endswith(asked.target[len(stand.setting.target.path) :]):
            problems.append(f"{asked.target!r} was asked for as {target!r}")
        for name in SAME:
            was = ", ".join(value for key, value in asked.headers if key.lower() == name)
            if up.line.get(name) != (was or None):
                problems.append(f"{name} came as {'nothing' if up.line.get(name) is None else 'something else'}")
    await answer(stand, client, up)


def judge(trace: Trace) -> Finding:
    """Say whether it came as it was sent."""
    problems, size_bytes = trace.facts.get("problems"), trace.facts.get("body_bytes")
    facts = {"body_bytes": size_bytes}
    if isinstance(problems, list) and problems:
        return Finding(holds=False, detail=f"a request of {size_bytes} bytes: {'; '.join(problems)}", facts=facts)
    return Finding(holds=True, detail=f"a request of {size_bytes} bytes came as it was sent", facts=facts)


BODY: Final = Case(
    id="req.body",
    levels=levels("must", "must"),
    rule="A request with a long message comes whole, with its path, its query and its credentials.",
    drive=drive,
    judge=judge,
)
