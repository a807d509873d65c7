"""What every store promises of schedules: PostgreSQL and its memory twin."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from actors.ports.time import Claimed
from protocol.device.commands import Command, CommandAck
from protocol.media.media import Media
from protocol.problems.detail import Detail
from protocol.records import AckChange
from protocol.rest.listing import COMMANDS, OCCURRENCES, SCHEDULES
from protocol.schedule.schedules import Due, Occurrence, Schedule, missed, triggered
from tests.contract.refused import refused
from tests.contract.test_store import KEY, Home, of
from tests.contract.test_store_commands import REFUSED, some_command
from tests.support.lists import items
from tests.unit.makers import DEVICE, NOW, OTHER_USER, SECOND, USER

MEDIA = "00000000-0000-4000-c000-000000000001"
UNKNOWN = "00000000-0000-4000-8000-000000000999"


@pytest.fixture
async def home(opened_store: Any) -> AsyncIterator[Home]:
    async with opened_store() as store:
        made = await Home(store).furnish()
        await store.add_media(some_media())
        yield made


def some_media() -> Media:
    return Media(
        num=0,
        id=MEDIA,
        user_id=USER,
        filename="a.png",
        content_type="image/png",
        size=9,
        sha256=b"s" * 32,
        created_us=NOW,
    )


def some_schedule(n: int = 1, **changes: Any) -> Schedule:
    schedule = Schedule(
        id=f"00000000-0000-4000-d000-{n:012d}",
        user_id=USER,
        device_id=DEVICE,
        media_id=MEDIA,
        trigger_us=NOW,
        timezone="Europe/Berlin",
        recurrence="FREQ=DAILY",
        exclusions=("2026-12-24",),
        grace_s=60,
        created_us=NOW,
        planned_us=NOW + 9 * SECOND,
        plan_us=NOW + 5 * SECOND,
    )
    return msgspec.structs.replace(schedule, **changes)


class Judge:
    """Fires everything, or misses it; keeps what it was asked."""

    def __init__(self, home: Home, fires: bool = True) -> None:
        self.home = home
        self.fires = fires
        self.asked: list[Due] = []

    def __call__(self, due: Due) -> tuple[Occurrence, Command | None]:
        self.asked.append(due)
        if not self.fires:
            return missed(due.occurrence, Detail("play_offline")), None
        n = due.occurrence.num
        command = some_command(self.home, n, parallel=True, attempts=1, type="play_media")
        return triggered(due.occurrence, command, NOW), command


async def claim(home: Home, at_s: float, judge: Judge, limit: int = 10) -> Claimed:
    return await home.store.claim_occurrences(NOW + round(at_s * SECOND), limit, judge)


async def listed(home: Home, schedule: Schedule) -> list[tuple[int, str]]:
    found = await items(home.store, OCCURRENCES, USER, 100, schedule_id=schedule.id)
    return [((each.due_us - NOW) // SECOND, each.state) for each in found]


def times(*seconds: int) -> list[int]:
    return [NOW + second * SECOND for second in seconds]


async def test_a_schedule_comes_back_as_it_was_with_its_next_time(home: Home) -> None:
    wanted = some_schedule()
    added = await home.store.add_schedule(wanted, times(3, 1))
    assert added == msgspec.structs.replace(wanted, num=added.num, next_us=NOW + SECOND)
    assert await home.store.schedule(USER, wanted.id) == added
    assert await home.store.schedule(OTHER_USER, wanted.id) is None
    assert await items(home.store, SCHEDULES, USER, 10, device_id=DEVICE) == [added]
    assert await items(home.store, SCHEDULES, USER, 10, added) == []
    assert await listed(home, wanted) == [(3, "pending"), (1, "pending")]
    (last, *_) = await items(home.store, OCCURRENCES, USER, 1, schedule_id=wanted.id)
    page = await items(home.store, OCCURRENCES, USER, 1, last, schedule_id=wanted.id)
    assert [each.due_us for each in page] == times(1)
    assert await items(home.store, OCCURRENCES, OTHER_USER, 10, schedule_id=wanted.id) == []


async def test_what_is_due_is_claimed_once_with_its_command(home: Home) -> None:
    schedule = await home.store.add_schedule(some_schedule(), times(1, 2, 9))
    judge = Judge(home)
    first = await claim(home, 2, judge)
    assert [due.occurrence.due_us for due in judge.asked] == times(1, 2)
    (due, _) = judge.asked
    assert (due.device_num, due.device_code, due.is_online) == (home.device.num, "d1", False)
    assert (due.media_type, due.media_size, due.media_sha256) == ("image/png", 9, b"s" * 32)
    assert msgspec.structs.replace(due.schedule, next_us=schedule.next_us) == schedule
    assert (len(first.send), first.next_us) == (2, NOW + 9 * SECOND)
    assert [o.state for o in first.changed.occurrences] == ["triggered", "triggered"]
    assert (await claim(home, 2, judge)).send == ()
    known = await home.store.command(USER, first.send[0].id)
    assert known is not None
    assert (known.state, known.attempts, known.type) == ("queued", 1, "play_media")


async def test_a_claim_takes_the_earliest_and_says_that_more_is_due(home: Home) -> None:
    await home.store.add_schedule(some_schedule(), times(3, 1, 2))
    claimed = await claim(home, 9, Judge(home), limit=2)
    assert [o.due_us for o in claimed.changed.occurrences] == times(1, 2)
    assert claimed.next_us == NOW + 3 * SECOND


async def test_what_is_missed_says_why_and_sends_nothing(home: Home) -> None:
    schedule = await home.store.add_schedule(some_schedule(), times(1))
    claimed = await claim(home, 99, Judge(home, fires=False))
    assert (claimed.send, claimed.next_us) == ((), None)
    (kept,) = await items(home.store, OCCURRENCES, USER, 10, schedule_id=schedule.id)
    assert (kept.state, kept.detail, kept.version) == ("missed", "the device was offline", 1)
    assert kept.coded == Detail("play_offline").coded


async def test_an_occurrence_follows_its_command_with_the_devices_own_times(home: Home) -> None:
    schedule = await home.store.add_schedule(some_schedule(), times(1))
    (sent,) = (await claim(home, 1, Judge(home))).send

    def ack(status: Any, at_s: int) -> AckChange:
        said = CommandAck(status=status, at_us=NOW + at_s * SECOND)
        return AckChange(KEY, sent.id, home.device.num, said, REFUSED)

    told = await home.commit(of(acks=(ack("delivered", 4),)))
    assert [o.state for o in told.changed.occurrences] == ["acknowledged"]
    await home.commit(of(acks=(ack("succeeded", 30),)))
    (kept,) = await items(home.store, OCCURRENCES, USER, 10, schedule_id=schedule.id)
    assert kept.state == "completed"
    assert (kept.acknowledged_us, kept.completed_us) == (NOW + 4 * SECOND, NOW + 30 * SECOND)


async def test_an_occurrence_whose_command_expires_is_missed(home: Home) -> None:
    schedule = await home.store.add_schedule(some_schedule(), times(1))
    await claim(home, 1, Judge(home))
    expired = await home.store.claim_commands(NOW + 700 * SECOND, 10)
    assert [o.state for o in expired.changed.occurrences] == ["missed"]
    (kept,) = await items(home.store, OCCURRENCES, USER, 10, schedule_id=schedule.id)
    assert kept.coded == Detail("command_unanswered").coded
    assert await listed(home, schedule) == [(1, "missed")]


async def test_an_edit_holds_for_what_has_not_fired_and_for_nothing_else(home: Home) -> None:
    schedule = await home.store.add_schedule(some_schedule(), times(1, 2, 3))
    await claim(home, 1, Judge(home))
    changed = msgspec.structs.replace(schedule, grace_s=7, enabled=False)
    told = await home.store.update_schedule(changed, times(1, 3, 4))
    assert [(o.due_us - NOW, o.state) for o in told] == [(2 * SECOND, "cancelled")]
    assert await listed(home, schedule) == [
        (4, "pending"),
        (3, "pending"),
        (2, "cancelled"),
        (1, "triggered"),
    ]
    back = await home.store.update_schedule(changed, times(2))
    assert {(o.due_us - NOW) // SECOND: o.state for o in back} == {
        2: "pending",
        3: "cancelled",
        4: "cancelled",
    }
    known = await home.store.schedule(USER, schedule.id)
    assert known is not None
    assert (known.grace_s, known.enabled, known.next_us) == (7, False, NOW + 2 * SECOND)


async def test_more_is_planned_when_its_time_has_come_and_never_twice(home: Home) -> None:
    schedule = await home.store.add_schedule(some_schedule(), times(1))
    asked: list[Schedule] = []

    def planner(due: Schedule) -> tuple[Schedule, list[int]]:
        asked.append(due)
        return msgspec.structs.replace(due, planned_us=NOW + 3 * SECOND, plan_us=None), times(1, 3)

    assert await home.store.plan_schedules(NOW + 4 * SECOND, 10, planner) == NOW + 5 * SECOND
    assert asked == []
    assert await home.store.plan_schedules(NOW + 5 * SECOND, 10, planner) is None
    assert [each.id for each in asked] == [schedule.id]
    assert await listed(home, schedule) == [(3, "pending"), (1, "pending")]
    assert await home.store.plan_schedules(NOW + 9 * SECOND, 10, planner) is None
    assert len(asked) == 1


async def test_a_schedule_for_what_is_gone_is_refused(home: Home) -> None:
    for gone in (some_schedule(device_id=MEDIA), some_schedule(media_id=DEVICE)):
        with refused("target_deleted"):
            await home.store.add_schedule(gone, [])


async def test_media_that_something_to_come_needs_cannot_be_deleted(home: Home) -> None:
    schedule = await home.store.add_schedule(some_schedule(plan_us=None), times(1))
    with refused("media_in_use"):
        await home.store.delete_media(USER, MEDIA)
    await claim(home, 1, Judge(home))
    await home.store.delete_media(USER, MEDIA)
    known = await home.store.schedule(USER, schedule.id)
    assert known is not None
    assert known.media_id is None


async def test_a_schedule_goes_with_its_device_or_by_itself(home: Home) -> None:
    schedule = await home.store.add_schedule(some_schedule(), times(1))
    await home.store.delete_schedule(OTHER_USER, schedule.id)
    assert await home.store.schedule(USER, schedule.id) is not None
    await home.store.delete_schedule(USER, schedule.id)
    assert await home.store.schedule(USER, schedule.id) is None
    other = await home.store.add_schedule(some_schedule(2), times(1))
    await home.store.delete_device(USER, DEVICE, False)
    assert await home.store.schedule(USER, other.id) is None
    assert (await claim(home, 9, Judge(home))).next_us is None


async def test_what_ended_long_ago_is_forgotten_and_nothing_else(home: Home) -> None:
    long_ago, far_off = times(-5 * 365 * 86_400, 100 * 365 * 86_400)
    for n, (created_us, ends) in enumerate(
        ((long_ago, True), (long_ago, False), (far_off, True)), 1
    ):
        command = some_command(home, n, created_us=created_us, expires_us=far_off)
        await home.store.add_command(command)
        if ends:
            await home.store.cancel_command(USER, command.id, NOW)
    schedule = await home.store.add_schedule(some_schedule(), [long_ago])
    await claim(home, 0, Judge(home, fires=False))
    await home.store.update_schedule(schedule, [long_ago + SECOND, far_off])
    await home.store.tidy()
    left = await items(home.store, COMMANDS, USER, 10, device_id=DEVICE)
    assert sorted(int(command.id[-4:]) for command in left) == [2, 3]
    occurrences = await items(home.store, OCCURRENCES, USER, 10, schedule_id=schedule.id)
    assert [each.due_us for each in occurrences] == [far_off, long_ago + SECOND]


async def test_a_window_has_what_was_due_in_it_and_what_goes_on(home: Home) -> None:
    store = home.store
    due = [NOW + n * SECOND for n in range(4)]
    await store.add_schedule(some_schedule(1), due)
    once = some_schedule(2, recurrence=None, plan_us=None, planned_us=NOW)
    await store.add_schedule(once, [NOW + 2 * SECOND])
    await store.add_schedule(some_schedule(3, enabled=False, plan_us=None, planned_us=None), [])

    async def seen(start_us: int, end_us: int, **more: Any) -> tuple[list[tuple[int, str]], Any]:
        asked = {"device_id": None, "limit": 10, **more}
        found = await store.window(USER, start_us, end_us, asked["device_id"], asked["limit"])
        assert found.unreadable == 0
        times = [((o.due_us - NOW) // SECOND, o.schedule_id[-1]) for o in found.occurrences]
        return times, [s.id[-1] for s in found.schedules]

    after = NOW + 10 * SECOND
    assert await seen(NOW + SECOND, NOW + 3 * SECOND) == ([(1, "1"), (2, "1"), (2, "2")], [])
    assert await seen(after, after + 1) == ([], ["1"])
    assert await seen(NOW, after, limit=2) == ([(0, "1"), (1, "1")], ["1"])
    assert await seen(NOW, after, device_id=UNKNOWN) == ([], [])
    found = await store.window(USER, NOW, after, DEVICE, 10)
    assert found.media == {some_schedule(n).id: (MEDIA, "a.png") for n in (1, 2)}
    assert (await store.window(OTHER_USER, NOW, after, None, 10)).occurrences == ()
    # What a change replaces before it fired is hidden.
    kept = await store.schedule(USER, some_schedule(1).id)
    assert kept is not None
    await store.update_schedule(kept, [NOW + 3 * SECOND])
    assert await seen(NOW, NOW + 4 * SECOND) == ([(2, "2"), (3, "1")], [])


async def test_what_was_played_before_is_added_as_it_ended_and_fires_never(home: Home) -> None:
    schedule = await home.store.add_schedule(some_schedule(), times(9))
    played = [
        Occurrence(
            id="",
            schedule_id=schedule.id,
            user_id=USER,
            device_id=DEVICE,
            due_us=NOW - n * SECOND,
            state=state,
            triggered_us=NOW - n * SECOND + 1,
            acknowledged_us=NOW - n * SECOND + 2,
            completed_us=NOW - n * SECOND + 3,
            detail=f"why {n}",
            coded=f"code {n}",
        )
        for n, state in ((3, "completed"), (2, "missed"), (-9, "failed"))
    ]
    for _ in range(2):
        await home.store.add_played(schedule, played)
    assert await listed(home, schedule) == [(9, "pending"), (-2, "missed"), (-3, "completed")]
    found = await items(home.store, OCCURRENCES, USER, 100, schedule_id=schedule.id)
    (first,) = (each for each in found if each.state == "completed")
    assert first == msgspec.structs.replace(
        played[0], id=first.id, num=first.num, version=first.version
    )
    judge = Judge(home)
    await claim(home, 1, judge)
    assert not judge.asked
