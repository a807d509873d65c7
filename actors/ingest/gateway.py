"""The gateway: MQTT bytes in, messages to actors out; acknowledgements back after the commit.

Synchronous throughout: a delivery costs no task and no wait. What is not taken is not
acknowledged, so the broker's window is the back-pressure; QoS 0 is shed at its bound, and counted.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache

import structlog
import trio

from actors.ingest.counters import Counters
from actors.ingest.late_acks import LateAcks, Owed
from actors.ingest.limits import Limits
from actors.ingest.partition_clock import PartitionClocks
from actors.ingest.rate_notices import NoticeLimits
from actors.ingest.redelivery import Copy, InFlight, SessionRedelivery, Verdict
from actors.ingest.rejections import KEPT_BYTES_MAX
from actors.ingest.retained_copies import RetainedCopies
from actors.ports.broker import Broker, Delivery
from actors.ports.store import Store
from actors.runtime.clock import WallClock
from actors.runtime.sampled import Sampled
from protocol.device.commands import CommandAck
from protocol.device.payloads import (
    PAYLOAD_BYTES_MAX,
    DeviceStatus,
    RawReading,
    parse_ack,
    parse_reading,
    parse_readings,
    parse_status,
)
from protocol.device.topics import CANARY_USER, Kind, Topic, parse_topic, unmapped
from protocol.errors import Reason, Refusal, in_words
from protocol.messages import (
    AckSaid,
    FromDevice,
    Notice,
    ReadingsSaid,
    StatusSaid,
    Unreadable,
)
from protocol.records import Origin, WriteUnit

log = structlog.get_logger("roost.gateway")

# Four partition and four state sessions of 10,000 and the wills: above what the broker's windows
# let through. Without payloads each is some 2 kB, so this is 200 MB at the very worst.
IN_FLIGHT_MAX = 100_000
# Payloads in flight; what is beyond stays with the broker.
BYTES_MAX = 256 << 20
# prefix of a partition, user id, device code, feed key: 200 characters; a longer key is refused.
TOPIC_MAX = 512
# Between leaving messages with a broker and fetching them: the patience that NATS has with us, too.
FETCH_AGAIN_S = 5.0
FETCH_MAX_S = 300.0
# What tells a payload from others in a receipt: itself, or the digest of a longer one.
MARK_BYTES_MAX = 1_024
CANARY_BYTES_MAX = 256

Said = list[RawReading] | DeviceStatus | CommandAck | Refusal

parsed = lru_cache(maxsize=65_536)(parse_topic)


class Gateway:
    """Takes deliveries (`actors.ports.broker.Inbox`) and settles them after their commit.

    Args:
        hand_over: gives a message to the device's actor; False when there is no room.
        live_changed: told since when live data stands still (µs), or None when it flows.
        wait_may_serve: waits until this process leads.
        can_send: told whenever the session that we send by is connected.
        seen: told of every message that its device's actor takes: origin, bytes, QoS.
        flows: told of what may hold back the words of devices.
        confirm: told of a session up to which commit the broker has heard our acknowledgements.
        submit: gives a canary's unit to the writer.
        canary_passed: told of a session and its canary when that is committed.
        canary_came: when a canary of ours was sent (Trio's clock), and when the broker had the next
            one; None for any other.
        limits: which messages are above the rate of their device or user.
        retained: told of what a subscription brings that devices have retained.
        may_take: whether there is room on the disk for anything new.
    """

    def __init__(
        self,
        broker: Broker,
        store: Store,
        clock: WallClock,
        counters: Counters,
        *,
        hand_over: Callable[[FromDevice], bool],
        live_changed: Callable[[int | None], None],
        confirm: Callable[[str, int], None],
        seen: Callable[[Origin, int, int], None],
        flows: PartitionClocks,
        wait_may_serve: Callable[[], Awaitable[None]],
        can_send: Callable[[], None],
        submit: Callable[[WriteUnit], None],
        canary_passed: Callable[[str, bytes], None],
        canary_came: Callable[[str, bytes], tuple[float, float] | None],
        limits: Limits,
        retained: RetainedCopies,
        may_take: Callable[[], bool] = lambda: True,
    ) -> None:
        self.messages = 0
        self.failures = 0  # of our own, over deliveries
        self.joined = 0
        self.bad_topics = 0
        self.untaken = 0
        self.notices_dropped = 0
        self.given_up = 0
        self._foreign = Sampled()
        self.closing = False  # at the end: leave what still comes to the next start
        self.stale_since_us: int | None = None
        self.redeliveries = {
            plan.client_id: SessionRedelivery(plan.client_id) for plan in broker.sessions
        }
        self._live = [plan.client_id for plan in broker.sessions if plan.live]
        # Set when the commits that earlier processes left running are over and known.
        self.prepared = trio.Event()
        self._broker = broker
        self._store = store
        self._clock = clock
        self._counters = counters
        self._hand_over = hand_over
        self._live_changed = live_changed
        self._confirm = confirm
        self._seen = seen
        self._flows = flows
        self._wait_may_serve = wait_may_serve
        self._can_send = can_send
        self._submit = submit
        self._canary_passed = canary_passed
        self._canary_came = canary_came
        self._limits = limits
        self._notice_limits = NoticeLimits()
        limits.tell = self.tell
        self.refused_acks = LateAcks(self._acknowledge_refused)
        self._retained = retained
        self._may_take = may_take
        self._persistent = {plan.client_id for plan in broker.sessions if plan.persistent}
        self._canaries: set[str] = set()  # sessions with one of ours in flight
        self._canaries_heard = 0
        self._handed_over: Delivery | None = None
        self._in_flight = 0
        self._bytes = 0
        self._sends_again = {plan.client_id: plan.sends_again for plan in broker.sessions}
        # Connections on which something was left that does not come again on them.
        self._left: dict[str, int] = {}
        self._left_came = trio.Event()

    @property
    def connected_sessions(self) -> int:
        return sum(redelivery.connection > 0 for redelivery in self.redeliveries.values())

    @property
    def connections(self) -> dict[str, int]:
        """The number of each session's connection; 0 where it has none."""
        return {name: redelivery.connection for name, redelivery in self.redeliveries.items()}

    @property
    def in_flight(self) -> int:
        """Messages taken and not yet committed, QoS 0 included."""
        return self._in_flight

    @property
    def unheard(self) -> int:
        """Acknowledgements that are on their way to the broker, as far as is known."""
        return sum(redelivery.unheard for redelivery in self.redeliveries.values())

    @property
    def bytes_in_flight(self) -> int:
        """Of payloads that are held until their commit."""
        return self._bytes

    @property
    def brought(self) -> int:
        """How many messages the broker has brought, canaries among them."""
        return self.messages + self._canaries_heard

    async def prepare(self, session: str) -> None:
        """Before a connection: wait for the lead, and learn what earlier processes left in doubt.

        Raises:
            Unavailable: the store, or the broker, does not answer; the session waits for it.
        """
        if session in self._persistent:
            await self._wait_may_serve()
        redelivery = self.redeliveries[session]
        if redelivery.needs_memory:
            redelivery.remember(await self._store.session_memory(session))
        self.prepared.set()
        if session in self._persistent:
            await self._retained.make_room()

    def give_up_sessions(self) -> None:
        """Another process has led: what is known of the sessions is old, and they are not ours.

        The connections end, so that the broker sends again what was taken and not acknowledged. A
        record that is new knows no connection: nothing is taken on one that was there before.
        """
        for name in sorted(self._persistent):  # the session that we send by is ours alone
            redelivery = self.redeliveries[name]
            self.redeliveries[name] = redelivery.replaced()
            if redelivery.connection:
                self._flows.disconnected(name)
                self._broker.renew(name, redelivery.connection)
        self._look_at_live()

    def others_serve(self) -> None:
        """This process stands by: what it gave up is another one's business."""
        for redelivery in self.redeliveries.values():
            redelivery.others_serve()

    def unsettled(self) -> tuple[int, float]:
        """How many messages were taken and are not acknowledged, receipts that were given up
        included; and for how long the first of them has waited (seconds)."""
        now_s = trio.current_time()
        count, first_s = 0, now_s
        for redelivery in self.redeliveries.values():
            redelivery.look(now_s)
            more, since_s = redelivery.unsettled()
            count, first_s = count + more, min(first_s, since_s)
        return count, now_s - first_s

    # Inbox

    def connected(self, session: str, connection: int) -> None:
        if self.redeliveries[session].needs_memory and session in self._persistent:
            # Its preparation was for a lead that is over.
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
            return  # it never was connected
        redelivery.disconnected()
        self._flows.disconnected(session)
        if not self.closing:
            log.warning("session disconnected", session=session)
        self._look_at_live()

    def _look_at_live(self) -> None:
        flows = self.closing or all(self.redeliveries[name].connection for name in self._live)
        if flows == (self.stale_since_us is None):
            return
        self.stale_since_us = None if flows else self._clock.now_us()
        self._live_changed(self.stale_since_us)

    def heard(self, session: str, connection: int, acknowledged: int) -> None:
        confirmed = self.redeliveries[session].heard(connection, acknowledged, trio.current_time())
        if confirmed is not None:
            self._confirm(session, confirmed)

    def deliver(self, delivery: Delivery) -> None:
        """Take one delivery: to its actor, or acknowledged at once, or left to the broker.

        Raises nothing: gmqtt would swallow it, and the message would be neither stored nor kept.
        """
        self.messages += 1
        self._handed_over = None
        try:
            self._take(delivery)
        except Exception as error:  # noqa: BLE001 (a mistake of ours; it is logged and kept)
            self._failed(delivery, error)

    def _failed(self, delivery: Delivery, error: Exception) -> None:
        """A delivery failed by a mistake of ours: keep it as a refusal, and go on."""
        self.failures += 1
        log.error("delivery failed", topic=delivery.topic[:200], exc_info=error)
        if self._handed_over is delivery:
            return  # its actor has it
        try:
            self._keep_as_refused(delivery, error)
        except Exception as again:
            log.error("delivery left to the broker", topic=delivery.topic[:200], exc_info=again)

    def _keep_as_refused(self, delivery: Delivery, error: Exception) -> None:
        """Raises `Refusal` where its topic is none of ours."""
        redelivery, payload = self.redeliveries[delivery.session], delivery.payload
        if delivery.connection != redelivery.connection:
            return None  # the next connection brings it again
        topic, raw_topic = parsed(delivery.topic), unmapped(delivery.topic)[:TOPIC_MAX]
        mark = payload if len(payload) <= MARK_BYTES_MAX else _fingerprint(payload)
        receipt = None
        if delivery.packet_id:
            redelivery.drop(delivery.packet_id, raw_topic, mark)  # what the failed try left
            digest = _identity(raw_topic, payload, mark)
            receipt = redelivery.open(
                delivery.packet_id, raw_topic, mark, digest, trio.current_time()
            )
        origin = Origin(
            topic,
            raw_topic,
            payload[:KEPT_BYTES_MAX],
            self._clock.now_us(),
            delivery.retain,
            delivery.dup,
            receipt.taken if receipt else None,
            receipt,
        )
        refusal = Refusal(Reason.INTERNAL_ERROR, in_words(error)[:500])
        may_take = self._may_take() and not self.closing
        if not (may_take and self._hand_over(Unreadable(origin=origin, refusal=refusal))):
            if receipt is not None:
                redelivery.forget(receipt)
            return self._leave(
                delivery,
                topic.device,
                1,
                receipt.taken.digest if receipt and receipt.taken else None,
            )
        self._in_flight += 1
        self._bytes += origin.size
        self._counters.received(topic.device, _readings_in(topic, refusal))
        return None

    def _take(self, delivery: Delivery) -> None:
        redelivery = self.redeliveries[delivery.session]
        if delivery.connection != redelivery.connection:
            # What this connection brings could not be acknowledged. The next one brings it again.
            self.untaken += delivery.packet_id > 0
            self._broker.renew(delivery.session, delivery.connection)
            return None
        packet_id, payload = delivery.packet_id, delivery.payload
        raw_topic = unmapped(delivery.topic)[:TOPIC_MAX]
        mark = payload if len(payload) <= MARK_BYTES_MAX else _fingerprint(payload)
        if packet_id:
            if self.refused_acks.has(redelivery.name, redelivery.connection, packet_id):
                return None  # refused just now
            verdict = redelivery.known_packet(packet_id, delivery.dup, raw_topic, mark)
            if verdict is not Verdict.NEW:
                return self._known(redelivery, packet_id, verdict, raw_topic, mark)
        try:
            if len(delivery.topic) > TOPIC_MAX:
                raise Refusal(Reason.BAD_TOPIC, "the topic is too long")
            topic = parsed(delivery.topic)
        except Refusal as refusal:
            self.bad_topics += 1
            if times := self._foreign.times():
                shown, why = raw_topic[:200], refusal.detail
                log.warning("message on a foreign topic", topic=shown, why=why, times=times)
            return self._acknowledge(redelivery, packet_id, raw_topic, mark)
        if not payload and (delivery.retain or self._retained.is_echo(delivery.topic)):
            return self._acknowledge(redelivery, packet_id, raw_topic, mark)  # it was cleared
        if topic.user_id == CANARY_USER and packet_id:
            return self._take_canary(redelivery, delivery, topic, raw_topic, mark)
        if delivery.retain and self._retained.is_known(topic, delivery.topic, mark):
            return self._known(redelivery, packet_id, Verdict.DONE, raw_topic, mark)
        if not self.closing and not self._limits.takes(delivery, topic):
            if packet_id:
                acks = self.refused_acks
                acks.add(redelivery.name, redelivery.connection, packet_id, raw_topic, mark)
            return None
        now_us = self._clock.now_us()
        said = _read(topic, payload, now_us)
        digest = None
        if packet_id and not _has_identity(said, delivery.retain):
            digest = _identity(raw_topic, payload, mark)
            now_s = trio.current_time()
            verdict = redelivery.known_digest(packet_id, digest, now_s, dup=delivery.dup)
            if verdict is not Verdict.NEW:
                if delivery.retain:
                    self._copy_known(redelivery, delivery, topic, verdict, mark)
                return self._known(redelivery, packet_id, verdict, raw_topic, mark)
        count = _readings_in(topic, said)
        if self.closing or not self._has_room(packet_id):
            return self._leave(delivery, topic.device, count, digest)
        if len(payload) > PAYLOAD_BYTES_MAX:
            payload = payload[:KEPT_BYTES_MAX]  # it is refused, and only this much of it is kept
            self._retained.too_large(topic)
        receipt = None
        if packet_id:
            receipt = redelivery.open(packet_id, raw_topic, mark, digest, trio.current_time())
            receipt.copy = Copy(delivery.topic, hash(mark)) if delivery.retain else None
        origin = Origin(
            topic,
            raw_topic,
            payload,
            now_us,
            delivery.retain,
            delivery.dup,
            receipt.taken if receipt else None,
            receipt or (Copy(delivery.topic, hash(mark)) if delivery.retain else None),
        )
        if not self._hand_over(_message(origin, said)):
            if receipt is not None:
                redelivery.forget(receipt)
            return self._leave(delivery, topic.device, count, digest)
        self._handed_over = delivery
        self._in_flight += 1
        self._bytes += origin.size
        self._counters.received(topic.device, count)
        self._seen(origin, len(delivery.payload), 1 if packet_id else 0)
        if delivery.retain:
            self._came(delivery, topic)
        if receipt is not None:
            self._flows.loaded(delivery.session, redelivery.in_flight)
        return None

    def _take_canary(
        self,
        redelivery: SessionRedelivery,
        delivery: Delivery,
        topic: Topic,
        raw_topic: str,
        mark: bytes,
    ) -> None:
        """Straight to the writer: it shows that what comes by this session is committed.

        At most one of each session is in flight, beside `IN_FLIGHT_MAX` messages of devices.
        """
        self.messages -= 1  # it is no message of a device
        self._canaries_heard += 1
        came = None if delivery.dup else self._canary_came(redelivery.name, delivery.payload)
        if came is not None:
            self._limits.caught_up(redelivery.name, *came)
        if self.closing:
            return None
        if redelivery.name in self._canaries:  # one on its way proves as much as many
            return self._acknowledge(redelivery, delivery.packet_id, raw_topic, mark)
        self._canaries.add(redelivery.name)
        receipt = redelivery.open(delivery.packet_id, raw_topic, mark, None, trio.current_time())
        canary = delivery.payload[:CANARY_BYTES_MAX]
        self._submit(WriteUnit(device=topic.device, receipt=receipt, messages=0, canary=canary))
        return None

    def _has_room(self, packet_id: int) -> bool:
        """QoS 0 may take half of what there is, because nothing else holds it back."""
        share = 1 if packet_id else 2
        if not self._may_take():
            return False
        return self._in_flight * share < IN_FLIGHT_MAX and self._bytes * share < BYTES_MAX

    def _known(
        self,
        redelivery: SessionRedelivery,
        packet_id: int,
        verdict: Verdict,
        topic: str,
        mark: bytes,
    ) -> None:
        self.joined += 1
        if verdict is Verdict.DONE:
            self._acknowledge(redelivery, packet_id, topic, mark)

    def _copy_known(
        self,
        redelivery: SessionRedelivery,
        delivery: Delivery,
        topic: Topic,
        verdict: Verdict,
        mark: bytes,
    ) -> None:
        """The copy of a retained message that is taken for a message which is known."""
        self._came(delivery, topic)
        copy = Copy(delivery.topic, hash(mark))
        if verdict is Verdict.DONE:
            self._retained.taken(copy)
        else:
            redelivery.brings(delivery.packet_id, copy)

    def _came(self, delivery: Delivery, topic: Topic) -> None:
        size = len(delivery.payload)
        self._retained.came(delivery.session, delivery.connection, delivery.topic, topic, size)

    def _acknowledge(
        self, redelivery: SessionRedelivery, packet_id: int, topic: str, mark: bytes
    ) -> None:
        if packet_id:
            redelivery.acknowledged(packet_id, topic, mark)
            self._broker.acknowledge(redelivery.name, redelivery.connection, [packet_id])

    def _acknowledge_refused(self, session: str, connection: int, ids: Owed) -> None:
        redelivery = self.redeliveries[session]
        if redelivery.connection == connection:
            for packet_id, (topic, mark) in ids.items():
                redelivery.acknowledged(packet_id, topic, mark)
            self._broker.acknowledge(session, connection, list(ids))

    def _leave(
        self, delivery: Delivery, device: tuple[str, str], count: int, digest: bytes | None
    ) -> None:
        """No room: QoS 0 is shed and counted, QoS 1 stays with the broker, which sends it again."""
        if delivery.packet_id:
            self.untaken += 1
            self.redeliveries[delivery.session].left(digest, trio.current_time())
            self._flows.left(delivery.session)
            if not self._sends_again[delivery.session]:
                self._left[delivery.session] = delivery.connection
                self._left_came.set()
            return
        self._counters.received(device, count)
        self._counters.shed(device, count)

    async def fetch_forever(self) -> None:
        """Fetch what was left for want of room from a broker that sends again on new connections
        only: without one it would lie there for as long as the connection holds."""
        pause_s, fetched_s = FETCH_AGAIN_S, float("-inf")
        while not self.closing:
            await self._left_came.wait()
            if trio.current_time() - fetched_s > 2 * pause_s:
                pause_s = FETCH_AGAIN_S
            await trio.sleep(pause_s)
            if self._has_room(0) and not self.closing:
                self._left_came = trio.Event()
                left, self._left = self._left, {}
                for session, connection in left.items():
                    log.info("session fetches what was left", session=session)
                    self._broker.renew(session, connection)
                # One full actor shall not cut everybody's session again and again.
                pause_s, fetched_s = min(2 * pause_s, FETCH_MAX_S), trio.current_time()

    # After the commit

    def committed(self, no: int, units: Sequence[WriteUnit]) -> None:
        """Acknowledge what a commit made durable: one write per session."""
        now_s = trio.current_time()
        by_session: dict[SessionRedelivery, list[InFlight]] = {}
        for unit in units:
            if isinstance(unit.receipt, InFlight):
                by_session.setdefault(unit.receipt.session, []).append(unit.receipt)
        self._in_flight -= sum(unit.messages for unit in units)
        self._bytes -= sum(unit.size for unit in units)
        for redelivery, receipts in by_session.items():
            packet_ids = redelivery.settle(no, receipts, now_s)
            self._flows.loaded(redelivery.name, redelivery.in_flight)
            if packet_ids:
                self._broker.acknowledge(redelivery.name, redelivery.connection, packet_ids)
        for unit in units:
            receipt = unit.receipt
            copy = receipt.copy if isinstance(receipt, InFlight) else receipt
            if isinstance(copy, Copy):
                self._retained.taken(copy, unit)
            if unit.canary and isinstance(unit.receipt, InFlight):
                self._canaries.discard(unit.receipt.session.name)
                self._canary_passed(unit.receipt.session.name, unit.canary)

    def gave_up(self, units: Sequence[WriteUnit]) -> None:
        """Another process has led since these units were taken: nothing is acknowledged."""
        self.given_up += sum(unit.messages for unit in units)
        self._in_flight -= sum(unit.messages for unit in units)
        self._bytes -= sum(unit.size for unit in units)
        for unit in units:
            if isinstance(unit.receipt, InFlight):
                unit.receipt.session.abandon(unit.receipt)
                if unit.canary:
                    self._canaries.discard(unit.receipt.session.name)

    def tell(self, notice: Notice) -> None:
        """Tell a device why its message was refused: best effort."""
        if not self._notice_limits.allows(notice.topic, self._clock.now_us()):
            return
        if not self._broker.publish_nowait(notice.topic, notice.body):
            self.notices_dropped += 1


def _fingerprint(payload: bytes) -> bytes:
    """The digest of a payload; of one that is refused for its size, of its length and its ends:
    hashing megabytes holds everybody up."""
    if len(payload) <= PAYLOAD_BYTES_MAX:
        return _digest(payload)
    ends = payload[:PAYLOAD_BYTES_MAX] + payload[-KEPT_BYTES_MAX:]
    return _digest(len(payload).to_bytes(8, "big") + ends)


def _identity(raw_topic: str, payload: bytes, mark: bytes) -> bytes:
    """What a message without an identity of its own is known by in the store (I2)."""
    words = payload if len(payload) <= PAYLOAD_BYTES_MAX else mark
    return _digest(raw_topic.encode() + b"\0" + words)


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def _read(topic: Topic, payload: bytes, now_us: int) -> Said:
    """The one door: bytes to what was said, or to the refusal of all of it."""
    try:
        match topic.kind:
            case Kind.READING:
                return parse_reading(topic.tail, payload, now_us)
            case Kind.READINGS:
                return parse_readings(payload, now_us)
            case Kind.STATUS:
                return parse_status(payload)
            case Kind.ACK:
                return parse_ack(payload, now_us)
    except Refusal as refusal:
        return refusal


def _has_identity(said: Said, retained: bool) -> bool:
    """Whether the store knows every reading by a key of its own, however often it comes.

    The broker's copy of a retained reading has one, too: its value (`DeviceActor`).
    """
    if isinstance(said, CommandAck):
        return True  # saying it twice changes nothing
    return isinstance(said, list) and all(
        (retained or r.ts_us is not None or r.message_id is not None) and r.refusal is None
        for r in said
    )


def _readings_in(topic: Topic, said: Said) -> int:
    """How many readings it counts for in the accounts; a message that cannot be read is one."""
    if isinstance(said, list):
        return len(said)
    return 1 if isinstance(said, Refusal) and topic.kind in (Kind.READING, Kind.READINGS) else 0


def _message(origin: Origin, said: Said) -> FromDevice:
    if isinstance(said, list):
        return ReadingsSaid(origin=origin, readings=said)
    if isinstance(said, DeviceStatus):
        return StatusSaid(origin=origin, said=said)
    if isinstance(said, Refusal):
        return Unreadable(origin=origin, refusal=said)
    return AckSaid(origin=origin, said=said)
