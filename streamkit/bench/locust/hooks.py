"""The messages that Locust's master and workers send for us, and what is used of Locust, as types. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

__all__ = ["ASK", "BEGIN", "HALT", "JOB", "MISSING", "SAID", "MasterRunner", "Message", "WorkerNode", "WorkerRunner"]

ASK: Final = "streamkit-ask"
"""From a worker, when a test starts: what is there for me to do?"""

JOB: Final = "streamkit-job"
BEGIN: Final = "streamkit-begin"
HALT: Final = "streamkit-halt"
"""From the master to one worker: its job, a line; that it begins; that it stops."""

SAID: Final = "streamkit-said"
"""From a worker: a line that its engine has said."""

MISSING: Final = "missing"
"""The state of a worker that the master has not heard of for too long."""


class Message(Protocol):
    """A message as it comes."""

    data: dict[str, str]
    node_id: str


class WorkerNode(Protocol):
    """A worker, as the master knows it."""

    state: str


class MasterRunner(Protocol):
    """What is used of the master."""

    target_user_count: int

    @property
    def clients(self) -> Mapping[str, WorkerNode]:
        """The workers."""
        ...

    def send_message(self, msg_type: str, data: dict[str, str] | None = None, client_id: str | None = None) -> None:
        """Send something to a worker."""
        ...

    def stop(self) -> None:
        """End the test."""
        ...

    def quit(self) -> None:
        """End the test, and Locust."""
        ...


class WorkerRunner(Protocol):
    """What is used of a worker."""

    def send_message(self, msg_type: str, data: dict[str, str] | None = None, client_id: str | None = None) -> None:
        """Send something to the master."""
        ...
