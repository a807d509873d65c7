"""Nouns as the store keeps them. Times are microseconds since 1970 (`protocol.times`).

Devices and feeds have two names: a UUID that the outside sees, and a small integer `num` that the
wide tables use (an integer key stores half again as many readings per second as a UUID).
"""

from collections.abc import Iterable

import msgspec

from protocol.device.alarms import AT_ONCE, Alarm, AlarmRule
from protocol.device.commands import CommandAck
from protocol.device.topics import Topic
from protocol.device.values import Kind, Value

# A hundred years: nobody keeps readings longer but for ever.
RETAIN_DAYS_MAX = 36_500

OFFLINE = "offline"
ONLINE = "online"


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody with an account. Who comes from another identity provider (`idp`) is known there as
    `subject`, and may have neither address nor password here."""

    id: str
    email: str | None
    full_name: str | None
    password_hash: str | None
    created_us: int
    idp: str = "roost"
    subject: str | None = None
    revision: int = 1


class DeviceState(msgspec.Struct, frozen=True, kw_only=True):
    """What a device last said of itself, as of its actor.

    `version` grows by one with every change; `state_us` is the event time of the newest status that
    was applied; `session` is the device's newest boot counter.
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
        """The key of its actor."""
        return self.user_id, self.code


class Flood(msgspec.Struct, frozen=True, kw_only=True):
    """A device sent so many messages a second that it was disconnected, and may not come back until
    then."""

    at_us: int
    until_us: int
    messages_per_s: int


class MqttLogin(msgspec.Struct, frozen=True, kw_only=True):
    """What a device logs in with; the password is kept as its SHA-256 (it is 160 random bits)."""

    username: str
    client_id: str
    password_sha256: bytes
    user_id: str
    device_code: str


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """A feed. `device_id` is None for one that all devices of the user share.

    `archived`: its device was deleted; it keeps its history and takes nothing any more.
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
    retain_days: int | None = None  # how long its readings are kept; for ever without it
    created_us: int
    last_value: Value | None = None
    last_us: int | None = None


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """An uploaded file; its bytes are kept by `sha256`, once for all who have them.

    `content_type` is what the bytes are, whatever was declared; width and height (pixels) are those
    of an image, where its head tells them.
    """

    num: int
    id: str
    user_id: str
    filename: str
    content_type: str
    size: int
    sha256: bytes
    width: int | None = None
    height: int | None = None
    created_us: int


class SharedFeeds:
    """Feeds that all devices of a user may write, without last values (another device may have
    written them): one copy for all of their actors. Two are equal when they have the same feeds."""

    __slots__ = ("_by_key", "_by_num")

    def __init__(self, feeds: Iterable[Feed] = ()) -> None:
        self._by_key = {feed.key: feed for feed in feeds}
        self._by_num = {feed.num: feed for feed in self._by_key.values()}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SharedFeeds) and self._by_key == other._by_key

    def of_key(self, key: str) -> Feed | None:
        return self._by_key.get(key)

    def of_num(self, num: int) -> Feed | None:
        return self._by_num.get(num)


class LoadedDevice(msgspec.Struct, frozen=True, kw_only=True):
    """What a device actor starts from: its device, the feeds it may write, its open alarms.

    A feed of its own (`feeds`) goes before a shared one of the same key.
    """

    device: Device
    feeds: tuple[Feed, ...]
    shared: SharedFeeds = SharedFeeds()
    alarms: tuple[Alarm, ...] = ()  # those that are open or pending


class StoredReading(msgspec.Struct, frozen=True):
    """A reading as it is read back. (ts_us, device_num, digest) is its place in the feed."""

    ts_us: int
    device_num: int
    digest: int
    value: Value
    flagged: bool = False


class StoredRejection(msgspec.Struct, frozen=True, kw_only=True):
    num: int
    id: str
    received_us: int
    topic: str
    payload: str
    encoding: str  # "utf-8" or "base64"
    reason: str
    detail: str
    device_id: str | None


# What a refusal takes in the store beside its texts, roughly.
REFUSAL_ROW_BYTES = 200


class NotKept(msgspec.Struct, frozen=True):
    """How many refusals of a device were counted and not kept, and when (µs) the last one came."""

    many: int = 0
    last_us: int | None = None


class Reading(msgspec.Struct, frozen=True, gc=False):
    """A reading that was taken, on its way to the store.

    `sets_last`: it becomes the feed's last value unless that is newer; False for what belongs to
    the history only.
    """

    feed_num: int
    device_num: int
    ts_us: int
    digest: int
    value: Value
    flagged: bool = False
    message_id: str | None = None
    sets_last: bool = True


class Rejection(msgspec.Struct, frozen=True, gc=False):
    """A message or reading that was refused, on its way to the store. `payload` is already cut.

    `device_id` is "" where none is known. `readings`: how many it stands for in the accounts.
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


class AckChange(msgspec.Struct, frozen=True, gc=False):
    """What a device said of a command; whether there is such a command only the store knows.

    `otherwise` is kept where this device has none of that id, or counted.
    """

    device: tuple[str, str]
    command_id: str
    device_num: int
    ack: CommandAck
    otherwise: Rejection
    keeps: bool = True  # else it is only counted (`WriteUnit.not_kept`)


class StateChange(msgspec.Struct, frozen=True, gc=False):
    """The state of a device to be kept; an older version never replaces a newer."""

    device_num: int
    state: DeviceState


class Taken(msgspec.Struct, frozen=True, gc=False):
    """The identity of a message without `ts` or `id`, kept in the commit that carries it."""

    session: str
    digest: bytes


class WriteUnit(msgspec.Struct, frozen=True, gc=False):
    """All that one message (or one event) asks of the store; it is committed whole or not at all.

    `receipt` is settled after the commit; it belongs to the gateway and is opaque here. `not_kept`
    are refusals beyond the budget (`actors.ingest.refusal_budget`): counted, not kept.
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
    unowned: int = 0  # readings for a device that does not exist: counted, not kept
    messages: int = 1  # how many messages of devices it ends
    size: int = 0  # bytes of payload that it ends
    canary: bytes = b""  # a probe of ours (`actors.ingest.canaries`): it shows that commits work
    is_nobodys: bool = False  # its device does not exist

    @property
    def rows(self) -> int:
        """How many rows it writes, at least one: the measure of a batch."""
        rows = len(self.readings) + len(self.rejections) + len(self.alarms) + len(self.acks)
        return max(1, rows)

    @property
    def refused(self) -> int:
        """How many readings are refused, in the accounts."""
        return sum(each.readings for each in (*self.rejections, *self.not_kept))

    @property
    def is_empty(self) -> bool:
        """Nothing for the store, only something to settle."""
        if self.readings or self.state or self.taken or self.canary:
            return False
        return not (self.rejections or self.not_kept or self.alarms or self.acks)


class SessionMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What the store remembers of a session's messages, oldest first.

    `suspects` are those whose acknowledgement may not have reached the broker; `known` are the
    older ones, kept to tell a repeated payload from a redelivered message.
    """

    suspects: tuple[bytes, ...] = ()
    known: tuple[bytes, ...] = ()


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Where a device's message came from.

    Attributes:
        topic: parsed; `raw_topic` is as it was published, without a partition's prefix.
        payload: as it came, or the beginning of one that is too large to be kept.
        size: bytes of it that are held until the commit.
        at_us: when it arrived.
        retained: the broker kept it; it says nothing of the device's presence.
        again: the broker may have delivered it before; without `ts` its true time is unknown.
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
