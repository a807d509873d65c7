"""Our retained messages on their way to the broker: the newest of each topic, with QoS 1.

A message that the broker did not take waits, unless there is a newer one. A message that equals the
last one of its topic is not published again. Topics belong to users: `live/U/…`
(`protocol.device.listeners`).
"""

from collections import deque
from collections.abc import Callable
from itertools import islice

import msgspec
import structlog
import trio

from actors.containment.publishing import publish_each
from actors.ports.broker import PUBLISH_MAX, Broker, Publication
from actors.runtime.isolation import Failed
from protocol.device.listeners import user_of
from protocol.device.publishing import fault_of

log = structlog.get_logger("roost.mqtt_relay")

RETRY_S = 2.0
# For republishing; changes of devices may exceed it.
ROOM = 500
ROOM_BYTES = 4 << 20
# What was published recently: at most this much, for this long.
RECENT_MAX = 10_000
RECENT_BYTES_MAX = 32 << 20
RECENT_S = 10.0

# Number of the device, version of its state: of two on one topic the higher is newer. A device that
# is created with the code of a deleted one has a higher number.
Version = tuple[int, int]
UNKNOWN: Version = (-1, -1)
NO_DIGEST = -1  # no payload has this hash


class Last(msgspec.Struct):
    """What was last published on a topic, and a digest of its payload."""

    version: Version
    digest: int


class Retained:
    """Usage: `nursery.start_soon(retained.run)`; then `retained.publish(topic, payload)`.

    Memory grows with the number of retained topics, not with the number of publications: a hundred
    bytes each, and their payloads while the broker does not answer.

    Args:
        may_serve: whether this process certainly leads. If it does not, waiting messages are
            dropped: the leader publishes them.
        late: called with users for whom the broker took a message after this process had lost the
            lead. It was in flight, perhaps while this process hung, and may be older than what the
            leader has published.
        refused: called with users for whom the broker refuses a message because of its content, and
            why.
    """

    def __init__(
        self,
        broker: Broker,
        may_serve: Callable[[], bool],
        late: Callable[[str], None],
        refused: Callable[[str, Exception], None],
    ) -> None:
        self.published = 0
        self.dropped = 0  # messages that no broker takes
        self._broker = broker
        self._may_serve = may_serve
        self._late = late
        self._refused = refused
        self._last: dict[str, dict[str, Last]] = {}  # by user and topic
        self._waiting: dict[str, Publication] = {}  # by topic
        self._waiting_bytes = 0
        self._recent: deque[tuple[float, Publication]] = deque()
        self._recent_bytes = 0
        self._in_flight: list[Publication] = []
        self._queued, self._taken = trio.Event(), trio.Event()

    def publish(self, topic: str, payload: bytes, version: Version = (0, 0)) -> None:
        """Retain it, unless it equals the last one on its topic, or no broker takes it."""
        if fault_of(topic, payload) is not None:
            self.dropped += 1
            return
        of_user = self._last.setdefault(user_of(topic), {})
        last, digest = of_user.get(topic), hash(payload)
        of_user[topic] = Last(version, digest)
        if last is None or last.digest != digest:
            self._queue(topic, payload)

    def repeat(self, user_id: str, since_s: float) -> None:
        """Publish again what the broker got for this user since then (`trio.current_time`), or is
        getting now, if it is still the newest."""
        of_user = self._last.get(user_id, {})
        recent = [each for at_s, each in self._recent if at_s >= since_s]
        for each in [*recent, *self._in_flight]:
            last = of_user.get(each.topic)
            newest = not each.payload if last is None else last.digest == hash(each.payload)
            if newest and user_of(each.topic) == user_id:
                self._queue(each.topic, each.payload)

    @property
    def users(self) -> list[str]:
        """Users with retained messages."""
        return list(self._last)

    def topics(self, user_id: str) -> list[str]:
        """Topics with a retained message of this user."""
        return list(self._last.get(user_id, ()))

    def version(self, topic: str) -> Version:
        """The version of the last publication."""
        last = self._last.get(user_of(topic), {}).get(topic)
        return UNKNOWN if last is None else last.version

    def clear(self, topic: str) -> None:
        """Clear the retained message of this topic."""
        of_user = self._last.get(user_of(topic), {})
        of_user.pop(topic, None)
        if not of_user:
            self._last.pop(user_of(topic), None)
        self._queue(topic, b"")

    def distrust_all(self) -> None:
        """What the broker has is unknown: everything is published again, including older
        versions."""
        for of_user in self._last.values():
            for last in of_user.values():
                last.version, last.digest = UNKNOWN, NO_DIGEST

    def distrust(self, user_id: str) -> None:
        """Another process may have published something for this user: what is known is published
        again."""
        for last in self._last.get(user_id, {}).values():
            last.digest = NO_DIGEST

    async def wait_room(self) -> None:
        """Wait until few messages are waiting."""
        while len(self._waiting) > ROOM or self._waiting_bytes > ROOM_BYTES:
            self._taken = trio.Event()
            await self._taken.wait()

    def _queue(self, topic: str, payload: bytes) -> None:
        old = self._waiting.get(topic)
        self._waiting[topic] = Publication(topic, payload, retain=True)  # it replaces the old one
        self._waiting_bytes += len(payload) - (len(old.payload) if old is not None else 0)
        self._queued.set()

    def _keep(self, each: Publication) -> None:
        """It waits again, unless there is a newer one."""
        if each.topic not in self._waiting:
            self._queue(each.topic, each.payload)

    def _drop(self, topic: str) -> None:
        """It no longer waits."""
        each = self._waiting.pop(topic, None)
        if each is not None:
            self._waiting_bytes -= len(each.payload)

    async def run(self) -> None:
        """Publish for ever."""
        while True:
            await self._queued.wait()
            if not self._may_serve():
                self._waiting.clear()
                self._waiting_bytes = 0
                self._taken.set()
            batch = list(islice(self._waiting.values(), PUBLISH_MAX))
            if not batch:
                self._queued = trio.Event()
                continue
            for each in batch:
                self._drop(each.topic)
            self._in_flight = batch
            try:
                good = await publish_each(self._broker, batch)
            except BaseException:  # what may not have arrived waits again
                for each in batch:
                    self._keep(each)
                raise
            finally:
                self._in_flight = []
            for each, is_taken in zip(batch, good, strict=True):
                if isinstance(is_taken, Failed):
                    self.dropped += 1
                    self._forget_digest(each.topic)
                    self._refused(user_of(each.topic), is_taken.error)
                elif is_taken:
                    self._note(each)
                    if not self._may_serve():
                        self._late(user_of(each.topic))
                else:
                    self._keep(each)
            self._taken.set()
            if not all(good):
                log.debug("states are published later", waiting=len(self._waiting))
                await trio.sleep(RETRY_S)

    def _forget_digest(self, topic: str) -> None:
        """The broker did not take it: the same payload may be tried again."""
        last = self._last.get(user_of(topic), {}).get(topic)
        if last is not None:
            last.digest = NO_DIGEST

    def _note(self, each: Publication) -> None:
        now_s = trio.current_time()
        self.published += 1
        self._recent.append((now_s, each))
        self._recent_bytes += len(each.payload)
        while (
            self._recent[0][0] < now_s - RECENT_S
            or len(self._recent) > RECENT_MAX
            or self._recent_bytes > RECENT_BYTES_MAX
        ):
            self._recent_bytes -= len(self._recent.popleft()[1].payload)
