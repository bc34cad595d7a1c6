"""A gateway inside of a program: where it is, what it keeps, and that what the program raises stays what it was."""

from __future__ import annotations

import dataclasses
import socket

import pytest
import trio
import trio.testing

from mockserver import open_mockserver
from streamkit.errors import ConfigError
from streamkit.gateway.config import GatewayConfig
from streamkit.gateway.open import MAX_RECORDS, GatewayOptions, open_gateway
from streamkit.gateway.record import Record
from streamkit.http.background import background
from streamkit.http.origin import parse_origin
from streamkit.http.pool import Pool
from tests.gateway.shell import asked, connected, until

NOWHERE = "http://127.0.0.1:1"

PATIENCE_S = 10


async def test_it_says_where_it_is_and_passes_on() -> None:
    seen: list[Record] = []
    with trio.fail_after(PATIENCE_S):
        async with open_mockserver(say="Hi there.") as mock:
            async with open_gateway(mock.url, on_record=seen.append) as gateway:
                assert gateway.url == f"http://127.0.0.1:{gateway.port}"
                got = await asked(gateway.port, "POST /api/generate", body=b'{"model":"m","prompt":"a","stream":false}')
                assert b"Hi there." in got
            assert list(gateway.records) == seen
            assert [(record.status, record.outcome) for record in seen] == [(200, "ok")]
            assert gateway.stats.to_head.count == 1
        with pytest.raises(OSError, match="refused"):
            await connected(gateway.port)


async def test_a_path_of_the_upstream_comes_before_all_others() -> None:
    async with open_mockserver() as mock, open_gateway(f"{mock.url}/api") as gateway:
        assert b"200 OK" in await asked(gateway.port, "GET /version")


async def test_a_configuration_with_options_on_top() -> None:
    config = GatewayConfig(parse_origin(NOWHERE), half_close=True, idle_timeout_s=5)
    async with open_gateway(config, idle_timeout_s=7) as gateway:
        assert gateway.gateway.config == dataclasses.replace(config, idle_timeout_s=7)


def test_every_option_of_the_configuration_is_one_here() -> None:
    fields = {field.name for field in dataclasses.fields(GatewayConfig)} - {"upstream"}
    assert set(GatewayOptions.__annotations__) == fields


@pytest.mark.parametrize("upstream", ["", "localhost:80", "ftp://a", "http://user:secret@a", "http://a?key=secret"])
async def test_a_url_that_is_none(upstream: str) -> None:
    with pytest.raises(ConfigError) as error:
        async with open_gateway(upstream):
            pytest.fail("it runs")
    assert "secret" not in str(error.value)


async def test_a_port_that_is_taken() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1 port {port}: it is in use"):
            async with open_gateway(NOWHERE, port=port):
                pytest.fail("it runs")


async def test_records_are_kept_up_to_a_bound() -> None:
    async with open_gateway(NOWHERE) as gateway:
        assert gateway.records.maxlen == MAX_RECORDS
        await asked(gateway.port, "GET /_gateway/stats")
        assert [record.number for record in gateway.records] == [1]


async def test_what_waits_is_reaped_and_closed_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    reaping: list[Pool] = []

    async def reap(pool: Pool) -> None:
        reaping.append(pool)
        await trio.sleep_forever()

    monkeypatch.setattr(Pool, "reap", reap)
    with trio.fail_after(PATIENCE_S):
        async with open_mockserver() as mock:
            async with open_gateway(mock.url) as gateway:
                await asked(gateway.port, "GET /api/version")
                await until(lambda: gateway.gateway.pool.idle == 1)
                assert reaping == [gateway.gateway.pool]
            assert gateway.gateway.pool.idle == 0


# ----------------------------------------------------------------------------------------------- what comes out of it


class Own(BaseException):
    """Not even an Exception."""


@pytest.mark.parametrize(
    "error", [ValueError("mine"), ExceptionGroup("mine", [ValueError("a")]), Own(), KeyboardInterrupt()], ids=repr
)
async def test_the_programs_own_error_comes_out_as_it_is(error: BaseException) -> None:
    error.__cause__ = cause = OSError("why")
    with pytest.raises(type(error)) as caught:
        async with open_gateway(NOWHERE):
            raise error
    assert caught.value is error
    assert error.__cause__ is cause
    assert error.__context__ is None


async def test_a_cancelled_block_is_just_cancelled() -> None:
    with trio.move_on_after(0.01) as scope:
        async with open_gateway(NOWHERE), trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            await trio.sleep_forever()
    assert scope.cancelled_caught


async def test_a_task_beside_the_block_that_fails_ends_it(autojump_clock: trio.testing.MockClock) -> None:
    async def fail() -> None:
        await trio.sleep(1)
        raise ValueError("beside")

    with pytest.raises(ValueError, match="beside"):  # noqa: PT012 - which of the two it is, is the question
        async with background() as nursery:
            nursery.start_soon(fail)
            async with trio.open_nursery():
                await trio.sleep_forever()


async def test_two_errors_come_as_a_group(autojump_clock: trio.testing.MockClock) -> None:
    async def fail_at_the_end() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise KeyError("beside")

    with pytest.RaisesGroup(KeyError, ValueError):
        async with background() as nursery:
            nursery.start_soon(fail_at_the_end)
            await trio.sleep(1)
            raise ValueError("mine")


async def test_whoever_writes_records_down_wrongly_hurts_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def fail(record: Record) -> None:
        raise ValueError(f"cannot write {record.number}")

    async with open_gateway(NOWHERE, on_record=fail) as gateway:
        await asked(gateway.port, "GET /_gateway/stats")
        assert b"stats" in await asked(gateway.port, "GET /_gateway/other")
        assert [record.number for record in gateway.records] == [1, 2]
    assert "cannot write 1" in caplog.text
