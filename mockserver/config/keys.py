"""Every setting, one row each: its key, what it takes, what it does, and where it may be written. Pure.

The command line's options and their help, the scenario file's keys, the request header's, the admin API's and the
documentation's table all come from these rows. Adding a setting is adding a field to `Settings` and a row to one of
the groups here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from mockserver.config import values
from mockserver.durations import parse_duration
from mockserver.pacing import GAPS
from mockserver.response import Framing
from mockserver.settings import Gzip, Writes
from streamkit.dialects.events import FinishReason

__all__ = ["GROUPS", "PLACES", "SCOPES", "SETTINGS", "Row", "Scope", "Setting", "describe"]

Scope = Literal["endpoint", "defaults", "command", "scenario", "admin", "header"]
"""Where settings are written."""

SCOPES: Final[Mapping[Scope, str]] = {
    "endpoint": "among an endpoint's own settings",
    "defaults": "in the [defaults] of a scenario file",
    "command": "on the command line",
    "scenario": "in a [[scenario]]",
    "admin": "in the admin API",
    "header": "in an X-Mock header",
}
"""The scopes for people, the weakest first."""

EVERYWHERE: Final = frozenset(SCOPES)
WITH_FILES: Final[frozenset[Scope]] = frozenset({"defaults", "command", "scenario"})
"""Where files may be named. Who can only send requests must not choose what the server reads."""

PLACES: Final[Mapping[frozenset[Scope], str]] = {
    EVERYWHERE: "everywhere",
    WITH_FILES: "on the command line and in scenario files",
    frozenset({"scenario", "header"}): "in a [[scenario]] and in an X-Mock header",
}
"""Where a setting may stand, for people."""


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        takes: what its value looks like, for people; empty for a yes-or-no that is written as the bare key.
        parse: reads a value; raises ConfigError.
        summary: one sentence for help texts.
        field: the field of `Settings` that it sets; empty where `changes` does more than that.
        changes: what a value makes of `Settings`, as fields and their values, where that is more than one field.
        default: the built-in value as it would be written; empty where there is none to write.
        scopes: where it may stand.
        repeats: whether it may be given several times; its values then make a tuple.
        read: instead of `parse` where files may be read.
        may_be_empty: whether no text at all is a value.
        has_commas: whether its values are prose, which may have a comma and a word after it.
    """

    takes: str
    parse: Callable[[str], Any]
    summary: str
    field: str = ""
    changes: Callable[[Any], Mapping[str, object]] | None = None
    default: str = ""
    scopes: frozenset[Scope] = EVERYWHERE
    repeats: bool = False
    read: Callable[[str, values.ReadFile], Any] | None = None
    may_be_empty: bool = False
    has_commas: bool = False

    @property
    def may_be_false(self) -> bool:
        """Whether `false` is a value of a setting that takes none."""
        return not self.takes and self.parse is values.parse_flag

    def changes_of(self, value: object) -> Mapping[str, object]:
        """Return the fields of `Settings` that a value replaces."""
        return {self.field: value} if self.changes is None else self.changes(value)


@dataclass(frozen=True)
class Row:
    """A setting as documentation shows it: all texts."""

    group: str
    key: str
    takes: str
    default: str
    places: str
    summary: str


POLICY: Final = "POLICY"
AUTO: Final = "auto"


def _names_of_gaps() -> Iterator[str]:
    return (f"{name}:{kind.takes}" if kind.takes else name for name, kind in GAPS.items())


def _said(text: str) -> Mapping[str, object]:
    return {"said": text, "echo": False}


WHAT: Final[Mapping[str, Setting]] = {
    "say": Setting(
        "TEXT", values.parse_text, "Answer with this text.", changes=_said, may_be_empty=True, has_commas=True
    ),
    "text": Setting(
        "FILE",
        values.parse_text,
        "Answer with the text of this file, which is read once, at the start.",
        changes=_said,
        scopes=WITH_FILES,
        read=lambda name, read_file: read_file(name),
    ),
    "echo": Setting(
        "",
        values.parse_flag,
        "Answer with the prompt.",
        changes=lambda echo: {"echo": True, "said": None} if echo else {"echo": False},
        default="false",
    ),
    "words": Setting(
        "",
        values.parse_switch,
        "Answer with words from the seed, as where nothing else is said.",
        changes=lambda _: {"said": None, "echo": False},
        default="true",
    ),
    "tokens": Setting(
        "N",
        values.or_none(AUTO, values.parse_count),
        "How many tokens the words from the seed have; auto: 64, of /generate 100.",
        "tokens",
        default=AUTO,
    ),
    "reasoning": Setting(
        "N", values.parse_count, "How many tokens of reasoning come before the text.", "reasoning", default="0"
    ),
    "call": Setting(
        "NAME[:JSON]",
        values.parse_call,
        "Call this tool, where the request offers it, with these arguments or made-up ones; auto: any tool.",
        "calls",
        default="none",
        repeats=True,
        has_commas=True,
    ),
    "finish": Setting(
        "REASON",
        values.or_none(AUTO, values.word_of(*get_args(FinishReason))),
        "Why the model stopped: stop, length, content_filter...; auto: what is true of the answer.",
        "finish",
        default=AUTO,
    ),
    "seed": Setting(
        "N",
        values.parse_seed,
        "Instead of the seed that follows from the server's seed and the request.",
        scopes=frozenset({"scenario", "header"}),
    ),
}

WHEN: Final[Mapping[str, Setting]] = {
    "ttft": Setting(
        "DURATION", parse_duration, "From the request's arrival to the first token.", "ttft_ns", default="0"
    ),
    "rate": Setting(
        "N",
        values.or_none(AUTO, values.parse_rate),
        "Tokens a second; 0: no delay; auto: no delay, of /generate 10.",
        "rate",
        default=AUTO,
    ),
    "gaps": Setting(
        "DIST",
        values.parse_gaps_setting,
        f"How the gaps between tokens are distributed: {', '.join(_names_of_gaps())}.",
        "gaps",
        default="constant",
        read=values.read_gaps,
    ),
    "prefill-rate": Setting(
        "N",
        values.parse_rate,
        "Tokens of the prompt a second, which delay the first token; 0: no such delay.",
        "prefill_rate",
        default="0",
    ),
    "early-start": Setting(
        "",
        values.parse_flag,
        "Send what comes before the first token at once, not with it.",
        "early_start",
        default="false",
    ),
    "heartbeat": Setting(
        "DURATION",
        values.or_none("none", values.parse_heartbeat),
        "Send a heartbeat whenever nothing was sent for so long, where the dialect has any.",
        changes=lambda ns: {"heartbeat_ns": ns or None},
        default="none",
    ),
}

CUTS: Final[Mapping[str, Setting]] = {
    "records": Setting(
        POLICY,
        values.parse_policy,
        "Where the body is cut into pieces; none: at each record.",
        "records",
        default="none",
    ),
    "chunks": Setting(
        POLICY,
        values.parse_policy,
        "Where the pieces are cut into HTTP chunks; none: each is one.",
        "chunks",
        default="none",
    ),
    "split": Setting(
        POLICY,
        values.parse_policy,
        "Where all bytes are cut into writes; none: each chunk is one.",
        "split",
        default="none",
    ),
    "writes": Setting(
        "|".join(get_args(Writes)),
        values.word_of(*get_args(Writes)),
        "Hand over each write alone, or all that are due joined, or each once the peer has acknowledged the last.",
        "writes",
        default="each",
    ),
    "framing": Setting(
        "|".join(get_args(Framing)),
        values.or_none(AUTO, values.word_of(*get_args(Framing))),
        "How the end of the body is told; auto: what fits the request.",
        "framing",
        default=AUTO,
    ),
    "gzip": Setting(
        "|".join(get_args(Gzip)),
        values.word_of(*get_args(Gzip)),
        "Whether bodies are compressed; accepted: where the client takes it.",
        "gzip",
        default="never",
    ),
    "half-close": Setting(
        "",
        values.parse_flag,
        "Serve a client on that says that it sends no more (FIN); otherwise it has left, but for HTTP/1.0.",
        "half_close",
        default="false",
    ),
}

FAILURES: Final[Mapping[str, Setting]] = {
    "fault": Setting(
        "FAULT",
        values.parse_fault_setting,
        "What goes wrong, and where: reset@token:5, status:429:2,first:3...",
        default="none",
        repeats=True,
        has_commas=True,
    ),
    "gate": Setting(
        "NAME@PLACE",
        values.parse_gate,
        "Hold the answer at this place until the gate is opened.",
        default="none",
        repeats=True,
    ),
}

RESUMING: Final[Mapping[str, Setting]] = {
    "ids": Setting(
        "",
        values.parse_flag,
        "Give server-sent events ids, from which a Last-Event-ID resumes.",
        "ids",
        default="false",
    ),
    "retry": Setting(
        "DURATION",
        values.or_none("none", values.parse_retry),
        "Begin event streams with this reconnection time.",
        "retry_ms",
        default="none",
    ),
}

GROUPS: Final[Mapping[str, Mapping[str, Setting]]] = {
    "What it says": WHAT,
    "When": WHEN,
    "How it is cut": CUTS,
    "How it fails": FAILURES,
    "How it resumes": RESUMING,
}
"""The settings as help and documentation show them, by the groups' headings."""

SETTINGS: Final[Mapping[str, Setting]] = {key: each for group in GROUPS.values() for key, each in group.items()}
"""Every setting by its key."""


def describe() -> list[Row]:
    """Return the rows of the documentation's table of settings."""
    return [
        Row(heading, key, each.takes or "true|false", each.default, PLACES[each.scopes], each.summary)
        for heading, group in GROUPS.items()
        for key, each in group.items()
    ]
