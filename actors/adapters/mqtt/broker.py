"""The Broker port over MQTT: persistent sessions that reconnect for ever, with one task each.

async with broker.open(inbox, prepare):
    await broker.wait_subscribed()
"""

import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
import trio

from actors.adapters.asyncio_bridge import Bridge, open_bridge
from actors.adapters.mqtt.client import VERSIONS, Address
from actors.adapters.mqtt.link import Link
from actors.adapters.mqtt.sending import Fate, Sender
from actors.adapters.mqtt.window import Pubacks
from actors.ports.broker import PUBLISH_MAX, Inbox, Publication, SessionPlan
from actors.ports.retained import Held
from actors.runtime.endings import ends_process
from protocol.device.publishing import can_be_cleared, fault_of
from protocol.errors import RoostError, SettingsError, Unavailable, Unpublishable, in_words

log = structlog.get_logger("roost.mqtt")

# NATS closes a client id that reconnects within a second. The spread keeps several replicas from
# connecting at the same moment.
RECONNECT_MIN_S = 1.1
RECONNECT_SPREAD_S = 1.0
# Messages of one part (`sending`). With MQTT 5 Mosquitto announces a receive-maximum of 20, and
# gmqtt fails beyond it; 3.1.1 has none.
WINDOW_5, WINDOW_311 = 8, PUBLISH_MAX
PUBLISH_TIMEOUT_S = 10.0
# asyncio-flavored: from address, client id, version and filters to the retained messages.
Look = Callable[[Address, str, int, Sequence[str]], Coroutine[Any, Any, list[Held]]]


def parse_url(url: str, ca: Path | None = None) -> Address:
    """`mqtt://user:password@host:port`, or `mqtts://` for TLS.

    Args:
        ca: a file with the CA certificates that count for TLS; None: those of this machine. Either
            way the certificate must name the host.

    Raises:
        SettingsError: the URL or the file cannot be used.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise SettingsError("the MQTT URL is not a URL") from None
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise SettingsError("the MQTT URL must look like mqtt://user:password@host:1883")
    tls = parts.scheme == "mqtts"
    if ca is not None and not tls:
        raise SettingsError("--mqtt-ca needs an MQTT URL with mqtts://")
    return Address(
        parts.hostname,
        port or (8883 if tls else 1883),
        None if parts.username is None else unquote(parts.username),
        None if parts.password is None else unquote(parts.password),
        _trusting(ca) if ca is not None else tls,
    )


def _trusting(ca: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"{ca} cannot be used as CA: {in_words(error)}") from None


class MqttBroker:
    """See `actors.ports.broker.Broker`.

    Args:
        version: "3.1.1" or "5"; "5" falls back to 3.1.1 if the broker only supports that.
    """

    def __init__(
        self,
        address: Address,
        plans: Sequence[SessionPlan],
        rng: random.Random,
        version: str = "5",
    ) -> None:
        self.sessions = tuple(plans)
        self.address = address
        self._rng = rng
        self._version = VERSIONS[version]
        self._links: dict[str, Link] = {}
        self._bridge: Bridge | None = None
        self._out = next(plan.client_id for plan in plans if not plan.persistent)
        self._subscribed = {plan.client_id: trio.Event() for plan in plans}
        self._sender = Sender(self._publish, WINDOW_5 if version == "5" else WINDOW_311)

    @asynccontextmanager
    async def open(
        self, inbox: Inbox, prepare: Callable[[str], Awaitable[None]]
    ) -> AsyncIterator[None]:
        async with open_bridge("mqtt") as bridge, trio.open_nursery() as nursery:
            self._bridge = bridge
            for plan in self.sessions:
                nursery.start_soon(self._keep, bridge, plan, inbox, prepare)
            try:
                yield
            finally:
                self._bridge = None
                nursery.cancel_scope.cancel()

    async def look(self, work: Look, filters: Sequence[str]) -> list[Held]:
        """Look on a separate connection. Raises `Unavailable`."""
        if self._bridge is None:
            raise Unavailable("the broker is not open")
        return await self._bridge.run(
            work, self.address, f"{self._out}-look", self._version, filters
        )

    async def wait_subscribed(self) -> None:
        """Wait until every session was subscribed once: from then on no message is missed."""
        for event in self._subscribed.values():
            await event.wait()

    async def _keep(
        self,
        bridge: Bridge,
        plan: SessionPlan,
        inbox: Inbox,
        prepare: Callable[[str], Awaitable[None]],
    ) -> None:
        number = 0
        while True:
            number += 1
            lost = trio.Event()
            try:
                await prepare(plan.client_id)
                await self._connected(bridge, plan, inbox, number, lost)
            except RoostError as error:
                log.warning("session cannot connect", session=plan.client_id, error=in_words(error))
            except Exception as error:  # of gmqtt or asyncpg: the next attempt may succeed
                if ends_process(error) is not None:
                    raise
                log.error("session failed", session=plan.client_id, exc_info=error)
            await trio.sleep(RECONNECT_MIN_S + self._rng.random() * RECONNECT_SPREAD_S)

    async def _connected(
        self, bridge: Bridge, plan: SessionPlan, inbox: Inbox, number: int, lost: trio.Event
    ) -> None:
        """One connection, until it is lost."""

        async def make() -> None:
            link = Link(
                plan,
                number,
                inbox,
                self._version,
                lost.set,
                self._subscribed[plan.client_id].set,
            )
            self._links[plan.client_id] = link
            try:
                await link.connect(self.address)
            finally:
                self._version = link.version

        try:
            await bridge.run(make)
            await lost.wait()
        finally:
            inbox.disconnected(plan.client_id, number)
            # By name: a cancellation may arrive after the connection and before it is reported.
            link = self._links.pop(plan.client_id, None)
            if link is not None:
                with trio.CancelScope(shield=True):  # bounded by CLOSE_TIMEOUT_S
                    await bridge.run(link.close)

    def acknowledge(self, session: str, connection: int, packet_ids: Sequence[int]) -> None:
        link = self._links.get(session)
        # On another connection the same packet id may be another message.
        if link is not None and link.number == connection:
            link.acknowledge(packet_ids)

    def renew(self, session: str, connection: int) -> None:
        link = self._links.get(session)
        if link is not None and link.number == connection:
            link.abort()

    def publish_nowait(self, topic: str, payload: bytes) -> bool:
        if fault_of(topic, payload) is not None:
            return False
        link = self._links.get(self._out)
        return link is not None and link.publish_nowait(topic, payload)

    def clear_nowait(self, topic: str) -> bool:
        """Clear the retained message of a topic that the broker has delivered. False: dropped."""
        if not can_be_cleared(topic):
            return False
        link = self._links.get(self._out)
        return link is not None and link.publish_nowait(topic, b"", retain=True)

    async def publish(self, messages: Sequence[Publication]) -> Sequence[bool | Unpublishable]:
        """Each part is one write."""
        return await self._sender.publish(messages)

    async def _publish(self, messages: Sequence[Publication]) -> list[Fate]:
        """Send one part, which fits into a window."""
        pubacks = Pubacks(len(messages))
        link = self._links.get(self._out)
        if link is not None:
            link.publish(messages, pubacks)
            with trio.move_on_after(PUBLISH_TIMEOUT_S):
                await pubacks.all_settled.wait()
        return list(pubacks.fates)
