"""Who hears of what people change, and in which order."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest

from actors.changes import Changes
from actors.ports.people import AccountChange
from protocol.errors import Conflict, Outdated, Unavailable
from protocol.people.access import OwnSecrets
from protocol.people.user import User
from protocol.problems.detail import Detail
from tests.unit.makers import USER, some_device, some_feed, some_login

DEVICE, FEED = some_device(), some_feed()


class Everybody:
    """Stands for all of the service; notes what was called, in order."""

    def __init__(self) -> None:
        self.all = Mock()
        for name in ("store", "writer", "logins", "session_sweep"):
            self.all.attach_mock(AsyncMock(), name)
        self.all.devices.changing = self._changing
        self.changes = Changes(
            self.all.store,
            self.all.writer,
            self.all.logins,
            devices=self.all.devices,
            users=self.all.users,
            mqtt_relay=self.all.mqtt_relay,
            sessions=self.all.sessions,
            session_sweep=self.all.session_sweep,
            scheduler=self.all.scheduler,
            device_timer=self.all.device_timer,
            retained=self.all.retained,
        )

    @asynccontextmanager
    async def _changing(self, user_id: str, **what: Any) -> AsyncIterator[None]:
        self.all.changing(**what)
        yield
        self.all.applied()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        self.all.turn()
        yield

    @property
    def heard(self) -> list[str]:
        return [name for name, _, _ in self.all.mock_calls]


async def heard_of(change: Callable[[Everybody], Awaitable[object]]) -> list[str]:
    everybody = Everybody()
    everybody.all.store.add_devices.return_value = [DEVICE]
    everybody.all.store.add_feed.return_value = FEED
    await change(everybody)
    return everybody.heard


async def test_actors_judge_by_a_new_setting_before_dashboards_and_listeners_hear_of_it() -> None:
    assert await heard_of(lambda all_: all_.changes.change_device(DEVICE)) == [
        "changing",
        "store.update_device",
        "device_timer.leases.resize",
        "applied",
        "users.tell",
        "mqtt_relay.changed",
    ]
    assert await heard_of(lambda all_: all_.changes.change_feed(FEED)) == [
        "changing",
        "store.update_feed",
        "applied",
        "mqtt_relay.changed",
    ]


async def test_what_was_taken_is_committed_before_a_device_or_a_feed_goes() -> None:
    gone = await heard_of(
        lambda all_: all_.changes.delete_device(DEVICE, purge=True, turn=all_.turn())
    )
    assert gone == [
        "writer.barrier",
        "turn",
        "changing",
        "store.delete_device",
        "device_timer.leases.end",
        "session_sweep.device_deleted",
        "applied",
        "users.tell",
        "mqtt_relay.device_deleted",
        "retained.gone",
    ]
    assert await heard_of(lambda all_: all_.changes.delete_feed(FEED, all_.turn())) == [
        "changing",
        "store.update_feed",
        "applied",
        "writer.barrier",
        "turn",
        "changing",
        "store.delete_feed",
        "applied",
        "mqtt_relay.changed",
    ]


async def test_new_devices_concern_those_who_published_under_their_codes_before() -> None:
    for devices, codes in (([DEVICE], ["d1"]), ([DEVICE, some_device("d2")], ["d1", "d2"])):
        everybody = Everybody()
        everybody.all.store.add_devices.return_value = devices
        wanted = [(device, some_login(device)) for device in devices]
        await everybody.changes.add_devices(USER, wanted, 10)
        everybody.all.changing.assert_called_once_with(codes=codes)
        assert everybody.all.users.tell.call_count == len(devices)


@pytest.mark.parametrize("error", [Outdated(), Conflict(Detail("id_used")), Unavailable("away")])
async def test_nobody_hears_of_a_change_that_was_not_made(error: Exception) -> None:
    everybody = Everybody()
    everybody.all.store.update_device.side_effect = error
    with pytest.raises(type(error)):
        await everybody.changes.change_device(DEVICE)
    assert everybody.heard == ["changing", "store.update_device"]


async def test_a_new_login_holds_though_the_old_connection_cannot_be_closed() -> None:
    everybody = Everybody()
    everybody.all.logins.disconnect.side_effect = Unavailable("away")
    await everybody.changes.set_login(DEVICE, some_login(DEVICE))
    assert everybody.heard == ["store.set_login", "logins.disconnect"]


async def test_a_listener_that_was_there_is_swept_and_none_that_was_not() -> None:
    for old, heard in ((None, []), (Mock(username="u"), ["session_sweep.listener_deleted"])):
        everybody = Everybody()
        everybody.all.store.listener.return_value = old
        listener: Any = Mock(user_id=USER)
        await everybody.changes.set_listener(listener)
        assert everybody.heard == [
            "store.listener",
            "store.set_listener",
            "mqtt_relay.changed",
            *heard,
        ]


async def test_what_is_revoked_is_disconnected_after_the_change() -> None:
    everybody = Everybody()
    user = User(id=USER, email=None, full_name=None, password_hash=None, created_us=0)
    everybody.all.store.update_user.return_value = OwnSecrets(("k",), "listener-1")
    for revoke in (True, False):
        everybody.all.reset_mock()
        change = AccountChange(user=user, known=1, sign_out=True, revoke=revoke)
        await everybody.changes.change_account(change)
        assert everybody.heard == [
            "store.update_user",
            "sessions.changed",
            *(
                ["sessions.invalidate", "mqtt_relay.changed", "session_sweep.listener_deleted"]
                if revoke
                else []
            ),
        ]


async def test_what_is_not_there_wakes_nobody() -> None:
    everybody = Everybody()
    for name in ("delete_listener", "retry_delivery", "acknowledge_alarms"):
        getattr(everybody.all.store, name).return_value = (
            [] if name == "acknowledge_alarms" else None
        )
    assert not await everybody.changes.delete_listener(USER)
    assert await everybody.changes.retry_delivery(USER, "w", "d", 0) is None
    assert await everybody.changes.acknowledge_alarms(USER, ["a"], 0) == []
    assert everybody.heard == [
        "store.delete_listener",
        "store.retry_delivery",
        "writer.barrier",
        "store.acknowledge_alarms",
    ]


async def test_a_schedule_that_will_fire_is_due() -> None:
    everybody = Everybody()
    schedule: Any = Mock(user_id=USER, next_us=5, plan_us=None)
    everybody.all.store.update_schedule.return_value = [Mock(), Mock()]
    await everybody.changes.change_schedule(schedule, [5])
    assert everybody.heard == ["store.update_schedule", *["users.tell"] * 3, "scheduler.due"]
    everybody.all.scheduler.due.assert_called_once_with("occurrences", 5)
