"""Work that meets a damaged row goes on without it: commits, logins, sessions, roll-ups (I6)."""

from typing import Any

import msgspec
import pytest

from protocol.dead_letters import DEVICES, LISTENERS, ROWS, SESSIONS
from protocol.device.alarms import AlarmRule
from protocol.records import StateChange, Taken
from protocol.webhook.deliveries import Outcome
from tests.contract import test_store_alarms as of_alarms
from tests.contract import test_store_commands as of_commands
from tests.contract import test_store_webhooks as of_webhooks
from tests.contract.damage import garbled, lost
from tests.contract.pg_scene import Scene
from tests.contract.test_damaged_rows import letters, with_devices
from tests.contract.test_store import Home, of
from tests.contract.test_store_listeners import some_listener
from tests.contract.test_store_schedules import Judge, listed, some_media, some_schedule, times
from tests.contract.test_store_schedules import claim as fire
from tests.unit.makers import NOW, OTHER_USER, SECOND, USER

MINUTE = 60 * SECOND


@pytest.fixture(params=[lost, garbled], ids=lambda damage: damage.__name__)
def damage(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def home(scene: Scene) -> Home:
    return scene.home


async def test_a_webhook_whose_events_nobody_can_read_holds_up_no_commit(
    home: Home, damage: Any
) -> None:
    """Nobody's readings were stored any more, or a good one was refused."""
    bad = await of_webhooks.added(home)
    await damage(home.store, "webhooks", bad.num, "events")
    raised = of_alarms.alarm(home)
    await home.commit(of(home.reading(1.0), alarms=(raised,)))
    assert await home.values() == [(0, 1.0)]
    assert await letters(home) == [(ROWS, f"webhooks {bad.num}")]
    # Who can be read is told.
    good = await of_webhooks.added(home, 2)
    cleared = msgspec.structs.replace(raised, state="cleared", cleared_us=NOW)
    assert (await home.commit(of(alarms=(cleared,)))).changed.told
    assert await of_webhooks.told(home, good) == ["alarm.cleared"]


async def test_deliveries_of_a_webhook_whose_description_nobody_can_read_are_done_once(
    home: Home, damage: Any
) -> None:
    """Each was sent again for ever."""
    webhook = await of_webhooks.added(home)
    await of_webhooks.with_news(home, webhook)
    await damage(home.store, "webhooks", webhook.num)
    (claimed,) = (await of_webhooks.claim(home)).claims
    await home.store.delivery_tried(claimed.delivery, Outcome(status=204), NOW)
    found = await of_webhooks.only(home, webhook)
    assert found.state == "delivered"
    assert (await of_webhooks.claim(home, 86_400)).claims == ()


async def test_what_a_device_says_of_an_occurrence_that_nobody_can_read_holds_up_no_commit(
    home: Home, damage: Any
) -> None:
    await home.store.add_media(some_media())
    schedule = await home.store.add_schedule(some_schedule(), times(1))
    fired = await fire(home, 10, Judge(home))
    (occurrence,) = fired.changed.occurrences
    await damage(home.store, "schedule_occurrences", occurrence.num)
    said = of_commands.ack(home, "succeeded", occurrence.num)
    done = await home.commit(of(home.reading(1.0), acks=(said,)))
    assert [each.state for each in done.changed.occurrences] == ["completed"]
    assert await home.values() == [(0, 1.0)]
    # What the command says took the place of what nobody could read.
    assert await listed(home, schedule) == [(1, "completed")]


async def test_logins_of_a_damaged_device_shut_out_no_other(home: Home) -> None:
    """All devices were refused that connected at the same moment."""
    devices = await with_devices(home)
    names = [device.client_id for device in devices]
    assert len(await home.store.logins(names)) == len(devices)
    await garbled(home.store, "devices", devices[1].num, "client_id")
    found = await home.store.logins(names)
    others = [device for device in devices if device != devices[1]]
    assert {login.device_code for login in found.values()} == {each.code for each in others}
    assert await letters(home) == [(ROWS, f"devices {devices[1].num}")]


async def test_logins_of_a_damaged_listener_shut_out_no_other(scene: Scene) -> None:
    home = scene.home
    good, bad = some_listener(), some_listener(2, user_id=OTHER_USER)
    for each in (good, bad):
        await home.store.set_listener(each)
    await scene.fetch(
        "UPDATE listeners SET created_at = 'infinity' WHERE username = $1", bad.username
    )
    found = await home.store.listener_logins([good.username, bad.username])
    assert found == {good.username: good}
    assert await letters(home) == [(LISTENERS, OTHER_USER)]


async def test_a_device_whose_code_nobody_can_read_keeps_no_other_from_its_lease(
    home: Home,
) -> None:
    """No lease of anybody was restored at a start."""
    devices = await with_devices(home)
    for device in devices[:3]:
        state = msgspec.structs.replace(device.state, version=1, status="online", state_us=NOW)
        await home.commit(of(state=StateChange(device.num, state)))
    await garbled(home.store, "devices", devices[1].num, "code")
    assert [each.num for each in await home.store.online_devices()] == [
        devices[0].num,
        devices[2].num,
    ]
    assert await letters(home) == [(ROWS, f"devices {devices[1].num}")]


async def test_nor_from_its_waiting_alarms(home: Home) -> None:
    devices = await with_devices(home)
    feed = msgspec.structs.replace(home.feeds["number"], alarm=AlarmRule(after_s=60.0))
    await home.store.update_feed(feed)
    waiting = [
        of_alarms.alarm(home, n, kind=f"k{n}", state="pending", device_num=devices[n].num)
        for n in range(2)
    ]
    await home.commit(of(alarms=tuple(waiting)))
    await garbled(home.store, "devices", devices[1].num, "code")
    page = await home.store.pending_alarms(10, 0)
    assert [each.kind for _, each, _ in page.alarms] == ["k0"]
    assert await letters(home) == [(ROWS, f"devices {devices[1].num}")]


async def test_minutes_that_nobody_can_read_are_found_again_among_the_readings(
    scene: Scene,
) -> None:
    """No minute of anybody was summed up any more."""
    home = scene.home
    ((now_us,),) = await scene.fetch("SELECT (extract(epoch FROM now()) * 1000000)::bigint")
    start_us = now_us - now_us % MINUTE
    for n in range(3):
        await home.commit(of(home.reading(float(n), start_us + n * MINUTE)))
    ((num,),) = await scene.fetch("SELECT num FROM rollup_log ORDER BY num OFFSET 1 LIMIT 1")
    await lost(home.store, "rollup_log", num, "minutes")
    assert await home.store.roll_up(100) == 0
    found = await scene.fetch("SELECT max FROM feed_minutes ORDER BY ts")
    assert [value for (value,) in found] == [0.0, 1.0, 2.0]
    assert await letters(home) == []


async def test_a_session_serves_on_without_identities_that_nobody_can_read(scene: Scene) -> None:
    """It never connected again, and with it a partition."""
    home = scene.home
    for n in range(3):
        taken = Taken("s", n.to_bytes(16, "big"))
        await home.commit(of(home.reading(float(n), NOW + n), taken=taken))
    found = await scene.fetch("SELECT commit_no FROM taken ORDER BY 1")
    numbers = [commit_no for (commit_no,) in found]
    await lost(home.store, "taken", numbers[1], "digests", "commit_no")
    memory = await home.store.session_memory("s")
    assert [int.from_bytes(each, "big") for each in (*memory.known, *memory.suspects)] == [0, 2]
    assert await letters(home) == [(SESSIONS, f"s {numbers[1]}")]
    # It goes with what it is about.
    await home.store.forget_gone_letters(SESSIONS)
    assert await letters(home) == [(SESSIONS, f"s {numbers[1]}")]
    await scene.fetch("DELETE FROM taken WHERE commit_no = $1", numbers[1])
    await home.store.forget_gone_letters(SESSIONS)
    assert await letters(home) == []


async def test_letters_that_nobody_can_read_hide_no_other(home: Home) -> None:
    """`roost dead-letters` ended with an error, and nothing of their kind was tried again."""
    for n in range(3):
        await home.store.put_aside(DEVICES, f"{USER}/d{n}", "why", now_us=NOW + n)
    bad = (await home.store.dead_letters(10, None))[1]
    await garbled(home.store, "dead_letters", bad.id, "reason", "id::text")
    found = await home.store.dead_letters(10, None)
    assert [letter.id for letter in found][1] == bad.id
    assert [letter.reason for letter in found] == ["why", "this letter cannot be read", "why"]
    page = await home.store.dead_letters(10, (found[0].first_us, found[0].id))
    assert [letter.id for letter in page] == [letter.id for letter in found[1:]]
    due = await home.store.due_dead_letters(DEVICES, NOW + 60 * SECOND, 10)
    assert [letter.subject for letter in due] == [f"{USER}/d{n}" for n in range(3)]
    assert await home.store.drop_dead_letter(bad.id)
