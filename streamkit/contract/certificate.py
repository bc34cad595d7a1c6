"""The upstream's certificate, where it speaks TLS: made once and kept, for proxies read whom to trust as they start.

Two files: the authority that the proxy has to trust, and beside it, for us alone, the key and certificate of the
upstream. Where both are there and good for the names that are wanted, they are used again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from streamkit.errors import ConfigError
from streamkit.http.tls import ThrowawayCertificate, server_context, throwaway_certificate

if TYPE_CHECKING:
    import ssl

__all__ = ["UpstreamCertificate", "upstream_certificate"]

LOCAL: Final = ("localhost", "127.0.0.1", "::1")

NAMES: Final = "# streamkit: for "

PRIVATE: Final = 0o600


@dataclass(frozen=True)
class UpstreamCertificate:
    """What the upstream speaks TLS with.

    Attributes:
        context: the upstream's.
        authority_pem: what the proxy has to trust.
        is_new: whether it was made now, so that no proxy can trust it yet.
    """

    context: ssl.SSLContext
    authority_pem: bytes
    is_new: bool


def upstream_certificate(*hosts: str, written_to: Path | None = None) -> UpstreamCertificate:
    """Return a certificate for the upstream, made now or kept from before.

    Args:
        hosts: the names and addresses that the proxy may know it by, besides this machine's own.
        written_to: a file for the authority that the proxy has to trust, in PEM; the key is kept in `FILE.key`. None
            for one to throw away.

    Raises:
        ConfigError: what makes certificates is not installed, or a file cannot be read or written.
    """
    names = sorted({*hosts, *LOCAL})
    if written_to is None:
        made = throwaway_certificate(*names)
        return UpstreamCertificate(made.context, made.authority_pem, is_new=True)
    key_file = written_to.with_name(f"{written_to.name}.key")
    try:
        kept = _kept(written_to, key_file, names)
        return kept or _written(throwaway_certificate(*names), written_to, key_file, names)
    except OSError as error:
        raise ConfigError(f"{written_to}: {(error.strerror or str(error)).lower()}") from error


def _kept(authority: Path, key_file: Path, names: list[str]) -> UpstreamCertificate | None:
    if not (authority.is_file() and key_file.is_file()):
        return None
    first = key_file.read_text(encoding="utf-8", errors="replace").partition("\n")[0]
    if not {*names} <= {*first.removeprefix(NAMES).split()}:
        return None
    return UpstreamCertificate(server_context(key_file), authority.read_bytes(), is_new=False)


def _written(made: ThrowawayCertificate, authority: Path, key_file: Path, names: list[str]) -> UpstreamCertificate:
    authority.write_bytes(made.authority_pem)
    key_file.touch(PRIVATE)
    key_file.chmod(PRIVATE)
    key_file.write_bytes(f"{NAMES}{' '.join(names)}\n".encode() + made.key_and_chain_pem)
    return UpstreamCertificate(made.context, made.authority_pem, is_new=True)
