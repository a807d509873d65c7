"""The messages of one MQTT session: which are in flight, which were delivered before (I1, I2).

(connection, packet id) identifies a delivery only while its connection lasts. On a new connection
the broker resends every unacknowledged message, possibly with another packet id or without DUP.
Then a digest of topic and payload identifies the message among the suspects: those in flight, and
those whose acknowledgement may not have arrived. A payload that a device repeats is ambiguous. It
is taken again, because a duplicate is better than a loss.

Messages whose readings all carry `ts` or `id` need none of this: the store recognises them by their
key. So a delivery is judged twice: by its packet id before it is decoded (`judge`), and by its
digest if decoding finds no identity (`judge_digest`). Everything here is synchronous and bounded.
"""

from collections import deque
from enum import Enum, auto

from actors.ingest.arrivals import Arrival, fingerprint
from actors.ingest.digests import KnownDigests, SettledDigests
from actors.ingest.pubacks import Pubacks
from actors.ingest.suspects import SUSPICION_S, Suspects
from actors.ports.broker import Delivery
from protocol.device.topics import Kind
from protocol.records import SessionMemory, Taken


class Verdict(Enum):
    """What to do with a delivery."""

    TAKE = auto()
    IGNORE = auto()  # its first copy acknowledges this one too, or has done so
    ACKNOWLEDGE = auto()  # committed already: acknowledge it at once


class SessionRedelivery:
    """One session. `connection` is 0 while it has none. `kinds`: what is taken from it
    (`SessionPlan`)."""

    def __init__(self, name: str, kinds: tuple[Kind, ...] | None = None) -> None:
        self.name = name
        self.kinds = kinds
        self.connection = 0
        self.connected_s = 0.0
        self.repeats = 0  # taken again, because their payload was ambiguous
        self._in_flight: dict[int, Arrival] = {}
        self._orphans: dict[bytes, Arrival] = {}  # in flight since an earlier connection
        self._pubacks = Pubacks()
        self._known = KnownDigests()
        self._settled = SettledDigests()
        self._suspects = Suspects()
        self._unconfirmed: deque[tuple[int, list[bytes]]] = deque()  # (commit number, digests)
        self._confirmed = 0
        self._remembered = False
        # Given up, and not delivered again yet: when each was taken, by the hash of its content.
        self._awaited: dict[int, float] = {}

    def replaced(self) -> "SessionRedelivery":
        """A new record of the session, after another process has led. It keeps only which messages
        were taken and given up."""
        new = SessionRedelivery(self.name, self.kinds)
        new._awaited = {
            **self._awaited,
            **{each.said: each.taken_s for each in self._in_flight.values()},
        }
        return new

    def others_serve(self) -> None:
        """What was given up is delivered to another process."""
        self._awaited.clear()

    def unsettled(self) -> tuple[int, float]:
        """How many messages were taken and are not acknowledged, including given-up ones, and when
        the oldest of them was taken (seconds of Trio's clock; infinity if there is none)."""
        times = [each.taken_s for each in self._in_flight.values()]
        times += self._awaited.values()
        return len(times), min(times, default=float("inf"))

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    @property
    def packet_ids(self) -> list[int]:
        """Packet ids of messages in flight that must be acknowledged on this connection."""
        return [n for n, each in self._in_flight.items() if each.connection == self.connection]

    @property
    def unheard(self) -> int:
        """PUBACKs on this connection that the broker may not have processed."""
        return self._pubacks.sent - self._pubacks.heard if self.connection else 0

    @property
    def needs_memory(self) -> bool:
        """Whether the store must still be asked what earlier processes left in doubt."""
        return not self._remembered

    def remember(self, memory: SessionMemory) -> None:
        self._remembered = True
        for digest in (*memory.known, *memory.suspects):
            self._known.add(digest)
        self._suspects.add(memory.suspects)

    def connected(self, connection: int, now_s: float) -> None:
        """A new connection: packet ids restart, and everything unconfirmed is suspect."""
        self.connection, self.connected_s = connection, now_s
        for receipt in self._in_flight.values():
            if receipt.taken is not None:
                self._orphans[receipt.taken.digest] = receipt
        self._pubacks.begin_anew()
        self._settled.begin_anew()
        self._suspects.begin_anew()
        for _, digests in self._unconfirmed:
            self._suspects.add(digests)

    def look(self, now_s: float) -> None:
        """A message that was not delivered again in time was acknowledged by another process."""
        if self._awaited and self.connection and now_s - self.connected_s > SUSPICION_S:
            self._awaited.clear()

    def disconnected(self) -> None:
        self.connection = 0

    # A delivery arrives

    def arrival(self, delivery: Delivery, topic: str) -> Arrival:
        """The record of a delivery before it is judged."""
        return Arrival(
            self,
            self.connection,
            delivery.packet_id,
            delivery.dup,
            topic,
            fingerprint(delivery.payload),
        )

    def judge(self, arrival: Arrival) -> Verdict:
        """Judge a delivery by its packet id alone, before anything is decoded."""
        packet_id = arrival.packet_id
        first = self._in_flight.get(packet_id)
        if (
            first is not None
            and first.fingerprint == arrival.fingerprint
            and first.topic == arrival.topic
        ):
            is_new_connection = first.connection != self.connection
            if is_new_connection and not arrival.again and self._is_ambiguous(first):
                return Verdict.TAKE
            self._adopt(first, packet_id)
            return Verdict.IGNORE
        # Packet ids are reused, so DUP alone does not make it the message that had this id before.
        if arrival.again and self._pubacks.was_for(packet_id, arrival.said):
            if self._pubacks.crosses(packet_id):
                return Verdict.IGNORE
            arrival.is_other = True
        self._pubacks.forget(packet_id)
        return Verdict.TAKE

    def judge_digest(self, arrival: Arrival, digest: bytes, now_s: float) -> Verdict:
        """Judge a delivery without an identity by its content."""
        if arrival.again and not arrival.is_other and self._is_settled(digest, now_s):
            return Verdict.ACKNOWLEDGE
        self._suspects.look(self.connected_s, now_s)
        orphan = self._orphans.get(digest)
        if orphan is None and digest not in self._suspects:
            return Verdict.TAKE
        if self._known.repeats(digest):
            self.repeats += 1
            return Verdict.TAKE
        if orphan is not None:
            self._adopt(orphan, arrival.packet_id)
            return Verdict.IGNORE
        if self._suspects.was_answered(digest) and not arrival.again:
            return Verdict.TAKE  # it was delivered again once already: twice is better than lost
        self._suspects.answer(digest, self._pubacks.sent + 1)
        return Verdict.ACKNOWLEDGE

    def _is_settled(self, digest: bytes, now_s: float) -> bool:
        is_single = self._known.is_single(digest)
        return is_single and self._settled.has(digest, self.connected_s, now_s)

    def _is_ambiguous(self, receipt: Arrival) -> bool:
        return receipt.taken is not None and self._known.repeats(receipt.taken.digest)

    def _adopt(self, receipt: Arrival, packet_id: int) -> None:
        """The message was delivered again: it must be acknowledged here and now."""
        self._remove(receipt)
        self._drop_orphan(receipt)
        receipt.connection, receipt.packet_id = self.connection, packet_id
        self._in_flight[packet_id] = receipt

    def open(self, arrival: Arrival, digest: bytes | None, now_s: float) -> None:
        """A new message is in flight from here on."""
        if self._awaited:
            now_s = self._awaited.pop(arrival.said, now_s)
        arrival.taken_s = now_s
        if digest is not None:
            arrival.taken = Taken(self.name, digest)
            self._known.add(digest)
        self._in_flight[arrival.packet_id] = arrival

    def forget(self, receipt: Arrival) -> None:
        """There was no room for it: the broker keeps it and sends it again.

        Must be called right after `open`.
        """
        self._remove(receipt)
        if receipt.taken is not None:
            self._known.take_back()
            receipt.taken = None

    def left(self, digest: bytes | None, now_s: float) -> None:
        """A message was left with the broker."""
        self._settled.left(digest, now_s)

    def brings(self, packet_id: int, copy_of: str) -> None:
        """The message in flight with this id was also delivered as the copy of a retained
        message."""
        if packet_id in self._in_flight:
            self._in_flight[packet_id].copy_of = copy_of

    def drop(self, arrival: Arrival) -> None:
        """Forget the receipt of a message that could not be taken, if there is one."""
        receipt = self._in_flight.get(arrival.packet_id)
        if receipt is not None and receipt.said == arrival.said:
            self.forget(receipt)

    def abandon(self, receipt: Arrival) -> None:
        """It was taken and is given up: nothing is acknowledged until it is delivered again."""
        if self._remove(receipt):
            self._awaited[receipt.said] = receipt.taken_s
        self._drop_orphan(receipt)

    def _remove(self, receipt: Arrival) -> bool:
        """Remove it from those in flight; False if its id belongs to another message, or to
        none."""
        if self._in_flight.get(receipt.packet_id) is not receipt:
            return False
        del self._in_flight[receipt.packet_id]
        return True

    def _drop_orphan(self, receipt: Arrival) -> None:
        if receipt.taken is not None:
            self._orphans.pop(receipt.taken.digest, None)

    # A commit is acknowledged

    def settle(self, no: int, receipts: list[Arrival], now_s: float = float("-inf")) -> list[int]:
        """Messages of commit `no` are durable. Returns the packet ids to acknowledge."""
        packet_ids: list[int] = []
        digests: list[bytes] = []
        for receipt in receipts:
            digest = None if receipt.taken is None else receipt.taken.digest
            if digest is not None:
                digests.append(digest)
                if self._orphans.get(digest) is receipt:
                    del self._orphans[digest]
                    self._suspects.add_late(digest, now_s)
            if self._remove(receipt) and receipt.connection == self.connection:
                packet_ids.append(receipt.packet_id)
                if digest is not None:
                    self._settled.add(digest)
                self._pubacks.send(receipt.packet_id, receipt.said)
        if digests:
            self._unconfirmed.append((no, digests))
        if packet_ids:
            self._pubacks.sent_for_commit(no)
        return packet_ids

    def acknowledged(self, arrival: Arrival) -> None:
        """A PUBACK is sent at once, on this connection."""
        self._pubacks.send(arrival.packet_id, arrival.said)

    def heard(self, connection: int, acks: int, now_s: float) -> int | None:
        """The broker has processed the first `acks` PUBACKs of a connection.

        Returns the commit up to which nothing is in doubt, if that has advanced. It does not
        advance while messages of an earlier connection are suspects, because the store must keep
        their digests.
        """
        if connection != self.connection:
            return None
        self._pubacks.heard = acks
        self._suspects.heard(acks)
        if self._orphans:
            return None
        self._suspects.look(self.connected_s, now_s)
        if self._suspects:
            return None
        confirmed = self._pubacks.commits_heard(self._confirmed)
        while self._unconfirmed and self._unconfirmed[0][0] <= confirmed:
            self._unconfirmed.popleft()
        if confirmed == self._confirmed:
            return None
        self._confirmed = confirmed
        return confirmed
