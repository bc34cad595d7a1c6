"""`python -m mockserver` is `mockserver`."""

from __future__ import annotations

from streamkit.cli.main import mockserver

if __name__ == "__main__":
    mockserver()
