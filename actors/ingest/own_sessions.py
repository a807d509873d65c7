"""Our sessions at the broker: whether they are connected, and what is known of their messages.

`prepare` is awaited before each connection. The other calls report events, or answer questions of
the service. All PUBACKs are sent here, so that each is counted.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence

import structlog
import trio

from actors.ingest.arrivals import Arrival
from actors.ingest.partition_clock import PartitionClocks
from actors.ingest.redelivery import SessionRedelivery, Verdict
from actors.ports.broker import Broker
from actors.ports.store import Store
from actors.runtime.clock import WallClock

log = structlog.get_logger("roost.gateway")


class OwnSessions:
    """Args:
    flows: told about everything that may hold up devices' messages.
    live_changed: called with the time since when live data stands still (µs), or None when it
        flows.
    confirm: called with a session and the commit up to which the broker has processed PUBACKs.
    can_send: called whenever the session that we publish with is connected.
    wait_may_serve: waits until this process leads.
    prepared: set when the commits that earlier processes left running are over and known.

    Attributes:
        redeliveries: what is known of each session's messages.
        joined: how many messages were recognised and not taken again.
        stale_since_us: since when live data stands still; None while it flows.
        is_closing: the service ends, so sessions are expected to end.
    """

    def __init__(
        self,
        broker: Broker,
        store: Store,
        clock: WallClock,
        *,
        flows: PartitionClocks,
        live_changed: Callable[[int | None], None],
        confirm: Callable[[str, int], None],
        can_send: Callable[[], None],
        wait_may_serve: Callable[[], Awaitable[None]],
        prepared: trio.Event,
    ) -> None:
        plans = broker.sessions
        self.redeliveries = {
            plan.client_id: SessionRedelivery(plan.client_id, plan.kinds) for plan in plans
        }
        self.joined = 0
        self.stale_since_us: int | None = None
        self.is_closing = False
        self._live = [plan.client_id for plan in plans if plan.live]
        self._persistent = {plan.client_id for plan in plans if plan.persistent}
        self._broker = broker
        self._store = store
        self._clock = clock
        self._flows = flows
        self._live_changed = live_changed
        self._confirm = confirm
        self._can_send = can_send
        self._wait_may_serve = wait_may_serve
        self._prepared = prepared

    @property
    def connected_count(self) -> int:
        return sum(redelivery.connection > 0 for redelivery in self.redeliveries.values())

    def is_persistent(self, session: str) -> bool:
        """Whether the broker keeps it while we are away; only the leading process has such
        sessions."""
        return session in self._persistent

    def connections(self) -> dict[str, int]:
        """The number of each session's connection; 0 where it has none."""
        return {name: redelivery.connection for name, redelivery in self.redeliveries.items()}

    @property
    def unheard(self) -> int:
        """Acknowledgements that the broker may not have processed yet."""
        return sum(redelivery.unheard for redelivery in self.redeliveries.values())

    def unsettled(self) -> tuple[int, float]:
        """How many messages were taken and are not acknowledged, including receipts that were given
        up, and for how long the oldest of them has waited (seconds)."""
        now_s = trio.current_time()
        count, first_s = 0, now_s
        for redelivery in self.redeliveries.values():
            redelivery.look(now_s)
            more, since_s = redelivery.unsettled()
            count, first_s = count + more, min(first_s, since_s)
        return count, now_s - first_s

    # Connections

    async def prepare(self, session: str) -> None:
        """Before a connection: wait for the lead, and learn what is in doubt since earlier
        processes.

        Raises:
            Unavailable: the store does not answer; the session waits for it.
        """
        if session in self._persistent:
            await self._wait_may_serve()
        redelivery = self.redeliveries[session]
        if redelivery.needs_memory:
            redelivery.remember(await self._store.session_memory(session))
        self._prepared.set()

    def connected(self, session: str, connection: int) -> None:
        if self.redeliveries[session].needs_memory and session in self._persistent:
            # It was prepared for a lead that has ended.
            self._broker.renew(session, connection)
            return
        self.redeliveries[session].connected(connection, trio.current_time())
        log.info("session connected", session=session)
        self._flows.connected(session)
        if session not in self._persistent:
            self._can_send()
        self._look_at_live()

    def disconnected(self, session: str, connection: int) -> None:
        redelivery = self.redeliveries[session]
        if redelivery.connection != connection:
            return  # it was never connected
        redelivery.disconnected()
        self._flows.disconnected(session)
        if not self.is_closing:
            log.warning("session disconnected", session=session)
        self._look_at_live()

    def give_up(self) -> None:
        """Another process has led: what is known of the sessions is outdated.

        The connections end, so that the broker sends again what was taken and not acknowledged. The
        new records know no connection, so nothing is taken on a connection that existed before.
        """
        for name in sorted(self._persistent):  # the session that we publish with is ours alone
            redelivery = self.redeliveries[name]
            self.redeliveries[name] = redelivery.replaced()
            if redelivery.connection:
                self._flows.disconnected(name)
                self._broker.renew(name, redelivery.connection)
                redelivery.disconnected()
        self._look_at_live()

    def others_serve(self) -> None:
        """This process stands by: another process settles what this one gave up."""
        for redelivery in self.redeliveries.values():
            redelivery.others_serve()

    def _look_at_live(self) -> None:
        flows = self.is_closing or all(self.redeliveries[name].connection for name in self._live)
        if flows == (self.stale_since_us is None):
            return
        self.stale_since_us = None if flows else self._clock.now_us()
        self._live_changed(self.stale_since_us)

    # Acknowledgements

    def known(self, arrival: Arrival, verdict: Verdict) -> None:
        """It was delivered before: acknowledge it, unless its first copy is still in flight."""
        self.joined += 1
        if verdict is Verdict.ACKNOWLEDGE:
            self.acknowledge(arrival)

    def acknowledge(self, arrival: Arrival) -> None:
        """Send its PUBACK at once; QoS 0 has none."""
        if arrival.packet_id:
            self.acknowledge_all(arrival.session, (arrival,))

    def acknowledge_all(self, session: SessionRedelivery, arrivals: Iterable[Arrival]) -> None:
        """Send PUBACKs at once, in one write, on the session's current connection."""
        packet_ids: list[int] = []
        for arrival in arrivals:
            session.acknowledged(arrival)
            packet_ids.append(arrival.packet_id)
        self._broker.acknowledge(session.name, session.connection, packet_ids)

    def committed(self, no: int, receipts: Sequence[Arrival]) -> None:
        """Acknowledge the messages of commit `no`, with one write for each session."""
        now_s = trio.current_time()
        by_session: dict[SessionRedelivery, list[Arrival]] = {}
        for receipt in receipts:
            by_session.setdefault(receipt.session, []).append(receipt)
        for session, theirs in by_session.items():
            packet_ids = session.settle(no, theirs, now_s)
            self._flows.loaded(session.name, session.in_flight)
            if packet_ids:
                self._broker.acknowledge(session.name, session.connection, packet_ids)

    def heard(self, session: str, connection: int, acknowledged: int) -> None:
        """The broker has certainly processed the first `acknowledged` PUBACKs of this
        connection."""
        confirmed = self.redeliveries[session].heard(connection, acknowledged, trio.current_time())
        if confirmed is not None:
            self._confirm(session, confirmed)
