"""A row that nobody can read is put aside by its claim, and blocks no other (I6).

The server's own data may be broken in one row. Where it can read none, it is the server that is in
trouble, and nothing is put aside.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from protocol.dead_letters import (
    COMMANDS,
    OCCURRENCES,
    PLANS,
    WEBHOOKS,
    DeadLetter,
    subject_of_command,
)
from protocol.device.commands import AGAIN_MAX_S, BLOCKED_AGAIN_S, Command
from protocol.errors import Unavailable
from protocol.records import AckChange, Device
from protocol.schedule.schedules import Schedule
from protocol.webhook.deliveries import WebhookDelivery
from tests.contract import test_store_webhooks as of_webhooks
from tests.contract.damage import garbled, lost, mended
from tests.contract.test_store import Home, of
from tests.contract.test_store_commands import ack, claim, sent, some_command, state
from tests.contract.test_store_schedules import (
    Judge,
    listed,
    some_media,
    some_schedule,
    times,
)
from tests.contract.test_store_schedules import claim as fire
from tests.unit.makers import NOW, OTHER_USER, SECOND, USER, some_device, some_login

PAUSE_S = 10
WHY = {lost: "DataCorruptedError: ", garbled: "UnicodeDecodeError: "}


@pytest.fixture
async def home(opened_store: Any) -> AsyncIterator[Home]:
    async with opened_store() as store:
        yield await Home(store).furnish()


@pytest.fixture(params=WHY, ids=lambda damage: damage.__name__)
def damage(request: pytest.FixtureRequest) -> Any:
    return request.param


async def only_letter(home: Home, work: str, subject: str) -> DeadLetter:
    (letter,) = await home.store.dead_letters(10, None)
    assert (letter.work, letter.subject) == (work, subject)
    return letter


async def with_devices(home: Home) -> list[Device]:
    """Four devices of two users."""
    devices = [home.device]
    for n, user_id in enumerate((USER, OTHER_USER, OTHER_USER), 1):
        made = some_device(
            f"more{n}",
            f"00000000-0000-4000-8000-00000000d10{n}",
            user_id=user_id,
            client_id=f"m{n}",
        )
        devices.append(await home.store.add_device(made, some_login(made)))
    return devices


def of_device(home: Home, device: Device, n: int, **changes: Any) -> Command:
    return some_command(
        home,
        n,
        user_id=device.user_id,
        device_id=device.id,
        device_num=device.num,
        device_code=device.code,
        **changes,
    )


async def test_of_twenty_commands_that_are_due_one_cannot_be_read_and_all_others_go(
    home: Home, damage: Any
) -> None:
    """The whole claim failed, for everybody, and again every second."""
    devices = await with_devices(home)
    added = [
        await home.store.add_command(of_device(home, devices[n % 4], n, parallel=n % 4 > 1))
        for n in range(20)
    ]
    bad = added[1]  # the first of a device whose commands go one after the other
    await damage(home.store, "commands", bad.num)
    expected = {n for n in range(20) if n % 4 > 1} | {0}
    first = await claim(home, limit=50)
    assert set(sent(first)) == expected
    letter = await only_letter(home, COMMANDS, subject_of_command(bad.key))
    assert letter.reason.startswith(WHY[damage])
    assert (letter.user_id, letter.attempts) == (USER, 1)
    # Others of its device wait for it no more.
    second = await claim(home, BLOCKED_AGAIN_S, limit=50)
    assert 5 in sent(second)
    assert (await only_letter(home, COMMANDS, subject_of_command(bad.key))).attempts == 1
    # It is tried again after its pause, and once more after twice as long.
    third = await claim(home, PAUSE_S, limit=50)
    assert bad.id not in [command.id for command in third.send]
    assert (await only_letter(home, COMMANDS, subject_of_command(bad.key))).attempts == 2
    await mended(home.store, "commands", bad.num, bad.payload)
    assert 1 not in sent(await claim(home, 3 * PAUSE_S - 1, limit=50))
    healed = await claim(home, 3 * PAUSE_S, limit=50)
    (found,) = [command for command in healed.send if command.id == bad.id]
    assert (found.payload, found.attempts) == (bad.payload, 1)


async def test_where_no_row_can_be_read_the_server_is_in_trouble(home: Home) -> None:
    """Else all would be put aside for an hour, for what is over in a minute."""
    added = [await home.store.add_command(some_command(home, n)) for n in range(3)]
    for command in added:
        await lost(home.store, "commands", command.num)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await claim(home)
    assert await home.store.dead_letters(10, None) == []
    for command in added:
        await mended(home.store, "commands", command.num, command.payload)
    assert sent(await claim(home)) == [0]


async def test_one_that_is_due_alone_is_put_aside_when_others_can_be_read(home: Home) -> None:
    """Those that are due may all be broken, and those behind them wait for that."""
    bad = await home.store.add_command(some_command(home, 1))
    await home.store.add_command(some_command(home, 2, next_try_us=NOW + 2 * SECOND))
    await lost(home.store, "commands", bad.num)
    claimed = await claim(home, limit=1)
    assert (claimed.send, claimed.next_us) == ((), NOW + 2 * SECOND)
    await only_letter(home, COMMANDS, subject_of_command(bad.key))
    assert sent(await claim(home, 2, limit=1)) == [2]


async def test_a_command_that_nobody_can_read_expires_at_its_time(home: Home, damage: Any) -> None:
    """Its occurrence and its user's webhooks are told, of all but its payload."""
    await home.store.add_media(some_media())
    webhook = await of_webhooks.added(home, events=("command.expired",))
    schedule = await home.store.add_schedule(some_schedule(), times(1))
    (bad,) = (await fire(home, 1, Judge(home))).send
    await home.store.add_command(some_command(home, 77, expires_us=NOW + 9_000 * SECOND))
    await damage(home.store, "commands", await num_of(home, bad))
    assert sent(await claim(home, 599)) == [77]
    assert (await only_letter(home, COMMANDS, subject_of_command(bad.key))).attempts == 1
    over = await claim(home, 610)
    (ended,) = over.changed.commands
    assert (ended.id, ended.state, ended.payload) == (bad.id, "expired", "null")
    (occurrence,) = over.changed.occurrences
    assert occurrence.command_id == bad.id
    assert await listed(home, schedule) == [(1, occurrence.state)]
    assert over.changed.told
    body = json.loads((await of_webhooks.only(home, webhook)).body)
    assert (body["data"]["id"], body["data"]["payload"]) == (bad.id, None)
    # It is over: its letter goes, and nobody claims it again.
    assert await home.store.forget_gone_letters(COMMANDS) == 1
    assert sent(await claim(home, 8_000)) == [77]
    assert await home.store.dead_letters(10, None) == []


async def num_of(home: Home, command: Command) -> int:
    found = await home.store.command(command.user_id, command.id)
    assert found is not None
    return found.num


async def test_a_command_that_nobody_can_read_is_cancelled_like_any_other(
    home: Home, damage: Any
) -> None:
    bad = await home.store.add_command(some_command(home, 1))
    await home.store.add_command(some_command(home, 2))
    await damage(home.store, "commands", bad.num)
    (ended,) = (await home.store.cancel_command(USER, bad.id, NOW)).commands
    assert (ended.state, ended.payload) == ("cancelled", "null")
    assert sent(await claim(home)) == [2]
    await mended(home.store, "commands", bad.num, bad.payload)
    assert await state(home) == "cancelled"


async def test_what_a_device_says_of_a_command_that_nobody_can_read_holds_up_no_commit(
    home: Home, damage: Any
) -> None:
    """No reading of anybody was stored any more."""
    bad = await home.store.add_command(some_command(home, 1))
    good = await home.store.add_command(some_command(home, 2, payload='{"n":2}', parallel=True))
    await claim(home)
    await damage(home.store, "commands", bad.num)
    batch = home.batch(
        of(home.reading(1.0), acks=(ack(home, "succeeded", 1, result="[1]"), unknown(home))),
        of(acks=(ack(home, "delivered", 2),)),
    )
    done = await home.store.commit(batch)
    assert [each.command_id for each in done.unknown] == [unknown(home).command_id]
    assert await home.values() == [(0, 1.0)]
    found = {each.id: each for each in done.changed.commands}
    assert (found[bad.id].state, found[bad.id].payload) == ("succeeded", "null")
    assert (found[good.id].state, found[good.id].payload) == ("delivered", '{"n":2}')
    # Its answer was lost, and is given again.
    again = await home.store.commit(batch)
    assert (again.no, again.changed.commands) == (done.no, done.changed.commands)
    await mended(home.store, "commands", bad.num, bad.payload)
    healed = await home.store.command(USER, bad.id)
    assert healed is not None
    assert (healed.state, healed.result, healed.payload) == ("succeeded", "[1]", bad.payload)


def unknown(home: Home) -> AckChange:
    return ack(home, "succeeded", 99)


async def test_nothing_but_its_pause_and_an_operator_makes_it_due(home: Home) -> None:
    """It was due at once whenever another one of its device ended, or its device came online: so
    often all claims were made row by row."""
    bad = await home.store.add_command(some_command(home, 1))
    for n in (2, 3):
        await home.store.add_command(some_command(home, n))
    await lost(home.store, "commands", bad.num)
    await claim(home)
    assert sent(await claim(home, BLOCKED_AGAIN_S)) == [2]
    await home.store.nudge_commands([home.device.num], NOW + 6 * SECOND)
    await home.commit(of(acks=(ack(home, "succeeded", 2),)))
    assert sent(await claim(home, 6)) == [3]
    assert (await only_letter(home, COMMANDS, subject_of_command(bad.key))).attempts == 1
    await home.store.retry_dead_letters(None, NOW + 7 * SECOND)
    await claim(home, 7)
    assert (await only_letter(home, COMMANDS, subject_of_command(bad.key))).attempts == 2
    # Healed and sent, it is nudged like all others.
    await mended(home.store, "commands", bad.num, bad.payload)
    await home.store.retry_dead_letters(None, NOW + 8 * SECOND)
    assert sent(await claim(home, 8)) == [1]
    await home.store.nudge_commands([home.device.num], NOW + 9 * SECOND)
    assert 1 in sent(await claim(home, 9))


async def test_it_is_due_again_within_the_pause_between_tries_however_often_it_failed(
    home: Home,
) -> None:
    """As any command is: further away would be a clock that was set back."""
    far = NOW + 90_000 * SECOND
    bad = await home.store.add_command(some_command(home, 1, expires_us=far))
    await home.store.add_command(some_command(home, 2, expires_us=far, parallel=True))
    await claim(home)
    await lost(home.store, "commands", bad.num)
    at_s = 5
    for _ in range(9):
        claimed = await claim(home, at_s)
        assert bad.id not in [each.id for each in claimed.send]
        at_s += AGAIN_MAX_S
    assert (await only_letter(home, COMMANDS, subject_of_command(bad.key))).attempts == 9
    await mended(home.store, "commands", bad.num, bad.payload)
    assert 1 in sent(await claim(home, at_s))
    # Its letter speaks of an hour, but it is not held any more.
    await home.store.nudge_commands([home.device.num], NOW + (at_s + 1) * SECOND)
    assert 1 in sent(await claim(home, at_s + 1))


async def test_a_device_goes_with_a_command_that_nobody_can_read(home: Home) -> None:
    bad = await home.store.add_command(some_command(home, 1))
    await home.store.add_command(some_command(home, 2))
    await lost(home.store, "commands", bad.num)
    await claim(home)
    await home.store.delete_device(USER, home.device.id, purge=True)
    assert await home.store.forget_gone_letters(COMMANDS) == 1
    assert (await claim(home, 60)).next_us is None


async def with_schedules(home: Home, many: int = 4, **changes: Any) -> list[Schedule]:
    await home.store.add_media(some_media())
    return [
        await home.store.add_schedule(some_schedule(n, **changes), times(n))
        for n in range(1, many + 1)
    ]


async def test_occurrences_of_a_schedule_that_nobody_can_read_wait_and_all_others_fire(
    home: Home, damage: Any
) -> None:
    _, bad, *_ = schedules = await with_schedules(home)
    await damage(home.store, "media_schedules", bad.num)
    fired = await fire(home, 4, Judge(home))
    assert [each.due_us for each in fired.changed.occurrences] == times(1, 3, 4)
    assert len(fired.send) == 3
    (letter,) = await home.store.dead_letters(10, None)
    assert (letter.work, letter.user_id) == (OCCURRENCES, USER)
    assert letter.reason.startswith(WHY[damage])
    assert fired.next_us == NOW + (4 + PAUSE_S) * SECOND
    assert (await fire(home, 5, Judge(home))).changed.occurrences == ()
    # Alone it is due again: others can be read still.
    again = await fire(home, 4 + PAUSE_S, Judge(home))
    assert again.next_us == NOW + (4 + 3 * PAUSE_S) * SECOND
    await mended(home.store, "media_schedules", bad.num, "FREQ=DAILY")
    await fire(home, 4 + 3 * PAUSE_S, Judge(home))
    for n, schedule in enumerate(schedules, 1):
        assert await listed(home, schedule) == [(n, "triggered")]
    assert await home.store.dead_letters(10, None) == []


async def test_many_occurrences_of_it_that_are_due_first_hold_up_no_other(home: Home) -> None:
    """All that a claim takes may be of it."""
    await home.store.add_media(some_media())
    bad = await home.store.add_schedule(some_schedule(1), times(1, 2, 3))
    good = await home.store.add_schedule(some_schedule(2), times(4))
    await lost(home.store, "media_schedules", bad.num)
    assert (await fire(home, 5, Judge(home), limit=3)).send == ()
    assert len(await home.store.dead_letters(10, None)) == 3
    assert len((await fire(home, 5, Judge(home), limit=3)).send) == 1
    assert await listed(home, good) == [(4, "triggered")]


async def test_where_no_schedule_can_be_read_none_is_put_aside(home: Home) -> None:
    for schedule in await with_schedules(home, plan_us=NOW):
        await lost(home.store, "media_schedules", schedule.num)
    with pytest.raises(Unavailable):
        await fire(home, 9, Judge(home))
    with pytest.raises(Unavailable):
        await home.store.plan_schedules(NOW, 10, plan)
    assert await home.store.dead_letters(10, None) == []


def plan(schedule: Schedule) -> tuple[Schedule, list[int]]:
    later = msgspec.structs.replace(schedule, planned_us=NOW, plan_us=NOW + 900 * SECOND)
    return later, times(900 + schedule.num)


async def test_a_schedule_that_nobody_can_read_is_put_aside_and_all_others_are_planned(
    home: Home, damage: Any
) -> None:
    schedules = await with_schedules(home, plan_us=NOW)
    bad = schedules[1]
    await damage(home.store, "media_schedules", bad.num)
    assert await home.store.plan_schedules(NOW, 10, plan) == NOW + PAUSE_S * SECOND
    letter = await only_letter(home, PLANS, bad.id)
    assert letter.reason.startswith(WHY[damage])
    assert (letter.user_id, letter.attempts) == (USER, 1)
    assert await home.store.plan_schedules(NOW + SECOND, 10, plan) == NOW + PAUSE_S * SECOND
    # Alone it is due again: others can be read still.
    await home.store.plan_schedules(NOW + PAUSE_S * SECOND, 10, plan)
    assert (await only_letter(home, PLANS, bad.id)).attempts == 2
    await mended(home.store, "media_schedules", bad.num, "FREQ=DAILY")
    after_us = NOW + 3 * PAUSE_S * SECOND
    assert await home.store.plan_schedules(after_us, 10, plan) == NOW + 900 * SECOND
    assert await home.store.dead_letters(10, None) == []
    for n, schedule in enumerate(schedules, 1):
        assert await listed(home, schedule) == [(900 + schedule.num, "pending"), (n, "pending")]


async def with_deliveries(home: Home) -> list[WebhookDelivery]:
    """Three of each of two webhooks."""
    hooks = [await of_webhooks.added(home, n) for n in (1, 2)]
    return [await of_webhooks.with_news(home, hook, n) for n in range(3) for hook in hooks]


async def taken(home: Home, after_s: float = 0) -> list[str]:
    return [e.delivery.id for e in (await of_webhooks.claim(home, after_s)).claims]


async def test_a_delivery_that_nobody_can_read_is_put_aside_and_all_others_are_tried(
    home: Home, damage: Any
) -> None:
    bad, *others = await with_deliveries(home)
    await damage(home.store, "webhook_deliveries", bad.num)
    assert await taken(home) == [each.id for each in others]
    letter = await only_letter(home, WEBHOOKS, bad.id)
    assert letter.reason.startswith(WHY[damage])
    assert (letter.user_id, letter.attempts) == (USER, 1)
    assert bad.id not in await taken(home, PAUSE_S - 1)
    assert bad.id not in await taken(home, PAUSE_S)
    assert (await only_letter(home, WEBHOOKS, bad.id)).attempts == 2
    await mended(home.store, "webhook_deliveries", bad.num, bad.body)
    assert bad.id in await taken(home, 3 * PAUSE_S)


async def test_deliveries_of_a_webhook_that_nobody_can_read_hold_up_no_other(home: Home) -> None:
    deliveries = await with_deliveries(home)
    bad = [each for each in deliveries if each.webhook_num == deliveries[0].webhook_num]
    await lost(home.store, "webhooks", bad[0].webhook_num, column="secret")
    assert await taken(home) == [each.id for each in deliveries if each not in bad]
    letters = await home.store.dead_letters(10, None)
    assert {each.subject for each in letters} == {each.id for each in bad}
    hook = bad[0].webhook_num
    await mended(home.store, "webhooks", hook, "whsec_c2VjcmV0", column="secret")
    assert {each.id for each in bad} <= set(await taken(home, PAUSE_S))


async def test_where_no_delivery_can_be_read_none_is_put_aside(home: Home) -> None:
    for each in await with_deliveries(home):
        await lost(home.store, "webhook_deliveries", each.num)
    with pytest.raises(Unavailable):
        await taken(home)
    assert await home.store.dead_letters(10, None) == []
