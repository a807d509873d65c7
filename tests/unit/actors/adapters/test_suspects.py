"""Whose fault it is that connections end."""

from collections.abc import Sequence

import pytest
import trio
import trio.testing

from actors.adapters.mqtt.sending import PARTS, Fate, Sender
from actors.adapters.mqtt.suspects import PAUSE_FIRST_S, PAUSE_MAX_S, SUSPECTS_MAX, Suspects
from actors.ports.broker import PUBLISH_MAX, Publication
from protocol.device.publishing import PAYLOAD_MAX
from protocol.errors import Unpublishable

AGAIN_S = 2.0


class Line:
    """A connection that ends when something `deadly` is sent by it, and is made anew at once."""

    def __init__(self, *deadly: str) -> None:
        self.deadly = set(deadly)
        self.deaths: list[float] = []
        self.parts: list[int] = []
        self.most = self.going = 0

    async def send(self, part: Sequence[Publication]) -> list[Fate]:
        self.going += 1
        self.most = max(self.most, self.going)
        self.parts.append(sum(len(each.payload) for each in part))
        await trio.sleep(0.1)
        self.going -= 1
        bad = [n for n, each in enumerate(part) if each.topic in self.deadly]
        if bad:
            self.deaths.append(trio.current_time())
        first = min(bad, default=len(part))
        return [Fate.TAKEN if n < first else Fate.ENDED for n in range(len(part))]


def some(count: int, first: int = 0) -> list[Publication]:
    return [Publication(f"t/{n}", b"%d" % n) for n in range(first, first + count)]


async def until_settled(sender: Sender, messages: Sequence[Publication]) -> dict[str, float]:
    """Send until each is taken or refused, as those do who publish; answers when that was."""
    began_s = trio.current_time()
    settled_s: dict[str, float] = {}
    left = list(messages)
    while left:
        assert trio.current_time() - began_s < 120
        answers = await sender.publish(left)
        now_s = trio.current_time() - began_s
        settled_s |= {m.topic: now_s for m, a in zip(left, answers, strict=True) if a is not False}
        left = [m for m, answer in zip(left, answers, strict=True) if answer is False]
        await trio.sleep(AGAIN_S)
    return settled_s


@pytest.mark.parametrize("place", [0, 13, 31])
async def test_one_that_ends_connections_is_found_and_the_others_go_on(
    place: int, autojump_clock: trio.testing.MockClock
) -> None:
    line = Line(f"t/{place}")
    sender = Sender(line.send)
    settled_s = await until_settled(sender, some(PUBLISH_MAX))
    assert len(line.deaths) == 3  # one with the others, two alone
    others = [at_s for topic, at_s in settled_s.items() if topic not in line.deadly]
    assert max(others) < 2 * AGAIN_S + PUBLISH_MAX * 0.1
    (answer,) = await sender.publish([Publication(f"t/{place}", b"other")])
    assert isinstance(answer, Unpublishable)
    assert len(line.deaths) == 3


async def test_it_is_tried_again_ever_more_seldom_and_forgiven_when_it_is_taken(
    autojump_clock: trio.testing.MockClock,
) -> None:
    line = Line("t/0")
    sender = Sender(line.send)
    with trio.move_on_after(7_200):
        while True:
            await sender.publish(some(2))
            await trio.sleep(AGAIN_S)
    pauses = [b - a for a, b in zip(line.deaths[2:], line.deaths[3:], strict=False)]
    assert pauses[0] == pytest.approx(PAUSE_FIRST_S, abs=2 * AGAIN_S)
    assert max(pauses) == pytest.approx(PAUSE_MAX_S, abs=2 * AGAIN_S)
    assert len(line.deaths) < 35
    line.deadly.clear()
    await trio.sleep(PAUSE_MAX_S)
    assert await sender.publish(some(2)) == [True, True]
    assert not sender._suspects.holds("t/0")


async def test_a_broker_that_ends_all_connections_is_nobodys_fault_for_long(
    autojump_clock: trio.testing.MockClock,
) -> None:
    line = Line(*(each.topic for each in some(4)))
    sender = Sender(line.send)
    for _ in range(4):
        await sender.publish(some(4))
        await trio.sleep(AGAIN_S)
    line.deadly.clear()
    assert await sender.publish(some(4)) == [True] * 4
    assert not any(sender._suspects.holds(each.topic) for each in some(4))


async def test_parts_are_bounded_and_large_ones_let_others_in_between(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    line = Line()
    sender = Sender(line.send)
    large = [Publication(f"d/{n}", b"x" * (PAYLOAD_MAX // 2)) for n in range(PUBLISH_MAX)]
    for _ in range(3):
        nursery.start_soon(sender.publish, large)
    await trio.sleep(0.05)
    began_s = trio.current_time()
    assert await sender.publish(some(1)) == [True]
    assert trio.current_time() - began_s < 0.5  # all of the large ones take 2.4 s
    await trio.sleep(10)
    assert max(line.parts) <= PAYLOAD_MAX
    assert line.most == PARTS


async def test_nothing_else_is_on_its_way_with_a_suspect(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    line = Line("t/1")
    sender = Sender(line.send)
    await sender.publish(some(2))
    for n in range(10):
        nursery.start_soon(until_settled, sender, some(4, 100 + 4 * n))
    await until_settled(sender, some(2))
    assert len(line.deaths) == 3
    assert not any(sender._suspects.holds(f"t/{n}") for n in range(100, 140))


def test_they_are_bounded_and_the_oldest_is_forgotten() -> None:
    suspects = Suspects()
    for n in range(SUSPECTS_MAX + 1):
        suspects.ended([Publication(f"t/{n}", b"")], n, alone=False)
    assert not suspects.holds("t/0")
    assert suspects.holds("t/1")


async def test_whoever_gives_up_waiting_leaves_the_room_to_the_others(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    line = Line()
    sender = Sender(line.send)
    for n in range(20):
        with trio.CancelScope() as scope:
            scope.deadline = trio.current_time() + 0.03 * n
            nursery.start_soon(sender.publish, some(2))
            nursery.start_soon(sender.publish, some(2))
            await sender.publish(some(2))
    await trio.sleep(5)
    assert (sender._room._going, len(sender._room._queue)) == (0, 0)
    assert await sender.publish(some(2)) == [True, True]


async def test_what_is_late_when_its_turn_comes_is_not_sent_and_others_are(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    """Commands went out after their expiry, where they had waited for others (seed 3725)."""
    line = Line()
    sender = Sender(line.send)
    for n in range(PARTS):  # all the room there is
        nursery.start_soon(sender.publish, some(1, n))
    await trio.testing.wait_all_tasks_blocked()
    until_s = trio.current_time() + 0.05
    late = Publication("t/late", b"x", is_late=lambda: trio.current_time() >= until_s)
    in_time = Publication("t/in-time", b"x", is_late=lambda: False)
    assert await sender.publish([in_time, late]) == [True, False]
    assert line.parts == [1] * (PARTS + 1)
    assert await sender.publish([late]) == [False]
    assert line.parts == [1] * (PARTS + 1)
