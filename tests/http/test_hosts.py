"""Names and addresses: which of them are this machine's, and nobody else's."""

from __future__ import annotations

import pytest

from streamkit.http.hosts import authority_of, is_address, is_local_name, is_loopback


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://Example.com:80/a", ("example.com", "Example.com:80")),
        ("//localhost:8080", ("localhost", "localhost:8080")),
        ("//[::1]:8080", ("::1", "[::1]:8080")),
        ("//[::1", ("", "")),
        ("null", ("", "")),
        ("", ("", "")),
        ("file:///etc/passwd", ("", "")),
    ],
)
def test_the_authority_of_a_url(url: str, parts: tuple[str, str]) -> None:
    assert authority_of(url) == parts


@pytest.mark.parametrize(
    ("name", "address"),
    [("127.0.0.1", True), ("::1", True), ("192.0.2.1", True), ("127.1", False), ("localhost", False), ("", False)],
)
def test_an_address_is_no_name(name: str, address: bool) -> None:
    assert is_address(name) == address


def test_local_names() -> None:
    assert all(map(is_local_name, ["localhost", "LocalHost", "localhost.", "a.b.localhost"]))
    assert not any(map(is_local_name, ["", ".", "localhost.example", "alocalhost", "localhost..", "127.0.0.1"]))


def test_loopback() -> None:
    assert all(map(is_loopback, ["127.0.0.1", "127.8.9.1", "::1", "localhost"]))
    assert not any(map(is_loopback, ["0.0.0.0", "::", "192.0.2.1", "10.0.0.1", "example.com", ""]))  # noqa: S104
