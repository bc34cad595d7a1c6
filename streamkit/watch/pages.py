"""The page's own files, and what browsers are told about them. Nothing in them is secret, and nothing in them changes.

They come with the package and are read once. The Content-Security-Policy lets the page load nothing but these files and
talk to nobody but its own gateway: no inline script, no style attribute, no frame, no other host. The two
`Cross-Origin-*-Policy` headers give the page a clock with steps of 5 us in place of 100 (High Resolution Time,
section 4.1), for the browser's lane.
"""

from __future__ import annotations

from hashlib import sha256
from importlib import resources
from typing import Final

from streamkit.gateway.record import Record
from streamkit.gateway.sending import PLAIN, send_whole
from streamkit.http.exchange import Exchange, Request
from streamkit.watch.prefix import PREFIX

__all__ = ["CSP", "SECURITY", "Pages"]

POLICY: Final = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)

CSP: Final = "; ".join(POLICY)

SECURITY: Final = (
    ("Content-Security-Policy", CSP),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Embedder-Policy", "require-corp"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
)

MEDIA_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}

PLACES: Final = (("streamkit.watch", "page"), ("streamkit", "web"))
"""The packages and directories whose files these are."""

INDEX: Final = "index.html"

METHODS: Final = ("GET", "HEAD")


class Pages:
    """The page's files, by their names."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[bytes, str, str]] = {}
        for package, directory in PLACES:
            for file in (resources.files(package) / directory).iterdir():
                kind = file.name.rpartition(".")[2]
                if kind in MEDIA_TYPES:
                    data = file.read_bytes()
                    tag = f'"{sha256(data).hexdigest()[:16]}"'
                    self._files[file.name] = data, MEDIA_TYPES[kind], tag

    @property
    def names(self) -> list[str]:
        """What there is."""
        return [*self._files]

    def knows(self, request: Request) -> bool:
        """Tell whether it is one of these that a request is about."""
        return request.path.startswith(PREFIX) and _name_in(request) in self._files

    def has(self, request: Request) -> bool:
        """Tell whether it is one of these that is asked for."""
        return request.method in METHODS and self.knows(request)

    async def answer(self, exchange: Exchange, record: Record, *, is_last: bool = False) -> None:
        """Answer a request about one of the files: with the file.

        Raises:
            BrokenResourceError: the client is gone.
        """
        request = exchange.request
        if request.method not in METHODS:
            record.outcome, record.detail = "refused", "a file can only be read"
            told = [*PLAIN, ("Allow", ", ".join(METHODS)), *SECURITY]
            await send_whole(exchange, record, 405, b"this can only be read\n", told, is_last=is_last)
            return
        data, media_type, tag = self._files[_name_in(request)]
        headers = [("ETag", tag), ("Cache-Control", "no-cache"), *SECURITY]
        if tag in (request.get("if-none-match") or ""):
            await send_whole(exchange, record, 304, b"", headers, is_last=is_last)
        else:
            headers.insert(0, ("Content-Type", media_type))
            await send_whole(exchange, record, 200, data, headers, is_last=is_last)


def _name_in(request: Request) -> str:
    return request.path.removeprefix(PREFIX) or INDEX
