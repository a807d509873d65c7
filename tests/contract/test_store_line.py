"""The line to the memory store has the fates that PostgreSQL has for us: the same promises as in
`test_store_faults.py`, for the twin."""

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

from actors.adapters.memory.clocks import ManualClock, SeededIds
from actors.adapters.memory.store.commits import LOCK_TIMEOUT_S
from actors.adapters.memory.store.fates import CALL_FATES, OVERTAKEN_WITHIN_S
from actors.adapters.memory.store.line import LATE_S, LineCrash, StoreFaults, StoreLine
from actors.adapters.memory.store.store import MemoryStore
from actors.ports.store import Batch
from actors.runtime.isolation import Failed, attempt
from protocol.device.listeners import SETTINGS, Listener
from protocol.errors import Unavailable
from protocol.records import Rejection, Taken
from protocol.rest.listing import REJECTIONS
from tests.contract.test_store import Home, of
from tests.simulation.running import run_virtually
from tests.support.lists import items
from tests.unit.makers import DEVICE, NOW, USER, some_feed

virtual = pytest.mark.trio(run=run_virtually)
REFUSED = Rejection(USER, DEVICE, NOW, "t", "p", "utf-8", "r", "d")
SESSION = "roost-part-0"
LISTENER = Listener(
    user_id=USER, username="l", password_sha256=b"", home_assistant=False, created_us=NOW
)
MORE, OTHER = some_feed("more", 9), some_feed("other", 8)
_ids = SeededIds(random.Random(7))


class Scene:
    """A furnished store behind a line with faults."""

    def __init__(self) -> None:
        self.store = MemoryStore(ManualClock())
        self.faults = StoreFaults()
        self.home = Home(StoreLine(self.store, self.faults))

    async def furnish(self) -> "Scene":
        await self.home.furnish()
        return self

    def batch(self) -> Batch:
        reading = self.home.reading(1.0)
        unit = of(reading, rejections=(REFUSED,), taken=Taken(SESSION, b"1" * 16))
        return Batch(id=_ids.uuid(), units=[unit], confirmed={})

    async def counts(self) -> tuple[int, int]:
        """Readings and refusals that are stored."""
        return len(await self.home.values()), len(await items(self.store, REJECTIONS, USER, 10))


@virtual
async def test_a_commit_that_fails_in_the_middle_stores_nothing_and_can_be_tried_again() -> None:
    scene = await Scene().furnish()
    batch = scene.batch()
    for fate, error in (("middle", Unavailable), ("crash before", LineCrash)):
        scene.faults.commits.append(fate)
        with pytest.raises(error):
            await scene.home.store.commit(batch)
        assert await scene.counts() == (0, 0)
    await scene.home.store.commit(batch)
    assert await scene.counts() == (1, 1)


@virtual
@pytest.mark.parametrize("fate", ["answer", "crash after", "late"])
async def test_a_commit_without_an_answer_is_done_once_and_answers_the_same_again(
    fate: str,
) -> None:
    scene = await Scene().furnish()
    batch = scene.batch()
    scene.faults.commits.append(fate)
    with pytest.raises((Unavailable, LineCrash)):
        await scene.home.store.commit(batch)
    started_s = trio.current_time()
    first = await scene.home.store.commit(batch)
    if fate == "late":  # the retry waits for the first try, which is still running
        assert trio.current_time() == pytest.approx(started_s + LATE_S)
    assert await scene.home.store.commit(batch) == first
    assert await scene.counts() == (1, 1)


@virtual
async def test_an_unfinished_commit_is_seen_by_nobody_and_a_new_process_waits_for_it() -> None:
    scene = await Scene().furnish()
    scene.faults.commits.append("late")
    with pytest.raises(Unavailable):
        await scene.home.store.commit(scene.batch())
    assert await scene.counts() == (0, 0)
    started_s = trio.current_time()
    line = StoreLine(scene.store, StoreFaults())
    with pytest.raises(Unavailable):
        await line.session_memory(SESSION)
    assert trio.current_time() == pytest.approx(started_s + LOCK_TIMEOUT_S)
    memory = await line.session_memory(SESSION)
    assert trio.current_time() == pytest.approx(started_s + LATE_S)
    assert memory.suspects == (b"1" * 16,)
    assert await scene.counts() == (1, 1)


CHANGES: list[Callable[[Scene], Any]] = [
    lambda scene: scene.home.store.update_device(scene.home.device),
    lambda scene: scene.home.store.delete_feed(USER, scene.home.feeds["text"].id),
]


@virtual
@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_without_an_answer_is_done(change: Callable[[Scene], Any]) -> None:
    scene = await Scene().furnish()
    scene.faults.answers = 1
    with pytest.raises(Unavailable):
        await change(scene)
    await change(scene)
    assert scene.faults.answers == 0


@virtual
async def test_of_a_killed_process_the_server_finishes_what_it_has_and_no_more() -> None:
    scene = await Scene().furnish()
    scene.faults.work_s = 1.0
    line = StoreLine(scene.store, scene.faults)
    with trio.move_on_after(0.5):
        await line.commit(scene.batch())
    line.cut()
    await trio.sleep(1.0)
    assert await scene.counts() == (1, 1)


@virtual
@pytest.mark.parametrize("fate", CALL_FATES)
async def test_a_call_is_done_or_not_as_its_fate_says_and_the_next_one_knows(fate: str) -> None:
    scene = await Scene().furnish()
    line, feed = scene.home.store, MORE
    told: list[str] = []
    with scene.store.following(told.append):
        scene.faults.calls.waiting = [("add_feed", fate), ("set_listener", fate)]
        for call in (partial(line.add_feed, feed), partial(line.set_listener, LISTENER)):
            done = await attempt(call)
            assert isinstance(done, Failed) == (fate != "overtaken")
    is_done = fate in ("overtaken", "after")
    assert (await line.feed(USER, feed.id) is not None) == is_done
    assert (await line.listener(USER) is not None) == is_done
    assert told == [SETTINGS + USER, USER] * is_done
    assert await line.device(USER, DEVICE) is not None  # nothing else was undone
    if not is_done:
        await line.add_feed(feed)


@virtual
async def test_settings_that_another_process_changed_are_told_and_its_own_are_not() -> None:
    scene = await Scene().furnish()
    one, other = (StoreLine(scene.store, scene.faults) for _ in range(2))
    told: list[str] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.follow_people, told.append, lambda: None, 5.0)
        await trio.testing.wait_all_tasks_blocked()
        await one.add_feed(MORE)
        assert told == []
        await other.update_feed(MORE)
        assert told == [SETTINGS + USER]
        nursery.cancel_scope.cancel()


@virtual
async def test_another_call_is_done_before_the_one_that_is_overtaken() -> None:
    scene = await Scene().furnish()
    order: list[str] = []

    async def ask(name: str, *args: Any) -> None:
        await getattr(scene.home.store, name)(*args)
        order.append(name)

    for fate in ("overtaken", "rolled back"):
        scene.faults.calls.waiting = [("listeners", fate)]
        started_s = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(attempt, partial(ask, "listeners"))
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(ask, "ping")
        assert trio.current_time() == started_s
    assert order == ["ping", "listeners", "ping"]
    scene.faults.calls.waiting = [("listeners", "overtaken")]
    await scene.home.store.listeners()  # nobody comes: it goes on
    assert trio.current_time() == started_s + OVERTAKEN_WITHIN_S


@virtual
async def test_what_others_do_meanwhile_is_not_rolled_back() -> None:
    scene = await Scene().furnish()
    scene.faults.calls.waiting = [("add_feed", "rolled back")]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(attempt, partial(scene.home.store.add_feed, MORE))
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(scene.home.store.commit, scene.batch())
        nursery.start_soon(scene.home.store.add_feed, OTHER)
    assert await scene.counts() == (1, 1)
    kept = await scene.home.store.feeds(USER, 10, 0)
    assert [feed.key for feed in kept] == ["number", "text", "bool", "other"]
