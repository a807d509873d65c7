"""Looks at all retained messages of devices, on a broker that can list them (NATS).

QoS 1 readings and acknowledgements are cleared at sight, because our session has the messages
themselves. A QoS 0 one is cleared when its copy was taken, or when one connection has lasted so
long that it must have delivered the copy.
"""

from collections.abc import Callable, Iterable

import structlog
import trio

from actors.ingest.retained_clearing import Clearing
from actors.ingest.retained_rules import (
    Bounds,
    beyond,
    can_be_taken,
    session_of,
    stays,
    topic_of,
)
from actors.ports.retained import Held, RetainedMessages
from actors.runtime.isolation import Failed, attempt
from protocol.errors import Unavailable

log = structlog.get_logger("roost.retained")

UNTAKEN_MAX = 10_000
# A quarter of the bytes that may wait for a session: below it nothing can be too much.
FULL_LOOK_BYTES = 16 << 20


class RetainedSweep:
    """Args:
    is_seen: whether others than Roost may subscribe to what devices publish.
    connections: the number of each session's connection, 0 where it has none.
    every_s: how long a connection must have lasted to have delivered everything.
    """

    def __init__(
        self,
        port: RetainedMessages,
        clearing: Clearing,
        bounds: Bounds,
        *,
        is_seen: bool,
        connections: Callable[[], dict[str, int]],
        every_s: float,
    ) -> None:
        self._port = port
        self._clearing = clearing
        self._bounds = bounds
        self._is_seen = is_seen
        self._connections = connections
        self._every_s = every_s
        self._after = -1  # everything up to this number was looked at
        # QoS 0 readings that may not have reached us, with their session's connection and since
        # when (s) the session has that connection.
        self._untaken: dict[str, tuple[Held, int, float]] = {}

    def holds(self, text: str) -> bool:
        """Whether a message on this topic waits to be taken."""
        return text in self._untaken

    def held(self, texts: Iterable[str]) -> list[Held]:
        """Those of these topics that wait to be taken."""
        return [self._untaken[each][0] for each in texts if each in self._untaken]

    def forget(self, text: str) -> None:
        """The message was cleared."""
        self._untaken.pop(text, None)

    async def make_room(self) -> None:
        """Before a session connects: clear retained messages that would not fit into its queue.

        Raises:
            Unavailable: the broker does not answer.
        """
        done = await attempt(self._look_where_much)
        if isinstance(done, Failed):
            if isinstance(done.error, Unavailable):
                raise done.error
            # There is most likely room, and no device is served until a session connects.
            log.error("retained messages cannot be checked", exc_info=done.error)

    async def look(self) -> None:
        """Look at messages retained since the last time, while the service runs."""
        if self._after < 0:
            return  # `make_room` looks at everything first
        while page := await self._port.held(self._after, states=False):
            await self._sort_out(page)
            self._after = page[-1].no
        await self._clear_brought()

    async def _look_where_much(self) -> None:
        size = await self._port.limit()
        if self._after < 0 or size > FULL_LOOK_BYTES:
            await self._look_at_all()

    async def _look_at_all(self) -> None:
        """Look at all retained messages, before any of them is delivered."""
        held: list[Held] = []
        after = 0
        while page := await self._port.held(after, states=True):
            held += page
            after = page[-1].no
        await self._sort_out(held)
        self._after = after

    async def _sort_out(self, held: Iterable[Held]) -> None:
        """Clear readings and acknowledgements that our session has itself: at QoS 1 they are queued
        for it. Clear others once they were delivered. The rest is bounded."""
        ours: list[Held] = []
        left: list[Held] = []
        for each in held:
            topic = topic_of(each.topic)
            stays_here = stays(topic, is_seen=self._is_seen)
            is_ours = not stays_here and (each.qos > 0 or not can_be_taken(topic))
            (ours if is_ours else left).append(each)
        await self._clearing.clear(ours)
        over = beyond(left, self._bounds)
        await self._clearing.clear_beyond(over)
        cleared = {each.topic for each, _ in over}
        for each in left:
            stays_here = stays(topic_of(each.topic), is_seen=self._is_seen)
            if not stays_here and each.topic not in cleared and len(self._untaken) < UNTAKEN_MAX:
                self._untaken[each.topic] = each, 0, 0.0

    async def _clear_brought(self) -> None:
        """What was retained before the current connection, or during it, was delivered on it once
        that has lasted long enough."""
        connections, now_s = self._connections(), trio.current_time()
        brought: list[Held] = []
        for text, (held, before, since_s) in self._untaken.items():
            connection = connections.get(session_of(text), 0)
            if connection != before:
                self._untaken[text] = held, connection, now_s
            elif connection and now_s - since_s >= self._every_s:
                brought.append(held)
        await self._clearing.clear(brought)
        for each in brought:
            if self._untaken[each.topic][0] is each:
                del self._untaken[each.topic]
