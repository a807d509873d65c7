"""For every test: an error that it logs, it expects; what it needs and is missing, it says."""

import gc
import os
import shutil
import signal
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import structlog

from tests.simulation import options, tally
from tests.simulation.options import world
from tests.support import patience

__all__ = ["world"]  # a fixture for every test


def pytest_addoption(parser: pytest.Parser) -> None:
    options.add_options(parser)


def pytest_configure() -> None:
    gc.disable()  # until all is collected: a quarter of the time that this takes
    # What a shell starts in the background ignores Ctrl-C, and so would all that tests start and
    # interrupt.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    options.select(config, items)
    options.virtualize(items)
    patience.bound(items)


def pytest_collection_finish() -> None:
    # Modules and collected tests are no garbage: a look at all of them took a third of a second,
    # now and then, in whichever test.
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    tally.tell(terminalreporter)


# The same examples in every run, and nothing kept between runs; a busy machine is no failure.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("repeatable")


class Logs(structlog.testing.LogCapture):
    """The log entries of a test. Errors must be claimed, or the test fails."""

    def __init__(self) -> None:
        super().__init__()
        self._claimed: set[str] = set()

    def claim(self, event: str) -> None:
        """This error is expected (as often as it comes)."""
        self._claimed.add(event)

    def of(self, event: str) -> list[Any]:
        return [entry for entry in self.entries if entry["event"] == event]

    def unclaimed(self) -> list[Any]:
        return [
            entry
            for entry in self.entries
            if entry["log_level"] in ("error", "critical") and entry["event"] not in self._claimed
        ]


@pytest.fixture(autouse=True)
def logs() -> Iterator[Logs]:
    capture = Logs()
    structlog.configure(processors=[capture], cache_logger_on_first_use=False)
    yield capture
    structlog.reset_defaults()
    assert not capture.unclaimed(), "errors were logged that the test did not expect"


def needs(*programs: str) -> str:
    """The path of the first of these programs that is there; without any the test is skipped, or
    fails where CI requires all."""
    for program in programs:
        found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
        if found is not None:
            return found
    reason = f"{' or '.join(programs)} is not installed"
    if os.environ.get("ROOST_TEST_REQUIRE") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
