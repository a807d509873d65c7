"""Who is there: what renews a lease, what ends it, and the offline alarm."""

from typing import Any

import msgspec
import pytest

from actors.device.actor import DeviceActor
from protocol.messages import (
    CameOnline,
    Configured,
    LeaseEnded,
    LeaseExpired,
    LeaseRenewed,
    LeaseResized,
)
from protocol.records import DeviceState, WriteUnit
from tests.unit.actors.device.effects import actor, alarms, hear, shown, states
from tests.unit.makers import NOW, SECOND, loaded, sent, some_alarm

ONLINE = DeviceState(version=5, status="online", last_seen_us=NOW)


def expire(device: DeviceActor, at_s: float = 300, after_s: int = 300) -> list[Any]:
    return list(
        device.step(
            LeaseExpired(key=device.device.key, after_s=after_s), NOW + round(at_s * SECOND)
        )
    )


def test_a_silent_device_is_offline_with_an_alarm_until_its_next_message() -> None:
    device = actor(state=ONLINE)
    expired = expire(device)
    assert (device.device.state.status, states(expired), shown(expired)) == (
        "offline",
        ["active"],
        ["active"],
    )
    assert [e.key for e in expired if isinstance(e, LeaseEnded)] == [device.device.key]
    (unit,) = [e for e in expired if isinstance(e, WriteUnit)]
    assert (unit.messages, unit.receipt) == (0, None)
    back = hear(device, 1, 400)
    assert (device.device.state.status, states(back)) == ("online", ["cleared"])
    assert [e.device_num for e in back if isinstance(e, CameOnline)] == [1]
    assert [e.after_s for e in back if isinstance(e, LeaseRenewed)] == [300]


def test_a_lease_of_another_length_is_only_put_right() -> None:
    device = actor(state=ONLINE)
    assert expire(device, after_s=60) == [LeaseResized(key=device.device.key, after_s=300)]
    assert device.device.state.status == "online"


def test_a_device_that_is_offline_already_has_no_lease() -> None:
    device = actor(state=DeviceState(version=5, status="offline", last_seen_us=NOW))
    assert expire(device) == [LeaseEnded(key=device.device.key)]


def test_new_settings_resize_the_lease_of_a_device_that_is_online() -> None:
    def resized(status: str) -> list[int]:
        device = actor(state=DeviceState(version=5, status=status, last_seen_us=NOW))
        changed = loaded()
        changed = msgspec.structs.replace(
            changed, device=msgspec.structs.replace(changed.device, offline_after_s=60)
        )
        effects = device.step(Configured(loaded=changed, read=1, done=lambda: None), NOW)
        return [e.after_s for e in effects if isinstance(e, LeaseResized)]

    assert (resized("online"), resized("offline")) == ([60], [])


def test_a_device_that_says_it_is_offline_has_no_lease() -> None:
    device = actor(state=ONLINE)
    effects = device.step(sent('{"status": "offline"}', "status", at_us=NOW + SECOND), NOW)
    assert [type(e) for e in effects if isinstance(e, LeaseEnded | LeaseRenewed)] == [LeaseEnded]


@pytest.mark.parametrize("status", ["online", "offline"])
def test_a_message_that_is_set_aside_shows_a_living_device(status: str) -> None:
    """It turned online without a lease, and stayed so however long it was silent."""
    device = actor(state=DeviceState(version=5, status=status, last_seen_us=NOW))
    effects = device.set_aside(sent("1", at_us=NOW + SECOND), "ValueError: x")
    assert device.device.state.status == "online"
    assert [e.after_s for e in effects if isinstance(e, LeaseRenewed)] == [300]


def test_every_first_delivery_renews_the_lease_and_nothing_else_does() -> None:
    def renewed(message: Any) -> bool:
        device = actor(state=ONLINE)
        effects = device.step(message, NOW + SECOND)
        return any(isinstance(e, LeaseRenewed) for e in effects)

    assert renewed(sent("1"))
    assert renewed(sent("no number"))
    assert renewed(sent('{"temperature": 1}', "status"))
    assert renewed(sent('{"status": "delivered"}', "commands/c/ack"))
    assert not renewed(sent("1", again=True))
    assert not renewed(sent("1", retained=True))
    assert not renewed(sent('{"status": "online"}', "status", retained=True))


@pytest.mark.parametrize("how", [{"again": True}, {"retained": True}])
@pytest.mark.parametrize("ts", ["", ', "ts": 1790000100'])
def test_neither_a_redelivery_nor_a_retained_status_revives_the_dead(
    how: dict[str, bool], ts: str
) -> None:
    device = actor(state=ONLINE)
    expire(device)
    message = sent('{"status": "online"' + ts + "}", "status", at_us=NOW + 400 * SECOND, **how)
    device.step(message, 0)
    assert device.device.state.status == "offline"


def test_an_offline_alarm_that_was_open_before_a_restart_is_cleared_by_the_next_message() -> None:
    state = DeviceState(version=5, status="offline", last_seen_us=NOW)
    known = some_alarm(1, feed_num=None, feed_id=None, kind="offline")
    device = DeviceActor(msgspec.structs.replace(loaded(state=state), alarms=(known,)))
    assert [(a.id, a.state) for a in alarms(hear(device, 1, 5))] == [(known.id, "cleared")]


def test_a_device_may_do_without_the_alarm() -> None:
    quiet = loaded(state=ONLINE)
    quiet = msgspec.structs.replace(
        quiet, device=msgspec.structs.replace(quiet.device, offline_alarm=False)
    )
    device = DeviceActor(quiet)
    assert states(expire(device)) == []
    assert device.device.state.status == "offline"


def test_the_will_of_an_earlier_boot_hides_no_reading_that_it_overtook() -> None:
    """Status goes before readings in the mailbox, and an old will has no effect at all."""
    before = DeviceState(version=5, status="offline", session=5, last_seen_us=NOW - SECOND)
    device = actor(state=before)
    will = sent('{"status": "offline", "session": 4}', "status", at_us=NOW + 300 * SECOND)
    device.step(will, NOW + 300 * SECOND)
    hear(device, 1, 299)
    assert device.device.state.status == "online"
