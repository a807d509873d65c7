"""What devices have retained: it leaves the broker once it was taken, or stays within bounds.

A subscription brings all that is retained, each time, so a device could fill what the broker lets
wait for us, for ever. Readings and acknowledgements that nobody else can see leave when they are
taken; the rest is bounded for each device (`retained_rules`), and what is beyond is cleared and
told on the device's `errors`. With a device all of its messages go.

Where the broker tells of everything (NATS), this looks by itself; elsewhere it goes by the copies.
"""

from collections.abc import Awaitable, Callable, Iterable
from functools import partial

import structlog
import trio

from actors.ingest.clearing_notices import ClearingNotices
from actors.ingest.echoes import Echoes
from actors.ingest.known_copies import Key, KnownCopies
from actors.ingest.retained_rules import (
    Bounds,
    Tallies,
    beyond,
    can_be_taken,
    is_for_good,
    session_of,
    stays,
    topic_of,
)
from actors.ports.retained import Held, RetainedMessages
from actors.runtime.isolation import Failed, attempt
from protocol.device.topics import Topic
from protocol.errors import Refusal, Unavailable, in_words
from protocol.messages import Notice
from protocol.records import WriteUnit

log = structlog.get_logger("roost.retained")

EVERY_S = 5.0
# Whoever sends what is too large a thousand times a second is looked at four times.
GAP_S = 0.25
RETRY_S, RETRY_MAX_S = 2.0, 60.0
# What waits to be cleared, and devices to be looked at. Beyond it the next subscription brings it.
WAITING_MAX = 10_000
CLEAR_MAX = 500
# A quarter of what may wait for a session: below it nothing can be too much.
FULL_LOOK_BYTES = 16 << 20


class RetainedCopies:
    """Usage: `nursery.start_soon(copies.run)`; `await copies.make_room()` before each connection.

    Args:
        port: None where nothing is known of the broker.
        is_seen: whether others than Roost may subscribe to what devices publish.
        connections: the number of each session's connection, 0 where it has none.
        tell: sends a notice to a device.
        wait_may_serve: waits until this process surely leads.
        every_s: how often it looks where the broker tells.
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
        self.cleared = 0
        self._every_s = every_s
        self._port = port
        self._is_seen = is_seen
        self._connections = connections
        self._notices = ClearingNotices(tell, now_us)
        self._wait_may_serve = wait_may_serve
        self._bounds = bounds or Bounds()
        self._bell = trio.Event()
        self._looking = trio.Lock()
        self._wanted: dict[str, None] = {}  # topics to be cleared
        self._gone: dict[Key, bool] = {}  # devices to be looked at: whether all of theirs goes
        self._tallies = Tallies(self._bounds)
        self._beyond: dict[str, Refusal] = {}  # topics that cannot stay, and why
        self._known = KnownCopies()
        self._echoes = Echoes()
        # Where the broker tells: up to where it was looked at, and readings at QoS 0 that perhaps
        # nobody has brought us; with their session's connection, and since when (s) it is that.
        self._after = -1
        self._untaken: dict[str, tuple[Held, int, float]] = {}

    @property
    def _tells(self) -> bool:
        return self._port is not None and self._port.tells

    def came(self, session: str, connection: int, text: str, topic: Topic, size: int) -> None:
        """A subscription brought the copy of a retained message."""
        if self._tells or self._port is None or not stays(topic, is_seen=self._is_seen):
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
        if self._tells:
            if is_nobodys:
                self._look_at(topic.device, everything=True)
            elif text in self._untaken:
                self._want(text)
        elif is_nobodys or text in self._beyond or not stays(topic, is_seen=self._is_seen):
            self._want(text)
        if not is_nobodys and (unit is None or is_for_good(unit)):
            self._known.add(topic.device, text, hash(fingerprint))

    def is_known(self, topic: Topic, text: str, fingerprint: bytes) -> bool:
        """Whether this very copy was taken before: each subscription brings it again."""
        return self._known.has(topic.device, text, hash(fingerprint))

    def too_large(self, topic: Topic) -> None:
        """A message is larger than what may be retained; whether it was, the broker knows."""
        if self._tells:
            self._look_at(topic.device, everything=False)

    def is_echo(self, text: str) -> bool:
        """Whether an empty message there is our own clearing."""
        return self._echoes.has(text)

    def gone(self, user_id: str, code: str) -> None:
        """A device was deleted: nothing of it stays."""
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
        """Before a session connects: nothing is retained that it could not be brought.

        Raises:
            Unavailable: the broker does not answer.
        """
        if self._port is None or not self._tells:
            return
        async with self._looking:
            done = await attempt(partial(self._make_room, self._port))
        if isinstance(done, Failed):
            if isinstance(done.error, Unavailable):
                raise done.error
            # Most likely there is room; nobody is served as long as no session connects.
            log.error("retained messages not looked at", exc_info=done.error)

    async def _make_room(self, port: RetainedMessages) -> None:
        size = await port.limit()
        if self._after < 0 or size > FULL_LOOK_BYTES:
            await self._look_at_all(port)

    async def run(self) -> None:
        """Clear for ever; returns at once where nothing is known of the broker."""
        if self._port is None:
            await trio.lowlevel.checkpoint()
            return
        pause_s = RETRY_S
        while True:
            with trio.move_on_after(self._every_s if self._tells else float("inf")):
                await self._bell.wait()
            await self._wait_may_serve()
            self._bell = trio.Event()
            try:
                async with self._looking:
                    await self._clear_wanted(self._port)
                    await self._clear_gone(self._port)
                    if self._tells and self._after >= 0:
                        await self._sweep(self._port)
                pause_s = RETRY_S
                await trio.sleep(GAP_S)
            except Unavailable as error:
                log.debug("retained messages are cleared later", error=in_words(error))
                await trio.sleep(pause_s)
                pause_s = min(2 * pause_s, RETRY_MAX_S)
                self._bell.set()

    async def _look_at_all(self, port: RetainedMessages) -> None:
        """All that devices have retained, as it is before anything of it is brought."""
        held: list[Held] = []
        after = 0
        while page := await port.held(after, states=True):
            held += page
            after = page[-1].no
        await self._sort_out(port, held)
        self._after = after

    async def _sweep(self, port: RetainedMessages) -> None:
        """What was retained since the last time, while everything is at work."""
        while page := await port.held(self._after, states=False):
            await self._sort_out(port, page)
            self._after = page[-1].no
        await self._clear_brought(port)

    async def _sort_out(self, port: RetainedMessages, held: Iterable[Held]) -> None:
        """Clear readings and acknowledgements of which our session has a message of its own: at
        QoS 1 it is queued for it. Others are cleared when they were brought. What is left is
        bounded."""
        ours: list[Held] = []
        left: list[Held] = []
        for each in held:
            topic = topic_of(each.topic)
            stays_here = stays(topic, is_seen=self._is_seen)
            is_ours = not stays_here and (each.qos > 0 or not can_be_taken(topic))
            (ours if is_ours else left).append(each)
        await self._clear(port, ours)
        over = beyond(left, self._bounds)
        await self._clear_beyond(port, over)
        cleared = {each.topic for each, _ in over}
        for each in left:
            stays_here = stays(topic_of(each.topic), is_seen=self._is_seen)
            if not stays_here and each.topic not in cleared and len(self._untaken) < WAITING_MAX:
                self._untaken[each.topic] = each, 0, 0.0

    async def _clear_brought(self, port: RetainedMessages) -> None:
        """What was there while one connection lasted was brought by it: when it was said, or by the
        subscription."""
        connections, now_s = self._connections(), trio.current_time()
        brought: list[Held] = []
        for text, (held, before, since_s) in self._untaken.items():
            connection = connections.get(session_of(text), 0)
            if connection != before:
                self._untaken[text] = held, connection, now_s
            elif connection and now_s - since_s >= self._every_s:
                brought.append(held)
        await self._clear(port, brought)
        for each in brought:
            if self._untaken[each.topic][0] is each:
                del self._untaken[each.topic]

    async def _clear_beyond(
        self, port: RetainedMessages, found: list[tuple[Held, Refusal]]
    ) -> None:
        await self._clear(port, [each for each, _ in found])
        for each, why in found:
            self._notices.say(each.topic, why)

    async def _clear_wanted(self, port: RetainedMessages) -> None:
        while self._wanted:
            topics = list(self._wanted)[:CLEAR_MAX]
            if self._tells:
                held = [self._untaken[each][0] for each in topics if each in self._untaken]
            else:
                held = [Held(each, 0, 0) for each in topics]
            await self._clear(port, held)
            for each in topics:
                del self._wanted[each]
                self._untaken.pop(each, None)
                if (why := self._beyond.pop(each, None)) is not None:
                    self._notices.say(each, why)

    async def _clear_gone(self, port: RetainedMessages) -> None:
        while self._gone:
            key, everything = next(iter(self._gone.items()))
            del self._gone[key]  # what is told of it from here on is looked at once more
            is_done = False
            try:
                await self._clear_device(port, key, everything=everything)
                is_done = True
            finally:
                if not is_done:
                    self._look_at(key, everything=everything)

    async def _clear_device(self, port: RetainedMessages, key: Key, *, everything: bool) -> None:
        held = await port.of_device(*key)
        if everything:
            await self._clear(port, held)
        else:
            await self._clear_beyond(port, beyond(held, self._bounds))

    async def _clear(self, port: RetainedMessages, held: list[Held]) -> None:
        """Raises `Unavailable` where it may not be done."""
        for start in range(0, len(held), CLEAR_MAX):
            part = held[start : start + CLEAR_MAX]
            if not self._tells:  # there nobody hears of it
                self._echoes.expect([each.topic for each in part])
            if not await port.clear(part):
                raise Unavailable("not everything was cleared")
            self.cleared += len(part)
