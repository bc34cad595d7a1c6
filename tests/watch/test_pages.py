"""The page's files: what is there, what browsers are told about them, and that nothing else can be had."""

from __future__ import annotations

import pytest

from streamkit.watch.pages import CSP, Pages
from tests.watch.stand import watching

FILES = sorted(Pages().names)


@pytest.mark.parametrize("name", ["", *FILES])
async def test_each_file_is_served_with_what_keeps_it_safe(name: str) -> None:
    async with watching() as stand:
        head, body, ending = await stand.ask(f"GET /_watch/{name}")
        assert (head.status, ending) == (200, "complete")
        assert body
        assert head.get("content-security-policy") == CSP
        assert head.get("x-content-type-options") == "nosniff"
        assert head.get("cross-origin-opener-policy") == "same-origin"
        assert head.get("cross-origin-embedder-policy") == "require-corp"
        assert head.get("referrer-policy") == "no-referrer"
        kind = {"js": "text/javascript", "css": "text/css"}.get(name.rpartition(".")[2], "text/html")
        assert str(head.get("content-type")).startswith(kind)
        again, nothing, _ = await stand.ask(f"GET /_watch/{name}", f"If-None-Match: {head.get('etag')}")
        assert (again.status, nothing, again.get("etag")) == (304, b"", head.get("etag"))
        other, whole, _ = await stand.ask(f"GET /_watch/{name}", 'If-None-Match: "other"')
        assert (other.status, whole) == (200, body)
        only, nothing, _ = await stand.ask(f"HEAD /_watch/{name}")
        assert (only.status, nothing, only.get("content-length")) == (200, b"", str(len(body)))


def test_the_policy_lets_nothing_in_from_elsewhere() -> None:
    rules = dict(rule.split(" ", 1) for rule in CSP.split("; "))
    assert rules.pop("img-src") == "'self' data:"
    assert rules.pop("require-trusted-types-for") == "'script'"
    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert set(rules.values()) == {"'none'", "'self'"}


async def test_the_address_without_its_last_slash_leads_to_the_page() -> None:
    async with watching() as stand:
        head, _, ending = await stand.ask("GET /_watch")
        assert (head.status, head.get("location"), ending) == (308, "/_watch/", "complete")
        assert len(stand.mock.journal) == 0  # the upstream was not asked


@pytest.mark.parametrize(
    "path",
    [
        *("/_watch/none.js", "/_watch/../pyproject.toml", "/_watch/%2e%2e/api.py", "/_watch/..%2fapi.py"),
        *("/_watch/page/index.html", "/_watch//index.html", "/_watch/api.py", "/_watch/index.html/"),
        *("/_watch/%00", "/_watch//etc/passwd", "/_watch/stream.js%00.css", "/_watch/README.md", "/_watch/STYLE.CSS"),
    ],
)
async def test_there_is_nothing_else(path: str) -> None:
    async with watching() as stand:
        head, body, _ = await stand.ask(f"GET {path}", *stand.page())
        assert head.status == 404
        assert len(body) < 300
        assert len(stand.sights) == 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_files_are_only_read(method: str) -> None:
    async with watching() as stand:
        head, _, _ = await stand.ask(f"{method} /_watch/style.css")
        assert (head.status, head.get("allow")) == (405, "GET, HEAD")
