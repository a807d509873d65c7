"""The gateway: MQTT bytes in, messages to actors out; acknowledgements back after the commit.

It is synchronous: a delivery costs no task and no wait. A message that is not taken is not
acknowledged, so the broker's window is the back-pressure. QoS 0 is shed at its bound, and counted.
"""

from collections.abc import Sequence
from functools import lru_cache

import structlog
import trio

from actors.ingest.arrivals import Arrival
from actors.ingest.canary_intake import CanaryIntake
from actors.ingest.intake import Intake
from actors.ingest.late_acks import LateAcks
from actors.ingest.left_messages import LeftMessages
from actors.ingest.limits import Limits
from actors.ingest.own_sessions import OwnSessions
from actors.ingest.redelivery import Verdict
from actors.ingest.retained_copies import RetainedCopies
from actors.ingest.room import Room
from actors.ports.broker import Broker, Delivery
from actors.runtime.histogram import SECONDS, Histogram
from actors.runtime.sampled import Sampled
from protocol.device.topics import CANARY_USER, Topic, parse_topic, too_long, unmapped
from protocol.errors import Refusal, in_words
from protocol.records import WriteUnit

log = structlog.get_logger("roost.gateway")

# Prefix of a partition, user id, device code, feed key: 200 characters; a longer topic is refused.
TOPIC_MAX = 512

parsed = lru_cache(maxsize=65_536)(parse_topic)


def _parsed(topic: str) -> Topic:
    """Raises as `parse_topic`. Only short topics are kept."""
    return parsed(topic) if len(topic) <= TOPIC_MAX else too_long(topic[:TOPIC_MAX])


class Gateway:
    """Takes deliveries (`actors.ports.broker.Inbox`) and settles them after their commit.

    Args:
        sessions: the state of our sessions at the broker.
        intake: takes messages that must be decoded.
        canaries: takes our canaries.
        limits: which messages are above the rate of their device or user.
        retained: what devices have retained, and which copies of it were taken.

    Attributes:
        delays: from the arrival of a message at QoS 1 to its commit, in seconds.
    """

    def __init__(
        self,
        broker: Broker,
        sessions: OwnSessions,
        room: Room,
        left: LeftMessages,
        intake: Intake,
        canaries: CanaryIntake,
        limits: Limits,
        retained: RetainedCopies,
    ) -> None:
        self.messages = 0
        self.failures = 0  # failures of our own, by deliveries
        self.bad_topics = 0
        self.copies = 0  # of messages that another session delivers, and of our own
        self.given_up = 0
        self.delays = Histogram(SECONDS)
        self.room = room
        self.left = left
        self.refused_acks = LateAcks(sessions.acknowledge_all)
        self._broker = broker
        self._sessions = sessions
        self._intake = intake
        self._canaries = canaries
        self._limits = limits
        self._retained = retained
        self._foreign = Sampled()
        self._failed_often = Sampled()

    @property
    def brought(self) -> int:
        """How many messages the broker has delivered, including canaries."""
        return self.messages + self.copies + self._canaries.heard

    def close(self) -> None:
        """At the end: leave further messages to the next start."""
        self.room.is_closed = self._sessions.is_closing = True

    async def prepare(self, session: str) -> None:
        """Before a connection: load what earlier processes took, and clear what would not fit.

        Raises:
            Unavailable: the store, or the broker, does not answer; the session waits for it.
        """
        await self._sessions.prepare(session)
        if self._sessions.is_persistent(session):
            await self._retained.make_room()

    # Inbox

    def connected(self, session: str, connection: int) -> None:
        self._sessions.connected(session, connection)

    def disconnected(self, session: str, connection: int) -> None:
        self._sessions.disconnected(session, connection)

    def heard(self, session: str, connection: int, acknowledged: int) -> None:
        self._sessions.heard(session, connection, acknowledged)

    def deliver(self, delivery: Delivery) -> None:
        """Take one delivery: hand it to its actor, acknowledge it at once, or leave it to the
        broker.

        Raises nothing: gmqtt would swallow it, and the message would be neither stored nor kept.
        """
        self.messages += 1
        try:
            self._take(delivery)
        except Exception as error:  # noqa: BLE001 (a mistake of ours; it is logged and kept)
            self._failed(delivery, error)

    def _take(self, delivery: Delivery) -> None:
        """Handle what need not be decoded: foreign topics, known messages, what another session
        delivers, canaries, what is above its rate."""
        session = self._sessions.redeliveries[delivery.session]
        if delivery.connection != session.connection:
            # Messages of this connection could not be acknowledged. The next connection delivers
            # them again.
            self.left.untaken += delivery.packet_id > 0
            self._broker.renew(delivery.session, delivery.connection)
            return
        arrival = session.arrival(delivery, unmapped(delivery.topic)[:TOPIC_MAX])
        if arrival.packet_id:
            if self.refused_acks.has(arrival):
                return  # it was just refused
            verdict = session.judge(arrival)
            if verdict is not Verdict.TAKE:
                self._sessions.known(arrival, verdict)
                return
        topic = self._topic_of(delivery)
        if topic is None or self._was_cleared(delivery):
            self._sessions.acknowledge(arrival)
        elif session.kinds is not None and topic.kind not in session.kinds:
            self._drop_copy(arrival)
        elif topic.user_id == CANARY_USER and arrival.packet_id:
            self._take_canary(arrival, delivery, topic)
        elif delivery.retain and self._is_known_copy(arrival, delivery, topic):
            self._sessions.known(arrival, Verdict.ACKNOWLEDGE)
        elif self.room.is_closed or self._limits.takes(delivery, topic):
            self._intake.take(arrival, delivery, topic)
        elif arrival.packet_id:
            self.refused_acks.add(arrival)

    def _topic_of(self, delivery: Delivery) -> Topic | None:
        """The topic of a device; None, logged and counted, for any other."""
        try:
            return _parsed(delivery.topic)
        except Refusal as refusal:
            self.bad_topics += 1
            if times := self._foreign.times():
                shown, why = unmapped(delivery.topic)[:200], refusal.detail
                log.warning("message on a foreign topic", topic=shown, why=why, times=times)
            return None

    def _drop_copy(self, arrival: Arrival) -> None:
        self.messages -= 1
        self.copies += 1
        if arrival.packet_id:
            self.refused_acks.add(arrival)

    def _was_cleared(self, delivery: Delivery) -> bool:
        """Whether it only reports that a retained message was cleared."""
        if delivery.payload:
            return False
        return delivery.retain or self._retained.is_echo(delivery.topic)

    def _is_known_copy(self, arrival: Arrival, delivery: Delivery, topic: Topic) -> bool:
        return self._retained.is_known(topic, delivery.topic, arrival.fingerprint)

    def _take_canary(self, arrival: Arrival, delivery: Delivery, topic: Topic) -> None:
        self.messages -= 1  # it is no message of a device
        self._canaries.came(delivery)
        if self.room.is_closed:
            return
        if self._canaries.has_one(delivery.session):
            self._sessions.acknowledge(arrival)
            return
        arrival.session.open(arrival, None, trio.current_time())
        self._canaries.submit(delivery, topic, arrival)

    def _failed(self, delivery: Delivery, error: Exception) -> None:
        """A delivery failed because of a mistake of ours: keep it as a refusal, and continue."""
        self.failures += 1
        if times := self._failed_often.times():
            topic_said = delivery.topic[:200]
            log.error("delivery failed", topic=topic_said, times=times, exc_info=error)
        session = self._sessions.redeliveries[delivery.session]
        if delivery.connection != session.connection:
            return  # the next connection delivers it again
        try:
            topic = _parsed(delivery.topic)
            arrival = session.arrival(delivery, unmapped(delivery.topic)[:TOPIC_MAX])
            self._intake.keep_as_refused(arrival, delivery, topic, in_words(error)[:500])
        except Exception as again:
            log.error("delivery left to the broker", topic=delivery.topic[:200], exc_info=again)

    # After the commit

    def committed(self, no: int, units: Sequence[WriteUnit]) -> None:
        """Acknowledge what a commit made durable."""
        self.room.free(units)
        receipts = [each.receipt for each in units if isinstance(each.receipt, Arrival)]
        self._sessions.committed(no, [each for each in receipts if each.packet_id])
        now_s = trio.current_time()
        for unit in units:
            receipt = unit.receipt
            if not isinstance(receipt, Arrival):
                continue
            if receipt.copy_of is not None:
                self._retained.taken(receipt.copy_of, receipt.fingerprint, unit)
            if unit.canary:
                self._canaries.committed(receipt.session.name, unit.canary)
            elif receipt.packet_id:
                self.delays.add(now_s - receipt.taken_s)

    def gave_up(self, units: Sequence[WriteUnit]) -> None:
        """Another process has led since these units were taken: acknowledge nothing."""
        self.given_up += sum(unit.messages for unit in units)
        self.room.free(units)
        for unit in units:
            if isinstance(unit.receipt, Arrival):
                unit.receipt.session.abandon(unit.receipt)
                if unit.canary:
                    self._canaries.gave_up(unit.receipt.session.name)
