"""Decodes a message, recognises redeliveries by content, and hands the rest to the device's actor.

Only messages of devices arrive here, within their rate, and not recognised by their packet id
(`actors.ingest.gateway`). A message without room stays with the broker.
"""

from collections.abc import Callable
from typing import Protocol

import trio

from actors.ingest.arrivals import Arrival, identity
from actors.ingest.counters import Counters
from actors.ingest.decoding import Decoded, decode, refused
from actors.ingest.left_messages import LeftMessages
from actors.ingest.own_sessions import OwnSessions
from actors.ingest.partition_clock import PartitionClocks
from actors.ingest.redelivery import Verdict
from actors.ingest.rejections import KEPT_BYTES_MAX
from actors.ingest.retained_copies import RetainedCopies
from actors.ingest.room import Room
from actors.ports.broker import Delivery
from actors.runtime.clock import WallClock
from protocol.device.payloads import PAYLOAD_BYTES_MAX
from protocol.device.topics import Topic
from protocol.errors import Reason, Refusal
from protocol.messages import FromDevice
from protocol.problems.detail import Detail
from protocol.records import Origin


class Place(Protocol):
    """A device's actor that has room for a message."""

    def hand(self, message: FromDevice, /, *, control: bool) -> None: ...


def hand(room: Room, counters: Counters, place: Place, origin: Origin, decoded: Decoded) -> None:
    """To its actor, which may judge it at once: so this comes last."""
    message = decoded.message(origin)
    room.take(origin.size)
    counters.received(origin.topic.device, decoded.readings)
    place.hand(message, control=origin.topic.is_urgent)


class Intake:
    """Args:
    retained: told of copies of retained messages.
    flows: told of what may hold back the words of devices.
    place_of: the device's actor for a message on a topic; None when it has no room.
    seen: told of every message that its device's actor takes: origin, bytes, QoS.
    """

    def __init__(
        self,
        clock: WallClock,
        counters: Counters,
        sessions: OwnSessions,
        room: Room,
        left: LeftMessages,
        retained: RetainedCopies,
        flows: PartitionClocks,
        place_of: Callable[[Topic], Place | None],
        seen: Callable[[Origin, int, int], None],
    ) -> None:
        self._clock = clock
        self._counters = counters
        self._sessions = sessions
        self._room = room
        self._left = left
        self._retained = retained
        self._flows = flows
        self._place_of = place_of
        self._seen = seen

    def take(self, arrival: Arrival, delivery: Delivery, topic: Topic) -> None:
        """Decode it, and take it unless its content shows that it was taken before."""
        now_us, payload = self._clock.now_us(), delivery.payload
        now_s = trio.current_time() if arrival.packet_id else 0.0
        decoded = decode(topic, payload, now_us, retained=delivery.retain)
        digest = None
        if arrival.packet_id and not decoded.has_identity:
            digest = identity(arrival.topic, payload, arrival.fingerprint)
            verdict = arrival.session.judge_digest(arrival, digest, now_s)
            if verdict is not Verdict.TAKE:
                self._known(arrival, delivery, topic, verdict)
                return
        place = self._place_of(topic) if self._room.has(arrival.packet_id) else None
        if place is None:
            self._leave(arrival, delivery, topic, decoded, digest)
            return
        if len(payload) > PAYLOAD_BYTES_MAX:
            payload = payload[:KEPT_BYTES_MAX]  # it is refused, and only this much is kept
            self._retained.too_large(topic)
        if delivery.retain:
            arrival.copy_of = delivery.topic
        if arrival.packet_id:
            arrival.session.open(arrival, digest, now_s)
        origin = _origin(arrival, delivery, topic, payload, now_us)
        self._seen(origin, len(delivery.payload), 1 if arrival.packet_id else 0)
        if delivery.retain:
            self._came(delivery, topic)
        if arrival.packet_id:
            self._flows.loaded(delivery.session, arrival.session.in_flight)
        hand(self._room, self._counters, place, origin, decoded)

    def keep_as_refused(self, arrival: Arrival, delivery: Delivery, topic: Topic, why: str) -> None:
        """Keep a message that could not be taken because of a mistake of ours."""
        payload, session = delivery.payload, arrival.session
        decoded = refused(
            topic, Refusal(Reason.INTERNAL_ERROR, Detail("message_failed", problem=why))
        )
        digest = None
        if arrival.packet_id:
            session.drop(arrival)  # what the failed attempt left
            digest = identity(arrival.topic, payload, arrival.fingerprint)
        place = self._place_of(topic) if self._room.takes_anything else None
        if place is None:
            self._leave(arrival, delivery, topic, decoded, digest)
            return
        if arrival.packet_id:
            session.open(arrival, digest, trio.current_time())
        now_us = self._clock.now_us()
        origin = _origin(arrival, delivery, topic, payload[:KEPT_BYTES_MAX], now_us)
        hand(self._room, self._counters, place, origin, decoded)

    def _leave(
        self,
        arrival: Arrival,
        delivery: Delivery,
        topic: Topic,
        decoded: Decoded,
        digest: bytes | None,
    ) -> None:
        """No room: QoS 0 is shed and counted; QoS 1 stays with the broker, which sends it again."""
        if arrival.packet_id:
            arrival.session.left(digest, trio.current_time())
            self._flows.left(delivery.session)
            self._left.add(delivery.session, delivery.connection)
            return
        self._counters.received(topic.device, decoded.readings)
        self._counters.shed(topic.device, decoded.readings)

    def _known(self, arrival: Arrival, delivery: Delivery, topic: Topic, verdict: Verdict) -> None:
        if delivery.retain:
            self._came(delivery, topic)
            if verdict is Verdict.ACKNOWLEDGE:
                self._retained.taken(delivery.topic, arrival.fingerprint)
            else:
                arrival.session.brings(arrival.packet_id, delivery.topic)
        self._sessions.known(arrival, verdict)

    def _came(self, delivery: Delivery, topic: Topic) -> None:
        size = len(delivery.payload)
        self._retained.came(delivery.session, delivery.connection, delivery.topic, topic, size)


def _origin(
    arrival: Arrival, delivery: Delivery, topic: Topic, payload: bytes, now_us: int
) -> Origin:
    """`receipt`: None if no sender waits for the commit: QoS 0, not retained."""
    is_awaited = arrival.packet_id or arrival.copy_of is not None
    return Origin(
        topic,
        arrival.topic,
        payload,
        now_us,
        delivery.retain,
        delivery.dup,
        arrival.taken,
        arrival if is_awaited else None,
    )
