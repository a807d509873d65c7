"""Logs tell of failures, and of no secret."""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import structlog

from protocol.errors import SettingsError
from roost import logs as roost_logs
from web.http.context import WebSettings

# Not literals where they are used: a traceback shows lines of source.
SECRET = "very-secret-indeed"
PASSWORD = "hunter2-hunter2"


def fail(settings: WebSettings) -> None:
    password = PASSWORD
    raise ValueError(f"something else, {len(password)} {settings.signup_open}")


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_shows_no_local_variable(
    form: str, logs: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    try:
        roost_logs.configure("info", form)
        try:
            fail(WebSettings(jwt_secret=SECRET))
        except ValueError as error:
            structlog.get_logger("x").error("failed", exc_info=error)
            logging.getLogger("y").error("failed too", exc_info=error)
        roost_logs.flush()
        text = capfd.readouterr().err
    finally:
        root.handlers, root.level = handlers, level
    assert "something else" in text
    assert SECRET not in text
    assert PASSWORD not in text
    if form == "json":
        assert [json.loads(line)["event"] for line in text.splitlines()] == [
            "failed",
            "failed too",
        ]


def test_nobody_changes_the_terminal_of_whoever_reads_the_log(
    logs: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """A device chose a topic that cleared the screen, or that looked like a line of ours."""
    evil = "\x1b[2J\x9b31m\r\nroost is fine"
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    try:
        roost_logs.configure("info", "text")
        structlog.get_logger("x").info("message refused", topic=evil, others=[evil])
        logging.getLogger("y").warning("of a library %s", evil)
        try:
            raise ValueError(evil)
        except ValueError as error:
            structlog.get_logger("x").error("failed", exc_info=error)
        roost_logs.flush()
        text = capfd.readouterr().err
    finally:
        root.handlers, root.level = handlers, level
    assert "roost is fine" in text
    assert all(line.isprintable() for line in text.split("\n"))
    assert sum(line.startswith("roost is fine") for line in text.split("\n")) == 1


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """To read from and to write to."""
    ends = os.pipe()
    yield ends
    for end in ends:
        with suppress(OSError):
            os.close(end)


def test_a_pipe_that_nobody_reads_holds_up_no_one_and_the_drops_are_told(
    pipe: tuple[int, int],
) -> None:
    reading, writing = pipe
    writer = roost_logs.LogWriter(writing, bytes_max=200_000)
    line = "x" * 999 + "\n"
    for _ in range(1_000):  # a pipe takes 64 KiB; a blocking write would end here
        writer.write(line)
    assert writer.dropped >= 700
    writer.drain(0.01)  # bounded, though nothing moves
    with os.fdopen(reading, "rb", closefd=False) as file:
        lines = [file.readline() for _ in range(1_000 - writer.dropped)]
        assert lines == [line.encode()] * len(lines)
        told = json.loads(file.readline())
    assert told == {"event": "log lines dropped", "lines": writer.dropped}


def test_a_pipe_that_was_closed_is_no_error(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.close(reading)
    writer = roost_logs.LogWriter(writing)
    writer.write("nobody reads this\n")
    writer.drain(10)


def test_an_unknown_level_is_a_setting_that_cannot_work() -> None:
    with pytest.raises(SettingsError):
        roost_logs.configure("loud", "json")
