"""What actors say to each other: frozen, tagged, a union for each kind of actor."""

from collections.abc import Callable

import msgspec

from protocol.device.commands import CommandAck
from protocol.device.payloads import DeviceStatus, RawReading
from protocol.errors import Refusal
from protocol.events import Event
from protocol.records import Device, LoadedDevice, Origin, WriteUnit

Done = Callable[[], None]


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    pass


# To a device actor


class ReadingsSaid(_Message, frozen=True, kw_only=True):
    """Readings that could be read; each may still be refused by itself."""

    origin: Origin
    readings: list[RawReading]


class StatusSaid(_Message, frozen=True, kw_only=True):
    origin: Origin
    said: DeviceStatus


class AckSaid(_Message, frozen=True, kw_only=True):
    """What it says of the command that the topic names."""

    origin: Origin
    said: CommandAck


class Unreadable(_Message, frozen=True, kw_only=True):
    """A message of a known shape of topic whose payload cannot be read."""

    origin: Origin
    refusal: Refusal


class Configured(_Message, frozen=True, kw_only=True):
    """The device or its feeds changed over REST: from here on these hold. None: it was deleted.

    `read` counts readings of the store: what was read earlier never replaces what was read later.
    """

    loaded: LoadedDevice | None
    read: int
    done: Done


class Announce(_Message, frozen=True, kw_only=True):
    """Somebody began to watch: tell the user actor your state as it is now."""


class Silent(_Message, frozen=True, kw_only=True):
    """The device's lease of `after_s` ran out; `word` is the last of it that the lease knew of."""

    word: int
    after_s: int


class OutsideSince(_Message, frozen=True, kw_only=True):
    """The feed's values lie outside its thresholds for as long as its alarm waits for."""

    feed_num: int
    since_us: int


class Foreign(_Message, frozen=True, kw_only=True):
    """It acknowledged a command that it was never sent."""

    topic: str


DeviceMessage = (
    ReadingsSaid
    | StatusSaid
    | AckSaid
    | Unreadable
    | Configured
    | Announce
    | Silent
    | OutsideSince
    | Foreign
)
OfTime = Silent | OutsideSince
FromDevice = ReadingsSaid | StatusSaid | AckSaid | Unreadable


# What a device actor's step asks for


class Notice(_Message, frozen=True, kw_only=True):
    """To the device's `errors` topic."""

    topic: str
    body: bytes


class Live(_Message, frozen=True, kw_only=True):
    """To the user actor, if there is one, and to the user's listeners over MQTT."""

    user_id: str
    device_code: str
    event: Event


class LeaseRenewed(_Message, frozen=True, kw_only=True):
    """The device's lease: silent for `after_s`, it counts as offline.

    `anew`: it spoke, its `word`-th word since the actor began; else only the length has changed.
    """

    key: tuple[str, str]
    after_s: int
    word: int
    anew: bool = True


class LeaseEnded(_Message, frozen=True, kw_only=True):
    """It is offline, or is no more: its lease ends."""

    key: tuple[str, str]


class ArmAlarm(_Message, frozen=True, kw_only=True):
    """Say `OutsideSince` in so many seconds, unless told otherwise; None: do not say it."""

    key: tuple[str, str]
    feed_num: int
    since_us: int
    for_s: float | None


class CameOnline(_Message, frozen=True, kw_only=True):
    """It came online: what it was sent meanwhile is sent again."""

    device_num: int


DeviceEffect = WriteUnit | Notice | Live | LeaseRenewed | LeaseEnded | ArmAlarm | CameOnline


# To a user actor


class Happened(_Message, frozen=True, kw_only=True):
    """Something of the user's changed; the same event object goes to every socket."""

    event: Event


class Subscribed(_Message, frozen=True, kw_only=True):
    """A dashboard begins to watch; `outbox` is its queue."""

    outbox: object


class Unsubscribed(_Message, frozen=True, kw_only=True):
    outbox: object


class SnapshotRead(_Message, frozen=True, kw_only=True):
    """The database's view of the user's devices, read after `outbox` subscribed."""

    outbox: object
    devices: tuple[Device, ...]


class Renewed(_Message, frozen=True, kw_only=True):
    """Something may have changed without a word: every dashboard begins again with a snapshot."""


class GivenUp(_Message, frozen=True, kw_only=True):
    """Another process has led: what was told and may not be stored is forgotten. `Renewed` follows
    when it is known what is."""


UserMessage = Happened | Subscribed | Unsubscribed | SnapshotRead | Renewed | GivenUp


# What a user actor's step asks for


class ReadSnapshot(_Message, frozen=True, kw_only=True):
    """Read the user's devices and answer with `SnapshotRead`."""

    outbox: object


UserEffect = ReadSnapshot
