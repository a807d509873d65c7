"""A failure stays with the one thing that failed."""

from collections.abc import Sequence

import pytest
import trio

from actors.runtime.isolation import ALONE_MAX, Failed, attempt, attempt_each, attempt_now
from protocol.errors import Unavailable


class Loader:
    """Loads numbers; fails with whoever asks for one of `bad`."""

    def __init__(self, *bad: int) -> None:
        self.bad = set(bad)
        self.calls = 0

    async def load(self, keys: Sequence[int]) -> list[int]:
        await trio.lowlevel.checkpoint()
        self.calls += 1
        if found := self.bad.intersection(keys):
            raise ValueError(f"cannot load {min(found)}")
        return [10 * key for key in keys]


async def test_one_bad_key_fails_alone_and_costs_little() -> None:
    loader = Loader(700)
    done = await attempt_each(range(1_000), loader.load)
    assert [n for n, each in enumerate(done) if isinstance(each, Failed)] == [700]
    assert done[699] == 6_990
    assert isinstance(done[700], Failed)
    assert str(done[700].error) == "cannot load 700"
    assert loader.calls <= 2 * 11


async def test_what_fails_for_all_of_them_is_about_none() -> None:
    loader = Loader(*range(1_000))
    with pytest.raises(ValueError, match="cannot load"):
        await attempt_each(range(1_000), loader.load)
    assert loader.calls <= 2 * 1_000


async def test_many_that_fail_beside_one_that_does_not_fail_alone() -> None:
    """Seventeen devices of one tenant that nobody can read stopped every start of an actor."""
    loader = Loader(*range(10 * ALONE_MAX))
    done = await attempt_each(range(10 * ALONE_MAX + 1), loader.load)
    assert done[-1] == 10 * 10 * ALONE_MAX
    assert all(isinstance(each, Failed) for each in done[:-1])


async def test_a_server_that_is_away_is_about_no_key() -> None:
    calls = 0

    async def away(keys: Sequence[int]) -> list[int]:
        nonlocal calls
        await trio.lowlevel.checkpoint()
        calls += 1
        raise Unavailable("away")

    with pytest.raises(Unavailable):
        await attempt_each([1, 2, 3], away)
    assert calls == 1


async def test_cancellation_and_the_end_of_the_process_pass() -> None:
    async def sleep() -> None:
        await trio.sleep_forever()

    async def broken() -> None:
        await trio.lowlevel.checkpoint()
        raise trio.TrioInternalError("broken")

    with trio.move_on_after(0) as scope:
        await attempt(sleep)
    assert scope.cancelled_caught
    with pytest.raises(trio.TrioInternalError):
        await attempt(broken)

    def ask_for_the_end() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt_now(ask_for_the_end)
