"""Digests of messages that carry no identity: which repeat themselves, which were acknowledged."""

from collections import OrderedDict, deque

# What waited for a connection, or was left on it, has been brought by then: three times as long as
# NATS waits for an acknowledgement before it sends again.
BROUGHT_AFTER_S = 15.0
# Digests kept to tell whether a payload repeats itself: twice the window of a session.
KNOWN_MAX = 20_000


class KnownDigests:
    """How often each digest was seen, of the newest `KNOWN_MAX`."""

    def __init__(self) -> None:
        self._times: dict[bytes, int] = {}  # a Counter forgets in Python, ten times as slowly
        self._order: deque[bytes] = deque()

    def add(self, digest: bytes) -> None:
        self._times[digest] = self._times.get(digest, 0) + 1
        self._order.append(digest)
        if len(self._order) > KNOWN_MAX:
            self._forget(self._order.popleft())

    def take_back(self) -> None:
        """The newest one was not taken: when it comes again it is no repeat."""
        self._forget(self._order.pop())

    def repeats(self, digest: bytes) -> bool:
        """Whether more than one message had it, so that it tells none of them."""
        return self._times.get(digest, 0) > 1

    def is_single(self, digest: bytes) -> bool:
        """Whether exactly one message is known to have had it."""
        return self._times.get(digest) == 1

    def _forget(self, digest: bytes) -> None:
        times = self._times.pop(digest) - 1
        if times:
            self._times[digest] = times


class SettledDigests:
    """Messages that were acknowledged on this very connection.

    NATS forgets a packet id with its PUBACK. A redelivery that was on its way by then comes under
    another one, with DUP. It is told from another message of the same words because that one, too,
    would have been taken here: unless something was left to the broker lately, or came by an
    earlier connection.
    """

    def __init__(self) -> None:
        self._digests: OrderedDict[bytes, None] = OrderedDict()  # the newest last
        self._left_s = float("-inf")  # when a message was left with the broker, the last time

    def begin_anew(self) -> None:
        """A new connection."""
        self._digests.clear()

    def add(self, digest: bytes) -> None:
        self._digests[digest] = None
        if len(self._digests) > KNOWN_MAX:
            self._digests.popitem(last=False)

    def left(self, digest: bytes | None, now_s: float) -> None:
        """A message was left with the broker: it comes again, with DUP, for the first time here.
        Another one of the same words that was acknowledged does not stand for it."""
        self._left_s = now_s
        if digest is not None:
            self._digests.pop(digest, None)

    def has(self, digest: bytes, connected_s: float, now_s: float) -> bool:
        """Whether a message that the broker says it has sent before was acknowledged here."""
        if digest not in self._digests:
            return False
        return now_s - max(connected_s, self._left_s) > BROUGHT_AFTER_S
