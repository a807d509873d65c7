"""Devices' retained messages: they leave the broker once they are taken, or stay within bounds.

Each subscription delivers all retained messages, so a device could permanently fill the broker's
queue for us. Readings and acknowledgements that nobody else can see are cleared when they are
taken. Of the rest, each device may retain a bounded amount (`retained_rules`); the excess is
cleared, and reported on the device's `errors`. When a device is deleted, all its retained messages
are cleared.

If the broker can list them (NATS), they are looked at regularly; else Roost looks at the copies
that subscriptions deliver.
"""

from collections.abc import Awaitable, Callable
from functools import partial

import structlog
import trio

from actors.ingest.clearing_notices import ClearingNotices
from actors.ingest.echoes import Echoes
from actors.ingest.known_copies import Key, KnownCopies
from actors.ingest.retained_clearing import CLEAR_MAX, Clearing
from actors.ingest.retained_rules import Bounds, Tallies, beyond, is_for_good, stays, topic_of
from actors.ingest.retained_sweep import RetainedSweep
from actors.ports.retained import Held, RetainedMessages
from actors.runtime.retry import Pauses, until_available
from protocol.device.topics import Topic
from protocol.errors import Refusal, Unavailable, in_words
from protocol.messages import Notice
from protocol.records import WriteUnit

log = structlog.get_logger("roost.retained")

EVERY_S = 5.0
# A device that sends too large messages a thousand times a second is checked four times a second.
GAP_S = 0.25
RETRY_S, RETRY_MAX_S = 2.0, 60.0
# Messages to be cleared, and devices to be looked at. The next subscription delivers what exceeds
# it.
WAITING_MAX = 10_000


class RetainedCopies:
    """Usage: `nursery.start_soon(copies.run)`; `await copies.make_room()` before each connection.

    Args:
        port: None if nothing is known about the broker.
        is_seen: whether others than Roost may subscribe to what devices publish.
        connections: the number of each session's connection, 0 where it has none.
        tell: sends a notice to a device.
        wait_may_serve: waits until this process certainly leads.
        every_s: how often it looks, if the broker can list retained messages.
    """

    def __init__(
        self,
        port: RetainedMessages | None,
        *,
        is_seen: bool,
        connections: Callable[[], dict[str, int]],
        tell: Callable[[Notice], None],
        now_us: Callable[[], int],
        wait_may_serve: Callable[[], Awaitable[None]],
        bounds: Bounds | None = None,
        every_s: float = EVERY_S,
    ) -> None:
        self._every_s = every_s
        self._port = port
        self._is_seen = is_seen
        self._notices = ClearingNotices(tell, now_us)
        self._wait_may_serve = wait_may_serve
        self._bounds = bounds or Bounds()
        self._bell = trio.Event()
        self._looking = trio.Lock()
        self._wanted: dict[str, None] = {}  # topics to be cleared
        self._gone: dict[Key, bool] = {}  # devices to be looked at: whether all their messages go
        self._tallies = Tallies(self._bounds)
        self._beyond: dict[str, Refusal] = {}  # topics with messages that cannot stay, and why
        self._known = KnownCopies()
        self._echoes = Echoes()
        self._clearing: Clearing | None = None
        self._sweep: RetainedSweep | None = None  # if the broker can list retained messages
        if port is not None:
            self._clearing = Clearing(port, self._echoes, self._notices)
            if port.tells:
                self._sweep = RetainedSweep(
                    port,
                    self._clearing,
                    self._bounds,
                    is_seen=is_seen,
                    connections=connections,
                    every_s=every_s,
                )

    @property
    def cleared(self) -> int:
        """How many messages were cleared."""
        return 0 if self._clearing is None else self._clearing.cleared

    def came(self, session: str, connection: int, text: str, topic: Topic, size: int) -> None:
        """A subscription delivered the copy of a retained message."""
        if self._sweep is not None or self._port is None:
            return
        if not stays(topic, is_seen=self._is_seen):
            return
        why = self._tallies.of(session, connection, topic.device).excess(text, size)
        if why is not None and len(self._beyond) < WAITING_MAX:
            self._beyond[text] = why

    def taken(self, text: str, fingerprint: bytes, unit: WriteUnit | None = None) -> None:
        """Such a copy was taken, or its refusal was recorded; without a unit, earlier."""
        topic = topic_of(text)
        is_nobodys = unit is not None and unit.is_nobodys
        if self._port is None or topic is None:
            return
        if self._sweep is not None:
            if is_nobodys:
                self._look_at(topic.device, everything=True)
            elif self._sweep.holds(text):
                self._want(text)
        elif is_nobodys or text in self._beyond or not stays(topic, is_seen=self._is_seen):
            self._want(text)
        if not is_nobodys and (unit is None or is_for_good(unit)):
            self._known.add(topic.device, text, hash(fingerprint))

    def is_known(self, topic: Topic, text: str, fingerprint: bytes) -> bool:
        """Whether this very copy was taken before: each subscription delivers it again."""
        return self._known.has(topic.device, text, hash(fingerprint))

    def too_large(self, topic: Topic) -> None:
        """A message is larger than may be retained; only the broker knows whether it was
        retained."""
        if self._sweep is not None:
            self._look_at(topic.device, everything=False)

    def is_echo(self, text: str) -> bool:
        """Whether an empty message on this topic is our own clearing."""
        return self._echoes.has(text)

    def gone(self, user_id: str, code: str) -> None:
        """A device was deleted: none of its messages stays."""
        self._known.forget((user_id, code))
        if self._port is not None:
            self._look_at((user_id, code), everything=True)

    def _want(self, text: str) -> None:
        if len(self._wanted) < WAITING_MAX:
            self._wanted[text] = None
            self._bell.set()

    def _look_at(self, key: Key, *, everything: bool) -> None:
        if len(self._gone) < WAITING_MAX:
            self._gone[key] = everything or self._gone.get(key, False)
            self._bell.set()

    # Clearing

    async def make_room(self) -> None:
        """Before a session connects: clear retained messages that would not fit into its queue.

        Raises:
            Unavailable: the broker does not answer.
        """
        if self._sweep is not None:
            async with self._looking:
                await self._sweep.make_room()

    async def run(self) -> None:
        """Clear for ever; return at once if nothing is known about the broker."""
        if self._port is None or self._clearing is None:
            await trio.lowlevel.checkpoint()
            return
        clearing = partial(self._clear, self._port, self._clearing)
        while True:
            with trio.move_on_after(float("inf") if self._sweep is None else self._every_s):
                await self._bell.wait()
            await until_available(clearing, Pauses(RETRY_S, RETRY_MAX_S), _waits)
            await trio.sleep(GAP_S)

    async def _clear(self, port: RetainedMessages, clearing: Clearing) -> None:
        """Clear everything that has to go. Raises `Unavailable` if that is not possible."""
        await self._wait_may_serve()
        self._bell = trio.Event()
        async with self._looking:
            await self._clear_wanted(clearing)
            await self._clear_gone(port, clearing)
            if self._sweep is not None:
                await self._sweep.look()

    async def _clear_wanted(self, clearing: Clearing) -> None:
        while self._wanted:
            topics = list(self._wanted)[:CLEAR_MAX]
            if self._sweep is None:
                await clearing.clear([Held(each, 0, 0) for each in topics])
            else:
                await clearing.clear(self._sweep.held(topics))
            for each in topics:
                del self._wanted[each]
                if self._sweep is not None:
                    self._sweep.forget(each)
                if (why := self._beyond.pop(each, None)) is not None:
                    self._notices.say(each, why)

    async def _clear_gone(self, port: RetainedMessages, clearing: Clearing) -> None:
        while self._gone:
            key, everything = next(iter(self._gone.items()))
            del self._gone[key]  # a change from here on is looked at once more
            is_done = False
            try:
                held = await port.of_device(*key)
                if everything:
                    await clearing.clear(held)
                else:
                    await clearing.clear_beyond(beyond(held, self._bounds))
                is_done = True
            finally:
                if not is_done:
                    self._look_at(key, everything=everything)


def _waits(error: Unavailable) -> None:
    log.debug("retained messages are cleared later", error=in_words(error))
