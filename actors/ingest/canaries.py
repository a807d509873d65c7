"""Canaries: every few seconds a probe message takes the whole path of a reading, through each
session.

A canary is published like a device's message, delivered by the session of its partition, and counts
when it is committed. So canaries detect a session that is connected and receives nothing, a broker
that accepts connections and stores nothing, and a writer that hangs.

    canaries = Canaries(broker, token, wait_may_serve=leadership.wait_may_serve, leads=…)
    nursery.start_soon(canaries.run)
    canaries.failing            # sessions whose canary is late, and for how long
    canaries.failing_since_s    # None while at least one session's canary comes in time
"""

from collections.abc import Awaitable, Callable, Sequence
from itertools import count

import structlog
import trio

from actors.ports.broker import PUBLISH_MAX, Broker, Publication, SessionPlan
from protocol import codec
from protocol.device.topics import CANARY_USER, partition, prefix

log = structlog.get_logger("roost.canaries")

EVERY_S = 5.0
# A session is late when it delivered no canary for this long: two canaries in a row, and the five
# seconds after which NATS sends again what was lost with a connection.
LATE_S = 10.0
# Per session. Beyond it every other one is forgotten, because a session may be far behind.
ON_THEIR_WAY_MAX = 64


class Canary:
    """What is known of one session's canaries."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.took_s: float | None = None  # how long the newest that passed was on its way
        self.passed_s: float | None = None  # when that was
        self.sent: tuple[bytes, float] | None = None  # the newest, and when it was sent
        # When each was sent, and when the broker had it; the oldest first.
        self.on_their_way: dict[bytes, tuple[float, float]] = {}


class Canaries:
    """Canaries of all sessions that deliver devices' messages.

    Args:
        token: part of every canary of this process; other processes' canaries prove nothing.
        wait_may_serve: waits until this process leads.
        leads: whether it does.
        is_there: called with a session when the broker has a canary for it.
        forgot: called with a session when no canary for it is known any more.
        every_s: between two rounds.
    """

    def __init__(
        self,
        broker: Broker,
        token: str,
        *,
        wait_may_serve: Callable[[], Awaitable[None]],
        leads: Callable[[], bool],
        is_there: Callable[[str, float], None],
        forgot: Callable[[str], None],
        every_s: float = EVERY_S,
    ) -> None:
        self.passed_total = 0
        self._broker = broker
        self._token = token
        self._wait_may_serve = wait_may_serve
        self._leads = leads
        self._is_there = is_there
        self._forgot = forgot
        self._every_s = every_s
        self._late_s = max(LATE_S, 2 * every_s)
        self._began_s = trio.current_time()
        self._numbers = count(1)
        self._all_passed = trio.Event()
        self._led_anew = trio.Event()
        topics = canary_topics(broker.sessions)
        self.canaries = {name: Canary(topic) for name, topic in topics.items()}

    async def run(self) -> None:
        """Send a round of canaries every few seconds while this process leads, for ever."""
        while True:
            if not self._leads():
                await self._wait_may_serve()
            if self._led_anew.is_set():
                self._led_anew = trio.Event()
                with trio.move_on_after(self._every_s):  # before that, no session exists
                    await self._broker.wait_subscribed()
            with trio.move_on_after(self._every_s):  # whatever the broker does with it
                await self._send()
                await self._led_anew.wait()

    async def wait_passed(self) -> None:
        """Wait until every session's canary has passed once: then the whole path works."""
        await self._all_passed.wait()

    def passed(self, session: str, payload: bytes) -> None:
        """A canary that this session delivered is committed."""
        canary = self.canaries.get(session)
        if canary is None or not payload.startswith(self._stamp):
            return
        now_s = trio.current_time()
        self.passed_total += 1
        canary.passed_s = now_s
        if canary.sent is not None and canary.sent[0] == payload:
            canary.took_s = now_s - canary.sent[1]
        if all(each.passed_s is not None for each in self.canaries.values()):
            self._all_passed.set()

    def came(self, session: str, payload: bytes) -> tuple[float, float] | None:
        """A canary was delivered by its session.

        Returns when this process sent it, and when the broker had the next one (Trio's clock;
        infinity if unknown). Each canary counts once, and earlier ones no longer count. Returns
        None if the payload is no canary of this process."""
        canary = self.canaries.get(session)
        known = None if canary is None else canary.on_their_way.get(payload)
        if canary is None or known is None:
            return None
        later = {each: at for each, at in canary.on_their_way.items() if at[0] > known[0]}
        canary.on_their_way = later
        next_s = min((there_s for _, there_s in later.values()), default=float("inf"))
        return known[0], next_s

    def led(self) -> None:
        """This process leads from now on, possibly again within one round. Earlier passes prove
        nothing, because canaries in flight may have been delivered to another process's
        sessions."""
        self._began_s = trio.current_time()
        self._led_anew.set()
        for name, canary in self.canaries.items():
            canary.passed_s = canary.sent = None
            canary.on_their_way.clear()
            self._forgot(name)

    @property
    def failing(self) -> dict[str, float]:
        """Sessions whose canary is late, and for how many seconds none has passed."""
        now_s = trio.current_time()
        if not self._leads():
            return {}
        silent = {name: now_s - self._last_s(each) for name, each in self.canaries.items()}
        return {name: for_s for name, for_s in silent.items() if for_s > self._late_s}

    @property
    def failing_since_s(self) -> float | None:
        """Since when (Trio's clock) no canary has passed at all. None while at least one passes in
        time, and in a process that does not lead."""
        if not self.canaries or len(self.failing) < len(self.canaries):
            return None
        return max(self._last_s(each) for each in self.canaries.values())

    @property
    def is_proven(self) -> bool:
        """Whether at least one canary has passed since this process became leader."""
        return any(each.passed_s is not None for each in self.canaries.values())

    @property
    def _stamp(self) -> bytes:
        return b'{"canary":"' + self._token.encode() + b'"'

    def _last_s(self, canary: Canary) -> float:
        return self._began_s if canary.passed_s is None else canary.passed_s

    async def _send(self) -> None:
        now_s = trio.current_time()
        messages = []
        for canary in self.canaries.values():
            payload = codec.encode({"canary": self._token, "n": next(self._numbers)})
            canary.sent = payload, now_s
            canary.on_their_way[payload] = now_s, float("inf")
            if len(canary.on_their_way) > ON_THEIR_WAY_MAX:
                canary.on_their_way = dict(list(canary.on_their_way.items())[::2])
            messages.append(Publication(canary.topic, payload))
        names = list(self.canaries)
        for start in range(0, len(messages), PUBLISH_MAX):
            part = messages[start : start + PUBLISH_MAX]
            answers = await self._broker.publish(part)
            for name, message, taken in zip(names[start:], part, answers, strict=False):
                if taken is True:
                    self._stored(name, message.payload)

    def _stored(self, session: str, payload: bytes) -> None:
        """The broker has it: what the session delivers before it was published before now."""
        canary, now_s = self.canaries[session], trio.current_time()
        if payload in canary.on_their_way:
            canary.on_their_way[payload] = canary.on_their_way[payload][0], now_s
            self._is_there(session, now_s)


def canary_topics(plans: Sequence[SessionPlan]) -> dict[str, str]:
    """For each session that belongs to a partition, a device topic that the broker delivers to it.

    User and device determine the partition (`protocol.device.topics.partition`), so a device is
    chosen that falls into the right one.
    """
    kept = [plan for plan in plans if plan.partition is not None]
    many = max((plan.partition or 0 for plan in kept), default=0) + 1
    topics = {}
    for plan in kept:
        here = (
            code
            for code in (f"canary-{n}" for n in count())
            if many == 1 or partition(CANARY_USER, code, many) == plan.partition
        )
        tail = "status" if plan.live else "feeds/canary"
        topics[plan.client_id] = f"{prefix(CANARY_USER, next(here))}/{tail}"
    return topics
