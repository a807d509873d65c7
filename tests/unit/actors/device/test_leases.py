"""Leases run while their partition flows, stand while it does not, and cost little."""

from collections.abc import AsyncIterator

import pytest
import trio

from actors.adapters.memory.clocks import ManualClock
from actors.adapters.mqtt.plans import plain_plans
from actors.device.leases import Leases
from actors.ingest.partition_clock import DRAIN_S, PartitionClocks
from actors.runtime.timer import Timer
from protocol.messages import AlarmDue, LeaseExpired, TimerMessage
from protocol.records import DeviceState
from tests.simulation.running import run_virtually
from tests.unit.makers import NOW, SECOND, USER, some_device

KEY = (USER, "d1")
SESSIONS = ("roost-part-0", "roost-state-0")

virtual = pytest.mark.trio(run=run_virtually)


class Scene:
    """Flows and leases on a timer; what they send is noted with its time."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, tuple[str, str], TimerMessage]] = []
        self.has_room = True
        self.timer = Timer(ManualClock(), self._ring)
        self.flows = PartitionClocks(
            plain_plans(),
            changed=lambda partition: self.leases.arm(partition),
            later=lambda partition, s: self.timer.after(("flow", partition), s),
        )
        self.leases = Leases(self.flows, self._send, self._arm)

    def _send(self, key: tuple[str, str], message: TimerMessage) -> bool:
        if self.has_room:
            self.sent.append((trio.current_time(), key, message))
        return self.has_room

    def _arm(self, partition: int, in_s: float | None) -> None:
        if in_s is None:
            self.timer.cancel(("lease", partition))
        else:
            self.timer.after(("lease", partition), in_s)

    def _ring(self, key: object) -> None:
        if key == ("lease", 0):
            self.leases.tick(0)
        else:
            self.flows.look(0)

    def connect(self) -> None:
        for session in SESSIONS:
            self.flows.connected(session)

    @property
    def times(self) -> list[float]:
        return [round(at_s, 6) for at_s, _, _ in self.sent]


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.timer.run)
        yield made
        nursery.cancel_scope.cancel()


@pytest.fixture
async def flowing(scene: Scene) -> Scene:
    """It flows, and has done so for a while: at a round time."""
    scene.connect()
    await trio.sleep_until(1_000)
    assert scene.flows.clocks[0].is_flowing
    return scene


@virtual
async def test_an_actor_is_told_exactly_when_its_devices_lease_ends(flowing: Scene) -> None:
    flowing.leases.renew(KEY, 300)
    await trio.sleep_until(1_100)
    flowing.leases.renew(KEY, 300)
    await trio.sleep_until(1_399.9)
    assert flowing.sent == []
    await trio.sleep_until(1_401)
    assert flowing.sent == [(1_400, KEY, LeaseExpired(key=KEY, after_s=300))]


@virtual
async def test_a_hundred_renewals_touch_the_heap_once(flowing: Scene) -> None:
    for _ in range(100):
        flowing.leases.renew(KEY, 300)
    assert len(flowing.leases._due[0]._heap) == 1


@virtual
async def test_a_lease_stands_still_while_its_partition_does_not_flow(flowing: Scene) -> None:
    flowing.leases.renew(KEY, 300)
    await trio.sleep_until(1_200)
    flowing.flows.disconnected("roost-part-0")
    await trio.sleep_until(5_000)
    flowing.flows.connected("roost-part-0")
    await trio.sleep_until(5_000 + DRAIN_S + 99.9)
    assert flowing.sent == []
    await trio.sleep_until(5_000 + DRAIN_S + 100.1)
    assert flowing.times == [5_000 + DRAIN_S + 100]


@virtual
async def test_a_full_window_and_what_was_left_stop_the_clock(flowing: Scene) -> None:
    clock = flowing.flows.clocks[0]
    flowing.flows.loaded("roost-part-0", 900)
    assert not clock.is_flowing
    flowing.flows.loaded("roost-part-0", 899)
    assert clock.is_flowing
    flowing.flows.left("roost-state-0")
    assert not clock.is_flowing
    await trio.sleep(DRAIN_S + 0.1)
    assert clock.is_flowing


@virtual
async def test_a_session_that_brings_nothing_of_devices_stops_nothing(flowing: Scene) -> None:
    flowing.flows.disconnected("roost-out")
    assert flowing.flows.clocks[0].is_flowing


@virtual
async def test_a_lease_of_another_length_counts_from_its_last_renewal(flowing: Scene) -> None:
    flowing.leases.renew(KEY, 300)
    await trio.sleep_until(1_050)
    flowing.leases.resize(KEY, 60)
    await trio.sleep_until(1_061)
    assert flowing.times == [1_060]


@virtual
async def test_a_lease_that_ended_tells_nobody(flowing: Scene) -> None:
    flowing.leases.renew(KEY, 300)
    flowing.leases.end(KEY)
    await trio.sleep(1_000)
    assert flowing.sent == []
    assert len(flowing.leases) == 0


@virtual
async def test_an_actor_that_takes_nothing_now_is_told_a_second_later(flowing: Scene) -> None:
    flowing.leases.renew(KEY, 10)
    flowing.has_room = False
    await trio.sleep_until(1_011.5)
    flowing.has_room = True
    await trio.sleep_until(1_013)
    assert flowing.times == [1_012]


@virtual
async def test_an_actor_that_lost_the_message_is_told_again(flowing: Scene) -> None:
    flowing.leases.renew(KEY, 10)
    await trio.sleep_until(1_021)
    assert flowing.times == [1_010, 1_020]


@virtual
async def test_alarms_are_due_unless_their_wait_is_called_off(flowing: Scene) -> None:
    flowing.leases.wait(KEY, 1, NOW, 60.0)
    flowing.leases.wait(KEY, 2, NOW, 30.0)
    flowing.leases.wait(KEY, 2, NOW, None)
    await trio.sleep(100)
    assert flowing.sent == [(1_060, KEY, AlarmDue(feed_num=1, since_us=NOW))]


@virtual
async def test_after_a_start_silence_goes_on_from_when_anybody_was_heard_last(
    scene: Scene,
) -> None:
    def seen(code: str, s_ago: float) -> object:
        state = DeviceState(status="online", last_seen_us=NOW - round(s_ago * SECOND))
        return some_device(code, state=state)

    scene.leases.renew((USER, "living"), 300)
    scene.leases.restore([seen("fresh", 0), seen("quiet", 110), seen("living", 250)])  # type: ignore[list-item]
    scene.connect()
    await trio.sleep(5_000)
    found = {key[1]: at_s - DRAIN_S for at_s, key, _ in reversed(scene.sent)}
    assert {code: round(at_s) for code, at_s in found.items()} == {
        "fresh": 300,
        "quiet": 200,  # silent for 110 s, of which ten may be older than `last_seen` says
        "living": 300,
    }


@virtual
async def test_a_hundred_thousand_leases_end_one_by_one(flowing: Scene) -> None:
    for n in range(100_000):
        flowing.leases.renew((USER, f"d{n}"), 300)
    await trio.sleep_until(1_301)
    assert len(flowing.sent) == 100_000
    assert {at_s for at_s, _, _ in flowing.sent} == {1_300}


@virtual
async def test_sums_that_are_rounded_otherwise_do_not_ring_again_and_again(scene: Scene) -> None:
    """The timer's sum of seconds fell a millionth of a billionth short of the partition's."""
    odd_s = (0.1, 0.7, 1 / 3, 2.3, 1 / 7)
    for n in range(200):
        scene.connect()
        await trio.sleep(DRAIN_S + odd_s[n % 5])
        scene.leases.renew(KEY, odd_s[(n + 2) % 5] + n / 9)
        sent = len(scene.sent)
        with trio.fail_after(60):
            while len(scene.sent) == sent:
                await trio.sleep(0.3)
        scene.leases.end(KEY)
        scene.flows.disconnected(SESSIONS[0])
        await trio.sleep(odd_s[n % 3])
    assert len(scene.sent) == 200
    assert scene.timer.rings < 2_000
