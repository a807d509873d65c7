"""Short ways to make records for tests."""

from typing import Any

import msgspec

from actors.device.registry import Devices
from actors.ingest.decoding import decode
from protocol.device.alarms import Alarm
from protocol.device.topics import parse_topic
from protocol.messages import FromDevice
from protocol.people.user import User
from protocol.records import Device, DeviceState, Feed, LoadedDevice, MqttLogin, Origin, SharedFeeds

NOW = 1_790_000_000_000_000
SECOND = 1_000_000
USER = "06b72fa5-f615-4659-a9f9-4d313aba495d"
OTHER_USER = "b7f59b68-5dde-4d9f-9e86-ca85d6984ffe"
DEVICE = "49659342-7cdf-4b84-b846-c7c21effb95d"


def some_user(user_id: str = USER, email: str = "ada@example.org") -> User:
    return User(
        id=user_id, email=email, full_name=None, password_hash="plain:secret", created_us=NOW
    )


def some_device(code: str = "d1", device_id: str = DEVICE, **changes: Any) -> Device:
    device = Device(
        num=1,
        id=device_id,
        user_id=USER,
        code=code,
        name=code,
        offline_after_s=300,
        client_id=f"device-{device_id}",
        created_us=NOW,
    )
    return msgspec.structs.replace(device, **changes)


def some_login(device: Device) -> MqttLogin:
    return MqttLogin(
        username=device.client_id,
        client_id=device.client_id,
        password_sha256=b"x" * 32,
        user_id=device.user_id,
        device_code=device.code,
    )


def some_feed(key: str = "t", num: int = 1, **changes: Any) -> Feed:
    feed = Feed(
        num=num,
        id=f"00000000-0000-4000-8000-{num:012d}",
        user_id=USER,
        device_id=DEVICE,
        key=key,
        name=key,
        unit=None,
        kind="number",
        enabled=True,
        min_value=None,
        max_value=None,
        on_violation="reject",
        created_us=NOW,
    )
    return msgspec.structs.replace(feed, **changes)


def some_alarm(place: int = 1, at_us: int = NOW, **changes: Any) -> Alarm:
    alarm = Alarm(
        id=f"00000000-0000-4000-a000-{place:012d}",
        user_id=USER,
        device_num=1,
        device_id=DEVICE,
        feed_num=place,
        feed_id=f"00000000-0000-4000-8000-{place:012d}",
        kind="threshold",
        severity="warning",
        state="active",
        since_us=at_us,
        raised_us=at_us,
        value=1.0,
        detail="high",
    )
    return msgspec.structs.replace(alarm, **changes)


def loaded(
    *feeds: Feed, state: DeviceState | None = None, raised: dict[int, int] | None = None
) -> LoadedDevice:
    device = some_device() if state is None else some_device(state=state)
    feeds = feeds or (some_feed(),)
    return LoadedDevice(
        device=device,
        feeds=tuple(feed for feed in feeds if feed.device_id is not None),
        shared=SharedFeeds(feed for feed in feeds if feed.device_id is None),
        alarms=tuple(some_alarm(num, at_us) for num, at_us in (raised or {}).items()),
    )


def sent(
    payload: bytes | str | float,
    tail: str = "feeds/t",
    *,
    at_us: int = NOW,
    again: bool = False,
    retained: bool = False,
    receipt: object = None,
) -> FromDevice:
    """A message of the device `d1`, as the gateway would hand it over."""
    data = payload if isinstance(payload, bytes) else str(payload).encode()
    raw = f"users/{USER}/devices/d1/{tail}"
    topic = parse_topic(raw)
    origin = Origin(topic, raw, data, at_us, retained, again, None, receipt)
    return decode(topic, data, at_us, retained=retained).message(origin)


def handed(devices: Devices, message: FromDevice) -> bool:
    """Whether the device's actor had room for the message, and has it."""
    place = devices.place_of(message.origin.topic)
    if place is not None:
        place.hand(message, control=message.origin.topic.is_urgent)
    return place is not None
