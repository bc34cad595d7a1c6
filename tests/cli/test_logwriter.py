"""A log that nobody reads costs lines, and nothing else."""

from __future__ import annotations

import os
import threading

from streamkit.cli.logwriter import MAX_LINES, LogWriter, log_writer


def test_lines_come_out_in_their_order() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader) as lines:
        with log_writer(str, writer) as log:
            for number in range(100):
                log.write(f"line {number} \N{SNOWMAN}")
        os.close(writer)
        assert lines.read() == "".join(f"line {number} \N{SNOWMAN}\n" for number in range(100))


def test_a_reader_that_stops_costs_lines_and_is_told_how_many() -> None:
    reader, writer = os.pipe()
    log = LogWriter(writer, lambda count: f"{count} dropped")
    line = "x" * 4095
    for _ in range(MAX_LINES + 200):  # more than the pipe and the queue hold together
        log.write(line)
    got = bytearray()
    done = threading.Event()

    def read() -> None:
        while data := os.read(reader, 1 << 20):
            got.extend(data)
            if b"last" in got:
                done.set()

    thread = threading.Thread(target=read)
    thread.start()
    while not done.wait(0.01):
        log.write("last")
    log.close()
    os.close(writer)
    thread.join()
    os.close(reader)
    lines = got.decode().splitlines()
    dropped = sum(int(each.split()[0]) for each in lines if each.endswith(" dropped"))
    assert dropped > 100
    assert lines.count(line) + dropped >= MAX_LINES + 200


def test_a_reader_that_has_gone_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with log_writer(str, writer) as log:
        log.write("to nobody")
        log.write("to nobody either")
    os.close(writer)
