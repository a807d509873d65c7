"""What is known of one MQTT session's messages: which are in flight, which came before (I1, I2).

A delivery is told by (connection, packet id) only while its connection lasts. After a new one the
broker sends again what it has no acknowledgement of, perhaps under other packet ids and perhaps
without DUP. Then a message is told by a digest of its topic and payload, out of the suspects: those
in flight, and those whose acknowledgement may not have arrived. A payload that a device repeats is
ambiguous; it is taken again, because twice is better than lost.

Messages whose readings all carry `ts` or `id` need none of this: the store knows them by their key.
Everything here is synchronous and bounded.
"""

from collections import Counter, OrderedDict, deque
from enum import Enum, auto

import msgspec

from protocol.records import SessionMemory, Taken

# Redeliveries after a new connection come at once (Mosquitto) or `ack_wait` (5 s, NATS) after their
# first delivery; half a minute covers a slow start. Later a known payload is a new message.
SUSPICION_S = 30.0
# What waited for a connection, or was left on it, has been brought by then: three times as long as
# NATS waits for an acknowledgement before it sends again.
BROUGHT_AFTER_S = 15.0
# Digests kept to tell whether a payload repeats itself: twice the window of a session.
KNOWN_MAX = 20_000


class Verdict(Enum):
    NEW = auto()
    JOINED = auto()  # its first copy acknowledges this one too, or has done so
    DONE = auto()  # committed already: acknowledge at once


class Copy(msgspec.Struct, frozen=True):
    """A message that the broker brings because it is retained: its topic, and a hash of what it
    says. At QoS 0, where nobody is owed an acknowledgement, it stands in a receipt's place."""

    topic: str
    said: int


class InFlight:
    """A message in flight: whose acknowledgement is owed, and on which connection.

    `mark` tells its payload from others: the payload itself, or the digest of a long one.
    `copy` says of which retained message it is one, if it is.
    """

    __slots__ = (
        "connection",
        "copy",
        "mark",
        "packet_id",
        "session",
        "taken",
        "taken_s",
        "topic",
    )

    def __init__(
        self,
        session: "SessionRedelivery",
        connection: int,
        packet_id: int,
        topic: str,
        mark: bytes,
        taken_s: float,
    ) -> None:
        self.session = session
        self.connection = connection
        self.packet_id = packet_id
        self.topic = topic
        self.mark = mark
        self.taken_s = taken_s
        self.taken: Taken | None = None
        self.copy: Copy | None = None


class Acknowledged(msgspec.Struct):
    """What had a packet id of this connection.

    Attributes:
        said: a hash of its topic and words.
        ack_no: the number of its PUBACK on the connection.
        came_again: with DUP, after the broker had processed that one.
    """

    said: int
    ack_no: int
    came_again: bool = False


class SessionRedelivery:
    """One session. `connection` is 0 while it has none."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.connection = 0
        self.connected_s = 0.0
        self.repeats = 0  # taken again because their payload was ambiguous
        self._in_flight: dict[int, InFlight] = {}
        self._orphans: dict[bytes, InFlight] = {}  # in flight since an earlier connection
        # What was acknowledged on this connection: by its packet id, the hash of what it said.
        self._acknowledged: dict[int, Acknowledged] = {}
        self._is_other = False  # the delivery that is judged
        self._acks = 0
        self._acks_heard = 0  # of these, how many the broker has surely processed
        self._acks_of_commits: deque[tuple[int, int]] = deque()  # (acks so far, commit number)
        self._unconfirmed: deque[tuple[int, list[bytes]]] = deque()  # (commit number, digests)
        self._confirmed = 0
        self._suspects: set[bytes] = set()
        self._suspected_s = float("-inf")  # when the newest of them was committed, if it was later
        # Suspects that came again and were acknowledged: by which of this connection's PUBACKs.
        self._answered: dict[bytes, int] = {}
        # Digests of messages that were acknowledged on this connection, the newest last.
        self._settled: OrderedDict[bytes, None] = OrderedDict()
        self._left_s = float("-inf")  # when a message was left with the broker, the last time
        self._known: Counter[bytes] = Counter()
        self._known_order: deque[bytes] = deque()
        self._remembered = False
        # Given up, and not come again yet: when each was taken, by the hash of what it said.
        self._awaited: dict[int, float] = {}

    def replaced(self) -> "SessionRedelivery":
        """A new record of the session, after another process has led: of this one it knows only
        which messages were taken and given up."""
        new = SessionRedelivery(self.name)
        new._awaited = {
            **self._awaited,
            **{hash((each.topic, each.mark)): each.taken_s for each in self._in_flight.values()},
        }
        return new

    def others_serve(self) -> None:
        """What was given up comes to another process."""
        self._awaited.clear()

    def unsettled(self) -> tuple[int, float]:
        """Messages that were taken and are not acknowledged, given up ones too; and when the first
        of them was taken (seconds of Trio's clock; infinity where there is none)."""
        times = [each.taken_s for each in self._in_flight.values()]
        times += self._awaited.values()
        return len(times), min(times, default=float("inf"))

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    @property
    def packet_ids(self) -> list[int]:
        """Of the messages in flight, those whose acknowledgement is owed on this connection."""
        return [n for n, each in self._in_flight.items() if each.connection == self.connection]

    @property
    def unheard(self) -> int:
        """PUBACKs on this connection of which the broker has not shown that it processed them."""
        return self._acks - self._acks_heard if self.connection else 0

    @property
    def needs_memory(self) -> bool:
        """Whether the store shall be asked what earlier processes left in doubt."""
        return not self._remembered

    def remember(self, memory: SessionMemory) -> None:
        self._remembered = True
        for digest in (*memory.known, *memory.suspects):
            self._know(digest)
        self._suspects.update(memory.suspects)

    def connected(self, connection: int, now_s: float) -> None:
        """A new connection: packet ids start anew, and all that is unconfirmed is suspect."""
        self.connection, self.connected_s = connection, now_s
        for receipt in self._in_flight.values():
            if receipt.taken is not None:
                self._orphans[receipt.taken.digest] = receipt
        self._acknowledged.clear()
        self._settled.clear()
        self._acks = self._acks_heard = 0
        self._acks_of_commits.clear()
        self._answered.clear()
        for _, digests in self._unconfirmed:
            self._suspects.update(digests)

    def look(self, now_s: float) -> None:
        """What did not come again in time was acknowledged by another process."""
        if self._awaited and self.connection and now_s - self.connected_s > SUSPICION_S:
            self._awaited.clear()

    def disconnected(self) -> None:
        self.connection = 0

    # A delivery comes in

    def known_packet(self, packet_id: int, dup: bool, topic: str, mark: bytes) -> Verdict:
        """Judge a delivery by its packet id alone, before anything is decoded."""
        self._is_other = False
        receipt = self._in_flight.get(packet_id)
        if receipt is not None and receipt.mark == mark and receipt.topic == topic:
            if receipt.connection != self.connection and not dup and self._is_ambiguous(receipt):
                return Verdict.NEW
            self._adopt(receipt, packet_id)
            return Verdict.JOINED
        # Ids come round again, so DUP alone does not make it the message that had this one before.
        done = self._acknowledged.get(packet_id)
        if dup and done is not None and done.said == hash((topic, mark)):
            # Our PUBACK and the broker's patience crossed on the way. It arrives there in any case,
            # on this connection; a second one might meet another message that has the id by then.
            if done.ack_no > self._acks_heard or not done.came_again:
                done.came_again = done.ack_no <= self._acks_heard
                return Verdict.JOINED
            # Again and again after the broker has processed that PUBACK: it is another message of
            # the same words, which was left here before, and has the id now.
            self._is_other = True
        # From here on this one is another message, perhaps left untaken.
        self._acknowledged.pop(packet_id, None)
        return Verdict.NEW

    def known_digest(
        self, packet_id: int, digest: bytes, now_s: float, *, dup: bool = False
    ) -> Verdict:
        """Judge a delivery without identity of its own by what it says."""
        if dup and not self._is_other and self._is_settled(digest, now_s):
            return Verdict.DONE
        if self._suspects and self._is_cleared(now_s):
            self._suspects.clear()
            self._answered.clear()
        orphan = self._orphans.get(digest)
        if orphan is None and digest not in self._suspects:
            return Verdict.NEW
        if self._known[digest] > 1:
            self.repeats += 1
            return Verdict.NEW
        if orphan is not None:
            self._adopt(orphan, packet_id)
            return Verdict.JOINED
        if digest in self._answered and not dup:
            return Verdict.NEW  # it came again once already: rather twice than lost
        # It stays a suspect until the broker has surely heard the PUBACK that now goes out.
        self._answered[digest] = self._acks + 1
        return Verdict.DONE

    def _is_cleared(self, now_s: float) -> bool:
        """Whether what is suspect has had the time to come again. What waited for the database when
        its connection ended has it from its commit on: until then the broker may have had no room
        to send it again."""
        return now_s - max(self.connected_s, self._suspected_s) > SUSPICION_S

    def _is_settled(self, digest: bytes, now_s: float) -> bool:
        """Whether a message that the broker says it has sent before was acknowledged on this very
        connection.

        NATS forgets a packet id with its PUBACK. A redelivery that was on its way by then comes
        under another one, with DUP. It is told from another message of the same words because that
        one, too, would have been taken here: unless something was left to the broker lately, or
        came by an earlier connection.
        """
        if digest not in self._settled or self._known[digest] != 1:
            return False
        return now_s - max(self.connected_s, self._left_s) > BROUGHT_AFTER_S

    def left(self, digest: bytes | None, now_s: float) -> None:
        """A message was left with the broker: it comes again, with DUP, for the first time here.
        Another one of the same words that was acknowledged does not stand for it."""
        self._left_s = now_s
        if digest is not None:
            self._settled.pop(digest, None)

    def open(
        self, packet_id: int, topic: str, mark: bytes, digest: bytes | None, now_s: float
    ) -> InFlight:
        """A new message is in flight from here on."""
        if self._awaited:
            now_s = self._awaited.pop(hash((topic, mark)), now_s)
        receipt = InFlight(self, self.connection, packet_id, topic, mark, now_s)
        if digest is not None:
            receipt.taken = Taken(self.name, digest)
            self._know(digest)
        self._in_flight[packet_id] = receipt
        return receipt

    def forget(self, receipt: InFlight) -> None:
        """There was no room for it after all: the broker keeps it and sends it again.

        To be called right after `open`.
        """
        if self._in_flight.get(receipt.packet_id) is receipt:
            del self._in_flight[receipt.packet_id]
        if receipt.taken is not None:  # it was not taken: when it comes again it is no repeat
            digest = self._known_order.pop()
            self._forget_one(digest)

    def brings(self, packet_id: int, copy: Copy) -> None:
        """What is in flight under this id came as the copy of a retained message, too."""
        if packet_id in self._in_flight:
            self._in_flight[packet_id].copy = copy

    def drop(self, packet_id: int, topic: str, mark: bytes) -> None:
        """Forget the receipt of a message whose taking failed, if it was opened."""
        receipt = self._in_flight.get(packet_id)
        if receipt is not None and (receipt.topic, receipt.mark) == (topic, mark):
            self.forget(receipt)

    def abandon(self, receipt: InFlight) -> None:
        """It was taken and is given up: nothing is acknowledged until it comes again."""
        if self._in_flight.get(receipt.packet_id) is receipt:
            del self._in_flight[receipt.packet_id]
            self._awaited[hash((receipt.topic, receipt.mark))] = receipt.taken_s
        if receipt.taken is not None:
            self._orphans.pop(receipt.taken.digest, None)

    def _adopt(self, receipt: InFlight, packet_id: int) -> None:
        """The message came again: its acknowledgement is owed here and now."""
        if self._in_flight.get(receipt.packet_id) is receipt:
            del self._in_flight[receipt.packet_id]
        if receipt.taken is not None:
            self._orphans.pop(receipt.taken.digest, None)
        receipt.connection, receipt.packet_id = self.connection, packet_id
        self._in_flight[packet_id] = receipt

    def _is_ambiguous(self, receipt: InFlight) -> bool:
        return receipt.taken is not None and self._known[receipt.taken.digest] > 1

    # A commit goes out

    def settle(self, no: int, receipts: list[InFlight], now_s: float = float("-inf")) -> list[int]:
        """Messages of commit `no` are durable. Answers with the packet ids to acknowledge."""
        packet_ids: list[int] = []
        digests = []
        for receipt in receipts:
            if receipt.taken is not None:
                digest = receipt.taken.digest
                digests.append(digest)
                if self._orphans.get(digest) is receipt:
                    del self._orphans[digest]
                    self._suspects.add(digest)
                    self._suspected_s = max(self._suspected_s, now_s)
            if self._in_flight.get(receipt.packet_id) is receipt:
                del self._in_flight[receipt.packet_id]
                if receipt.connection == self.connection:
                    packet_ids.append(receipt.packet_id)
                    if receipt.taken is not None:
                        self._settle(receipt.taken.digest)
                    said = hash((receipt.topic, receipt.mark))
                    ack_no = self._acks + len(packet_ids)
                    self._acknowledged[receipt.packet_id] = Acknowledged(said, ack_no)
        if digests:
            self._unconfirmed.append((no, digests))
        self._acks += len(packet_ids)
        if packet_ids:
            self._acks_of_commits.append((self._acks, no))
        return packet_ids

    def _settle(self, digest: bytes) -> None:
        self._settled[digest] = None
        if len(self._settled) > KNOWN_MAX:
            self._settled.popitem(last=False)

    def acknowledged(self, packet_id: int, topic: str, mark: bytes) -> None:
        """A PUBACK goes out at once, on this connection."""
        self._acks += 1
        self._acknowledged[packet_id] = Acknowledged(hash((topic, mark)), self._acks)

    def heard(self, connection: int, acks: int, now_s: float) -> int | None:
        """The broker has processed the first `acks` PUBACKs of a connection.

        Answers with the commit up to which nothing is in doubt any more, where that moved on. While
        an earlier connection's messages are suspect it stays: the store shall not forget them.
        """
        if connection != self.connection:
            return None
        self._acks_heard = acks
        for digest in [each for each, at in self._answered.items() if at <= acks]:
            del self._answered[digest]
            self._suspects.discard(digest)
        if self._orphans or (self._suspects and not self._is_cleared(now_s)):
            return None
        self._suspects.clear()
        confirmed = self._confirmed
        while self._acks_of_commits and self._acks_of_commits[0][0] <= acks:
            confirmed = self._acks_of_commits.popleft()[1]
        while self._unconfirmed and self._unconfirmed[0][0] <= confirmed:
            self._unconfirmed.popleft()
        if confirmed == self._confirmed:
            return None
        self._confirmed = confirmed
        return confirmed

    def _know(self, digest: bytes) -> None:
        self._known[digest] += 1
        self._known_order.append(digest)
        if len(self._known_order) > KNOWN_MAX:
            self._forget_one(self._known_order.popleft())

    def _forget_one(self, digest: bytes) -> None:
        self._known[digest] -= 1
        if not self._known[digest]:
            del self._known[digest]
