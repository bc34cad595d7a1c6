"""From what is asked and what is set to a response: the answer in its dialect, each record with its time. Pure.

Faults and cuts come later; here everything is as a good server would do it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from mockserver.answers.answer import Answer
from mockserver.answers.chunks import DEFAULT_COUNT, DEFAULT_RATE, chunks
from mockserver.ask import Ask
from mockserver.pacing import Schedule
from mockserver.response import Headers, Record, Response, Step, Steps
from mockserver.resume import ids_added, resumed
from mockserver.seeds import sub_seed
from mockserver.settings import Settings
from streamkit.codecs.jsontext import encode_string, encode_value
from streamkit.dialects.dialect import Dialect
from streamkit.dialects.events import End, Ping, Text, Usage
from streamkit.dialects.failure import Failure
from streamkit.dialects.message import MessageAccumulator
from streamkit.dialects.registry import DIALECTS
from streamkit.vendors.question import RefusedError

__all__ = ["Identity", "error_response", "json_response", "respond"]

JSON: Final = "application/json"

RECORD_ENDS: Final = {"sse": b"\n\n", "ndjson": b"\n"}
"""Where one of an encoder's records ends, in the framings in which that can be seen."""


@dataclass(frozen=True)
class Identity:
    """What an answer is known by: all of it values, so that the same answer can be made again.

    Attributes:
        created_ns: when it was begun, in ns since 1970.
        headers: what the vendor sends besides the media type.
    """

    message_id: str
    created_ns: int
    headers: Headers = ()


def respond(ask: Ask, settings: Settings, seed: int, identity: Identity, *, last_event_id: str = "") -> Response:
    """Return the response to `ask`.

    Args:
        ask: what is asked for.
        settings: everything that is chosen about the answer.
        seed: the request's own.
        identity: what the answer is known by.
        last_event_id: where a reconnecting reader stopped; counts only where `settings.ids` is on.
    """
    dialect = DIALECTS[ask.dialect]
    if ask.dialect == "text" and settings.said is None and not settings.echo:
        steps = Steps(lambda: numbered(ask, settings, seed, identity))
        return streamed(dialect.media_type(), steps, settings, identity.headers)
    if not ask.stream:
        return document_response(ask, settings, seed, identity, dialect)
    answer = answer_of(ask, settings, seed, identity)  # once, and here: to look for stop sequences may take long
    steps = Steps(lambda: records(answer, ask, settings, seed, identity))
    if ask.framing == "sse" and (settings.ids or settings.retry_ms is not None):
        steps = ids_added(steps, seed if settings.ids else None, settings.retry_ms)
        if settings.ids and last_event_id:
            after = resumed(steps, last_event_id)
            if after is None:  # nothing is left, and this is how an EventSource is told to stop asking
                return Response(204, identity.headers)
            steps = after
    own = tuple((name, value) for name, value in dialect.headers.items() if name.lower() != "connection")
    return streamed(dialect.media_type(ask.framing), steps, settings, (*own, *identity.headers))


def streamed(media_type: str, steps: Steps, settings: Settings, headers: Headers) -> Response:
    """Return a response that comes step by step."""
    # Who asks for chunks gets them, an HTTP/1.0 client too, which does not know them.
    asked = (("Transfer-Encoding", "chunked"),) if settings.framing == "chunked" else ()
    return Response(
        200,
        (("Content-Type", media_type), *asked, *headers),
        steps,
        framing=settings.framing or "chunked",
        gzip=settings.gzip == "always",
    )


def numbered(ask: Ask, settings: Settings, seed: int, identity: Identity) -> Iterator[Step]:
    """Yield the lines of the plain-text generator, which has a pace of its own."""
    paced = settings if settings.rate is not None else replace(settings, rate=DEFAULT_RATE)
    count = DEFAULT_COUNT if settings.tokens is None else settings.tokens
    yield from chunks(count, identity.created_ns, schedule_of(ask, paced, seed))


def answer_of(ask: Ask, settings: Settings, seed: int, identity: Identity) -> Answer:
    """Return the answer's events, which are the same whenever they are asked for."""
    return Answer(
        ask,
        settings,
        sub_seed(seed, "text"),
        model=ask.model,
        message_id=identity.message_id,
        created_ns=identity.created_ns,
    )


def schedule_of(ask: Ask, settings: Settings, seed: int) -> Schedule:
    """Return when the tokens are due."""
    prefill = settings.prefill_rate
    return Schedule(
        settings.ttft_ns,
        settings.rate or 0.0,
        settings.gaps,
        sub_seed(seed, "gaps"),
        prompt_delay_ns=round(ask.prompt_tokens / prefill * 1e9) if prefill else 0,
    )


def records(answer: Answer, ask: Ask, settings: Settings, seed: int, identity: Identity) -> Iterator[Step]:
    """Yield the answer's records, each with its time and the tokens that are complete with it."""
    dialect = DIALECTS[ask.dialect]
    encoder = dialect.encoder(
        framing=ask.framing,
        model=ask.model,
        message_id=identity.message_id,
        created_ns=identity.created_ns,
        include_usage=ask.include_usage,
    )
    schedule = schedule_of(ask, settings, seed)
    deadline_ns, is_flat = schedule.deadline_ns, schedule.is_flat
    feed = encoder.feed
    heartbeat_ns = settings.heartbeat_ns if "ping" in dialect.carries else None
    first_ns = deadline_ns(1)
    at_ns = 0 if settings.early_start else first_ns
    done = 0
    sent_ns = 0
    frame = None
    for event, tokens in answer.events():
        if tokens != done:
            at_ns = first_ns if is_flat else deadline_ns(tokens)
        if heartbeat_ns is not None:
            while sent_ns + heartbeat_ns < at_ns:
                sent_ns += heartbeat_ns
                for data in feed(Ping()):
                    yield Record(data, done, sent_ns)
        kind = type(event)
        if frame is not None and kind is Text:
            # Nearly every event. What the encoder would make of it, without a call to it: a third less for the records.
            sent_ns = at_ns
            done = tokens
            yield Record(frame[0] + encode_string(event.text) + frame[1], tokens, at_ns)  # type: ignore[attr-defined]
            continue
        if isinstance(event, Usage):
            event = with_durations(event, first_ns, at_ns)  # noqa: PLW2901 - it is what is written from here on
        for data in feed(event):
            sent_ns = at_ns
            yield from apart(data, (done, tokens), at_ns, RECORD_ENDS.get(ask.framing), is_end=kind is End)
        frame = encoder.text_frame if ask.choices == 1 else None
        done = tokens


def apart(data: bytes, tokens: tuple[int, int], at_ns: int, end: bytes | None, *, is_end: bool) -> Iterator[Record]:
    """Yield an encoder's bytes record by record; it joins what one event becomes.

    Its own output is canonical: no record has the bytes in it that end one. Of the records before the last, `tokens`
    has the count before the event, of the last one the count with it.
    """
    pieces = [piece + end for piece in data.split(end)[:-1]] if end is not None else [data]
    last = len(pieces) - 1
    for number, piece in enumerate(pieces):
        yield Record(piece, tokens[number == last], at_ns, is_terminator=is_end and number == last)


def with_durations(usage: Usage, first_ns: int, last_ns: int) -> Usage:
    """Add how long everything takes by the schedule, for the dialects that say so.

    Nothing takes no time: a duration of 0 is left out by such a server, and clients divide by it.
    """
    return msgspec.structs.replace(
        usage,
        load_ns=1,
        prompt_ns=max(first_ns, 1),
        eval_ns=max(last_ns - first_ns, 1),
        total_ns=max(last_ns, first_ns, 1),
    )


def document_response(ask: Ask, settings: Settings, seed: int, identity: Identity, dialect: Dialect) -> Response:
    """Return the answer as one document, which is due when its last token would have been."""
    schedule = schedule_of(ask, settings, seed)
    first_ns = at_ns = schedule.deadline_ns(1)
    accumulator = MessageAccumulator()
    done = 0
    for event, tokens in answer_of(ask, settings, seed, identity).events():
        if tokens != done:
            at_ns = schedule.deadline_ns(tokens)
            done = tokens
        accumulator.feed(with_durations(event, first_ns, at_ns) if isinstance(event, Usage) else event)
    body = encode_value(dialect.document(accumulator.message))
    return Response(
        200,
        (("Content-Type", JSON), *identity.headers),
        (Record(body, done, at_ns),),
        before_head=() if settings.early_start else (Record(b"", 0, at_ns),),
        framing=settings.framing or "length",
        gzip=settings.gzip == "always",
    )


def json_response(value: object, status: int = 200, headers: Headers = ()) -> Response:
    """Return a JSON document, at once."""
    return Response(status, (("Content-Type", JSON), *headers), (Record(encode_value(value)),), framing="length")


def error_response(refused: RefusedError, dialect_name: str, headers: Headers = ()) -> Response:
    """Return an error in the form of a dialect's vendor."""
    failure = Failure(
        status=refused.status,
        message=refused.message,
        type=refused.type,
        error_code=refused.error_code,
        param=refused.param,
        request_id=dict(headers).get("request-id", ""),
        framing=refused.framing,
    )
    return json_response(DIALECTS[dialect_name].failure(failure), refused.status, (*refused.headers, *headers))
