"""Supervision: restart, quarantine, budget."""

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from actors.adapters.memory.clocks import ManualClock
from actors.runtime.cell import Cell
from actors.runtime.mailbox import Lane, Mailbox
from actors.runtime.retry import STEADY_S
from actors.runtime.supervisor import BACKOFF_FIRST_S, BACKOFF_MAX_S, RESTARTS_MAX, Supervisor
from tests.conftest import Logs


class Adder:
    """Adds numbers; dies of what `dies_of` says."""

    def __init__(self, dies_of: Callable[[int], bool]) -> None:
        self._dies_of = dies_of

    def step(self, message: int, now_us: int) -> list[str]:
        if self._dies_of(message):
            raise ValueError(f"cannot take {message}")
        return [f"took {message}"]

    def set_aside(self, message: int, error: str) -> list[str]:
        return [f"aside {message}: {error}"]


class Scene:
    """A supervisor with one cell."""

    def __init__(self, nursery: trio.Nursery, rest_s: float | None = None) -> None:
        self.did: list[str] = []
        self.built = 0
        self.dies_of: Callable[[int], bool] = lambda n: False
        self.left: list[int] = []
        self.ended = False
        self.supervisor = Supervisor(nursery, ManualClock(), random.Random(1))
        self.cell: Cell[int, str] = Cell(
            "adder",
            Mailbox(control=Lane(9), data=Lane(100)),
            self._build,
            self.did.append,
            rest_s=rest_s,
        )
        self.supervisor.start(self.cell, ended=self._end, gave_up=self.left.extend)

    async def _build(self) -> Adder:
        await trio.lowlevel.checkpoint()
        self.built += 1
        return Adder(lambda n: self.dies_of(n))

    def _end(self) -> None:
        self.ended = True

    def send(self, *numbers: int) -> None:
        for number in numbers:
            self.cell.mailbox.put_nowait(number)


@pytest.fixture
async def scene(autojump_clock: Any, nursery: trio.Nursery) -> Scene:
    return Scene(nursery)


async def test_an_actor_that_died_once_takes_the_message_again_and_goes_on(
    autojump_clock: Any, scene: Scene
) -> None:
    deaths = iter([True])
    scene.dies_of = lambda n: n == 2 and next(deaths, False)
    scene.send(1, 2, 3)
    await trio.sleep(10)
    assert scene.did == ["took 1", "took 2", "took 3"]
    assert scene.built == 2


async def test_a_message_that_kills_twice_is_set_aside_and_the_rest_goes_on(
    autojump_clock: Any, scene: Scene, logs: Logs
) -> None:
    logs.claim("message set aside")
    scene.dies_of = lambda n: n == 2
    scene.send(1, 2, 3)
    await trio.sleep(10)
    assert scene.did == ["took 1", "aside 2: ValueError: cannot take 2", "took 3"]
    assert scene.supervisor.crashes == 2
    assert len(logs.of("message set aside")) == 1


async def test_an_actor_with_nothing_to_do_steps_in_the_turn_of_its_sender(scene: Scene) -> None:
    scene.cell.hand(1)
    assert scene.did == []  # it is not built yet
    await trio.testing.wait_all_tasks_blocked()
    scene.cell.hand(2)
    assert scene.did == ["took 1", "took 2"]


async def test_it_keeps_the_order_behind_what_waits(scene: Scene) -> None:
    await trio.testing.wait_all_tasks_blocked()
    scene.send(1)
    scene.cell.hand(2)
    assert scene.did == []
    scene.cell.hand(0, control=True)
    await trio.testing.wait_all_tasks_blocked()
    assert scene.did == ["took 0", "took 1", "took 2"]


async def test_what_a_step_does_for_its_own_actor_comes_after_it(scene: Scene) -> None:
    await trio.testing.wait_all_tasks_blocked()

    def again(n: int) -> bool:
        if n == 1:
            scene.cell.hand(2)
        return False

    scene.dies_of = again
    scene.cell.hand(1)
    await trio.testing.wait_all_tasks_blocked()
    assert scene.did == ["took 1", "took 2"]


@pytest.mark.parametrize("rests", [False, True])
@pytest.mark.parametrize("deaths", [1, 2])
async def test_a_step_that_fails_in_its_senders_turn_is_its_own_failure(
    autojump_clock: Any, nursery: trio.Nursery, logs: Logs, deaths: int, rests: bool
) -> None:
    logs.claim("message set aside")
    scene = Scene(nursery, rest_s=5)
    left = iter([True] * deaths)
    scene.dies_of = lambda n: n == 2 and next(left, False)
    await trio.sleep(6 if rests else 1)
    assert scene.cell.is_resting == rests
    for number in (1, 2, 3):
        scene.cell.hand(number)
    await trio.sleep(10)
    second = "took 2" if deaths == 1 else "aside 2: ValueError: cannot take 2"
    assert scene.did == ["took 1", second, "took 3"]
    assert scene.built == 1 + deaths  # what failed is built again: its state may be half changed
    assert scene.supervisor.crashes == deaths


async def test_nothing_overtakes_a_message_whose_step_failed(
    autojump_clock: Any, scene: Scene
) -> None:
    left = iter([True])
    scene.dies_of = lambda n: n == 1 and next(left, False)
    await trio.testing.wait_all_tasks_blocked()
    scene.cell.hand(1)
    scene.cell.hand(2, control=True)
    assert not scene.cell.is_idle
    await trio.sleep(10)
    assert scene.did == ["took 1", "took 2"]


@pytest.fixture
async def resting(autojump_clock: Any, nursery: trio.Nursery) -> Scene:
    """Its cell rests."""
    scene = Scene(nursery, rest_s=5)
    await trio.sleep(6)
    assert scene.cell.is_resting
    return scene


async def test_an_actor_at_rest_keeps_its_state_and_has_no_task(
    autojump_clock: Any, resting: Scene, nursery: trio.Nursery
) -> None:
    assert [task.name for task in nursery.child_tasks if task.name == "adder"] == []
    resting.cell.hand(1)
    assert resting.did == ["took 1"]
    assert (resting.built, resting.ended) == (1, False)


async def test_a_message_that_has_to_wait_ends_the_rest(
    autojump_clock: Any, resting: Scene
) -> None:
    resting.send(1, 2)
    await trio.testing.wait_all_tasks_blocked()
    assert resting.did == ["took 1", "took 2"]
    assert not resting.cell.is_resting
    await trio.sleep(6)
    assert resting.cell.is_resting
    assert resting.built == 1


async def test_an_actor_at_rest_ends_at_once_when_its_mailbox_closes(
    autojump_clock: Any, resting: Scene
) -> None:
    resting.cell.mailbox.close()
    assert resting.ended
    with pytest.raises(trio.ClosedResourceError):
        resting.cell.hand(9)


async def test_a_message_after_the_end_of_the_service_wakes_nobody(autojump_clock: Any) -> None:
    """A request that changed a device's settings at that moment failed with a traceback."""
    async with trio.open_nursery() as nursery:
        scene = Scene(nursery, rest_s=5)
        await trio.sleep(6)
        nursery.cancel_scope.cancel()
    scene.send(1)
    assert scene.did == []


async def test_a_contained_task_after_the_end_of_the_service_is_given_up(
    autojump_clock: Any,
) -> None:
    """A request whose entry in the activity log came that late failed with a traceback."""
    async with trio.open_nursery() as nursery:
        scene = Scene(nursery)
        nursery.cancel_scope.cancel()
    given_up: list[str] = []
    scene.supervisor.run_contained(
        "mail", trio.sleep_forever, gave_up=lambda: given_up.append("mail")
    )
    assert given_up == ["mail"]


async def test_failures_count_for_the_budget_across_rests(
    autojump_clock: Any, resting: Scene, logs: Logs
) -> None:
    logs.claim("message set aside")
    logs.claim("actor given up")
    resting.dies_of = lambda n: True
    for number in range(RESTARTS_MAX // 2):  # each fails twice, then it is set aside
        resting.send(number)
        await trio.sleep(14)
        assert resting.cell.is_resting
    resting.send(9)
    await trio.sleep(1)
    assert resting.ended
    assert resting.left == [9]


async def test_an_actor_that_spends_its_budget_is_given_up_alone_with_what_it_had(
    autojump_clock: Any, scene: Scene, logs: Logs
) -> None:
    logs.claim("message set aside")
    logs.claim("actor given up")
    scene.dies_of = lambda n: True
    scene.send(*range(100))
    await trio.sleep(50)
    assert scene.ended
    assert scene.supervisor.crashes == RESTARTS_MAX + 1
    assert len(scene.did) + len(scene.left) == 100


async def test_an_essential_task_is_started_again_for_ever_with_pauses_up_to_a_bound(
    autojump_clock: Any, nursery: trio.Nursery
) -> None:
    times: list[float] = []

    async def fail() -> None:
        times.append(trio.current_time())
        if len(times) <= 100:
            raise OSError("no")
        await trio.sleep_forever()

    supervisor = Supervisor(nursery, ManualClock(), random.Random(1))
    supervisor.run_essential("writer", fail)
    await trio.sleep(300)
    assert "writer" in supervisor.health.degraded()
    await trio.sleep(300)
    pauses = [b - a for a, b in itertools.pairwise(times)]
    assert len(pauses) == 100
    assert min(pauses) >= BACKOFF_FIRST_S / 2  # the event loop does not spin
    assert all(BACKOFF_MAX_S / 2 <= pause <= BACKOFF_MAX_S for pause in pauses[10:])
    assert supervisor.health.failures["writer"] == supervisor.crashes == 100
    assert supervisor.health.degraded() == {}


async def test_a_task_that_fails_is_a_detail_of_degraded_until_it_ran_well_for_a_while(
    autojump_clock: Any, nursery: trio.Nursery
) -> None:
    failing = True

    async def run() -> None:
        await trio.sleep(3)
        if failing:
            raise OSError("no such\nfile")
        await trio.sleep_forever()

    supervisor = Supervisor(nursery, ManualClock(), random.Random(1))
    supervisor.run_essential("loader", run)
    await trio.sleep(2)
    assert supervisor.health.degraded() == {}
    for _ in range(50):
        await trio.sleep(2)
        assert "OSError: no such file" in supervisor.health.degraded()["loader"]
    failing = False
    await trio.sleep(3 + BACKOFF_MAX_S + 10)
    assert supervisor.health.degraded() == {}


async def test_a_steady_run_makes_the_next_pause_short_again(
    autojump_clock: Any, nursery: trio.Nursery
) -> None:
    times: list[float] = []

    async def fail() -> None:
        times.append(trio.current_time())
        if len(times) == 20:
            await trio.sleep(STEADY_S)
        raise OSError("no")

    supervisor = Supervisor(nursery, ManualClock(), random.Random(1))
    supervisor.run_essential("writer", fail)
    await trio.sleep(400)
    assert times[19] - times[18] > BACKOFF_MAX_S / 2 - 1e-6
    assert times[20] - times[19] - STEADY_S <= BACKOFF_FIRST_S


async def test_only_a_broken_scheduler_ends_the_process(autojump_clock: Any, logs: Logs) -> None:
    logs.claim("task ends the process")

    async def fail() -> None:
        await trio.lowlevel.checkpoint()
        raise trio.TrioInternalError("broken")

    with pytest.RaisesGroup(trio.TrioInternalError):
        async with trio.open_nursery() as nursery:
            supervisor = Supervisor(nursery, ManualClock(), random.Random(1))
            supervisor.run_essential("writer", fail)
            nursery.start_soon(supervisor.raise_failure)


async def test_failures_far_apart_cost_nothing(autojump_clock: Any, nursery: trio.Nursery) -> None:
    count = 0

    async def fail_now_and_then() -> None:
        nonlocal count
        await trio.sleep(30)
        count += 1
        if count < 30:
            raise OSError("now and then")
        await trio.sleep_forever()

    Supervisor(nursery, ManualClock(), random.Random(1)).run_essential("writer", fail_now_and_then)
    await trio.sleep(2000)
    assert count == 30


async def test_cancellation_is_no_failure(autojump_clock: Any) -> None:
    async with trio.open_nursery() as nursery:
        scene = Scene(nursery)
        scene.send(1)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert scene.did == ["took 1"]
    assert scene.supervisor.crashes == 0


async def test_messages_that_come_as_it_goes_to_rest_are_not_lost(
    autojump_clock: Any, nursery: trio.Nursery
) -> None:
    scene = Scene(nursery, rest_s=5)
    for n in range(5):
        await trio.sleep(5)  # the very moment at which it would rest
        scene.send(n)
    await trio.sleep(1)
    assert scene.did == [f"took {n}" for n in range(5)]


async def test_a_mailbox_that_closes_as_its_cell_goes_to_rest_ends_it(
    autojump_clock: Any, nursery: trio.Nursery
) -> None:
    """It rested for ever: whoever waited for its end waited, too."""
    scenes = [Scene(nursery, rest_s=5) for _ in range(20)]  # which task is first is chance
    await trio.sleep(5)
    for scene in scenes:
        scene.cell.mailbox.close()
    await trio.sleep(1)
    assert [scene.ended for scene in scenes] == [True] * 20


async def test_the_pause_before_a_restart_grows_and_is_the_same_for_the_same_seed(
    autojump_clock: Any,
) -> None:
    async def pauses(seed: int) -> list[float]:
        times: list[float] = []

        async def fail() -> None:
            times.append(trio.current_time())
            await trio.lowlevel.checkpoint()
            if len(times) > 4:
                await trio.sleep_forever()
            raise OSError("no")

        async with trio.open_nursery() as nursery:
            Supervisor(nursery, ManualClock(), random.Random(seed)).run_essential("x", fail)
            await trio.sleep(20)
            nursery.cancel_scope.cancel()
        return [round(b - a, 9) for a, b in itertools.pairwise(times)]

    first = await pauses(7)
    assert first == await pauses(7)
    assert first != await pauses(8)
    assert first == sorted(first)
