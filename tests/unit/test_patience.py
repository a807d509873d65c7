"""The limit of a test is there, and is that of tests on the real clock."""

import pytest
import trio

from tests.simulation.running import run_virtually
from tests.support import patience


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "TEST_MAX_S", 0.01)


@pytest.mark.usefixtures("short")
def test_what_hangs_fails() -> None:
    with pytest.raises(trio.TooSlowError):
        patience.run_bounded(trio.sleep_forever)


@pytest.mark.usefixtures("short")
def test_seconds_of_a_clock_that_jumps_are_not_counted() -> None:
    async def long() -> str:
        await trio.sleep(10_000)
        return "done"

    clock = trio.testing.MockClock(autojump_threshold=0)
    assert patience.run_bounded(long, clock=clock) == "done"


def test_each_trio_test_has_one_runner_with_an_end(request: pytest.FixtureRequest) -> None:
    """Of all that were collected with this one."""
    endless = []
    for item in request.session.items:
        runners = [marker.kwargs["run"] for marker in item.iter_markers("trio")]
        if runners and runners[0] not in (patience.run_bounded, run_virtually):
            endless.append(item.nodeid)
    assert not endless
