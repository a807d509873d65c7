"""Digests of messages without an identity: which payloads repeat, and which were acknowledged."""

from collections import OrderedDict, deque

# After this time, messages that waited for a connection or were left on it have been delivered. It
# is three times as long as NATS waits for an acknowledgement before it sends again.
BROUGHT_AFTER_S = 15.0
# Digests that are kept to see whether a payload repeats: twice the window of a session.
KNOWN_MAX = 20_000


class KnownDigests:
    """How often each of the newest `KNOWN_MAX` digests was seen."""

    def __init__(self) -> None:
        self._times: dict[bytes, int] = {}  # a Counter forgets in Python, ten times as slowly
        self._order: deque[bytes] = deque()

    def add(self, digest: bytes) -> None:
        self._times[digest] = self._times.get(digest, 0) + 1
        self._order.append(digest)
        if len(self._order) > KNOWN_MAX:
            self._forget(self._order.popleft())

    def take_back(self) -> None:
        """The newest one was not taken: when it is delivered again, it is no repetition."""
        self._forget(self._order.pop())

    def repeats(self, digest: bytes) -> bool:
        """Whether several messages had this digest, so that it identifies none of them."""
        return self._times.get(digest, 0) > 1

    def is_single(self, digest: bytes) -> bool:
        """Whether exactly one known message had this digest."""
        return self._times.get(digest) == 1

    def _forget(self, digest: bytes) -> None:
        times = self._times.pop(digest) - 1
        if times:
            self._times[digest] = times


class SettledDigests:
    """Messages that were acknowledged on the current connection.

    NATS forgets a packet id with its PUBACK. A redelivery that was on its way by then arrives with
    another packet id and DUP. A different message with the same content would also have been taken
    on this connection, so the two can be told apart. There are two exceptions: a message was left
    with the broker recently, or was delivered on an earlier connection.
    """

    def __init__(self) -> None:
        self._digests: OrderedDict[bytes, None] = OrderedDict()  # the newest last
        self._left_s = float("-inf")  # when a message was last left with the broker

    def begin_anew(self) -> None:
        """A new connection."""
        self._digests.clear()

    def add(self, digest: bytes) -> None:
        self._digests[digest] = None
        if len(self._digests) > KNOWN_MAX:
            self._digests.popitem(last=False)

    def left(self, digest: bytes | None, now_s: float) -> None:
        """A message was left with the broker. It will be delivered again with DUP, although it was
        not taken yet. So an acknowledged message with the same content must not count for it."""
        self._left_s = now_s
        if digest is not None:
            self._digests.pop(digest, None)

    def has(self, digest: bytes, connected_s: float, now_s: float) -> bool:
        """Whether a message with DUP was acknowledged on this connection."""
        if digest not in self._digests:
            return False
        return now_s - max(connected_s, self._left_s) > BROUGHT_AFTER_S
