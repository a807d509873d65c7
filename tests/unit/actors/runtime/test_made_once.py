"""What is made once: in a thread, for all who ask, and again where it failed."""

import threading

import pytest
import trio
import trio.testing

from actors.runtime.made_once import MadeOnce


class Maker:
    """Makes when told to, and remembers where."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []
        self.may_end = threading.Event()
        self.fails = False

    def __call__(self) -> object:
        self.threads.append(threading.current_thread())
        assert self.may_end.wait(10)
        if self.fails:
            raise ValueError("not today")
        return object()


async def test_it_is_made_once_in_a_thread_and_all_who_ask_get_the_same() -> None:
    maker = Maker()
    once = MadeOnce(maker)
    got: list[object] = []

    async def ask() -> None:
        got.append(await once.get())

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        maker.may_end.set()
    assert len(set(map(id, got))) == 1
    assert len(maker.threads) == 1
    assert maker.threads[0] is not threading.current_thread()


async def test_who_leaves_meanwhile_takes_nothing_away() -> None:
    maker = Maker()
    once = MadeOnce(maker)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(once.get)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
            maker.may_end.set()
    await once.get()
    assert len(maker.threads) == 1


async def test_what_failed_is_tried_again() -> None:
    maker = Maker()
    maker.may_end.set()
    once = MadeOnce(maker)
    maker.fails = True
    with pytest.raises(ValueError, match="not today"):
        await once.get()
    maker.fails = False
    assert await once.get() is await once.get()
    assert len(maker.threads) == 2
