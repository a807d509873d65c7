"""What the command outbox publishes while the broker says slowly, or not at all, what it holds."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import trio

from actors.adapters.memory.clocks import ManualClock
from actors.adapters.mqtt.no_logins import NoLogins
from actors.due.commands import QUEUE_MAX, CommandOutbox
from protocol.device import commands
from protocol.device.commands import Command
from tests.unit.actors.containment.test_containment import Outbox, Publishing, some_command
from tests.unit.makers import OTHER_USER


class Logins(NoLogins):
    """Answers after a while what it holds; asked for ever by default."""

    def __init__(self, held_s: Callable[[str], float], after_s: float = 0) -> None:
        self.asked: list[str] = []
        self._held_s = held_s
        self._after_s = after_s

    async def holds_for(self, client_id: str) -> float:
        self.asked.append(client_id)
        await trio.sleep(self._after_s)
        return self._held_s(client_id)


class Scene:
    def __init__(self, nursery: trio.Nursery, logins: Logins) -> None:
        self.store, self.broker, self.clock = Outbox(), Publishing(), ManualClock()
        self.due: list[int] = []
        store: Any = self.store
        broker: Any = self.broker
        self.outbox = CommandOutbox(
            store, broker, logins, self.clock, lambda progress: None, self.due.append
        )
        nursery.start_soon(self.outbox.run)

    @property
    def taken(self) -> list[str]:
        return [topic.split("/")[3] for topic in self.broker.taken]


def published(n: int, **changes: Any) -> Command:
    """A command that was published before."""
    return msgspec.structs.replace(some_command(n), state=commands.SENT, **changes)


async def test_first_tries_do_not_wait_for_what_the_broker_holds(
    autojump_clock: Any, nursery: trio.Nursery
) -> None:
    scene = Scene(nursery, Logins(lambda client_id: 0, after_s=60))
    scene.outbox.send([published(1), published(2)])
    await trio.sleep(0.01)
    scene.outbox.send([some_command(n) for n in (3, 4)])
    await trio.sleep(0.1)
    assert sorted(scene.taken) == ["d3", "d4"]
    await trio.sleep(1)  # what is not known by then is published
    assert scene.taken[2:] == ["d1", "d2"]


async def test_the_broker_is_asked_once_for_each_device(
    autojump_clock: Any, nursery: trio.Nursery
) -> None:
    logins = Logins(lambda client_id: 0)
    scene = Scene(nursery, logins)
    scene.outbox.send([published(n, device_id=f"d{n % 2}") for n in range(10)])
    await trio.sleep(1)
    assert len(scene.taken) == 10
    assert len(logins.asked) == 2


@pytest.mark.parametrize(("held_s", "again_s"), [(0.5, [0.5]), (1e9, [])])
async def test_what_the_broker_holds_is_due_again_when_that_is_over(
    autojump_clock: Any, nursery: trio.Nursery, held_s: float, again_s: list[float]
) -> None:
    scene = Scene(nursery, Logins(lambda client_id: held_s))
    scene.outbox.send([published(1)])
    await trio.sleep(1)
    assert scene.taken == []
    expected = [scene.clock.now_us() + round(each * 1_000_000) for each in again_s]
    assert [at_us for _, at_us in scene.store.unsent] == scene.due == expected
    assert scene.outbox.room == QUEUE_MAX


async def test_one_more_than_there_is_room_for_is_claimed_again(
    autojump_clock: Any, nursery: trio.Nursery
) -> None:
    scene = Scene(nursery, Logins(lambda client_id: 0))
    scene.outbox.send([some_command(n) for n in range(QUEUE_MAX)])
    scene.outbox.send([published(QUEUE_MAX)])
    assert scene.outbox.room == 0
    await trio.sleep(10)
    assert len(scene.taken) == QUEUE_MAX


async def test_commands_of_two_users_with_the_same_id_are_both_published_and_noted(
    autojump_clock: Any, nursery: trio.Nursery
) -> None:
    scene = Scene(nursery, Logins(lambda client_id: 0))
    others = msgspec.structs.replace(some_command(1), user_id=OTHER_USER, device_code="d2")
    scene.outbox.send([some_command(1), others])
    await trio.sleep(1)
    assert sorted(scene.taken) == ["d1", "d2"]
    assert scene.store.sent == [others.id, others.id]
    assert scene.outbox.in_flight == 0
