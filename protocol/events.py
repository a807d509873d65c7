"""Events for dashboards, and the frames of their WebSocket (CONTRACT §3).

An event is encoded once for all sockets. `seq` differs per connection, so `framed` appends it at
the end: a thousand dashboards cost one encoding. Times are µs since 1970, RFC 3339 in frames.
"""

from functools import cached_property
from typing import Any

import msgspec

from protocol import codec
from protocol.device.alarms import Alarm, alarm_view
from protocol.device.commands import Command, command_view
from protocol.device.values import Value
from protocol.records import Device
from protocol.schedule.schedules import Occurrence, Schedule, occurrence_view, schedule_view
from protocol.times import format_us


class DeviceView(msgspec.Struct, frozen=True, kw_only=True):
    """`Device` of CONTRACT §3."""

    id: str
    device_code: str
    name: str
    status: str
    temperature: float | None
    humidity: float | None
    latitude: float | None
    longitude: float | None
    firmware: str | None
    last_seen: str | None


def device_view(device: Device) -> DeviceView:
    """A device as dashboards receive it."""
    state = device.state
    return DeviceView(
        id=device.id,
        device_code=device.code,
        name=device.name,
        status=state.status,
        temperature=state.temperature,
        humidity=state.humidity,
        latitude=state.latitude,
        longitude=state.longitude,
        firmware=state.firmware,
        last_seen=None if state.last_seen_us is None else format_us(state.last_seen_us),
    )


class _Event(msgspec.Struct, frozen=True, dict=True):
    """`channel` is what clients subscribe to. Of events with one `key` only the newest matters."""

    def body(self) -> dict[str, Any]:
        """The event as JSON objects, without `seq`."""
        raise NotImplementedError

    @cached_property
    def encoded(self) -> bytes:
        """The JSON without its closing brace, so that `seq` can be appended."""
        return codec.encode(self.body())[:-1]


class DeviceChanged(_Event, frozen=True, dict=True):
    device: Device

    channel = "devices"

    @property
    def key(self) -> tuple[str, str]:
        return "device", self.device.id

    def body(self) -> dict[str, Any]:
        return {"type": "device_update", "device": device_view(self.device)}


class DeviceRemoved(_Event, frozen=True, dict=True):
    """A device was deleted."""

    device_id: str

    channel = "devices"

    @property
    def key(self) -> tuple[str, str]:
        return "device", self.device_id

    def body(self) -> dict[str, Any]:
        return {"type": "device_removed", "device_id": self.device_id}


class FeedValue(_Event, frozen=True, dict=True):
    """A reading was accepted (and not yet committed)."""

    feed_id: str
    feed_key: str
    device_id: str
    value: Value
    ts_us: int

    channel = "feeds"

    @property
    def key(self) -> tuple[str, str]:
        return "feed", self.feed_id

    def body(self) -> dict[str, Any]:
        return {
            "type": "feed_value",
            "feed_id": self.feed_id,
            "feed_key": self.feed_key,
            "device_id": self.device_id,
            "value": self.value,
            "ts": format_us(self.ts_us),
        }


class AlarmChanged(_Event, frozen=True, dict=True):
    """An alarm was raised, acknowledged or cleared."""

    alarm: Alarm

    channel = "alarms"

    @property
    def key(self) -> tuple[str, str]:
        return "alarm", self.alarm.id

    @property
    def device_id(self) -> str:
        return self.alarm.device_id

    def body(self) -> dict[str, Any]:
        return {"type": "alarm", "alarm": alarm_view(self.alarm)}


class CommandChanged(_Event, frozen=True, dict=True):
    """The state of a command changed."""

    command: Command

    channel = "commands"

    @property
    def key(self) -> tuple[str, str]:
        return "command", self.command.id

    @property
    def device_id(self) -> str:
        return self.command.device_id

    def body(self) -> dict[str, Any]:
        return {"type": "command_update", "command": command_view(self.command)}


class ScheduleChanged(_Event, frozen=True, dict=True):
    """A schedule was created, changed or deleted (then `deleted` is true)."""

    schedule: Schedule
    deleted: bool = False

    channel = "schedules"

    @property
    def key(self) -> tuple[str, str]:
        return "schedule", self.schedule.id

    @property
    def device_id(self) -> str:
        return self.schedule.device_id

    def body(self) -> dict[str, Any]:
        schedule = msgspec.structs.asdict(schedule_view(self.schedule))
        if self.deleted:
            schedule["state"] = "deleted"
        return {"type": "schedule_update", "schedule": schedule}


class OccurrenceChanged(_Event, frozen=True, dict=True):
    """The state of a schedule's occurrence changed."""

    occurrence: Occurrence

    channel = "schedules"

    @property
    def key(self) -> tuple[str, str]:
        return "occurrence", self.occurrence.id

    @property
    def device_id(self) -> str:
        return self.occurrence.device_id

    def body(self) -> dict[str, Any]:
        occurrence = occurrence_view(self.occurrence)
        schedule = {"id": occurrence.schedule_id, "occurrence": occurrence}
        return {"type": "schedule_update", "schedule": schedule}


class DeviceList(_Event, frozen=True, dict=True):
    """The snapshot of all devices: the first event of every connection, and after any loss.

    Of very many it has the first ones only, and `DeviceChanged` brings the others.
    """

    devices: tuple[Device, ...]
    is_complete: bool = True

    channel = ""
    key = ("list", "")

    def body(self) -> dict[str, Any]:
        listed = {"type": "device_list", "devices": [device_view(d) for d in self.devices]}
        return listed if self.is_complete else {**listed, "complete": False}


class Staleness(_Event, frozen=True, dict=True):
    """Live data is delayed since `since_us`, or up to date again (None)."""

    since_us: int | None

    channel = ""
    key = ("stale", "")

    def body(self) -> dict[str, Any]:
        if self.since_us is None:
            return {"type": "fresh"}
        return {"type": "stale", "since": format_us(self.since_us)}


OfDevice = AlarmChanged | CommandChanged | ScheduleChanged | OccurrenceChanged
Event = DeviceChanged | DeviceRemoved | FeedValue | OfDevice | DeviceList | Staleness


def framed(event: Event, seq: int) -> bytes:
    """The event as one JSON object, with its number in this connection's stream."""
    return event.encoded + b',"seq":%d}' % seq


def batched(frames: list[bytes]) -> bytes:
    """Several framed events as one frame, for a client that asked for it."""
    return b'{"type":"batch","events":[' + b",".join(frames) + b"]}"


class Subscribe(msgspec.Struct, frozen=True, tag="subscribe"):
    """From a client: which channels, devices and feeds it wants. None means all."""

    channels: list[str] | None = None
    device_ids: list[str] | None = None
    feed_ids: list[str] | None = None
    batch: bool | None = None


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    pass


class Auth(msgspec.Struct, frozen=True, tag="auth"):
    token: str


FromClient = Subscribe | Ping | Auth
CHANNELS = ("devices", "feeds", "schedules", "commands", "alarms")
from_client = msgspec.json.Decoder(Subscribe | Ping | Auth)
