"""What the memory twin copies of real brokers: where they differ, `Habits` says how."""

import itertools
from typing import get_args

import pytest
import trio

from actors.ports.broker import Delivery
from protocol.device.topics import unmapped
from tests.contract.brokers import Ending, Recorder, Rig

U = "06b72fa5-f615-4659-a9f9-4d313aba495d"
# Longer than NATS takes to send again; a broker that never does it is watched so long.
NEVER_S = 6.5
_numbers = itertools.count()


@pytest.fixture
def base() -> str:
    """The topics of a device that no other test has."""
    return f"users/{U}/devices/h{next(_numbers)}"


def mine(recorder: Recorder, base: str) -> list[Delivery]:
    return [d for d in recorder.deliveries if unmapped(d.topic).startswith(base + "/")]


async def arrived(recorder: Recorder, base: str, count: int) -> list[Delivery]:
    await recorder.until(lambda: len(mine(recorder, base)) >= count)
    return mine(recorder, base)


async def publish(rig: Rig, base: str, *payloads: bytes) -> None:
    for payload in payloads:
        await rig.publish(f"{base}/feeds/t", payload)


def heard(recorder: Recorder, delivery: Delivery) -> int:
    """How many acknowledgements are confirmed on the connection that brought it."""
    mine = (delivery.session, delivery.connection)
    return max((count for *name, count in recorder.confirmed if tuple(name) == mine), default=0)


async def acknowledge(rig: Rig, recorder: Recorder, *deliveries: Delivery) -> None:
    """Returns when the broker has answered a ping behind the acknowledgements."""
    goal = heard(recorder, deliveries[0]) + len(deliveries)
    rig.acknowledge(*deliveries)
    await recorder.until(lambda: heard(recorder, deliveries[0]) >= goal)


def told(deliveries: list[Delivery]) -> list[tuple[bytes, int, bool]]:
    return [(d.payload, d.packet_id, d.dup) for d in deliveries]


async def test_on_one_connection_a_message_comes_again_after_ack_wait_or_never(
    habit_rig: Rig, base: str
) -> None:
    wait_s = habit_rig.habits.ack_wait_s
    async with habit_rig.open() as recorder:
        await publish(habit_rig, base, b"1", b"2", b"3")
        first = await arrived(recorder, base, 3)
        assert told(first) == [(b"1", 1, False), (b"2", 2, False), (b"3", 3, False)]
        habit_rig.acknowledge(first[1])
        since_s = trio.current_time()
        if wait_s is None:
            await trio.sleep(NEVER_S)
            assert len(mine(recorder, base)) == 3
        else:
            again = (await arrived(recorder, base, 5))[3:]
            assert trio.current_time() - since_s > wait_s / 2
            assert told(again) == [(b"1", 1, True), (b"3", 3, True)]
            assert again[0].connection == first[0].connection


async def test_after_a_short_absence_the_old_come_first_or_the_newer_overtake_them(
    habit_rig: Rig, base: str
) -> None:
    async with habit_rig.open() as recorder:
        await publish(habit_rig, base, b"1", b"2")
        await arrived(recorder, base, 2)
    await publish(habit_rig, base, b"3", b"4")
    old = [(b"1", 1, True), (b"2", 2, True)]
    newer = [(b"3", 3, False), (b"4", 4, False)]
    async with habit_rig.open() as recorder:
        came = told(await arrived(recorder, base, 4))[:4]  # on virtual time more come at once
        assert came == ([*old, *newer] if habit_rig.habits.at_once else [*newer, *old])


async def test_after_an_absence_beyond_ack_wait_the_old_come_at_once_and_first(
    habit_rig: Rig, base: str
) -> None:
    async with habit_rig.open() as recorder:
        await publish(habit_rig, base, b"1", b"2")
        await arrived(recorder, base, 2)
    wait_s = habit_rig.habits.ack_wait_s
    await trio.sleep(wait_s + 1 if wait_s else 0)
    await publish(habit_rig, base, b"3", b"4")
    async with habit_rig.open() as recorder:
        came = told(await arrived(recorder, base, 4))
        assert came == [(b"1", 1, True), (b"2", 2, True), (b"3", 3, False), (b"4", 4, False)]


async def test_a_confirmed_acknowledgement_counts_and_one_for_a_lost_connection_does_not(
    habit_rig: Rig, base: str
) -> None:
    # Without the answered ping it may count or not when the line is cut: both were seen on each
    # broker. And NATS may have a copy under way when the PUBACK falls into the very moment in which
    # it sends again: it came up to 45 ms behind the answer.
    async with habit_rig.open() as recorder:
        await publish(habit_rig, base, b"1", b"2", b"3", b"4")
        one, two, three, four = await arrived(recorder, base, 4)
        await acknowledge(habit_rig, recorder, two, four)
        habit_rig.drop(one.session)
        await recorder.until(lambda: (one.session, one.connection) in recorder.lost)
        habit_rig.acknowledge(one)  # nobody is there
        await recorder.until(lambda: (one.session, one.connection + 1) in recorder.connections)
        habit_rig.acknowledge(three)  # now somebody else is
        again = (await arrived(recorder, base, 6))[4:]
        assert told(again) == [(b"1", 1, True), (b"3", 3, True)]
        await acknowledge(habit_rig, recorder, *again)
        await publish(habit_rig, base, b"5")
        await arrived(recorder, base, 7)
        assert told(mine(recorder, base)[6:]) == [(b"5", 5, False)]


async def test_a_second_login_takes_over_everything_that_is_not_acknowledged(
    habit_rig: Rig, base: str
) -> None:
    async with habit_rig.open(once=True) as first:
        await publish(habit_rig, base, b"1", b"2", b"3")
        one, _, _ = await arrived(first, base, 3)
        await acknowledge(habit_rig, first, one)
        async with habit_rig.open() as second:
            await first.until(lambda: (one.session, one.connection) in first.lost)
            assert told(await arrived(second, base, 2)) == [(b"2", 2, True), (b"3", 3, True)]


async def test_a_lost_session_takes_all_with_it_and_the_next_one_starts_anew(
    habit_rig: Rig, base: str
) -> None:
    async with habit_rig.open() as recorder:
        await publish(habit_rig, base, b"1", b"2", b"3")
        one, two, _ = await arrived(recorder, base, 3)
        await acknowledge(habit_rig, recorder, two)
    await publish(habit_rig, base, b"4")
    await habit_rig.lose(one.session)
    await publish(habit_rig, base, b"5")
    # What had been kept would come before what is new: see the long absence.
    await trio.sleep(habit_rig.habits.ack_wait_s or 0)
    async with habit_rig.open() as recorder:
        await publish(habit_rig, base, b"6", b"7")
        assert told(await arrived(recorder, base, 2)) == [(b"6", 1, False), (b"7", 2, False)]


async def test_the_window_holds_up_its_own_session_and_qos_1_only(
    habit_rig: Rig, base: str
) -> None:
    window = habit_rig.habits.window

    def fresh() -> list[Delivery]:
        return [d for d in mine(recorder, base) if d.packet_id and not d.dup]

    async with habit_rig.open() as recorder:
        burst = [(f"{base}/feeds/t", b"%d" % n) for n in range(window + 200)]
        await habit_rig.burst(burst)
        await recorder.until(lambda: len(fresh()) == window)
        await habit_rig.publish(f"{base}/status", b"a status")
        await habit_rig.publish(f"{base}/feeds/t", b"at QoS 0", qos=0)
        beside = {b"a status", b"at QoS 0"}
        await recorder.until(lambda: beside <= {d.payload for d in mine(recorder, base)})
        assert len(fresh()) == window + 1  # and the status
        habit_rig.acknowledge(*fresh()[:50])
        await recorder.until(lambda: len(fresh()) >= window + 51)
        if habit_rig.habits.window_holds:
            await trio.sleep(0.2)
            assert len(fresh()) == window + 51
        readings = [d.payload for d in fresh() if d.payload not in beside]
        assert readings == [payload for _, payload in burst[: len(readings)]]


async def test_a_retained_message_comes_live_without_and_at_each_subscribe_with_the_flag(
    habit_rig: Rig, base: str
) -> None:
    async with habit_rig.open() as recorder:
        await habit_rig.publish(f"{base}/status", b"x", retain=True)
        (live,) = await arrived(recorder, base, 1)
        assert (live.packet_id, live.retain) == (1, False)
        await acknowledge(habit_rig, recorder, live)
    async with habit_rig.open() as recorder:
        (copy,) = await arrived(recorder, base, 1)
        assert (copy.packet_id, copy.retain, copy.dup) == (2, True, False)
        habit_rig.drop(copy.session)
        await recorder.until(lambda: any(d.packet_id == 3 for d in mine(recorder, base)))
        again = mine(recorder, base)[1:]
        old = [(b"x", 2, True)] if habit_rig.habits.retained_again else []
        assert told(again) == [*old, (b"x", 3, False)]
        assert all(d.retain for d in again)
        await habit_rig.publish(f"{base}/status", b"", retain=True)
        cleared = (await arrived(recorder, base, len(again) + 2))[-1]
        assert (cleared.payload, cleared.retain) == (b"", False)


async def test_qos_0_is_for_those_who_are_there(habit_rig: Rig, base: str) -> None:
    topic = f"{base}/feeds/t"
    async with habit_rig.open() as recorder:
        await habit_rig.publish(topic, b"1", qos=0)
        await arrived(recorder, base, 1)
    await habit_rig.publish(topic, b"2", qos=0)
    await habit_rig.publish(topic, b"3")
    async with habit_rig.open() as recorder:
        await arrived(recorder, base, 1)
        await trio.sleep(0.2)
        assert told(mine(recorder, base)) == [(b"3", 1, False)]


async def test_first_deliveries_come_in_the_order_of_publication(habit_rig: Rig, base: str) -> None:
    messages = [(f"{base}/feeds/f{n % 7}", b"%d" % n) for n in range(600)]
    async with habit_rig.open() as recorder:
        await habit_rig.burst(messages[:300])
        await acknowledge(habit_rig, recorder, *await arrived(recorder, base, 300))
        live = mine(recorder, base)
    await habit_rig.burst(messages[300:])
    async with habit_rig.open() as recorder:
        kept = await arrived(recorder, base, 300)
        assert [(unmapped(d.topic), d.payload) for d in [*live, *kept]] == messages
        assert [d.packet_id for d in [*live, *kept]] == list(range(1, 601))


async def test_a_cut_line_sends_the_will_unmapped_and_a_goodbye_sends_none(
    habit_rig: Rig, base: str
) -> None:
    async with habit_rig.open() as recorder:
        async with habit_rig.device((f"{base}/status", b"said good-bye")):
            pass
        async with habit_rig.device((f"{base}/status", b"was cut")) as cut:
            cut()
        (will,) = await arrived(recorder, base, 1)
        assert (will.topic, will.payload) == (f"{base}/status", b"was cut")
        assert (will.retain, will.dup) == (False, False)
        assert will.session in {plan.client_id for plan in habit_rig.broker.sessions if plan.live}


@pytest.mark.parametrize("how", get_args(Ending))
async def test_a_restarted_broker_goes_on_from_what_it_saved_and_a_killed_one_sends_no_wills(
    habit_rig: Rig, base: str, how: Ending
) -> None:
    habits = habit_rig.habits
    status = f"{base}/status"
    async with habit_rig.open() as recorder, habit_rig.device((status, b"will")):
        await publish(habit_rig, base, b"1", b"2", b"3", b"4")
        one, _, three, _ = await arrived(recorder, base, 4)
        await acknowledge(habit_rig, recorder, one, three)
        if how == "kill":
            await trio.sleep(habits.saved_after_s)
        await habit_rig.restart(how)
        await publish(habit_rig, base, b"5")
        readings = f"{base}/feeds"
        again = (await arrived(recorder, readings, 7))[4:]
        assert {(d.payload, d.dup) for d in again} == {(b"2", True), (b"4", True), (b"5", False)}
        if habits.at_once:
            assert [d.payload for d in again] == [b"2", b"4", b"5"]
        # The session of the readings has a copy of a will that the broker sent as it stopped.
        new = 6 if how == "stop" and habits.stop_sends_wills else 5
        assert [d.packet_id for d in again] == ([2, 4, new] if habits.keeps_ids else [1, 2, 3])

        live = {(plan.client_id, 2) for plan in habit_rig.broker.sessions if plan.live}
        await recorder.until(lambda: live <= set(recorder.connections))
        await habit_rig.publish(status, b"behind it")
        await recorder.until(lambda: any(d.payload == b"behind it" for d in mine(recorder, base)))
        wills = [d for d in mine(recorder, base) if d.payload == b"will"]
        assert bool(wills) == (how == "stop" and habits.stop_sends_wills)


async def test_a_kill_at_any_moment_loses_no_message_that_was_not_acknowledged(
    habit_rig: Rig, base: str
) -> None:
    if habit_rig.habits.kill_loses:
        pytest.skip("it goes back to its last save, with messages and sessions")
    payloads = [b"%d" % n for n in range(200)]
    async with habit_rig.open() as recorder:
        await habit_rig.burst([(f"{base}/feeds/t", payload) for payload in payloads])
        first = (await arrived(recorder, base, 200))[:200]
        habit_rig.acknowledge(*first[:100])
        await habit_rig.restart("kill")
        expected = set(payloads[100:])
        await recorder.until(lambda: expected <= {d.payload for d in mine(recorder, base)[200:]})
