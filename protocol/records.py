"""The records that the store keeps. Times are microseconds since 1970 (`protocol.times`).

Devices and feeds have two keys: a UUID for the outside, and a small integer `num` for the large
tables (an integer key stores half again as many readings per second as a UUID).
"""

from collections.abc import Iterable
from enum import Enum, auto

import msgspec

from protocol.device.alarms import AT_ONCE, Alarm, AlarmRule
from protocol.device.commands import CommandAck, CommandKey
from protocol.device.topics import Topic
from protocol.device.values import Kind, Value

# A hundred years. To keep readings longer, keep them for ever.
RETAIN_DAYS_MAX = 36_500

OFFLINE = "offline"
ONLINE = "online"


class DeviceState(msgspec.Struct, frozen=True, kw_only=True):
    """The last known state of a device, as kept by its actor.

    `version` grows by one with every change; `state_us` is the event time of the newest status that
    was applied, except of an `offline` without fields; `session` is the device's newest boot
    counter. Units: °C, %, degrees (WGS 84).
    """

    version: int = 0
    status: str = OFFLINE
    temperature: float | None = None
    humidity: float | None = None
    latitude: float | None = None
    longitude: float | None = None
    firmware: str | None = None
    last_seen_us: int | None = None
    state_us: int | None = None
    session: int | None = None


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A registered device: its settings, and its last state."""

    num: int
    id: str
    user_id: str
    code: str
    name: str
    offline_after_s: int
    client_id: str
    created_us: int
    offline_alarm: bool = True
    revision: int = 1  # of the settings
    state: DeviceState = DeviceState()

    @property
    def key(self) -> tuple[str, str]:
        """The key of its actor: (user id, device code)."""
        return self.user_id, self.code

    @property
    def presence(self) -> str:
        """`offline`, or `online` for any other status."""
        return OFFLINE if self.state.status == OFFLINE else ONLINE


class Flood(msgspec.Struct, frozen=True, kw_only=True):
    """A device was disconnected at `at_us` for sending `messages_per_s` messages a second. Its
    logins are refused until `until_us`."""

    at_us: int
    until_us: int
    messages_per_s: int


class MqttLogin(msgspec.Struct, frozen=True, kw_only=True):
    """A device's login. The password is 160 random bits, stored as SHA-256."""

    username: str
    client_id: str
    password_sha256: bytes
    user_id: str
    device_code: str


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """A feed. `device_id` is None for a feed that all devices of the user share.

    `archived`: its device was deleted; it keeps its history and accepts nothing.
    """

    num: int
    id: str
    user_id: str
    device_id: str | None
    key: str
    name: str
    unit: str | None
    kind: Kind
    enabled: bool
    min_value: float | None
    max_value: float | None
    on_violation: str
    alarm: AlarmRule = AT_ONCE
    archived: bool = False
    revision: int = 1
    retain_days: int | None = None  # how long its readings are kept; None: for ever
    created_us: int
    last_value: Value | None = None
    last_us: int | None = None

    @property
    def has_device(self) -> bool:
        """False for a shared feed, and for one whose device was deleted."""
        return self.device_id is not None


class SharedFeeds:
    """The feeds that all devices of a user share: one copy for all of their actors.

    A newer reading changes it in place (`become`). It has no last values: others write them, too.
    """

    __slots__ = ("__weakref__", "_by_key", "_by_num")

    def __init__(self, feeds: Iterable[Feed] = ()) -> None:
        self._by_key = {feed.key: feed for feed in feeds}
        self._by_num = {feed.num: feed for feed in self._by_key.values()}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SharedFeeds) and self._by_key == other._by_key

    def become(self, newer: "SharedFeeds") -> None:
        """Take the settings of a newer reading, for everybody who has this copy."""
        self._by_key, self._by_num = newer._by_key, newer._by_num

    def of_key(self, key: str) -> Feed | None:
        return self._by_key.get(key)

    def of_num(self, num: int) -> Feed | None:
        return self._by_num.get(num)


class LoadedDevice(msgspec.Struct, frozen=True, kw_only=True):
    """What a device actor starts from: its device, the feeds it may write, its open alarms.

    The device's own feeds (`feeds`) take precedence over shared ones with the same key.
    """

    device: Device
    feeds: tuple[Feed, ...]
    shared: SharedFeeds = msgspec.field(default_factory=SharedFeeds)
    alarms: tuple[Alarm, ...] = ()  # those that are open or pending


class StoredReading(msgspec.Struct, frozen=True):
    """A stored reading. (ts_us, device_num, digest) is its position in the feed."""

    ts_us: int
    device_num: int
    digest: int
    value: Value
    flagged: bool = False


class Destination(Enum):
    """Where a reading goes."""

    LAST_VALUE = auto()  # the history; and it is the feed's last value, unless that is newer
    HISTORY = auto()  # the history only: its true time is unknown
    EMPTY_HISTORY = auto()  # the history only, and only if the feed has no reading yet


class Reading(msgspec.Struct, frozen=True, gc=False):
    """An accepted reading on its way to the store.

    `message_id`: with its digest it is the identity, instead of the time.
    """

    feed_num: int
    device_num: int
    ts_us: int
    digest: int
    value: Value
    flagged: bool = False
    message_id: str | None = None
    into: Destination = Destination.LAST_VALUE


# A rejection that stands for all of a message that was not refused one by one.
WHOLE = -1


class Rejection(msgspec.Struct, frozen=True, gc=False):
    """A refused message or reading on its way to the store. `payload` is already cut.

    `device_id` is "" if the device is unknown. `readings`: for how many readings it counts.
    `coded`: see `protocol.problems.detail`. `at`: the place of its reading in the message, or
    `WHOLE`; it is not stored.
    """

    user_id: str
    device_id: str
    received_us: int
    topic: str
    payload: str
    encoding: str
    reason: str
    detail: str
    readings: int = 1
    coded: str | None = None
    at: int = WHOLE


class AckChange(msgspec.Struct, frozen=True, gc=False):
    """A device's acknowledgement of a command. Only the store knows whether the command exists.

    `otherwise` is stored, or only counted, if this device has no command with that id.
    """

    device: tuple[str, str]
    command_id: str
    device_num: int
    ack: CommandAck
    otherwise: Rejection
    keeps: bool = True  # False: `otherwise` is only counted (`WriteUnit.not_kept`)

    @property
    def command_key(self) -> CommandKey:
        return self.device[0], self.command_id


class StateChange(msgspec.Struct, frozen=True, gc=False):
    """A new state of a device. An older version never replaces a newer one."""

    device_num: int
    state: DeviceState


class Taken(msgspec.Struct, frozen=True, gc=False):
    """The digest of a message without `ts` and `id`, stored in the commit that carries it."""

    session: str
    digest: bytes


class WriteUnit(msgspec.Struct, frozen=True, gc=False):
    """Everything that one message or event writes. It is committed as a whole or not at all.

    `receipt` is settled after the commit; it belongs to the gateway and is opaque here. `not_kept`
    are refusals beyond the budget (`actors.ingest.refusal_budget`): counted, not stored.
    """

    device: tuple[str, str]
    readings: tuple[Reading, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    not_kept: tuple[Rejection, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    acks: tuple[AckChange, ...] = ()
    state: StateChange | None = None
    taken: Taken | None = None
    receipt: object = None
    unowned: int = 0  # readings for a device that does not exist: counted, not stored
    messages: int = 1  # how many messages of devices it settles
    size: int = 0  # their payload, in bytes
    canary: bytes = b""  # a probe (`actors.ingest.canaries`), which shows that commits work
    is_nobodys: bool = False  # its device does not exist
    is_copy: bool = False  # of a retained message: its refusals are kept once

    @property
    def rows(self) -> int:
        """How many rows it writes, at least 1; batches are bounded by this."""
        rows = len(self.readings) + len(self.rejections) + len(self.alarms) + len(self.acks)
        return max(1, rows)

    @property
    def refused(self) -> int:
        """How many readings it counts as refused."""
        return sum(each.readings for each in (*self.rejections, *self.not_kept))

    @property
    def is_empty(self) -> bool:
        """Whether it writes nothing, and has only a receipt to settle."""
        if self.readings or self.state or self.taken or self.canary:
            return False
        return not (self.rejections or self.not_kept or self.alarms or self.acks)


class SessionMemory(msgspec.Struct, frozen=True, kw_only=True):
    """The stored digests of a session's messages, oldest first.

    `suspects`: those whose acknowledgement may not have reached the broker. `known`: older ones,
    which distinguish a repeated payload from a redelivered message.
    """

    suspects: tuple[bytes, ...] = ()
    known: tuple[bytes, ...] = ()


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Where a device's message came from.

    Attributes:
        topic: parsed; `raw_topic` is as published, without a partition's prefix.
        payload: as received, or the beginning of one that is too large.
        size: bytes of it that are held until the commit.
        at_us: time of arrival.
        retained: a retained copy; it says nothing about the device's presence.
        again: the broker may have delivered it before, so without `ts` its true time is unknown.
        receipt: settled when the message is committed; None for QoS 0.
    """

    topic: Topic
    raw_topic: str
    payload: bytes
    at_us: int
    retained: bool = False
    again: bool = False
    taken: Taken | None = None
    receipt: object = None

    @property
    def size(self) -> int:
        return len(self.payload)
