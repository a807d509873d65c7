"""Messages whose acknowledgement may not have reached the broker, so that it may send them again.

They are recognised by a digest, until they have had the time to arrive again. One that arrived
again is kept until the broker has certainly processed its second PUBACK.
"""

from collections.abc import Iterable

# Redeliveries after a new connection arrive at once (Mosquitto), or `ack_wait` (5 s, NATS) after
# their first delivery; half a minute covers a slow start. After that, a known payload is a new
# message.
SUSPICION_S = 30.0


class Suspects:
    """The suspects of one session."""

    def __init__(self) -> None:
        self._digests: set[bytes] = set()
        self._newest_s = float("-inf")  # when the newest of them was committed, if that was later
        # Those that arrived again and were acknowledged, with the number of that PUBACK.
        self._answered: dict[bytes, int] = {}

    def __bool__(self) -> bool:
        return bool(self._digests)

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._digests

    def add(self, digests: Iterable[bytes]) -> None:
        """PUBACKs of these messages may not have arrived."""
        self._digests.update(digests)

    def add_late(self, digest: bytes, now_s: float) -> None:
        """It waited for the database when its connection ended, and is committed now. Until then
        the broker may have had no room to send it again, so its time begins here."""
        self._digests.add(digest)
        self._newest_s = max(self._newest_s, now_s)

    def begin_anew(self) -> None:
        """A new connection: its PUBACKs are counted from the first one on."""
        self._answered.clear()

    def look(self, connected_s: float, now_s: float) -> None:
        """Forget all of them once they have had the time to arrive again."""
        if self._digests and now_s - max(connected_s, self._newest_s) > SUSPICION_S:
            self._digests.clear()
            self._answered.clear()

    def was_answered(self, digest: bytes) -> bool:
        """Whether it already arrived again on this connection."""
        return digest in self._answered

    def answer(self, digest: bytes, ack_no: int) -> None:
        """It arrived again: it stays a suspect until the broker has certainly processed PUBACK
        `ack_no`."""
        self._answered[digest] = ack_no

    def heard(self, acks: int) -> None:
        """The broker has processed the first `acks` PUBACKs of the connection."""
        for digest in [each for each, at in self._answered.items() if at <= acks]:
            del self._answered[digest]
            self._digests.discard(digest)
