"""The devices of a virtual fleet, over the twin of a broker."""

import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any, cast

import pytest
import trio

from actors.adapters.memory.clocks import ManualClock
from actors.adapters.mqtt.client import Address
from actors.adapters.mqtt.device import Connect
from protocol.errors import Unavailable
from protocol.times import format_us
from roost.fleet.device import COMMANDS_MAX, PLAYS_S, Access, VirtualDevice
from roost.fleet.tally import RATE_OVER_S, Tally
from roost.fleet.weather import Weather, report, somewhere
from tests.simulation.running import run_virtually

virtual = pytest.mark.trio(run=run_virtually)

ACCESS = Access("device-1", "device-1", "secret", "users/u/devices/d")


class Line:
    """A connection to `Broker`."""

    def __init__(self, broker: "Broker") -> None:
        self.lost = trio.Event()
        self._broker = broker

    async def publish(self, topic: str, payload: bytes) -> None:
        self._broker.check(self)
        await trio.sleep(self._broker.answers_after_s)
        self._broker.check(self)
        self._broker.heard.append((trio.current_time(), topic, json.loads(payload)))

    async def subscribe(self, topic: str, heard: Callable[[bytes], None]) -> None:
        self._broker.command = heard


class Broker:
    """What a fleet sees of a broker: it may be away, slow, or cut a line."""

    def __init__(self) -> None:
        self.is_away = False
        self.is_silent = False
        self.answers_after_s = 0.0
        self.heard: list[tuple[float, str, Any]] = []
        self.tries: list[float] = []
        self.wills: list[Any] = []
        self.lines: list[Line] = []
        self.command: Callable[[bytes], None] = lambda payload: None

    def check(self, line: Line) -> None:
        if line.lost.is_set():
            raise Unavailable("the connection was lost")

    @asynccontextmanager
    async def connect(
        self, address: Address, client_id: str, username: str, password: str, will: Any
    ) -> AsyncIterator[Line]:
        self.tries.append(trio.current_time())
        if self.is_away:
            raise Unavailable("nobody there")
        if self.is_silent:
            await trio.sleep_forever()
        self.wills.append(will)
        line = Line(self)
        self.lines.append(line)
        yield line

    def said(self, tail: str) -> list[Any]:
        return [said for _, topic, said in self.heard if topic == f"users/u/devices/d/{tail}"]


class Scene:
    """One device that says a number every two seconds."""

    def __init__(self, *, at_once: bool = False) -> None:
        self.broker = Broker()
        self.tally = Tally()
        self.count = 0
        self.has_ended = False
        self.device = VirtualDevice(
            Address("broker", 1883),
            ACCESS,
            self._talk,
            period_s=2.0,
            tally=self.tally,
            rng=random.Random(1),
            session=7,
            entering=trio.CapacityLimiter(1),
            at_once=at_once,
        )

    def _talk(self) -> list[tuple[str, Any]]:
        self.count += 1
        return [("feeds/t", self.count)]

    async def live(self) -> None:
        await self.device.live(cast(Connect, self.broker.connect))
        self.has_ended = True


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.live)
        yield made
        nursery.cancel_scope.cancel()


@virtual
async def test_it_reports_at_its_pace_and_says_when_it_comes_and_goes(scene: Scene) -> None:
    await trio.sleep(20)
    assert scene.tally.connected == 1
    scene.device.stop()
    await trio.sleep(1)
    times = [at for at, topic, _ in scene.broker.heard if topic.endswith("feeds/t")]
    assert len(times) == 10
    assert {round(after - before, 6) for before, after in pairwise(times)} == {2.0}
    online, offline = scene.broker.said("status")
    assert online == {"status": "online", "session": 7}
    assert offline == {"status": "offline", "session": 7}
    ((topic, payload),) = scene.broker.wills
    assert (topic, json.loads(payload)) == ("users/u/devices/d/status", offline)
    assert scene.tally.connected == 0
    assert scene.tally.sent == scene.tally.acknowledged == 10


@virtual
async def test_one_that_reports_at_once_keeps_its_pace() -> None:
    scene = Scene(at_once=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.live)
        await trio.sleep(8.5)
        nursery.cancel_scope.cancel()
    first, *times = (at for at, topic, _ in scene.broker.heard if topic.endswith("feeds/t"))
    assert first == scene.broker.tries[0]
    assert first < times[0] < first + 2
    assert {round(after - before, 6) for before, after in pairwise(times)} == {2.0}


@virtual
async def test_what_is_on_its_way_is_acknowledged_before_it_goes(scene: Scene) -> None:
    scene.broker.answers_after_s = 3.0
    await trio.sleep(13)
    assert scene.tally.sent > scene.tally.acknowledged
    scene.device.stop()
    await trio.sleep(10)
    assert scene.tally.sent == scene.tally.acknowledged == len(scene.broker.said("feeds/t"))
    assert scene.broker.said("status")[-1]["status"] == "offline"


@virtual
async def test_a_reading_without_acknowledgement_is_sent_again_as_it_was(scene: Scene) -> None:
    scene.broker.answers_after_s = 1.5
    await trio.sleep(9)
    while scene.tally.sent == scene.tally.acknowledged:
        await trio.sleep(0.1)
    scene.broker.lines[-1].lost.set()
    await trio.sleep(30)
    scene.device.stop()
    await trio.sleep(10)
    heard = scene.broker.said("feeds/t")
    assert sorted(heard) == list(range(1, len(heard) + 1))
    assert scene.tally.sent == scene.tally.acknowledged == len(heard)


@virtual
async def test_ending_does_not_wait_for_a_broker_that_does_not_answer(scene: Scene) -> None:
    await trio.sleep(1)
    scene.broker.is_silent = True
    scene.broker.lines[-1].lost.set()
    await trio.sleep(5)
    scene.device.stop()
    await trio.sleep(0.1)
    assert scene.has_ended


@virtual
async def test_a_lost_connection_is_made_again_after_ever_longer_pauses(scene: Scene) -> None:
    await trio.sleep(5)
    scene.broker.is_away = True
    scene.broker.lines[-1].lost.set()
    await trio.sleep(120)
    pauses = [after - before for before, after in pairwise(scene.broker.tries[1:])]
    assert pauses[0] < 2
    assert max(pauses) > 7
    assert max(pauses) <= 15
    assert "nobody there" in scene.tally.line(1)
    scene.broker.is_away = False
    await trio.sleep(16)
    assert scene.tally.connected == 1
    assert "nobody there" not in scene.tally.line(1)
    assert scene.broker.said("status").count({"status": "online", "session": 7}) == 2


@virtual
async def test_times_that_are_over_are_skipped_and_counted(scene: Scene) -> None:
    await trio.sleep(1)
    scene.broker.answers_after_s = 200.0  # ten may be unanswered at once: twenty seconds' worth
    await trio.sleep(999)
    assert 40 <= scene.tally.sent <= 60
    assert scene.tally.sent + scene.tally.skipped == pytest.approx(500, abs=91)
    assert "skipped" in scene.tally.line(1)


@virtual
async def test_commands_are_carried_out_in_turn(scene: Scene) -> None:
    await trio.sleep(1)
    for n in range(3):
        scene.broker.command(b'{"id": "c%d", "type": "play_media"}' % n)
    for rubbish in (b"\xff", b"{}", b"7", b"[]"):
        scene.broker.command(rubbish)
    await trio.sleep(PLAYS_S * 2 + 0.5)
    assert scene.broker.said("commands/c0/ack") == [
        {"status": "delivered"},
        {"status": "succeeded"},
    ]
    assert scene.broker.said("commands/c2/ack") == [{"status": "delivered"}]
    await trio.sleep(PLAYS_S)
    assert scene.tally.commands == 3


@virtual
async def test_a_command_that_comes_again_is_carried_out_once(scene: Scene) -> None:
    await trio.sleep(1)
    for _ in range(3):  # it waits, and is sent again
        scene.broker.command(b'{"id": "c"}')
    await trio.sleep(PLAYS_S * 5)
    scene.broker.command(b'{"id": "c"}')  # what it said was lost
    await trio.sleep(PLAYS_S * 5)
    said = [each["status"] for each in scene.broker.said("commands/c/ack")]
    assert said == ["delivered", "succeeded", "succeeded"]
    assert scene.tally.commands == 1


@virtual
async def test_a_command_that_a_lost_connection_interrupts_is_carried_out_after_it(
    scene: Scene,
) -> None:
    await trio.sleep(1)
    scene.broker.command(b'{"id": "c"}')
    await trio.sleep(PLAYS_S / 2)
    scene.broker.lines[-1].lost.set()
    await trio.sleep(30)
    assert scene.broker.said("commands/c/ack")[-1] == {"status": "succeeded"}
    assert scene.tally.commands == 1


@virtual
async def test_more_commands_than_it_can_keep_are_left_to_be_sent_again(scene: Scene) -> None:
    await trio.sleep(1)
    for n in range(COMMANDS_MAX * 3):
        scene.broker.command(b'{"id": "c%d"}' % n)
    await trio.sleep(PLAYS_S * COMMANDS_MAX * 3)
    assert scene.tally.commands == COMMANDS_MAX
    scene.broker.command(b'{"id": "c40"}')
    await trio.sleep(PLAYS_S * 2)
    assert scene.tally.commands == COMMANDS_MAX + 1


@virtual
async def test_the_rate_is_that_of_the_last_seconds() -> None:
    tally = Tally()
    assert tally.latency() == "none timed"
    for per_s in (10, 10, 10, 10, 10, 10, 10, 50, 50, 50, 50, 50, 50):
        for _ in range(per_s):
            tally.acknowledge(0.002)
        await trio.sleep(1)
        rate = tally.rate()
    assert rate == pytest.approx(50)
    await trio.sleep(RATE_OVER_S)
    tally.rate()
    assert tally.latency() == "median 2.0 ms, p99 2.0 ms"


def test_the_weather_is_the_same_for_the_same_code_and_such_as_a_feed_takes() -> None:
    one, same, other = (Weather(somewhere(code)) for code in ("a", "a", "b"))
    seen = []
    for _ in range(5_000):
        for each in (one, same, other):
            each.go_on()
        seen.append((one.temperature, same.temperature, other.temperature))
        assert -40 < one.temperature < 85
        assert 0 <= one.humidity <= 100
    assert all(a == b for a, b, _ in seen)
    assert any(a != c for a, _, c in seen)
    status = one.status("v1")
    assert (status["status"], status["firmware"]) == ("online", "v1")


def test_a_report_is_a_reading_and_once_a_minute_where_it_stands() -> None:
    clock = ManualClock(1_800_000_000_000_000)
    talk = report(somewhere("a"), clock)
    topics = []
    for _ in range(121):
        said = list(talk())
        assert said[0][1]["ts"] == format_us(clock.now_us())
        topics += [topic for topic, _ in said]
        clock.advance(1)
    assert topics.count("feeds/temperature") == 121
    assert topics.count("status") == 3
