"""A tape on which the secrets of a request are not to be read, even where the server repeats them."""

from __future__ import annotations

from mockserver.recording.tape import Tape
from streamkit.dialects.refusals import masked
from streamkit.http.stream import TimedRead
from streamkit.io.cassette import How

__all__ = ["HidingTape"]


class HidingTape:
    """Puts as many asterisks in place of each secret, so that no read changes its length.

    A secret may be cut anywhere: reads that end in the beginning of one wait for the next read, or for the end.
    """

    def __init__(self, tape: Tape, secrets: list[str]) -> None:
        self.tape = tape
        self._secrets = secrets
        self._wires = [secret.encode("latin-1", "replace") for secret in secrets]
        self._waiting: list[TimedRead] = []

    def read(self, read: TimedRead) -> None:
        """Write down what one read brought, or keep it for the next one."""
        self.tape.reader.feed(read.data)
        self._waiting.append(read)
        data = b"".join([each.data for each in self._waiting])
        for wire in self._wires:
            data = data.replace(wire, b"*" * len(wire))
        position = 0
        for number, each in enumerate(self._waiting):
            end = position + len(each.data)
            self._waiting[number] = TimedRead(data[position:end], each.read_ns, each.kernel_ns, each.segments)
            position = end
        if not any(data.endswith(wire[:length]) for wire in self._wires for length in range(1, len(wire))):
            self._flush()

    def end(self, how: How, at_ns: int, detail: str = "") -> None:
        """Write down how it ended."""
        self._flush()
        self.tape.end(how, at_ns, masked(detail, self._secrets))

    def _flush(self) -> None:
        for each in self._waiting:
            self.tape.read(each)
        self._waiting.clear()
