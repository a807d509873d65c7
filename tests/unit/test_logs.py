"""Logs tell of failures, and of no secret."""

import json
import logging
from typing import Any

import pytest
import structlog

from protocol.errors import SettingsError
from roost import logs as roost_logs
from web.routing import WebSettings

# Not literals where they are used: a traceback shows lines of source.
SECRET = "very-secret-indeed"
PASSWORD = "hunter2-hunter2"


def fail(settings: WebSettings) -> None:
    password = PASSWORD
    raise ValueError(f"something else, {len(password)} {settings.signup_open}")


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_shows_no_local_variable(
    form: str, logs: Any, capsys: pytest.CaptureFixture[str]
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
        text = capsys.readouterr().err
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


def test_an_unknown_level_is_a_setting_that_cannot_work() -> None:
    with pytest.raises(SettingsError):
        roost_logs.configure("loud", "json")
