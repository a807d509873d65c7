"""The doors of the house: everything that touches a clock, a socket or a disk.

Each port has a real side and a memory twin, and one contract suite that both pass
(`tests/contract/`). All times are microseconds since 1970 unless the name says otherwise.
"""

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import msgspec

from actors.ports.access import AccessStore
from actors.ports.broker_sessions import BrokerSessions
from actors.ports.charts import ChartStore
from actors.ports.dead_letters import DeadLetterStore
from actors.ports.lead import LeadStore
from actors.ports.listeners import ListenerStore
from actors.ports.listing import ListStore
from actors.ports.media import MediaStore
from actors.ports.people import PeopleStore
from actors.ports.refusals import RefusalStore
from actors.ports.shop import ShopStore
from actors.ports.time import Progress, TimeStore
from actors.ports.webhooks import WebhookStore
from actors.runtime.clock import WallClock as WallClock
from protocol.errors import Unpublishable
from protocol.records import (
    AckChange,
    Device,
    Feed,
    LoadedDevice,
    MqttLogin,
    SessionMemory,
    StoredReading,
    Unit,
)


class Ids(Protocol):
    """Names that nobody else has, and secrets that nobody can guess."""

    def uuid(self) -> str: ...

    def secret(self) -> str:
        """160 random bits, URL-safe."""
        ...

    def secret_bits(self) -> bytes:
        """256 random bits."""
        ...


class Hasher(Protocol):
    """Slow hashes of passwords that people chose."""

    async def hash(self, password: str) -> str: ...

    async def verify(self, hashed: str | None, password: str) -> bool:
        """Takes as long for `None` (no such user) as for a hash."""
        ...


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction: whole units, and how far each session's acknowledgements are known to be.

    `id` names the commit, so that a retry after a lost answer is recognised. `confirmed` says per
    session up to which commit (`Committed.no`) the broker has surely heard the acknowledgements.
    `epoch` is the number of the lead under which its messages were taken; 0: whoever leads.
    """

    id: str
    units: Sequence[Unit]
    confirmed: dict[str, int]
    epoch: int = 0


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """The number of the commit (grows, across restarts too), and what it found there already.

    `duplicates` has one number per unit of the batch: how many of its readings were stored before.
    `changed` is what acknowledgements made of commands, `unknown` those that are of none.
    """

    no: int
    duplicates: Sequence[int]
    changed: Progress = Progress()
    unknown: tuple[AckChange, ...] = ()


class FeedPage(msgspec.Struct, frozen=True, kw_only=True):
    """A question for readings of a feed, newest first; `before` is the last place already seen."""

    feed_num: int
    start_us: int | None = None
    end_us: int | None = None
    before: tuple[int, int, int] | None = None
    limit: int = 100


class Store(
    MediaStore,
    TimeStore,
    WebhookStore,
    PeopleStore,
    AccessStore,
    ShopStore,
    ChartStore,
    ListenerStore,
    ListStore,
    LeadStore,
    DeadLetterStore,
    RefusalStore,
    Protocol,
):
    """Everything that lasts.

    Every call raises `Unavailable` when the database cannot be reached or does not answer in time;
    then nothing is known of its effect, and it may be called again.
    """

    async def ping(self) -> None: ...

    async def migrate(self) -> list[str]: ...

    async def tidy(self) -> None: ...

    # What the writer and the actors need

    async def commit(self, batch: Batch) -> Committed:
        """Commit a batch whole.

        Committing a batch of the same id again changes nothing and gives the same answer.

        Raises:
            Unstorable: the rows cannot be stored for what they contain; nothing was.
            Fenced: another process leads by now; nothing was.
        """
        ...

    async def load_devices(self, keys: Sequence[tuple[str, str]]) -> list[LoadedDevice | None]:
        """Devices by (user id, code), in the order asked; None where there is none."""
        ...

    async def snapshot(self, user_id: str) -> list[Device]: ...

    async def session_memory(self, session: str) -> SessionMemory:
        """The identities that commits took of a session.

        It first waits for every commit that has begun, also one of an earlier process that was
        killed or cut off: such a commit may still be done, and is never missing from the answer.

        Raises:
            Unavailable: also when such a commit does not end within seconds; ask again.
        """
        ...

    # Devices

    async def add_device(self, device: Device, login: MqttLogin) -> Device:
        """Answers with its `num`. Raises `Conflict` when the user has a device of that code."""
        ...

    async def add_devices(
        self, made: Sequence[tuple[Device, MqttLogin]], most: int | None = None
    ) -> list[Device]:
        """All of them (of one user), or none; otherwise as `add_device`. Raises `Conflict` also
        where the user would have more than `most` devices."""
        ...

    async def devices(self, user_id: str, limit: int, after: int) -> list[Device]:
        """In the order of creation, those with `num` above `after`."""
        ...

    async def device(self, user_id: str, device_id: str) -> Device | None: ...

    async def update_device(self, device: Device, known: int | None = None) -> None:
        """New settings. Raises `Outdated` where the revision is not the known one."""
        ...

    async def delete_device(self, user_id: str, device_id: str, purge: bool) -> None:
        """Its feeds stay archived, or go with their history when `purge`."""
        ...

    async def set_login(self, device_id: str, login: MqttLogin) -> None: ...

    async def logins(self, usernames: Sequence[str]) -> dict[str, MqttLogin]:
        """Those that there are, by their names."""
        ...

    async def issued(self, usernames: Sequence[str]) -> set[str]:
        """Which of these are names of devices or listeners that there are, whatever is in their
        rows."""
        ...

    # Feeds

    async def add_feed(
        self, feed: Feed, most: int | None = None, most_of_device: int | None = None
    ) -> Feed:
        """Answers with its `num`. Raises `Conflict` for a second feed of that place and key, where
        the user would have more than `most`, and where its device (or all devices together, of
        shared ones) would have more than `most_of_device`."""
        ...

    async def feeds(
        self, user_id: str, limit: int, after: int, device_id: str | None = None
    ) -> list[Feed]: ...

    async def feed(self, user_id: str, feed_id: str) -> Feed | None: ...

    async def update_feed(self, feed: Feed, known: int | None = None) -> None:
        """New settings. Raises `Outdated` where the revision is not the known one."""
        ...

    async def delete_feed(self, user_id: str, feed_id: str) -> None:
        """With its history."""
        ...

    # Readings and refusals

    async def feed_values(self, page: FeedPage) -> list[StoredReading]: ...


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """A message as the broker delivers it.

    `connection` counts the connections of a session; `packet_id` is 0 for QoS 0, and tells a
    message only while its connection lasts.
    """

    session: str
    connection: int
    packet_id: int
    dup: bool
    retain: bool
    topic: str
    payload: bytes


# So many may be published at once.
PUBLISH_MAX = 32


class Publication(msgspec.Struct, frozen=True, gc=False):
    """A message of ours. One that `is_late` when its turn has come is not sent, as if it had not
    been taken."""

    topic: str
    payload: bytes
    retain: bool = False
    is_late: Callable[[], bool] | None = None


class Inbox(Protocol):
    """Who takes deliveries: the gateway. Every call is synchronous and never blocks."""

    def connected(self, session: str, connection: int) -> None:
        """A session has a new connection; deliveries follow."""
        ...

    def disconnected(self, session: str, connection: int) -> None: ...

    def deliver(self, delivery: Delivery) -> None: ...

    def heard(self, session: str, connection: int, acknowledged: int) -> None:
        """The broker has surely processed the first `acknowledged` PUBACKs of this connection."""
        ...


class SessionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One persistent MQTT session of ours: its client id and topic filters.

    `live`: it carries status, acknowledgements or wills; the live map stands on it.
    `persistent`: the broker keeps it while we are away; only the leading process has it.
    `partition`: which part of the devices it brings; None where it brings none by itself.
    `window`: so many messages the broker sends without an acknowledgement.
    `is_seen`: others than we may subscribe to the topics that it brings.
    `sends_again`: the broker sends what is unacknowledged again on the same connection (NATS, after
    `ack_wait`); others do so on a new connection only (MQTT 3.1.1 §4.4).
    """

    client_id: str
    filters: tuple[str, ...]
    live: bool = False
    sends_again: bool = False
    persistent: bool = True
    partition: int | None = None
    window: int = 10_000
    is_seen: bool = False


class Broker(Protocol):
    """The MQTT broker: our sessions on it, and what we send."""

    @property
    def sessions(self) -> Sequence[SessionPlan]: ...

    def open(
        self, inbox: Inbox, prepare: Callable[[str], Awaitable[None]]
    ) -> AbstractAsyncContextManager[None]:
        """Keep all sessions connected until the block ends.

        `prepare(session)` is awaited before each connection attempt.
        """
        ...

    async def wait_subscribed(self) -> None:
        """Wait until every session was subscribed once: from then on nothing is missed."""
        ...

    def acknowledge(self, session: str, connection: int, packet_ids: Sequence[int]) -> None:
        """Send PUBACKs in one write; nothing where that connection is gone."""
        ...

    def renew(self, session: str, connection: int) -> None:
        """Replace this connection by a new one; nothing where it is gone already."""
        ...

    def publish_nowait(self, topic: str, payload: bytes) -> bool:
        """Send at QoS 0; False where it was dropped, or no broker takes it."""
        ...

    async def publish(self, messages: Sequence[Publication]) -> Sequence[bool | Unpublishable]:
        """Send up to `PUBLISH_MAX` messages at QoS 1, those of a topic in order, and wait for the
        acknowledgements.

        Answers which were acknowledged, and why one was not sent: no broker takes it, or this one
        ends the connection each time. What became of the others is unknown.
        """
        ...


class Links(Protocol):
    """Addresses that open without a login, for a while."""

    def url(self, media_id: str, expires_us: int) -> str:
        """Raises `Unavailable` as long as our own address is not known."""
        ...

    def is_valid(self, media_id: str, expires: int, signature: str, now_us: int) -> bool:
        """Whether a link with these parts is ours and works at that time."""
        ...


class Logins(BrokerSessions, Protocol):
    """Power over the connections of devices and listeners; a broker of somebody else's may not give
    it to us."""

    async def disconnect(self, client_id: str) -> None:
        """Close the connection of that client id, if there is one."""
        ...

    async def shut_out(self, client_id: str, for_s: float) -> None:
        """Close the connection of that client id, and refuse its logins for so many seconds.

        Raises:
            Unavailable: the broker did not close it; its next logins are refused all the same.
        """
        ...

    def watch(self, arrived: Callable[[str], None]) -> None:
        """Tell of the user whose listener logs in, each time; the one who asked last is told."""
        ...


class Machine(Protocol):
    """The computer with the embedded servers.

    Attributes:
        takes: whether there is room on its disk for anything new.
    """

    takes: bool

    def checks(self) -> Mapping[str, str]:
        """For `/readyz`: "ok", or what is wrong, by the name of a part."""
        ...


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """What the house stands on. `rng` decides pauses only; ids and secrets have their own port.

    msgspec does not check protocols: the types are those named beside each.
    """

    store: Any  # Store
    broker: Any  # Broker
    clock: Any  # WallClock
    ids: Any  # Ids
    logins: Any  # Logins
    links: Any  # Links
    files: Any  # MediaFiles
    receivers: Any  # Receivers
    mailer: Any = None  # Mailer, where mail is set up
    zalo: Any = None  # IdentityProvider, where it is set up
    backlog: Any = None  # BrokerBacklog, where the broker tells
    retained: Any = None  # RetainedMessages
    machine: Any = None  # Machine, where its servers are ours
    rng: random.Random
