"""Retained messages of ours on their way to the broker: the newest of each topic, at QoS 1.

What the broker does not take waits, unless there is newer; what was said already is not said again.
Topics belong to users: `live/U/…` (`protocol.listeners`).
"""

from collections.abc import Callable
from itertools import islice

import msgspec
import structlog
import trio

from actors.ports import PUBLISH_MAX, Broker, Publication
from protocol.listeners import user_of

log = structlog.get_logger("roost.neighbours")

RETRY_S = 2.0
# Beside what devices say by themselves.
ROOM = 500
NEVER = float("-inf")
ALWAYS = float("inf")
UNKNOWN = -1  # no text has this hash


class Said(msgspec.Struct):
    """The newest of a topic: which version of what it tells of, the text's digest, and when the
    broker was given it, by `trio.current_time`."""

    version: int
    digest: int
    at_s: float


class Retained:
    """Usage: `nursery.start_soon(retained.run)`; then `retained.say(topic, payload)`.

    It grows with the topics that are retained, not with what is said on them.

    Args:
        leads: whether this process leads now. What waits in one that does not is dropped: whoever
            leads says it.
    """

    def __init__(self, broker: Broker, leads: Callable[[], bool]) -> None:
        self.published = 0
        self._broker = broker
        self._leads = leads
        self._said: dict[str, dict[str, Said]] = {}  # by user and topic
        self._waiting: dict[str, Publication] = {}  # by topic, the oldest first
        self._begun, self._taken = trio.Event(), trio.Event()

    def say(
        self, topic: str, payload: bytes, version: int = 0, *, again_since_s: float = ALWAYS
    ) -> None:
        """Retain it. The same text once more only where it was said at `again_since_s` or later."""
        mine = self._said.setdefault(user_of(topic), {})
        said, digest = mine.get(topic), hash(payload)
        if said is not None and said.digest == digest and said.at_s < again_since_s:
            said.version = version
            return
        mine[topic] = Said(version, digest, trio.current_time())
        self._publish(topic, payload)

    @property
    def users(self) -> list[str]:
        """For whom something was said."""
        return list(self._said)

    def topics(self, user_id: str) -> list[str]:
        """On which something was said for this user, and not cleared."""
        return list(self._said.get(user_id, ()))

    def version(self, topic: str) -> int:
        """Of what was said last; -1 where nothing was."""
        said = self._said.get(user_of(topic), {}).get(topic)
        return -1 if said is None else said.version

    def clear(self, topic: str) -> None:
        """Nothing is retained there any more."""
        self._said.get(user_of(topic), {}).pop(topic, None)
        self._publish(topic, b"")

    def clear_user(self, user_id: str) -> None:
        """Nothing of what was said for this user is retained any more."""
        for topic in self._said.pop(user_id, {}):
            self._publish(topic, b"")

    def doubt(self) -> None:
        """Who knows what the broker has: everything can be said again, and must be cleared."""
        for mine in self._said.values():
            for said in mine.values():
                said.version, said.digest = -1, UNKNOWN

    async def wait_room(self) -> None:
        """Wait until little is waiting."""
        while len(self._waiting) > ROOM:
            self._taken = trio.Event()
            await self._taken.wait()

    def _publish(self, topic: str, payload: bytes) -> None:
        self._waiting[topic] = Publication(topic, payload, retain=True)
        self._begun.set()

    async def run(self) -> None:
        """Publish for ever."""
        while True:
            await self._begun.wait()
            if not self._leads():
                self._waiting.clear()
            batch = list(islice(self._waiting.values(), PUBLISH_MAX))
            if not batch:
                self._begun = trio.Event()
                continue
            for each in batch:
                del self._waiting[each.topic]
            good = await self._broker.publish(batch)
            for each, is_taken in zip(batch, good, strict=True):
                if is_taken:
                    self._note(each.topic)
                else:
                    self._waiting.setdefault(each.topic, each)
            self._taken.set()
            if not all(good):
                log.debug("states are published later", waiting=len(self._waiting))
                await trio.sleep(RETRY_S)

    def _note(self, topic: str) -> None:
        self.published += 1
        said = self._said.get(user_of(topic), {}).get(topic)
        if said is not None:
            said.at_s = trio.current_time()
