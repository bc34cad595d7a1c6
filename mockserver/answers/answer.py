"""What is answered to an `Ask`: neutral events, token by token, and how many tokens are complete with each. Pure.

The content is the first of these that applies: tool calls, the text that was set (`say`), the prompt's echo, JSON where
the client wants that, seeded words; reasoning comes before it. Calls and JSON are made once: all choices have the same.
What the dialect cannot carry (reasoning, tools, more than one choice) is not answered at all, so that no token is
counted that nobody can see. Events come lazily, the same ones each time, and keep the laws of
`streamkit.dialects.lifecycle`. When they are sent is not this module's business.

Every token is one piece of one part. `max_tokens` counts them all, reasoning included; an answer that just fits has
stopped by itself. A stop sequence is not answered: the text ends before it, and the token that it begins in is the last
one, shortened, or left out where nothing is left of it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from mockserver.answers.calls import calls_of, fragments_of, tool_id_of
from mockserver.answers.parts import Counted, Part, count_of, known_count, stopped, tokens_in
from mockserver.answers.schema import json_of
from mockserver.answers.words import words
from mockserver.ask import Ask
from mockserver.seeds import sub_seed
from mockserver.settings import Settings
from streamkit.dialects.arrange import CUT_REASONS
from streamkit.dialects.dialect import FEATURES
from streamkit.dialects.events import (
    End,
    Finish,
    FinishReason,
    Start,
    Usage,
)
from streamkit.dialects.registry import DIALECTS
from streamkit.errors import ConfigError

__all__ = ["DEFAULT_TOKENS", "Answer"]

DEFAULT_TOKENS: Final = 64
"""How many words an answer has where nobody says."""

ENDLESS: Final = 10**15
"""More tokens than anybody waits for; what is set beyond is cut to it."""

ANY_OBJECT: Final = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
"""What is answered where any JSON object will do."""

REASONS: Final[dict[str, FinishReason]] = {
    reason: reason
    for reason in FinishReason.__args__  # type: ignore[attr-defined]
}


@dataclass(frozen=True)
class Choice:
    """One of the answers to a request, before it is events."""

    index: int
    parts: tuple[Part, ...]
    finish: Finish

    @property
    def tokens(self) -> int:
        return sum([part.count for part in self.parts])

    def events(self) -> Iterator[Counted]:
        """Yield all that comes before `Finish`, with the count of this choice's tokens."""
        done = 0
        for number, part in enumerate(self.parts):
            yield from part.events(number, self.index, done)
            done += part.count


class Answer:
    """What is answered.

    Attributes:
        prompt_tokens, output_tokens: what is counted of the request, and of all choices together.
        reasoning_tokens: how many of the latter are reasoning.
    """

    def __init__(
        self, ask: Ask, settings: Settings, seed: int, *, model: str, message_id: str, created_ns: int | None
    ) -> None:
        """Plan an answer.

        Args:
            ask: what is asked for. Of an unknown dialect it is assumed that it can carry everything.
            settings: what the answer is to be.
            seed: of everything that is made up here: words, the tools' arguments, ids.
            model: the model's name that the answer gives.
            message_id: the answer's id.
            created_ns: when it was begun, in ns since 1970.

        Raises:
            ConfigError: `settings.finish` is no neutral finish reason.
        """
        if settings.finish is not None and settings.finish not in REASONS:
            raise ConfigError(f"finish={settings.finish}: there is no such reason; there are {', '.join(REASONS)}")
        dialect = DIALECTS.get(ask.dialect)
        self._ask = ask
        self._settings = settings
        self._seed = seed
        self._carries = frozenset(FEATURES) if dialect is None else dialect.carries
        first = sub_seed(seed, "choice:0")
        called = calls_of(ask, settings.calls, first) if "tools" in self._carries else []
        self._calls = [(name, fragments_of(arguments)) for name, arguments in called]
        is_json = ask.schema is not None and settings.said is None and not settings.echo and not called
        self._json = fragments_of(json_of(ask.schema or ANY_OBJECT, sub_seed(first, "json"))) if is_json else None
        count = max(1, ask.choices) if "choices" in self._carries else 1
        self._choices = [self._choice(index) for index in range(count)]
        self.prompt_tokens = ask.prompt_tokens
        self.output_tokens = sum([choice.tokens for choice in self._choices])
        self.reasoning_tokens = sum(
            [part.count for choice in self._choices for part in choice.parts if part.kind == "reasoning"]
        )
        self._start = Start(message_id, model, created_ns=created_ns, extra=self._extra())

    def events(self) -> Iterator[Counted]:
        """Yield the events, each with how many tokens, over all choices, are complete with it."""
        yield self._start, 0
        total = self.output_tokens
        usage = Usage(self.prompt_tokens, total, reasoning=self.reasoning_tokens or None)
        if len(self._choices) == 1:
            choice = self._choices[0]
            yield from choice.events()
            yield usage, total
            yield choice.finish, total
        else:
            yield from self._in_turn(usage)
        yield End(), total

    def _in_turn(self, usage: Usage) -> Iterator[Counted]:
        """Yield a token of each choice in turn; the counts come before the last `Finish`."""
        runs = {choice.index: choice.events() for choice in self._choices}
        own = dict.fromkeys(runs, 0)
        total = 0
        while runs:
            for index, run in list(runs.items()):
                before = own[index]
                for event, done in run:
                    total += done - own[index]
                    own[index] = done
                    yield event, total
                    if done > before:
                        break
                else:
                    del runs[index]
                    if not runs:
                        yield usage, total
                    yield self._choices[index].finish, total

    def _extra(self) -> dict[str, object]:
        """Return what a vendor says at the start and no other event has, and what it repeats of the request."""
        extra = dict(self._ask.echoed)
        if self._ask.dialect == "anthropic":  # its counts of the request come first, and clients look for them there
            extra["anthropic.usage"] = {
                "input_tokens": self._ask.prompt_tokens,
                "output_tokens": min(1, self.output_tokens),
            }
        return extra

    def _choice(self, index: int) -> Choice:
        """Plan one choice: its parts, up to where a limit or a stop sequence ends them."""
        parts: list[Part] = []
        left = self._ask.max_tokens
        reason: FinishReason = "stop"
        stop = ""
        for part in self._parts(sub_seed(self._seed, f"choice:{index}")):
            taken = part
            if left is not None and part.count > left:
                taken, reason = replace(part, count=max(left, 0)), "length"
            if part.kind == "text" and any(self._ask.stop):
                taken, stop = stopped(taken, self._ask.stop)
                reason = "stop_sequence" if stop else reason
            if taken.count:
                parts.append(taken)
            if reason != "stop":
                break
            left = None if left is None else left - part.count
        is_call = any(part.kind == "tool" for part in parts)
        is_cut = is_call and reason == "length"
        if is_call and reason == "stop":
            reason = "tool_calls"
        reason = self._overridden(reason, is_call=is_call, is_cut=is_cut)
        stop = stop if reason == "stop_sequence" else ""
        return Choice(index, tuple(parts), Finish(reason, choice=index, stop_sequence=stop))

    def _overridden(self, reason: FinishReason, *, is_call: bool, is_cut: bool) -> FinishReason:
        """Return the reason that was set, unless it would be a lie about tool calls: a defect, which faults are for."""
        if self._settings.finish is None:
            return reason
        wanted = REASONS[self._settings.finish]
        if wanted == "tool_calls" and not is_call:
            return reason
        if wanted in {"stop", "stop_sequence"} and is_call:
            return reason
        return reason if is_cut and wanted not in CUT_REASONS else wanted

    def _parts(self, seed: int) -> Iterator[Part]:
        """Yield the parts of one choice as they would be without a limit."""
        ask, settings = self._ask, self._settings
        if settings.reasoning > 0 and ask.reasoning is not False and "reasoning" in self._carries:
            signature = signature_of(sub_seed(seed, "signature")) if "signatures" in self._carries else ""
            thoughts = sub_seed(seed, "reasoning")
            count = min(settings.reasoning, ENDLESS)
            yield Part("reasoning", lambda: words(thoughts), count, signature=signature)
        for number, (name, pieces) in enumerate(self._calls):
            tool_id = tool_id_of(ask.dialect, sub_seed(seed, f"id:{number}"))
            yield Part("tool", pieces.__iter__, len(pieces), tool_id=tool_id, tool_name=name)
        if self._calls:
            return
        if self._json is not None:
            yield Part("text", self._json.__iter__, len(self._json))
        elif settings.said is not None:
            yield Part("text", lambda: tokens_in(settings.said or ""), known_count(settings.said))
        elif settings.echo:
            yield Part("text", lambda: tokens_in(ask.prompt), count_of(ask.prompt))
        else:
            text = sub_seed(seed, "text")
            count = DEFAULT_TOKENS if settings.tokens is None else min(max(settings.tokens, 0), ENDLESS)
            yield Part("text", lambda: words(text), count)


def signature_of(seed: int) -> str:
    """Return what a vendor signs reasoning with: nothing that can be read, in Base64."""
    random = Random(seed).random
    return b64encode(bytes([int(random() * 256) for _ in range(48)])).decode()
