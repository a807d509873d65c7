"""Publications in flight when a connection ended: finds one that ends connections each time.

    suspects.ended(in_flight, now_s, alone=False)      # all of these are suspects
    suspects.holds(topic)                              # send it alone, the most suspicious last
    suspects.refused(topic, now_s)                     # why it is not sent for a while

Connections end for many reasons, and a broker need not say which. A message that ends them must
neither be sent for ever nor delay others. So messages that were in flight are sent alone the next
time. If two connections ended with a message alone, and others were accepted meanwhile, it is put
aside with growing pauses. If nothing else is accepted, the broker itself may be the cause, and it
takes five.

A topic is suspected, not a message: the next message for the same device is most likely as bad.
"""

from collections.abc import Sequence

import msgspec
import structlog

from actors.ports.broker import Publication
from protocol.errors import Unpublishable

log = structlog.get_logger("roost.mqtt")

ALONE_MAX = 2
ALONE_MAX_UNPROVEN = 5
PAUSE_FIRST_S = 10.0
PAUSE_MAX_S = 300.0
# A topic that has ended no connection for so long is no longer suspected.
FORGOTTEN_S = 3_600.0
# Beyond it the oldest is forgotten; a connection has two parts in flight.
SUSPECTS_MAX = 1_000


class Suspect(msgspec.Struct):
    """One topic."""

    since_s: float
    last_s: float  # when a connection last ended with it
    payload: int  # a digest of what was sent then
    alone: int = 0  # connections that ended while nothing else was in flight
    pause_s: float = 0.0
    until_s: float = float("-inf")  # not sent before that


class Suspects:
    """All suspected topics, by name."""

    def __init__(self) -> None:
        self._of: dict[str, Suspect] = {}
        self._taken_s = float("-inf")

    def holds(self, topic: str) -> bool:
        """Whether it must be sent alone."""
        return topic in self._of

    def alone(self, topic: str) -> int:
        """How many connections ended with it alone; -1 if it is not suspected."""
        suspect = self._of.get(topic)
        return -1 if suspect is None else suspect.alone

    def refused(self, topic: str, now_s: float) -> Unpublishable | None:
        suspect = self._of.get(topic)
        if suspect is None or now_s >= suspect.until_s:
            return None
        return Unpublishable(f"the broker ends the connection when something for {topic} is sent")

    def taken(self, each: Publication, now_s: float) -> None:
        """The broker has accepted it."""
        self._taken_s = now_s
        suspect = self._of.get(each.topic)
        if suspect is None:
            return
        if not suspect.alone or suspect.payload == hash(each.payload):
            del self._of[each.topic]
        else:  # another message for this topic is the bad one
            suspect.until_s = float("-inf")

    def ended(self, in_flight: Sequence[Publication], now_s: float, *, alone: bool) -> None:
        """A connection ended with these in flight."""
        for each in in_flight:
            suspect = self._of.pop(each.topic, None)
            if suspect is None or now_s - suspect.last_s > FORGOTTEN_S:
                suspect = Suspect(now_s, now_s, 0)
            self._of[each.topic] = suspect
            suspect.last_s, suspect.payload = now_s, hash(each.payload)
            if alone:
                suspect.alone += 1
                self._judge(each.topic, suspect, now_s)
        while len(self._of) > SUSPECTS_MAX:
            del self._of[next(iter(self._of))]

    def _judge(self, topic: str, suspect: Suspect, now_s: float) -> None:
        others_pass = self._taken_s >= suspect.since_s
        if suspect.alone < (ALONE_MAX if others_pass else ALONE_MAX_UNPROVEN):
            return
        suspect.pause_s = min(max(PAUSE_FIRST_S, 2 * suspect.pause_s), PAUSE_MAX_S)
        suspect.until_s = now_s + suspect.pause_s
        log.warning("a publication ends connections", topic=topic, pause_s=suspect.pause_s)
