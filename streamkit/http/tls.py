"""TLS over any wire stream, with the ciphertext's stamps and writes that do not wait; and a throw-away certificate.

A decrypted piece has the stamp of the read that completed its record, and the first one that a read completes has its
segments; those that come out of the same read have none. Python's `ssl.SSLObject` does the cryptography;
`trio.SSLStream` would do the rest too, but it can only write by waiting, and cannot close one half.

An end of the input without a `close_notify` counts as an end like any other: HTTP says itself where messages end, and
half of the clients in the world close like that. Where it does not say that, `is_truncated` does.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from streamkit.errors import ConfigError
from streamkit.http.stream import RECEIVE_BYTES, SocketStream, TimedRead, WireStream

__all__ = ["TLSListener", "TLSStream", "ThrowawayCertificate", "server_context", "throwaway_certificate"]

RECORD_BYTES: Final = 16384
"""The most that a TLS record holds (RFC 8446, section 5.1)."""


MAX_PENDING_BYTES: Final = 8 * RECORD_BYTES
"""How much ciphertext may wait for a peer that does not read: we write one record at a time, the rest are answers to
key updates, of which a hostile peer may ask for any number."""


class TLSStream(WireStream):
    """TLS over `transport`, which it owns from now on. The handshake comes with the first read or write.

    `sent_bytes` counts plain bytes. `send_now` takes whole records: until the kernel has all of one, it says 0, and
    expects to be given the same bytes again, as every writer does that has bytes left.

    Args:
        context: the server's, or the client's with `server_hostname`.
    """

    __slots__ = (
        *("_handshake_lock", "_incoming", "_is_done_sending", "_is_shaken", "_is_truncated", "_last", "_outgoing"),
        *("_owed_bytes", "_pending", "_segments", "_tls", "transport"),
    )

    def __init__(self, transport: WireStream, context: ssl.SSLContext, *, server_hostname: str | None = None) -> None:
        self.transport = transport
        super().__init__(transport.peer)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=context.protocol == ssl.PROTOCOL_TLS_SERVER,
            server_hostname=server_hostname,
        )
        self._pending = bytearray()  # ciphertext that the transport did not take yet
        self._owed_bytes = 0  # plain bytes in there, which `send_now` did not report yet
        self._last = TimedRead(b"", 0)
        self._segments: int | None = None  # of the transport's reads, as far as no piece was said to be made of them
        self._handshake_lock = trio.Lock()
        self._is_shaken = False
        self._is_done_sending = False
        self._is_truncated = False

    @property
    def is_truncated(self) -> bool:
        """Whether the input has ended without a `close_notify`: somebody may have cut it (RFC 8446, section 6.1)."""
        return self._is_truncated

    async def handshake(self) -> None:
        """Shake hands, unless that was done.

        Raises:
            BrokenResourceError: the other end does not speak TLS, or not to us.
        """
        async with self._handshake_lock:
            while not self._is_shaken:
                try:
                    self._tls.do_handshake()
                    self._is_shaken = True
                except ssl.SSLWantReadError:
                    await self._flush()
                    self._fed(await self.transport.receive())
                except ssl.SSLError as error:
                    self._flush_now()  # the alert, which tells the other end why
                    raise trio.BrokenResourceError(f"no TLS handshake: {error.reason or error}") from error
            await self._flush()

    async def receive(self, max_bytes: int = RECEIVE_BYTES) -> TimedRead:
        if not self._is_shaken:
            await self.handshake()
        await trio.lowlevel.checkpoint_if_cancelled()
        waited = False
        while (read := self._decrypted(max_bytes)) is None:
            self._fed(await self.transport.receive())
            waited = True
        if not waited:
            await trio.lowlevel.cancel_shielded_checkpoint()
        return read

    def receive_now(self, max_bytes: int = RECEIVE_BYTES) -> TimedRead | None:
        """Return what is there, as `receive` does, or None where there is nothing. No checkpoint.

        Only behind the handshake, and over a `SocketStream`. One read of the socket may bring several records, so that
        there is nothing more only where this returns None.
        """
        transport = self.transport
        assert isinstance(transport, SocketStream)  # noqa: S101 - said above
        while (read := self._decrypted(max_bytes)) is None:
            sealed = transport.receive_now()
            if sealed is None:
                return None
            self._fed(sealed)
        return read

    def _decrypted(self, max_bytes: int) -> TimedRead | None:
        """Return what can be decrypted, with the stamps of its ciphertext; None where more of that is needed."""
        try:
            data = self._tls.read(max_bytes)
        except ssl.SSLWantReadError:
            self._flush_now()  # an answer to a key update, perhaps
            if len(self._pending) > MAX_PENDING_BYTES:
                raise trio.BrokenResourceError("the other end asks for answers, and reads none") from None
            return None
        except ssl.SSLZeroReturnError:
            data = b""
        except ssl.SSLEOFError:
            self._is_truncated = True
            data = b""
        except ssl.SSLError as error:
            raise trio.BrokenResourceError(f"broken TLS: {error.reason or error}") from error
        segments, self._segments = self._segments, self._segments and 0
        return TimedRead(data, self._last.read_ns, self._last.kernel_ns, segments)

    def _fed(self, read: TimedRead) -> None:
        self._last = read
        self._segments = read.segments
        if read.data:
            self._incoming.write(read.data)
        else:
            self._incoming.write_eof()

    def send_now(self, data: bytes | bytearray | memoryview) -> int:
        if self._is_done_sending:
            raise trio.ClosedResourceError("send_eof was called already")
        if not self._is_shaken:
            return 0
        view = memoryview(data)
        self._flush_now()
        sent = 0
        while not self._pending and sent < view.nbytes:
            if self._owed_bytes:
                written, self._owed_bytes = min(self._owed_bytes, view.nbytes - sent), 0
            else:
                try:
                    written = self._tls.write(view[sent : sent + RECORD_BYTES])
                except ssl.SSLError as error:
                    raise trio.BrokenResourceError(f"broken TLS: {error.reason or error}") from error
                self._flush_now()
                if self._pending:
                    self._owed_bytes = written
                    break
            sent += written
        self.sent_bytes += sent
        return sent

    def _flush_now(self) -> None:
        if self._outgoing.pending:
            self._pending += self._outgoing.read()
        if self._pending:
            del self._pending[: self.transport.send_now(self._pending)]

    async def _flush(self) -> None:
        self._flush_now()
        while self._pending:
            await self.transport.wait_send_all_might_not_block()
            self._flush_now()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        with self._sender:
            if not self._is_shaken:
                await self.handshake()
            await trio.lowlevel.checkpoint_if_cancelled()
            view = memoryview(data)
            sent = self.send_now(view)
            if sent == view.nbytes:  # nobody is let in before it is sent: who stamps the sending does so just before
                await trio.lowlevel.cancel_shielded_checkpoint()
            else:
                await self._send_rest(view, sent, self.transport.wait_send_all_might_not_block)

    async def wait_send_all_might_not_block(self) -> None:
        with self._sender:
            await self.transport.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        self._sender.check()
        if not self._is_done_sending:
            self._say_goodbye()
            await self._flush()
        await self.transport.send_eof()

    def _say_goodbye(self) -> None:
        """Let a `close_notify` be what is sent next, where there was a handshake."""
        self._is_done_sending = True
        if self._is_shaken:
            with suppress(ssl.SSLError):  # it wants the other end's goodbye, which is not waited for
                self._tls.unwrap()

    def abort(self) -> None:
        self.transport.abort()

    async def aclose(self) -> None:
        if not self._is_done_sending:
            self._say_goodbye()
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                self._flush_now()
        await self.transport.aclose()

    def is_quiet(self) -> bool:
        return not self._incoming.pending and not self._tls.pending() and self.transport.is_quiet()

    async def wait_reset(self, *, or_fin: bool = False) -> None:
        await self.transport.wait_reset(or_fin=or_fin)

    def unsent_bytes(self) -> int | None:
        unsent = self.transport.unsent_bytes()
        return None if unsent is None else unsent + len(self._pending)


class TLSListener(trio.abc.Listener[TLSStream]):
    """Accepts TLS connections from `listener`, which it owns from now on. Who reads or writes first shakes hands."""

    def __init__(self, listener: trio.abc.Listener[WireStream], context: ssl.SSLContext) -> None:
        self.listener = listener
        self._context = context

    async def accept(self) -> TLSStream:
        return TLSStream(await self.listener.accept(), self._context)

    async def aclose(self) -> None:
        await self.listener.aclose()


@dataclass(frozen=True)
class ThrowawayCertificate:
    """A certificate that exists only in this process, and the authority that signed it.

    Attributes:
        context: what a server needs.
        authority_pem: what a client has to trust.
        key_and_chain_pem: its key and itself, for who wants to keep it.
    """

    context: ssl.SSLContext
    authority_pem: bytes
    key_and_chain_pem: bytes = b""

    def client_context(self) -> ssl.SSLContext:
        """Return what a client needs that trusts this certificate and no other."""
        return ssl.create_default_context(cadata=self.authority_pem.decode("ascii"))


def server_context(certificate: Path, key: Path | None = None) -> ssl.SSLContext:
    """Return what a server needs to speak TLS with a certificate of its owner's.

    Args:
        certificate: a PEM file with the certificate, and those that lead from it to an authority.
        key: a PEM file with its private key, not encrypted; None where that stands in the same file.

    Raises:
        ConfigError: a file cannot be read, or the two are no certificate and its key.
    """
    for path in (certificate, key or certificate):
        try:
            path.read_bytes()  # OpenSSL does not tell which of the two it cannot read
        except OSError as error:
            raise ConfigError(f"{path}: {(error.strerror or str(error)).lower()}") from error

    def refuse() -> str:  # without this OpenSSL would ask at the terminal
        raise ConfigError(f"{key or certificate}: the key is encrypted; give one that is not")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password=refuse)
    except ssl.SSLError as error:
        what = certificate if key is None else f"{certificate} with {key}"
        raise ConfigError(f"{what}: this is no certificate with its key in PEM: {error.reason or error}") from error
    context.set_alpn_protocols(["http/1.1"])
    return context


def throwaway_certificate(*hosts: str) -> ThrowawayCertificate:
    """Make a certificate for `hosts`; for this machine's own names where none are given.

    Raises:
        ConfigError: the optional package that makes certificates is not installed.
    """
    try:
        import trustme
    except ImportError as error:
        raise ConfigError("TLS with a throw-away certificate needs trustme: pip install 'streamkit[tls]'") from error
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = authority.issue_cert(*(hosts or ("localhost", "127.0.0.1", "::1")))
    certificate.configure_cert(context)
    return ThrowawayCertificate(context, authority.cert_pem.bytes(), certificate.private_key_and_cert_chain_pem.bytes())
