"""Retained messages of ours on their way to the broker: the newest of each topic, at QoS 1.

What the broker does not take waits, unless there is newer; what was said already is not said again.
Topics belong to users: `live/U/…` (`protocol.device.listeners`).
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
# Beside what devices say by themselves.
ROOM = 500
ROOM_BYTES = 4 << 20
# What was published lately: at most so much, for so long.
RECENT_MAX = 10_000
RECENT_BYTES_MAX = 32 << 20
RECENT_S = 10.0

# Of two versions of what a topic tells of, the higher knows more: number of the device, version of
# its state. A device that is made anew under an old code has a higher number.
Version = tuple[int, int]
UNSAID: Version = (-1, -1)
NO_TEXT = -1  # no text has this hash


class Said(msgspec.Struct):
    """The newest of a topic, and a digest of its text."""

    version: Version
    digest: int


class Retained:
    """Usage: `nursery.start_soon(retained.run)`; then `retained.say(topic, payload)`.

    It grows with the topics that are retained, not with what is said on them: a hundred bytes
    each, and their texts as long as the broker is away.

    Args:
        may_serve: whether this process surely leads. What waits in one that does not is dropped:
            whoever leads says it.
        said_late: told of users for whom something was taken by the broker after that: it was on
            its way, perhaps for the minute in which this process stood still, and may be older
            than what is retained by whoever leads.
        refused: told of users for whom the broker does not take something for what it is, and why.
    """

    def __init__(
        self,
        broker: Broker,
        may_serve: Callable[[], bool],
        said_late: Callable[[str], None],
        refused: Callable[[str, Exception], None],
    ) -> None:
        self.published = 0
        self.dropped = 0  # that no broker can be given
        self._broker = broker
        self._may_serve = may_serve
        self._said_late = said_late
        self._refused = refused
        self._said: dict[str, dict[str, Said]] = {}  # by user and topic
        self._waiting: dict[str, Publication] = {}  # by topic
        self._waiting_bytes = 0
        self._recent: deque[tuple[float, Publication]] = deque()
        self._recent_bytes = 0
        self._on_the_way: list[Publication] = []
        self._begun, self._taken = trio.Event(), trio.Event()

    def say(self, topic: str, payload: bytes, version: Version = (0, 0)) -> None:
        """Retain it, unless it was the last that was said there, or no broker takes it."""
        if fault_of(topic, payload) is not None:
            self.dropped += 1
            return
        mine = self._said.setdefault(user_of(topic), {})
        said, digest = mine.get(topic), hash(payload)
        mine[topic] = Said(version, digest)
        if said is None or said.digest != digest:
            self._publish(topic, payload)

    def say_again(self, user_id: str, since_s: float) -> None:
        """What the broker was given for this user since then (`trio.current_time`) or is given now,
        as far as it is the newest."""
        mine = self._said.get(user_id, {})
        recent = [each for at_s, each in self._recent if at_s >= since_s]
        for each in [*recent, *self._on_the_way]:
            said = mine.get(each.topic)
            newest = not each.payload if said is None else said.digest == hash(each.payload)
            if newest and user_of(each.topic) == user_id:
                self._publish(each.topic, each.payload)

    @property
    def users(self) -> list[str]:
        """For whom something was said."""
        return list(self._said)

    def topics(self, user_id: str) -> list[str]:
        """On which something was said for this user, and not cleared."""
        return list(self._said.get(user_id, ()))

    def version(self, topic: str) -> Version:
        """Of what was said last."""
        said = self._said.get(user_of(topic), {}).get(topic)
        return UNSAID if said is None else said.version

    def clear(self, topic: str) -> None:
        """Nothing is retained there any more."""
        mine = self._said.get(user_of(topic), {})
        mine.pop(topic, None)
        if not mine:
            self._said.pop(user_of(topic), None)
        self._publish(topic, b"")

    def doubt(self) -> None:
        """Who knows what the broker has: everything can be said again, and must be cleared."""
        for mine in self._said.values():
            for said in mine.values():
                said.version, said.digest = UNSAID, NO_TEXT

    def doubt_of(self, user_id: str) -> None:
        """Another process may have said something for this user: what is known goes out again."""
        for said in self._said.get(user_id, {}).values():
            said.digest = NO_TEXT

    async def wait_room(self) -> None:
        """Wait until little is waiting."""
        while len(self._waiting) > ROOM or self._waiting_bytes > ROOM_BYTES:
            self._taken = trio.Event()
            await self._taken.wait()

    def _publish(self, topic: str, payload: bytes) -> None:
        old = self._waiting.get(topic)
        self._waiting[topic] = Publication(topic, payload, retain=True)  # in the place of the old
        self._waiting_bytes += len(payload) - (len(old.payload) if old is not None else 0)
        self._begun.set()

    def _keep(self, each: Publication) -> None:
        """It waits again, unless there is newer."""
        if each.topic not in self._waiting:
            self._publish(each.topic, each.payload)

    def _drop(self, topic: str) -> None:
        """It waits no longer."""
        each = self._waiting.pop(topic, None)
        if each is not None:
            self._waiting_bytes -= len(each.payload)

    async def run(self) -> None:
        """Publish for ever."""
        while True:
            await self._begun.wait()
            if not self._may_serve():
                self._waiting.clear()
                self._waiting_bytes = 0
                self._taken.set()
            batch = list(islice(self._waiting.values(), PUBLISH_MAX))
            if not batch:
                self._begun = trio.Event()
                continue
            for each in batch:
                self._drop(each.topic)
            self._on_the_way = batch
            try:
                good = await publish_each(self._broker, batch)
            except BaseException:  # what is not known to have arrived still waits
                for each in batch:
                    self._keep(each)
                raise
            finally:
                self._on_the_way = []
            for each, is_taken in zip(batch, good, strict=True):
                if isinstance(is_taken, Failed):
                    self.dropped += 1
                    self._forget_text(each.topic)
                    self._refused(user_of(each.topic), is_taken.error)
                elif is_taken:
                    self._note(each)
                    if not self._may_serve():
                        self._said_late(user_of(each.topic))
                else:
                    self._keep(each)
            self._taken.set()
            if not all(good):
                log.debug("states are published later", waiting=len(self._waiting))
                await trio.sleep(RETRY_S)

    def _forget_text(self, topic: str) -> None:
        """It was not taken: whoever says it again shall be heard."""
        said = self._said.get(user_of(topic), {}).get(topic)
        if said is not None:
            said.digest = NO_TEXT

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
