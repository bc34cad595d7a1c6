"""A mock LLM server whose every byte and microsecond is chosen, from one seed.

`open_mockserver` runs one on trio, `open_mockserver_in_memory` without sockets, `mockserver_in_thread` beside anything
else; the command `mockserver` is in `streamkit.cli.mock`. Names are loaded when they are used (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mockserver.app import MockServer as MockServer
    from mockserver.app import ServerConfig as ServerConfig
    from mockserver.config.scenarios import Scenarios as Scenarios
    from mockserver.journal import Entry as Entry
    from mockserver.journal import Journal as Journal
    from mockserver.journal import WriteDone as WriteDone
    from mockserver.open import MemoryMock as MemoryMock
    from mockserver.open import MockInThread as MockInThread
    from mockserver.open import mockserver_in_thread as mockserver_in_thread
    from mockserver.open import open_mockserver as open_mockserver
    from mockserver.open import open_mockserver_in_memory as open_mockserver_in_memory
    from mockserver.settings import Settings as Settings

_HOME = {
    "Entry": "journal",
    "Journal": "journal",
    "MemoryMock": "open",
    "MockInThread": "open",
    "MockServer": "app",
    "Scenarios": "config.scenarios",
    "ServerConfig": "app",
    "Settings": "settings",
    "WriteDone": "journal",
    "mockserver_in_thread": "open",
    "open_mockserver": "open",
    "open_mockserver_in_memory": "open",
}

__all__ = [*_HOME]  # noqa: PLE0604 - the names are strings


if not TYPE_CHECKING:  # a type checker that sees a __getattr__ lets every misspelt name pass

    def __getattr__(name: str) -> object:
        home = _HOME.get(name)
        if home is None:
            msg = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(msg)
        from importlib import import_module

        value = getattr(import_module(f"{__name__}.{home}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
