"""Receives our canaries: they go straight to the writer, at most one per session in flight.

They show that what a session delivers is committed, and when the messages before them were sent.
"""

from collections.abc import Callable

from actors.ingest.canaries import Canaries
from actors.ingest.limits import Limits
from actors.ports.broker import Delivery
from protocol.device.topics import Topic
from protocol.records import WriteUnit

CANARY_BYTES_MAX = 256


class CanaryIntake:
    """Args:
    submit: gives a unit to the writer.

    Attributes:
        heard: how many canaries the broker has delivered, including those of other processes.
    """

    def __init__(
        self, canaries: Canaries, limits: Limits, submit: Callable[[WriteUnit], None]
    ) -> None:
        self.heard = 0
        self._canaries = canaries
        self._limits = limits
        self._submit = submit
        self._in_flight: set[str] = set()  # sessions with a canary in flight

    def came(self, delivery: Delivery) -> None:
        """The broker delivered one: later messages of this session were published later."""
        self.heard += 1
        if delivery.dup:
            return
        sent = self._canaries.came(delivery.session, delivery.payload)
        if sent is not None:
            self._limits.caught_up(delivery.session, *sent)

    def has_one(self, session: str) -> bool:
        """Whether one of this session is on its way to the store; one proves as much as many."""
        return session in self._in_flight

    def submit(self, delivery: Delivery, topic: Topic, receipt: object) -> None:
        self._in_flight.add(delivery.session)
        canary = delivery.payload[:CANARY_BYTES_MAX]
        self._submit(WriteUnit(device=topic.device, receipt=receipt, messages=0, canary=canary))

    def committed(self, session: str, canary: bytes) -> None:
        self.gave_up(session)
        self._canaries.passed(session, canary)

    def gave_up(self, session: str) -> None:
        """Another process has led: the canary is not stored."""
        self._in_flight.discard(session)
