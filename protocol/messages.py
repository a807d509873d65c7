"""The messages of actors: frozen, tagged Structs, and one union for each kind of actor.

Device actors take `DeviceMessage` and return `DeviceEffect`s; user actors take `UserMessage` and
return `UserEffect`s. Times are µs since 1970 (`_us`) or seconds (`_s`).
"""

from collections.abc import Callable
from typing import ClassVar

import msgspec

from protocol.device.commands import CommandAck
from protocol.device.payloads import DeviceStatus, RawReading
from protocol.errors import Refusal
from protocol.events import Event
from protocol.problems.detail import Detail
from protocol.records import Device, LoadedDevice, Origin, WriteUnit

Done = Callable[[], None]


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    pass


# To a device actor. `count`: how many readings the message counts for.


class ReadingsReceived(_Message, frozen=True, kw_only=True):
    """Readings of one message. Each may still be refused by itself."""

    origin: Origin
    readings: list[RawReading]

    @property
    def count(self) -> int:
        return len(self.readings)


class StatusReceived(_Message, frozen=True, kw_only=True):
    """A status message."""

    origin: Origin
    report: DeviceStatus
    count: ClassVar[int] = 0


class AckReceived(_Message, frozen=True, kw_only=True):
    """An acknowledgement of the command that the topic names."""

    origin: Origin
    ack: CommandAck
    count: ClassVar[int] = 0


class Unreadable(_Message, frozen=True, kw_only=True):
    """A message with a valid topic whose payload cannot be decoded."""

    origin: Origin
    refusal: Refusal
    count: int


class Configured(_Message, frozen=True, kw_only=True):
    """New settings of the device and its feeds. None: the device was deleted.

    `read` numbers the reads of the store: settings never replace those of a later read.
    """

    loaded: LoadedDevice | None
    read: int
    done: Done


class LeaseExpired(_Message, frozen=True, kw_only=True):
    """The device's lease of `after_s` seconds ran out, and no message of it waits for its actor."""

    key: tuple[str, str]
    after_s: int


class AlarmDue(_Message, frozen=True, kw_only=True):
    """The feed's values have been outside its thresholds for as long as its alarm requires."""

    feed_num: int
    since_us: int


class ConnectionsEnd(_Message, frozen=True, kw_only=True):
    """The broker ended the device's connections several times within two minutes."""

    at_us: int
    detail: Detail


class RefusalListed(_Message, frozen=True, kw_only=True):
    """The store listed a refusal that only it knew to be one, or to be new: of an answer to an
    unknown command, or of a retained message's copy."""

    topic: str
    reason: str
    detail: str


DeviceMessage = (
    ReadingsReceived
    | StatusReceived
    | AckReceived
    | Unreadable
    | Configured
    | LeaseExpired
    | AlarmDue
    | ConnectionsEnd
    | RefusalListed
)
TimerMessage = LeaseExpired | AlarmDue | ConnectionsEnd
FromDevice = ReadingsReceived | StatusReceived | AckReceived | Unreadable


# Effects of a device actor


class Notice(_Message, frozen=True, kw_only=True):
    """Publish `body` on the device's `errors` topic."""

    topic: str
    body: bytes


class Live(_Message, frozen=True, kw_only=True):
    """Send an event to the user actor, if there is one, and to the user's MQTT listeners."""

    user_id: str
    device_code: str
    event: Event


class LeaseRenewed(_Message, frozen=True, kw_only=True):
    """A message arrived: after `after_s` seconds without another the device counts as offline."""

    key: tuple[str, str]
    after_s: int


class LeaseResized(_Message, frozen=True, kw_only=True):
    """The length of the device's lease changed; it counts from the last renewal."""

    key: tuple[str, str]
    after_s: int


class LeaseEnded(_Message, frozen=True, kw_only=True):
    """End the lease: the device is offline or deleted."""

    key: tuple[str, str]


class ArmAlarm(_Message, frozen=True, kw_only=True):
    """Send `AlarmDue` in `for_s` seconds, replacing an earlier request. None: do not send it."""

    key: tuple[str, str]
    feed_num: int
    since_us: int
    for_s: float | None


class CameOnline(_Message, frozen=True, kw_only=True):
    """The device came online: send its open commands again."""

    device_num: int


DeviceEffect = (
    WriteUnit | Notice | Live | LeaseRenewed | LeaseResized | LeaseEnded | ArmAlarm | CameOnline
)


# To a user actor


class Happened(_Message, frozen=True, kw_only=True):
    """An event for the user's dashboards; the same object goes to every socket.

    Attributes:
        at_s: when it was told (Trio's clock).
    """

    event: Event
    at_s: float


class Subscribed(_Message, frozen=True, kw_only=True):
    """A dashboard has opened, or begins again; `outbox` is its queue."""

    outbox: object


class Unsubscribed(_Message, frozen=True, kw_only=True):
    """A dashboard has closed."""

    outbox: object


class SnapshotRead(_Message, frozen=True, kw_only=True):
    """A page of the user's devices as stored, read for these outboxes.

    Attributes:
        outboxes: each with how often it had begun again by then (`Outbox.holds`).
    """

    outboxes: tuple[tuple[object, int], ...]
    devices: tuple[Device, ...]
    at_s: float  # when it was read (Trio's clock)
    is_first: bool = True
    is_last: bool = True


class Renewed(_Message, frozen=True, kw_only=True):
    """Something may have changed without an event: every dashboard begins again with a snapshot."""


class GivenUp(_Message, frozen=True, kw_only=True):
    """Another process has led: forget events that may not have been stored. `Renewed` follows once
    it is known what was stored."""


UserMessage = Happened | Subscribed | Unsubscribed | SnapshotRead | Renewed | GivenUp


# Effects of a user actor


class ReadSnapshot(_Message, frozen=True, kw_only=True):
    """Read the user's devices and answer with `SnapshotRead`, page by page."""

    outbox: object


UserEffect = ReadSnapshot
