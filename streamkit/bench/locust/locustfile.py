"""What Locust loads: our options, a user that leaves everything to the engine, and who listens to what.

Imported by Locust alone: it has patched the process for gevent by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import gevent
from locust import User, events, task
from locust.runners import MasterRunner, WorkerRunner

from streamkit.bench.locust.hooks import ASK, BEGIN, HALT, JOB, SAID, Message
from streamkit.bench.locust.master import Master
from streamkit.bench.locust.options import add_options
from streamkit.bench.locust.station import SHOWN, Station

if TYPE_CHECKING:
    from locust.argument_parser import LocustArgumentParser
    from locust.env import Environment

__all__ = ["Stream"]


class Stream(User):
    """One of so many requests at once. The engine makes them all; Locust only counts its users."""

    @task
    def wait(self) -> None:
        """Wait for the test's end."""
        gevent.sleep(3600)


@events.init_command_line_parser.add_listener
def _options(parser: LocustArgumentParser, **_: object) -> None:
    add_options(parser)


@events.init.add_listener
def _init(environment: Environment, runner: object, **_: object) -> None:
    if isinstance(runner, MasterRunner):
        _be_master(environment, runner)
    elif isinstance(runner, WorkerRunner):
        _be_worker(environment, runner)
    else:
        raise SystemExit("streamkit's engine is for --master and --worker; on one machine: streamkit bench --workers N")


def _be_master(environment: Environment, runner: MasterRunner) -> None:
    options = environment.parsed_options

    def exit_with(code: int) -> None:
        environment.process_exit_code = code

    master = Master(runner, options, exit_with, is_headless=bool(options and options.headless))
    runner.register_message(ASK, lambda msg, **_: master.ask(msg))
    runner.register_message(SAID, lambda msg, **_: master.take(msg))
    environment.events.test_start.add_listener(lambda **_: master.start(environment.host or ""))
    environment.events.test_stopping.add_listener(lambda **_: master.end())


def _be_worker(environment: Environment, runner: WorkerRunner) -> None:
    def on_request(ttft_ms: float, failure: Exception | None) -> None:
        environment.events.request.fire(
            request_type="POST", name=SHOWN, response_time=ttft_ms, response_length=0, exception=failure, context={}
        )

    station = Station(runner, on_request)

    def job(msg: Message, **_: object) -> None:
        station.begin(msg.data["line"])

    runner.register_message(JOB, job)
    runner.register_message(BEGIN, lambda **_: station.may_begin())
    runner.register_message(HALT, lambda msg, **_: station.take(msg))
    environment.events.test_start.add_listener(lambda **_: runner.send_message(ASK))
    environment.events.test_stop.add_listener(lambda **_: station.end())
    environment.events.quitting.add_listener(lambda **_: station.leave())
