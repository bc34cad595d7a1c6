"""Every kind of fault, one row each, and how faults are applied to a response. Pure.

Adding a kind is adding a row to the `KINDS` of a module here (or to its `DEFECTS`); how it is written, its help and the
laws in the tests come from the row.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import Final

from mockserver.faults import (
    defects_anthropic,
    defects_gemini,
    defects_ollama,
    defects_openai,
    defects_responses,
    defects_sse,
    defects_ui,
    errors,
    records,
    transport,
)
from mockserver.faults.defect import Defect, kinds_of
from mockserver.faults.kind import Context, Kind
from mockserver.faults.places import InapplicableError
from mockserver.faults.spec import Fault, Place, fault_text, parse_fault, place_text
from mockserver.response import Response, Step
from mockserver.seeds import sub_seed
from mockserver.splits.head import has_body, opening_of
from streamkit.errors import ConfigError

__all__ = ["FAULTS", "Context", "Kind", "apply_fault", "apply_faults", "befall", "befalls", "check_fault", "fault_of"]

DEFECTS: Final[tuple[Defect, ...]] = (
    *defects_openai.DEFECTS,
    *defects_responses.DEFECTS,
    *defects_anthropic.DEFECTS,
    *defects_ollama.DEFECTS,
    *defects_gemini.DEFECTS,
    *defects_ui.DEFECTS,
    *defects_sse.DEFECTS,
)

FAULTS: Final[dict[str, Kind]] = {
    kind.name: kind for kind in (*transport.KINDS, *records.KINDS, *errors.KINDS, *kinds_of(DEFECTS))
}
"""Every kind by its name."""


def fault_of(text: str) -> Fault:
    """Read a fault, and check all of it.

    Raises:
        ConfigError: there is no such fault.
    """
    fault = parse_fault(text)
    check_fault(fault)
    return fault


def check_fault(fault: Fault) -> Kind:
    """Return a fault's kind.

    Raises:
        ConfigError: there is none of that name, it does not take that argument, or cannot be at that place.
    """
    kind = FAULTS.get(fault.kind)
    if kind is None:
        close = difflib.get_close_matches(fault.kind, FAULTS, 1)
        there_are = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(FAULTS)}"
        msg = f"there is no fault {fault.kind!r}; {there_are}"
        raise ConfigError(msg)
    try:
        kind.check(fault.argument or kind.default)
    except ConfigError as error:
        msg = f"the fault {fault.kind}: {error}"
        raise ConfigError(msg) from None
    place = fault.place
    if place is not None and (f"{place.kind}+bytes" if place.plus_bytes else place.kind) not in kind.places:
        inside = "; not inside a record" if place.plus_bytes and place.kind in kind.places else ""
        where = f"only at {', '.join(sorted(kind.places))}" if kind.places else "at no place of one's choice"
        msg = f"the fault {fault.kind}: it cannot happen at {place_text(place)}, {where}{inside}"
        raise ConfigError(msg)
    return kind


def befall(
    response: Response, faults: Iterable[Fault], context: Context, counts: Counter[Fault]
) -> tuple[Response, tuple[Fault, ...]]:
    """Return the response with those of the faults that befall it, and which did something.

    Args:
        response: what is answered.
        faults: in this order.
        context: what they have to know about the response; its seed decides about shares.
        counts: how many responses each fault that is for the first so many has befallen; counted on here.

    Raises:
        ConfigError: as `check_fault`.
    """
    done = []
    for fault in faults:
        if befalls(fault, context.seed) and (fault.first is None or counts[fault] < fault.first):
            response, is_done = apply_fault(response, fault, context)
            if is_done:
                done.append(fault)
                counts[fault] += fault.first is not None
    return response, tuple(done)


def befalls(fault: Fault, seed: int) -> bool:
    """Return whether a fault with a share befalls the request with this seed; one without always does.

    With a larger share it befalls the same requests, and more.
    """
    if fault.share is None:
        return True
    return Random(sub_seed(seed, f"share of {fault_text(fault, often=False)}")).random() < fault.share


def apply_faults(response: Response, faults: Iterable[Fault], context: Context) -> Response:
    """Return the response with all these faults, applied one after the other, however seldom they are meant to happen.

    Raises:
        ConfigError: as `check_fault`.
    """
    for fault in faults:
        response, _ = apply_fault(response, fault, context)
    return response


def apply_fault(response: Response, fault: Fault, context: Context) -> tuple[Response, bool]:
    """Return the response with a fault and a note of it, and whether it did something.

    What cannot befall this response, or only at a place that it does not come to, is noted and does nothing.

    Raises:
        ConfigError: as `check_fault`.
    """
    note = fault_text(fault, often=False)
    is_done = True
    try:
        response = _applied(response, fault, context)
    except InapplicableError as error:
        note += f": did nothing, because {error}"
        is_done = False
    return replace(response, notes=(*response.notes, note)), is_done


def _applied(response: Response, fault: Fault, context: Context) -> Response:
    kind = check_fault(fault)
    if kind.dialects and (context.dialect is None or context.dialect.name not in kind.dialects):
        name = "this" if context.dialect is None else context.dialect.name
        raise InapplicableError(f"it is for {', '.join(kind.dialects)}, and {name} is not")
    is_bodiless = not has_body(response.status, head_only=context.head_only)
    place = fault.place or kind.place
    if fault.place is None and place is not None and place.kind == "token" and (is_bodiless or not context.framing):
        place = Place("after-head")  # a document comes all at once, and its tokens with it
    found = kind.apply(response, replace(fault, argument=fault.argument or kind.default, place=place), context)
    if is_bodiless and _shown_of(found) == _shown_of(response):
        raise InapplicableError("the response has no body")
    return found


def _shown_of(response: Response) -> tuple[Response, list[Step]]:
    """Return what of a response without a body comes to be seen."""
    return replace(response, steps=()), [*opening_of(response)]
