"""One-shot replies."""

import pytest
import trio
import trio.testing

from actors.runtime.reply import Reply


async def test_the_first_word_counts() -> None:
    reply = Reply[int]()
    reply.settle(1)
    reply.settle(2)
    reply.fail(ValueError())
    assert await reply.wait(1) == 1


async def test_none_is_an_answer() -> None:
    reply = Reply[None]()
    reply.settle(None)
    await reply.wait(1)
    assert reply.is_settled


async def test_a_failure_is_raised_where_it_is_waited_for() -> None:
    reply = Reply[int]()
    reply.fail(KeyError("gone"))
    with pytest.raises(KeyError):
        await reply.wait(1)


async def test_nobody_waits_for_ever(autojump_clock: trio.testing.MockClock) -> None:
    with pytest.raises(trio.TooSlowError):
        await Reply[int]().wait(5)
