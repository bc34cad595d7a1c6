"""One exchange on its way into a cassette: read by read, cookies hidden, and with the one end that it had.

For whoever sees an exchange from the client's side: the recorder, which stands between, and a client that keeps what it
was told. What fails to be written ends the tape, and is told once; who records says what becomes of the exchange then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mockserver.recording.reading import CookieMask, ResponseReader
from streamkit.http.stream import TimedRead
from streamkit.io.cassette import Ended, How, Read
from streamkit.io.cassette_writer import CassetteWriter

__all__ = ["Tape"]


class Tape:
    """One exchange, written down as it goes on.

    Attributes:
        origin_ns: what times count from: when the whole request had gone to the server. Set it once that is known.
        reader: follows the response, which has to be fed to it, to its end.
        keep_alive: after the end, whether the response left its connection to another request.
    """

    def __init__(
        self,
        cassette: CassetteWriter,
        *,
        method: str,
        target: str,
        version: str,
        headers: Iterable[tuple[str, str]],
        body: bytes,
        origin_ns: int,
        on_error: Callable[[OSError], None],
    ) -> None:
        """Begin an exchange with its request, of which what is secret is not written.

        Args:
            cassette: where to.
            method: of the request.
            target: of the request, path and query.
            version: of HTTP, like "1.1".
            headers: of the request, as they were sent.
            body: of the request.
            origin_ns: what times count from as long as nothing better is known.
            on_error: is called where the cassette cannot be written; nothing more is, then.
        """
        self.origin_ns = origin_ns
        self.reader = ResponseReader(method)
        self.keep_alive = False
        self._cassette = cassette
        self._on_error = on_error
        self._mask = CookieMask()
        self._number: int | None = None
        try:
            self._number = cassette.request(method, target, version, headers, body)
        except OSError as error:
            on_error(error)

    def read(self, read: TimedRead) -> None:
        """Write down what one read brought, at the kernel's time where there is one."""
        if self._number is None:
            return
        at_ns = read.read_ns if read.kernel_ns is None else read.kernel_ns
        shown = self._mask.feed(read.data)
        entry = Read(shown, max(at_ns - self.origin_ns, 0), read.kernel_ns is not None, read.segments)
        try:
            self._cassette.read(self._number, entry)
        except OSError as error:
            self._number = None
            self._on_error(error)

    def end(self, how: How, at_ns: int, detail: str = "") -> None:
        """Write down how it ended. Only the first end counts: when one side leaves, so does the other."""
        if self._number is None:
            return
        number, self._number = self._number, None
        self.keep_alive = how == "complete" and self.reader.keep_alive
        if not detail and self.reader.extra_bytes:
            detail = f"{self.reader.extra_bytes} bytes came after the end of the response"
        try:
            self._cassette.end(number, Ended(how, max(at_ns - self.origin_ns, 0), self.keep_alive, detail))
        except OSError as error:
            self._on_error(error)
