"""A command in this process: for the many cases that are not about pipes, signals or descriptors.

It takes a hundredth of the time that a process of its own does, and goes the same way, from `sys.argv` to the exit code
and to descriptors 1 and 2.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from unittest.mock import patch

from streamkit.cli.main import streamkit
from tests.cli.harness import Result, check_manners

if TYPE_CHECKING:
    import pytest

__all__ = ["Inside", "inside_of"]

Inside = Callable[..., Result]


def inside_of(captured: pytest.CaptureFixture[bytes]) -> Inside:
    """Return what runs a command, given pytest's `capfdbinary`."""

    def run(*argv: str, env: Mapping[str, str] | None = None) -> Result:
        captured.readouterr()
        code: object = None
        with patch.dict(os.environ, env or {}), patch.object(sys, "argv", [*argv]):
            try:
                streamkit()
            except SystemExit as end:
                code = end.code
        out, err = captured.readouterr()
        check_manners(err.decode())
        assert isinstance(code, int)
        return Result(code, out, err.decode(), [])

    return run
