"""The writer: adaptive batches, retry, bisecting, barriers."""

import random
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

from actors.adapters.memory.clocks import ManualClock, SeededIds
from actors.ingest.counters import Counters
from actors.ingest.writer import CONFIRM_DELAY_S, ROWS_MAX, Writer
from actors.ports.store import Batch, Committed
from actors.runtime.supervisor import Supervisor
from protocol.device.commands import CommandAck
from protocol.errors import Unavailable, Unstorable
from protocol.records import AckChange, Reading, Rejection, WriteUnit
from tests.conftest import Logs
from tests.unit.makers import NOW, USER

KEY = (USER, "d1")


def unit(*values: float, receipt: object = None, device: tuple[str, str] = KEY) -> WriteUnit:
    readings = tuple(Reading(1, 1, NOW, int(v), float(v)) for v in values)
    return WriteUnit(device=device, readings=readings, receipt=receipt)


class SlowStore:
    """Commits in one second each; fails as told."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.poison: set[float] = set()
        self.outages = 0

    async def commit(self, batch: Batch) -> Committed:
        await trio.sleep(1)
        if self.outages:
            self.outages -= 1
            raise Unavailable("away")
        values = {r.value for u in batch.units for r in u.readings}
        if values & self.poison:
            raise Unstorable("poison")
        self.batches.append(batch)
        return Committed(no=len(self.batches), duplicates=[0] * len(batch.units))

    @property
    def sizes(self) -> list[int]:
        return [len(batch.units) for batch in self.batches]


def slow_store() -> Any:
    """Only what the writer needs of a store."""
    return SlowStore()


class Scene:
    def __init__(
        self, nursery: trio.Nursery, store: Any = None, *, supervised: bool = False
    ) -> None:
        self.store = store or slow_store()
        self.settled: list[tuple[int, list[object]]] = []
        self.counters = Counters()
        self.writer = Writer(
            self.store,
            SeededIds(random.Random(1)),
            self.counters,
            random.Random(1),
        )
        if supervised:
            Supervisor(nursery, ManualClock(), random.Random(1)).run_essential(
                "writer", partial(self.writer.run, self)
            )
        else:
            nursery.start_soon(self.writer.run, self)

    def committed(self, committed: Committed, units: Sequence[WriteUnit]) -> None:
        self.settled.append((committed.no, [u.receipt for u in units]))

    def gave_up(self, units: Sequence[WriteUnit], epoch: int) -> None:
        raise AssertionError("no other process led")


@pytest.fixture
async def scene(autojump_clock: Any, nursery: trio.Nursery) -> Scene:
    return Scene(nursery)


async def test_a_batch_is_what_arrived_during_the_last_commit(
    autojump_clock: Any, scene: Scene
) -> None:
    scene.writer.submit(unit(0, receipt=0))
    await trio.sleep(0.5)
    for n in range(1, 5):
        scene.writer.submit(unit(n, receipt=n))
    await scene.writer.barrier()
    assert scene.store.sizes == [1, 4]
    assert scene.settled == [(1, [0]), (2, [1, 2, 3, 4])]


async def test_a_batch_has_a_bound_and_a_unit_stays_whole(
    autojump_clock: Any, scene: Scene
) -> None:
    for _ in range(30):
        scene.writer.submit(unit(*range(400)))
    await scene.writer.barrier()
    rows = [sum(len(u.readings) for u in batch.units) for batch in scene.store.batches]
    assert sum(rows) == 30 * 400
    assert max(rows) <= ROWS_MAX
    assert all(len(u.readings) == 400 for batch in scene.store.batches for u in batch.units)


async def test_others_wait_for_one_commit_and_not_for_all_that_a_device_has(
    autojump_clock: Any, scene: Scene
) -> None:
    for n in range(20_000):
        scene.writer.submit(unit(n, receipt=n))
    await trio.sleep(1.5)  # the second commit is under way
    scene.writer.submit(unit(1, receipt="other", device=(USER, "d2")))
    await trio.sleep(2)
    settled = [no for no, receipts in scene.settled if "other" in receipts]
    assert settled == [3]
    await scene.writer.barrier()
    assert [r for _, receipts in scene.settled for r in receipts if r != "other"] == [
        *range(20_000)
    ]


async def test_a_barrier_waits_for_what_was_before_it_though_others_overtake_that(
    autojump_clock: Any, scene: Scene
) -> None:
    for n in range(5_000):
        scene.writer.submit(unit(n, receipt=n))
    passed = trio.Event()

    async def wait() -> None:
        await scene.writer.barrier()
        passed.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.sleep(0.5)
        for n in range(5_000):  # as many units, which are done meanwhile
            scene.writer.submit(unit(n, receipt="late", device=(USER, f"d{n}")))
        await passed.wait()
    done = [r for _, receipts in scene.settled for r in receipts]
    assert {*range(5_000)} <= {*done}
    assert "late" in done


async def test_while_the_database_is_away_nothing_is_settled_and_the_batch_keeps_its_name(
    autojump_clock: Any, scene: Scene
) -> None:
    names: list[str] = []
    commit = scene.store.commit

    async def noting(batch: Batch) -> Committed:
        names.append(batch.id)
        answer: Committed = await commit(batch)
        return answer

    scene.store.commit = noting
    scene.store.outages = 3
    scene.writer.submit(unit(1, receipt="r"))
    await trio.sleep(3.5)
    assert scene.settled == []
    assert scene.writer.statistics().stuck_since_s is not None
    await scene.writer.barrier()
    assert scene.settled == [(1, ["r"])]
    assert len(names) == 4 and len(set(names)) == 1
    assert scene.writer.statistics().stuck_since_s is None


async def test_the_poison_of_a_batch_is_recorded_as_refused_and_the_rest_is_stored_in_order(
    autojump_clock: Any, scene: Scene, logs: Logs
) -> None:
    logs.claim("unit cannot be stored")
    scene.store.poison = {13.0}
    for n in range(20):
        scene.counters.received(KEY, 1)
        scene.writer.submit(unit(n, receipt=n))
    await scene.writer.barrier()
    stored = [r.value for b in scene.store.batches for u in b.units for r in u.readings]
    assert stored == [n for n in range(20) if n != 13]
    (refused,) = [r for b in scene.store.batches for u in b.units for r in u.rejections]
    assert (refused.reason, refused.payload) == ("unstorable", "13.0")
    assert [r for _, receipts in scene.settled for r in receipts] == list(range(20))
    total = scene.counters.total
    assert (total.stored, total.refused, total.in_flight) == (19, 1, 0)


async def test_what_cannot_even_be_refused_is_logged_and_stops_nobody(
    autojump_clock: Any, scene: Scene, logs: Logs
) -> None:
    logs.claim("unit cannot be stored")
    logs.claim("refusal cannot be stored")

    async def never(batch: Batch) -> Committed:
        await trio.lowlevel.checkpoint()
        raise Unstorable("never")

    scene.store.commit = never
    rejection = Rejection(USER, "", NOW, "t", "p", "utf-8", "r", "d")
    scene.writer.submit(WriteUnit(device=KEY, rejections=(rejection,), receipt="r"))
    await scene.writer.barrier()
    assert scene.settled == [(0, ["r"])]


async def test_units_without_rows_need_no_database(autojump_clock: Any, scene: Scene) -> None:
    scene.writer.submit(WriteUnit(device=KEY, receipt="r", unowned=1))
    await scene.writer.barrier()
    assert scene.store.batches == []
    assert scene.settled == [(0, ["r"])]


async def test_a_confirmation_rides_on_a_commit_or_waits_a_second(
    autojump_clock: Any, scene: Scene
) -> None:
    scene.writer.confirm("s", 1)
    scene.writer.submit(unit(1))
    await scene.writer.barrier()
    assert scene.store.batches[0].confirmed == {"s": 1}
    scene.writer.submit(unit(2))
    await scene.writer.barrier()
    assert scene.store.batches[1].confirmed == {}
    scene.writer.confirm("s", 2)
    scene.writer.submit(unit(3))
    await trio.sleep(CONFIRM_DELAY_S + 5)
    assert [b.confirmed for b in scene.store.batches[2:]] == [{"s": 2}]


async def test_a_failure_of_the_writer_itself_repeats_no_settled_half(
    autojump_clock: Any, logs: Logs
) -> None:
    logs.claim("unit cannot be stored")
    async with trio.open_nursery() as nursery:
        scene = Scene(nursery)
        writer = Writer(
            scene.store,
            SeededIds(random.Random(1)),
            scene.counters,
            random.Random(1),
        )
        scene.store.poison = {3.0}
        commit = scene.store.commit
        calls = 0

        async def failing(batch: Batch) -> Committed:
            nonlocal calls
            calls += 1
            if calls == 3:
                raise RuntimeError("a bug")
            answer: Committed = await commit(batch)
            return answer

        scene.store.commit = failing
        run = partial(writer.run, scene)
        Supervisor(nursery, ManualClock(), random.Random(1)).run_essential("writer", run)
        for n in range(4):
            writer.submit(unit(n, receipt=n))
        await writer.barrier()
        nursery.cancel_scope.cancel()
    receipts = [r for _, settled in scene.settled for r in settled]
    assert receipts == [0, 1, 2, 3]


async def test_what_a_device_said_of_a_command_that_nobody_can_read_is_kept_as_refused(
    autojump_clock: Any, scene: Scene, logs: Logs
) -> None:
    """It was settled before, and neither stored nor recorded."""
    logs.claim("unit cannot be stored")
    commit = scene.store.commit

    async def refusing(batch: Batch) -> Committed:
        if any(each.acks for each in batch.units):
            raise Unstorable("a command that nobody can read")
        answer: Committed = await commit(batch)
        return answer

    scene.store.commit = refusing
    otherwise = Rejection(USER, "", NOW, "t", "{}", "utf-8", "unknown_command", "d")
    said = CommandAck(status="succeeded", at_us=NOW)
    ack = AckChange(KEY, "c", 1, said, otherwise)
    scene.writer.submit(unit(1, receipt="before"))
    scene.writer.submit(WriteUnit(device=KEY, acks=(ack,), receipt="ack"))
    scene.writer.submit(unit(2, receipt="after"))
    await scene.writer.barrier()
    assert [each for _, settled in scene.settled for each in settled] == ["before", "ack", "after"]
    (kept,) = [r for batch in scene.store.batches for u in batch.units for r in u.rejections]
    assert (kept.reason, kept.detail) == (
        "unstorable",
        "the message cannot be stored: a command that nobody can read",
    )
    assert (kept.topic, kept.readings) == ("t", 0)


class ForgetfulStore(SlowStore):
    """Commits, but has unexpected failures instead of some answers (the n-th call is the key)."""

    def __init__(self, *failing: int) -> None:
        super().__init__()
        self.calls: list[Batch] = []
        self._failing = failing
        self._done: dict[str, Committed] = {}

    async def commit(self, batch: Batch) -> Committed:
        self.calls.append(batch)
        if batch.id not in self._done:
            self._done[batch.id] = await super().commit(batch)
        if len(self.calls) in self._failing:
            raise RuntimeError("a bug")
        return self._done[batch.id]


async def test_after_an_unexpected_failure_the_same_batch_is_tried_again(
    autojump_clock: Any, nursery: trio.Nursery
) -> None:
    store = ForgetfulStore(1, 2)
    scene = Scene(nursery, store, supervised=True)
    scene.writer.confirm("s", 7)
    scene.writer.submit(unit(0, receipt=0))
    await trio.sleep(0.5)
    scene.writer.submit(unit(1, receipt=1))
    scene.writer.confirm("s", 8)
    await scene.writer.barrier()
    first, *again, second = store.calls
    assert again == [first, first]
    assert [batch.confirmed for batch in (first, second)] == [{"s": 7}, {"s": 8}]
    assert store.batches == [first, second]
    assert scene.settled == [(1, [0]), (2, [1])]
    assert scene.counters.total.stored == 2


async def test_after_an_unexpected_failure_a_refusal_is_recorded_once(
    autojump_clock: Any, nursery: trio.Nursery, logs: Logs
) -> None:
    logs.claim("unit cannot be stored")
    store = ForgetfulStore(3)  # the whole batch, its first unit alone, the refusal of that
    store.poison = {0.0}
    scene = Scene(nursery, store, supervised=True)
    for n in range(2):
        scene.writer.submit(unit(n, receipt=n))
    await scene.writer.barrier()
    refusals = [batch for batch in store.batches if batch.units[0].rejections]
    assert len(refusals) == 1
    assert [receipts for _, receipts in scene.settled] == [[0], [1]]
    assert (scene.counters.total.refused, scene.counters.total.stored) == (1, 1)
    assert scene.writer.statistics().set_aside == 1


async def test_a_confirmation_that_comes_while_nothing_happens_is_written_all_the_same(
    autojump_clock: Any, scene: Scene
) -> None:
    scene.writer.submit(unit(1))
    await scene.writer.barrier()
    await trio.sleep(3600)
    scene.writer.confirm("s", 1)
    await trio.sleep(CONFIRM_DELAY_S + 1.5)
    assert [b.confirmed for b in scene.store.batches] == [{}, {"s": 1}]
