"""What a bridge takes trio-asyncio's private parts for (`actors/adapters/asyncio_bridge.py`)."""

import asyncio
import socket
from typing import Any

import pytest
import trio

from actors.adapters.asyncio_bridge import TURN_MAX, open_bridge

PLACES = {"_main_loop_one", "_check_callback", "synchronize"}


async def turns_of(spins: int) -> int:
    """How many turns other tasks of Trio have while callbacks follow each other."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async def spin() -> None:
        for _ in range(spins):
            await asyncio.sleep(0)

    async with open_bridge("guard") as bridge, trio.open_nursery() as nursery:
        nursery.start_soon(count)
        await bridge.run(spin)
        nursery.cancel_scope.cancel()
    return turns


async def test_callbacks_run_in_a_row_and_leave_turns_to_other_tasks() -> None:
    turns = await turns_of(100 * TURN_MAX)
    assert 100 <= turns < 100 * TURN_MAX / 2


async def test_a_timer_of_asyncio_rings_while_callbacks_go_on() -> None:
    rang: list[bool] = []

    async def spin() -> None:
        asyncio.get_running_loop().call_later(0.01, rang.append, True)
        async with asyncio.timeout(10):
            while not rang:
                await asyncio.sleep(0)

    async with open_bridge("guard") as bridge:
        await bridge.run(spin)
    assert rang == [True]


async def test_a_callback_is_not_looked_at() -> None:
    async def call() -> None:
        nothing: Any = None
        asyncio.get_running_loop().call_soon(nothing).cancel()

    async with open_bridge("guard") as bridge:
        await bridge.run(call)


async def test_a_socket_is_read_again_before_all_is_done_that_the_last_read_caused() -> None:
    """Else one whose messages cause work would be read at the pace of all work."""
    ours, theirs = socket.socketpair()
    for each in (ours, theirs):
        each.setblocking(False)
    waiting = 20 * TURN_MAX
    left: list[int] = []

    async def read() -> None:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def came() -> None:
            if not left:
                for _ in range(waiting):
                    loop.call_soon(work)
            left.append(waiting)
            if len(left) == 2:
                done.set()

        def work() -> None:
            nonlocal waiting
            waiting -= 1

        loop.add_reader(ours, came)  # what is there is never taken: it can always be read
        await done.wait()
        loop.remove_reader(ours)

    try:
        theirs.send(b"x")
        async with open_bridge("guard") as bridge:
            await bridge.run(read)
    finally:
        ours.close()
        theirs.close()
    assert left[1] > 0


async def test_the_loop_has_its_own_parts_again_when_it_ends() -> None:
    """Its end waits until all is done, by the method that is replaced before."""
    async with open_bridge("guard") as bridge:
        loop = bridge._loop
        assert vars(loop).keys() >= PLACES
    assert not PLACES & vars(loop).keys()


async def test_the_end_of_a_bridge_ends_what_still_runs() -> None:
    ended: list[str] = []

    async def work() -> None:
        async def lives_on() -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                ended.append("task")

        task = asyncio.ensure_future(lives_on())
        await asyncio.sleep(0)
        assert not task.done()

    with trio.fail_after(5):
        async with open_bridge("guard") as bridge:
            await bridge.run(work)
    assert ended == ["task"]


async def test_what_fails_in_asyncio_is_raised_where_it_is_waited_for() -> None:
    async def fail() -> None:
        raise ValueError("a mistake")

    async with open_bridge("guard") as bridge:
        with pytest.raises(ValueError, match="a mistake"):
            await bridge.run(fail)
