"""From one dialect to another: a decoder, an encoder, and what happens between them when the stream fails.

`Converter` is one stage that obeys the laws of all stages. A text leaves in the `feed` that brought its record. The
stream's failure is the output's failure, whatever it was: a record that cannot be decoded, a cut, an error that the
sender reported. The target's own error form is written, if it has one, and the error is raised, so that a driver does
not end the output as if it were whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Unpack

from streamkit.codecs.records import DEFAULT_LIMIT_BYTES
from streamkit.codecs.stage import Stage
from streamkit.dialects.decoder import TRUNCATED, Decoder, Repair
from streamkit.dialects.encoder import Encoder, message_of
from streamkit.dialects.events import End, Error, Event
from streamkit.dialects.options import EncoderOptions
from streamkit.dialects.registry import get_dialect
from streamkit.dialects.sniff import AutoDecoder
from streamkit.errors import DecodeError, EncodeError, ReportedError, TruncatedError

__all__ = ["Converter", "decoder_of", "encoder_of"]


def decoder_of(
    dialect: str, *, strict: bool = False, max_record_bytes: int | None = DEFAULT_LIMIT_BYTES
) -> Decoder | AutoDecoder:
    """Return a decoder of a dialect by its name; `NAME/FRAMING` for another framing, `auto` to find out.

    Raises:
        ConfigError: there is no such dialect.
    """
    if dialect == "auto":
        return AutoDecoder(strict=strict, max_record_bytes=max_record_bytes)
    row, framing = get_dialect(dialect)
    return row.decoder(framing=framing, strict=strict, max_record_bytes=max_record_bytes)


def encoder_of(dialect: str, **options: Unpack[EncoderOptions]) -> Encoder:
    """Return an encoder of a dialect by its name; `NAME/FRAMING` for another framing. The options are `Encoder`'s.

    Raises:
        ConfigError: there is no such dialect.
    """
    row, framing = get_dialect(dialect)
    return row.encoder(framing=framing, **options)


class Converter(Stage[bytes, bytes]):
    """Bytes of one dialect to bytes of another.

    Attributes:
        decoder, encoder: the two ends.
    """

    name = "convert"

    def __init__(
        self,
        source: str,
        target: str,
        *,
        strict: bool = False,
        max_record_bytes: int | None = DEFAULT_LIMIT_BYTES,
        stages: Iterable[Stage[Event, Event]] = (),
        **options: Unpack[EncoderOptions],
    ) -> None:
        """Make a converter.

        Args:
            source: the dialect that comes in, or `auto`.
            target: the dialect that goes out.
            strict: refuse what the decoder would repair.
            max_record_bytes: the longest record that may come in; None lifts the limit.
            stages: what the events pass on their way, in order; a `MessageAccumulator`, for instance.
            options: for the encoder; see `Encoder`.

        Raises:
            ConfigError: there is no such dialect, or an option is out of range.
        """
        self.decoder = decoder_of(source, strict=strict, max_record_bytes=max_record_bytes)
        self.encoder = encoder_of(target, **options)
        encode: Stage[Event, bytes] = self.encoder
        for stage in reversed([*stages]):
            encode = stage | encode
        self._encode = encode

    @property
    def losses(self) -> Counter[str]:
        """How many events, or parts of them, the target could not carry, by a stable word for each kind."""
        return self.encoder.losses

    @property
    def repairs(self) -> list[Repair]:
        """What the sender got wrong and was put right."""
        return self.decoder.repairs

    def reset(self) -> None:
        super().reset()
        self.decoder.reset()
        self._encode.reset()

    def feed(self, data: bytes, /) -> list[bytes]:
        """Take bytes of the source.

        Raises:
            DecodeError: a record is wrong; or the sender has reported an error (`ReportedError`). `items` has the
                target's form of that error.
            EncodeError: the target has no form for what came.
        """
        if self._closed is not None:
            self._check_open()
        try:
            events = self.decoder.feed(data)
        except DecodeError as error:
            raise self._failed(error) from None
        return self._written(events) if events else []

    def finish(self) -> list[bytes]:
        """Take the end of the source.

        Raises:
            TruncatedError: it was cut. `items` has the target's form of that.
        """
        if self._closed is not None:
            return []
        try:
            events = self.decoder.finish()
        except DecodeError as error:
            raise self._failed(error) from None
        out = self._written(events)
        super().finish()
        return out + self._encode.finish()

    def fail(self, error: Error) -> list[bytes]:
        """Take it that the source has failed by something else than what it sent: a connection that broke, for one.

        Returns:
            The target's form of that; nothing where it has none, or the stream was whole already.
        """
        if self._closed is not None or self.encoder.over:
            return []
        out = self._encode.feed_many([error])
        self._fail(failure_of(error, self.decoder.dialect), out)
        return out

    def _written(self, events: list[Event]) -> list[bytes]:
        try:
            out = self._encode.feed_many(events)
        except (DecodeError, EncodeError) as error:
            raise self._fail(error, error.items) from None
        last = events[-1] if events else None
        if type(last) is Error:
            raise self._fail(failure_of(last, self.decoder.dialect), out)
        if type(last) is End:
            for finish in self.encoder.finishes.values():
                if finish.reason in {"error", "cancelled"}:
                    failure = Error(message_of(finish), f"finish_{finish.reason}")
                    raise self._fail(failure_of(failure, self.decoder.dialect), out)
        return out

    def _failed(self, error: DecodeError) -> DecodeError | EncodeError:
        """Write what was good before the bad place, and the error; return it."""
        events: list[Event] = [*error.items]  # type: ignore[list-item]  # they are the decoder's
        if not self.encoder.over and not (events and type(events[-1]) in {End, Error}):
            events.append(Error(error.complaint, error.code))  # else what is wrong came after a whole stream
        try:
            out = self._encode.feed_many(events)
        except (DecodeError, EncodeError) as earlier:
            return self._fail(earlier, earlier.items)
        return self._fail(error, out)


def failure_of(error: Error, stage: str) -> DecodeError:
    """Return the exception for a stream's last event."""
    if error.type == TRUNCATED:
        return TruncatedError(error.message, dropped_bytes=0, stage=stage, record=None, offset=None)
    return ReportedError(
        error.message, error_type=error.type, error_code=error.error_code, status=error.status, stage=stage
    )
