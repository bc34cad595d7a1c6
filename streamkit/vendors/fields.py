"""The fields of a request's body, each asked for by its type; and the manner in which a vendor complains. Pure.

A vendor is a subclass of `Manner`. What is null counts as absent, as nearly all vendors have it. What a reader did not
ask for, or has no neutral word for, it notes as a `Leftover`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, TypeVar

from streamkit.codecs.jsontext import JSONTextError, decode_checked
from streamkit.vendors.endpoint import Facts
from streamkit.vendors.question import Question, RefusedError
from streamkit.vendors.reading import Leftover, Path

__all__ = ["Fields", "Manner", "Path", "kind_of"]

N = TypeVar("N", bound=float)

KINDS: Final[Mapping[type, str]] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


def kind_of(value: object) -> str:
    """Return JSON's word for the type of a value; an integer is told from other numbers."""
    return KINDS[type(value)]


class Fields:
    """An object of the body. For a value of a wrong type every getter raises `RefusedError`, in the vendor's manner.

    Attributes:
        leftovers: what there is no neutral word for, of this object and of all that it was reached through.
    """

    def __init__(
        self, value: Mapping[str, Any], manner: Manner, path: Path, leftovers: list[Leftover] | None = None
    ) -> None:
        self.value = value
        self.manner = manner
        self.path = path
        self.leftovers: list[Leftover] = [] if leftovers is None else leftovers
        self._asked: set[str] = set()

    def ignore(self, *names: str) -> None:
        """Pass over fields that mean nothing to anybody but the vendor's own server: ids of parts, how far they got."""
        self._asked.update(names)

    def drop(self, *names: str, usual: Sequence[object] = ()) -> None:
        """Note fields, where they are there, that may be left out: the answer is the same without them.

        A value that is one of `usual` asks for nothing.
        """
        for name in names:
            value = self.get(name)
            if value is not None and value not in usual:
                self.leftovers.append(Leftover(self.at(name)))

    def refuse(self, name: str, what: str, usual: Sequence[object] = ()) -> None:
        """Note a field, where it is there, that cannot be said in other words; `what` ends a sentence about it.

        A value that is one of `usual` asks for nothing.
        """
        value = self.get(name)
        if value is not None and value not in usual:
            self.leftovers.append(Leftover(self.at(name), self.manner.untranslatable(self.at(name), what)))

    def refuse_all(self, what: str) -> None:
        """Note that this object cannot be said in other words; `what` ends a sentence about it."""
        self.leftovers.append(Leftover(self.path, self.manner.untranslatable(self.path, what)))

    def seal(self) -> None:
        """Note every field that nobody has asked for."""
        for name, value in self.value.items():
            if value is not None and name not in self._asked:
                self.leftovers.append(Leftover(self.at(name), self.manner.unknown(self.at(name))))

    def at(self, name: str) -> Path:
        """Return where a field is."""
        return (*self.path, name)

    def get(self, name: str) -> object:
        """Return a field as it is, None where it is absent."""
        self._asked.add(name)
        return self.value.get(name)

    def _typed(self, name: str, *wanted: str) -> Any:  # noqa: ANN401 - it is of one of those types
        value = self.get(name)
        if value is None:
            return None
        kind = kind_of(value)
        if kind in wanted or (kind == "integer" and "number" in wanted):
            return value
        raise self.manner.wrong_type(self.at(name), wanted, value)

    def has(self, name: str) -> bool:
        """Tell whether a field is there."""
        return self.get(name) is not None

    def need(self, *names: str) -> None:
        """Refuse the request unless all these fields are there."""
        for name in names:
            if not self.has(name):
                raise self.manner.missing(self.at(name))

    def text(self, name: str, default: str = "") -> str:
        """Return a string."""
        value: str | None = self._typed(name, "string")
        return default if value is None else value

    def named(self, name: str) -> str:
        """Return a string that has to be there and to say something."""
        value = self.text(name)
        if not value:
            raise self.manner.missing(self.at(name))
        return value

    def word(self, name: str, allowed: Sequence[str], default: str = "") -> str:
        """Return a string that is one of `allowed`."""
        value: str | None = self._typed(name, "string")
        if value is not None and value not in allowed:
            raise self.manner.wrong_value(self.at(name), value, allowed)
        return default if value is None else value

    def flag(self, name: str) -> bool | None:
        """Return a boolean."""
        value: bool | None = self._typed(name, "boolean")
        return value

    def whole(self, name: str, low: int | None = None, high: int | None = None) -> int | None:
        """Return an integer from `low` to `high`."""
        value: int | None = self._typed(name, "integer")
        return self._checked(name, value, low, high)

    def number(self, name: str, low: float | None = None, high: float | None = None) -> float | None:
        """Return a number from `low` to `high`."""
        value: float | None = self._typed(name, "number")
        return self._checked(name, value, low, high)

    def _checked(self, name: str, value: N | None, low: float | None, high: float | None) -> N | None:
        if value is not None and ((low is not None and value < low) or (high is not None and value > high)):
            raise self.manner.out_of_range(self.at(name), value, low, high)
        return value

    def object(self, name: str) -> Fields | None:
        """Return an object's fields."""
        value = self._typed(name, "object")
        return None if value is None else type(self)(value, self.manner, self.at(name), self.leftovers)

    def objects(self, name: str) -> list[Fields]:
        """Return the fields of each object in a list; of none where it is absent."""
        values: list[object] = self._typed(name, "array") or []
        found = []
        for number, value in enumerate(values):
            path = (*self.at(name), number)
            if not isinstance(value, dict):
                raise self.manner.wrong_type(path, ("object",), value)
            found.append(type(self)(value, self.manner, path, self.leftovers))
        return found

    def texts(self, name: str, *, or_one: bool = False) -> tuple[str, ...]:
        """Return a list of strings, or, where `or_one`, a string alone. Empty ones are left out."""
        value = self.get(name)
        if or_one and isinstance(value, str):
            return (value,) if value else ()
        values: list[object] = self._typed(name, *(("string", "array") if or_one else ("array",))) or []
        for number, each in enumerate(values):
            if not isinstance(each, str):
                raise self.manner.wrong_type((*self.at(name), number), ("string",), each)
        return tuple(each for each in values if isinstance(each, str) and each)

    def content(self, name: str, key: str = "text") -> str:
        """Return the text of what is a string or a list of parts: the strings in it, and those under `key`."""
        value = self.get(name)
        if value is None or isinstance(value, str):
            return value or ""
        if not isinstance(value, list):
            raise self.manner.wrong_type(self.at(name), ("string", "array"), value)
        texts = []
        for number, part in enumerate(value):
            if isinstance(part, str):
                texts.append(part)
                continue
            path = (*self.at(name), number)
            if not isinstance(part, dict):
                raise self.manner.wrong_type(path, ("object",), part)
            texts.append(type(self)(part, self.manner, path, self.leftovers).text(key))
        return "".join(texts)


class Manner(ABC):
    """How a vendor refuses: each method returns what is to be raised."""

    fields: ClassVar[type[Fields]] = Fields

    @abstractmethod
    def not_json(self, body: bytes, error: JSONTextError | None) -> RefusedError:
        """Refuse a body that is not JSON; `error` is None for JSON that is no object."""

    @abstractmethod
    def missing(self, path: Path) -> RefusedError:
        """Refuse a request without a field that it must have."""

    @abstractmethod
    def wrong_type(self, path: Path, wanted: Sequence[str], value: object) -> RefusedError:
        """Refuse a value that is of none of the types in `wanted`, which are JSON's words for them."""

    @abstractmethod
    def out_of_range(self, path: Path, value: float, low: float | None, high: float | None) -> RefusedError:
        """Refuse a number below `low` or above `high`."""

    @abstractmethod
    def wrong_value(self, path: Path, value: str, allowed: Sequence[str]) -> RefusedError:
        """Refuse a word that is none of `allowed`."""

    @abstractmethod
    def empty(self, path: Path) -> RefusedError:
        """Refuse an empty list."""

    @abstractmethod
    def unknown_model(self, model: str) -> RefusedError:
        """Refuse a model that there is not."""

    @abstractmethod
    def unknown_path(self, method: str, path: str) -> RefusedError:
        """Refuse a path that there is not."""

    @abstractmethod
    def wrong_method(self, method: str, path: str, allowed: Sequence[str]) -> RefusedError:
        """Refuse a method that the path does not have; the headers say which it has."""

    def unknown(self, path: Path) -> RefusedError | None:  # noqa: ARG002 - vendors that refuse it say where
        """Refuse a field that the vendor does not know; None where the vendor passes over it, as many do."""
        return None

    def untranslatable(self, path: Path, what: str) -> RefusedError:
        """Refuse what only the vendor itself could do, and another's server cannot be asked for."""
        return RefusedError(400, f"{'.'.join(map(str, path))}: {what}")

    def body_of(self, question: Question) -> Fields:
        """Return the body's fields.

        Raises:
            RefusedError: it is not JSON, or no object.
        """
        try:
            value = decode_checked(question.body) if question.value is None else question.value
        except JSONTextError as error:
            raise self.not_json(question.body, error) from None
        if not isinstance(value, dict):
            raise self.not_json(question.body, None)
        return self.fields(value, self, ())

    def model_of(self, body: Fields, facts: Facts, given: str = "") -> str:
        """Return the model's name: the body's, or else what is `given`.

        Raises:
            RefusedError: there is no name, or no such model.
        """
        model = self.named_model(body, facts, given)
        if not model and not facts.is_model_optional:
            raise self.missing(body.at("model"))
        return model

    def named_model(self, body: Fields, facts: Facts, given: str) -> str:
        """Return the model's name: the body's, or else what is `given`, which may be none.

        Raises:
            RefusedError: there is no such model.
        """
        model = body.text("model") or given
        if model and not facts.knows(model):
            raise self.unknown_model(model)
        return model
