"""What others can cause is told to the log now and then."""

import trio
import trio.testing

from actors.runtime.sampled import Sampled


async def test_the_first_is_told_at_once_and_the_others_are_counted(
    autojump_clock: trio.testing.MockClock,
) -> None:
    told = Sampled(every_s=1.0)
    assert told.times() == 1
    assert [told.times() for _ in range(5)] == [0] * 5
    await trio.sleep(1)
    assert told.times(0) == 0
    assert told.times(3) == 8
    assert told.times() == 0
