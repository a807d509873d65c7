"""The MQTT broker: our sessions on it, and our publications."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from actors.runtime.clock import WallClock as WallClock
from protocol.device.topics import Kind
from protocol.errors import Unpublishable


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """A message as the broker delivers it.

    `connection` counts the connections of a session. `packet_id` is 0 for QoS 0; it identifies a
    message only while its connection lasts.
    """

    session: str
    connection: int
    packet_id: int
    dup: bool
    retain: bool
    topic: str
    payload: bytes


# How many may be published at once.
PUBLISH_MAX = 32


class Publication(msgspec.Struct, frozen=True, gc=False):
    """A message of ours. If `is_late` is true when its turn comes, it is not sent, as if the broker
    had not taken it."""

    topic: str
    payload: bytes
    retain: bool = False
    is_late: Callable[[], bool] | None = None


class Inbox(Protocol):
    """Takes deliveries: the gateway. Every call is synchronous and never blocks."""

    def connected(self, session: str, connection: int) -> None:
        """A session has a new connection; deliveries follow."""
        ...

    def disconnected(self, session: str, connection: int) -> None: ...

    def deliver(self, delivery: Delivery) -> None: ...

    def heard(self, session: str, connection: int, acknowledged: int) -> None:
        """The broker has certainly processed the first `acknowledged` PUBACKs of this
        connection."""
        ...


class SessionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One persistent MQTT session of ours: its client id and topic filters.

    Attributes:
        live: it delivers status, acknowledgements or wills, which the live map needs.
        persistent: the broker keeps it while we are away; only the leading process has it.
        partition: the part of the devices whose messages it delivers; None for none of its own.
        window: how many messages the broker sends without an acknowledgement.
        kinds: the only kinds of messages that are taken from it, because its filters cannot leave
            out others, which another session delivers as well. None: all.
        former: filters of earlier versions, which the broker may still know.
        is_seen: others than Roost may subscribe to its topics.
        sends_again: the broker sends unacknowledged messages again on the same connection (NATS,
            after `ack_wait`); others do so on a new connection only (MQTT 3.1.1 §4.4).
    """

    client_id: str
    filters: tuple[str, ...]
    live: bool = False
    sends_again: bool = False
    persistent: bool = True
    partition: int | None = None
    window: int = 10_000
    kinds: tuple[Kind, ...] | None = None
    former: tuple[str, ...] = ()
    is_seen: bool = False


class Broker(Protocol):
    """The MQTT broker: our sessions on it, and our publications."""

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
        """Wait until every session was subscribed once: from then on no message is missed."""
        ...

    def acknowledge(self, session: str, connection: int, packet_ids: Sequence[int]) -> None:
        """Send PUBACKs in one write; do nothing if that connection is gone."""
        ...

    def renew(self, session: str, connection: int) -> None:
        """Replace this connection with a new one; do nothing if it is gone already."""
        ...

    def publish_nowait(self, topic: str, payload: bytes) -> bool:
        """Send with QoS 0; False if it was dropped, or no broker takes it."""
        ...

    async def publish(self, messages: Sequence[Publication]) -> Sequence[bool | Unpublishable]:
        """Send up to `PUBLISH_MAX` messages with QoS 1, those of a topic in order, and wait for the
        acknowledgements.

        Returns which were acknowledged, and why one was not sent: no broker takes it, or it ends
        the connection each time. What happened to the others is unknown.
        """
        ...
