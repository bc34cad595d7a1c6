"""The master's part: deals out the load, lets all begin together, and writes what came of it."""

from __future__ import annotations

import logging
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import gevent

from streamkit import __version__
from streamkit.bench.locust.collection import Collection
from streamkit.bench.locust.hooks import BEGIN, HALT, JOB, MISSING, MasterRunner, Message
from streamkit.bench.locust.options import Options, job_of
from streamkit.bench.locust.said import Job, said
from streamkit.bench.messages import Halt, line_of
from streamkit.bench.report.document import as_json
from streamkit.bench.report.table import plain_lines
from streamkit.bench.results import Result
from streamkit.bench.shares import shares_of
from streamkit.errors import ConfigError

__all__ = ["Master"]

LOOK_S: Final = 0.5

GRACE_S: Final = 20.0
"""How long engines may take to say the rest once they are told to end what runs."""

INTERRUPTED: Final = 130
LOST: Final = 1
USAGE: Final = 2

log = logging.getLogger("streamkit.bench")


class Master:
    """One test at a time.

    Args:
        runner: Locust's.
        options: of the command line.
        exit_with: sets Locust's exit code.
        is_headless: whether Locust ends with the test.
    """

    def __init__(
        self, runner: MasterRunner, options: Options, exit_with: Callable[[int], None], *, is_headless: bool
    ) -> None:
        self._runner = runner
        self._options = options
        self._exit_with = exit_with
        self._is_headless = is_headless
        self._job: Job | None = None
        self._jobs: dict[str, Job] = {}
        self._collection: Collection | None = None
        self._has_begun = self._is_ending = False
        self._began_unix_s = 0.0

    def start(self, host: str) -> None:
        """Take the workers that are there, and share the load among them; called before any of them knows."""
        ready = [each for each, worker in self._runner.clients.items() if worker.state != MISSING]
        self._collection = None
        try:
            self._job = job_of(self._options, host, self._runner.target_user_count)
            if self._options.bench_json:
                Path(self._options.bench_json).open("ab").close()
        except (ConfigError, OSError) as error:
            log.error("%s", error)  # noqa: TRY400 - one line, and no traceback, for what the user has to put right
            self._exit_with(USAGE)
            gevent.spawn(self._leave)
            return
        shares = shares_of(self._job.plan, len(ready))
        self._jobs = {
            identity: Job(share, self._job.slo, self._job.api_key_env, self._job.processes, self._job.calibrate_s)
            for identity, share in zip(ready, shares, strict=False)
        }
        if len(shares) < len(ready):
            log.warning("%d of %d workers have nothing to do", len(ready) - len(shares), len(ready))
        names = {
            identity: f"worker {number} ({identity.rpartition('_')[0]})" for number, identity in enumerate(ready, 1)
        }
        self._collection = Collection(self._job.plan, self._job.slo, {each: names[each] for each in self._jobs})
        self._has_begun = self._is_ending = False
        self._began_unix_s = time.time()
        gevent.spawn(self._watch, self._collection)

    def ask(self, message: Message) -> None:
        """Answer a worker that asks for its job; one that came too late has none."""
        job = self._jobs.get(message.node_id)
        if job is not None:
            self._runner.send_message(JOB, {"line": line_of(job).decode()}, message.node_id)

    def take(self, message: Message) -> None:
        """Take what an engine has said."""
        if self._collection is not None:
            self._collection.take(message.node_id, said.decode(message.data["line"]))

    def end(self) -> None:
        """Let the engines end, if they have not, wait for the rest of what they have to say, and write all of it."""
        collection, job = self._collection, self._job
        if collection is None or job is None or self._is_ending:
            return
        self._is_ending = True
        collection.was_ended = not collection.is_over
        drain_s = job.plan.limits.drain_s
        for halt, patience_s in ((Halt(), drain_s), (Halt(now=True), GRACE_S)):
            if not collection.is_over:
                self._tell_all(HALT, line_of(halt).decode())
                self._wait(collection, patience_s)
        for identity in self._jobs:
            collection.lose(identity, "did not end when it was told to")
        hosts = ", ".join(station.name for station in collection.stations.values())
        result = collection.result(
            processes=job.processes,
            prompts="one prompt, with words before it that no other request has",
            began_unix_s=self._began_unix_s,
            version=__version__,
            machine=f"{len(collection.stations)} Locust workers: {hosts}; the master: {platform.system()}",
        )
        self._write(result)
        if result.is_interrupted:
            self._exit_with(INTERRUPTED)
        elif not collection.is_whole:
            self._exit_with(LOST)

    def _write(self, result: Result) -> None:
        sys.stdout.write("\n".join(plain_lines(result)) + "\n")
        sys.stdout.flush()
        path = self._options.bench_json
        if path:
            try:
                Path(path).write_text(as_json(result))
            except OSError as error:
                log.error("%s cannot be written: %s", path, error.strerror)  # noqa: TRY400 - see above
                self._exit_with(USAGE)

    def _watch(self, collection: Collection) -> None:
        """See who is lost, let all begin when they can, and end the test when all is said."""
        while collection is self._collection and not self._is_ending:
            for identity in collection.stations:
                worker = self._runner.clients.get(identity)
                if worker is None or worker.state == MISSING:
                    collection.lose(identity, "was lost")
            if collection.can_begin and not self._has_begun:
                self._has_begun = True
                self._tell_all(BEGIN)
            if collection.is_over:
                self._leave()
                return
            gevent.sleep(LOOK_S)

    def _wait(self, collection: Collection, patience_s: float) -> None:
        until_s = time.monotonic() + patience_s
        while not collection.is_over and time.monotonic() < until_s:
            gevent.sleep(LOOK_S)

    def _tell_all(self, what: str, line: str = "") -> None:
        for identity in self._jobs:
            if identity in self._runner.clients:
                self._runner.send_message(what, {"line": line}, identity)

    def _leave(self) -> None:
        """End the test: headless Locust with it."""
        if self._is_headless:
            self._runner.quit()
        else:
            self._runner.stop()
