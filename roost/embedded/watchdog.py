"""Finds embedded servers that run but do not serve, and restarts them, with the reason in the log.

A server that ends is restarted by its `Keeper`. One that hangs, or whose files failed on a full
disk, does not end: nats-server keeps a stream failed until its restart, and nobody can log in.

What is checked, and what it means:

- the broker answers no request of the system account, or PostgreSQL answers neither on a new
  connection nor on an old one: it hangs. An error is an answer, too (recovery, too many
  connections);
- the broker itself reports that it cannot write a stream: that never recovers by itself;
- no canary passes, nothing else arrives, and everything except the broker is well: the broker is
  the cause.

`Judge` is pure. Only times during which the watchdog itself ran count: after a pause of its own
(the machine slept) everything starts again.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal, Protocol

import msgspec
import structlog
import trio

from protocol.errors import Unavailable, in_words
from roost.embedded.child import Keeper
from roost.embedded.disk import Disk

log = structlog.get_logger("roost.watchdog")

PATIENCE_S = 30.0
LOOKS = 6  # per patience
ANSWER_WITHIN_S = 5.0
# A look, its time-outs, and the rest before it take 14 s at most, and 5 s with little patience.
GAP_S = 20.0
GAP_MIN_S = 6.0
# A stream that could not be written never recovers by itself: two looks are enough.
FAILED_PATIENCE = 1 / LOOKS
# While old connections of the database are served, a restart can wait.
NEW_CONNECTION_PATIENCE = 4
# Between two restarts of one server; it grows while they do not help.
PAUSE_FIRST_S = 60.0
PAUSE_MAX_S = 3600.0

Which = Literal["broker", "database"]
CANNOT_WRITE = "write error"  # what nats-server reports about a failed stream


class CanaryStatus(Protocol):
    """Canaries: probe messages that take the whole path."""

    @property
    def failing_since_s(self) -> float | None:
        """Since when (Trio's time) none has passed; None while one does."""
        ...


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One look.

    Attributes:
        at_s: when, by Trio's clock.
        has_room: whether the disk has room.
        broker: None if it does not answer; "" if it is well; otherwise its error.
        old_answers: an open connection to the database was answered.
        new_answers: a new one was.
        failing_since_s: since when no canary passes; None if one does, or there are none.
        arrives: messages arrived since the last look, or wait for the database.
        up: the servers that are started, and not being restarted.
    """

    at_s: float
    has_room: bool = True
    broker: str | None = ""
    old_answers: bool = True
    new_answers: bool = True
    failing_since_s: float | None = None
    arrives: bool = False
    up: tuple[Which, ...] = ("broker", "database")

    @property
    def well(self) -> list[Which]:
        """The servers that serve, as far as can be seen."""
        does: dict[Which, bool] = {
            "broker": self.broker == "" and self.failing_since_s is None,
            "database": self.old_answers and self.new_answers,
        }
        return [which for which in self.up if does[which]]


class Verdict(msgspec.Struct, frozen=True):
    """Restart this server, for this reason; if it hangs it is killed."""

    which: Which
    why: str
    hung: bool


class Judge:
    """Judges a series of looks. Usage: `for verdict in judge.judge(seen): ...`"""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._gap_s = max(GAP_MIN_S, GAP_S * patience_s / PATIENCE_S)
        self._since_s: dict[str, float] = {}  # since when a problem is seen
        self._last_s: float | None = None
        self._others_well_s = 0.0  # since when only the broker can be the cause
        self._restarted_s: dict[Which, float] = {}
        self._pause_s: dict[Which, float] = {}

    def judge(self, seen: Seen) -> list[Verdict]:
        if self._last_s is None or seen.at_s - self._last_s > self._gap_s:
            self._since_s.clear()
            self._last_s = self._others_well_s = seen.at_s
        for which in seen.well:
            self._pause_s[which] = PAUSE_FIRST_S  # its last restart has helped
        verdicts = [self._judge_database(seen), self._judge_broker(seen)]
        self._last_s = seen.at_s
        return [each for each in verdicts if each is not None and self._may_restart(each, seen)]

    def _judge_database(self, seen: Seen) -> Verdict | None:
        up = "database" in seen.up
        hangs_s = self._lasts("database", up and not (seen.old_answers or seen.new_answers), seen)
        closed_s = self._lasts("new connections", up and not seen.new_answers, seen)
        if hangs_s >= self._patience_s:
            return Verdict("database", f"it has not answered for {hangs_s:.0f} s", hung=True)
        if closed_s >= NEW_CONNECTION_PATIENCE * self._patience_s:
            why = f"it has answered no new connection for {closed_s:.0f} s"
            return Verdict("database", why, hung=True)
        return None

    def _judge_broker(self, seen: Seen) -> Verdict | None:
        up = "broker" in seen.up
        hangs_s = self._lasts("broker", up and seen.broker is None, seen)
        if hangs_s >= self._patience_s:
            return Verdict("broker", f"it has not answered for {hangs_s:.0f} s", hung=True)
        said = seen.broker or ""
        failed_s = self._lasts("stream", up and CANNOT_WRITE in said, seen)
        if failed_s >= FAILED_PATIENCE * self._patience_s:
            why = f"it has been unable to write for {failed_s:.0f} s: {said}"
            return Verdict("broker", why, hung=False)
        others_well = seen.has_room and seen.old_answers and seen.new_answers and not seen.arrives
        if not (others_well and up and seen.broker is not None):
            self._others_well_s = seen.at_s
        if seen.failing_since_s is not None:
            lost_s = seen.at_s - max(seen.failing_since_s, self._others_well_s)
            if lost_s >= self._patience_s:
                told = f" (it says: {said})" if said else ""
                why = f"nothing has come through it for {lost_s:.0f} s{told}"
                return Verdict("broker", why, hung=False)
        return None

    def _lasts(self, trouble: str, is_seen: bool, seen: Seen) -> float:
        """For how long it has been seen at every look, since the last one without it; or 0."""
        if not is_seen:
            self._since_s.pop(trouble, None)
            return 0.0
        assert self._last_s is not None
        return seen.at_s - self._since_s.setdefault(trouble, self._last_s)

    def _may_restart(self, verdict: Verdict, seen: Seen) -> bool:
        """On a full disk no server starts; and a restart that did not help is not repeated at
        once."""
        which = verdict.which
        if not seen.has_room:
            return False
        before_s = self._restarted_s.get(which)
        if before_s is not None:
            pause_s = self._pause_s.get(which, PAUSE_FIRST_S)
            if seen.at_s - before_s < pause_s:
                return False
            self._pause_s[which] = min(PAUSE_MAX_S, 2 * pause_s)
        self._restarted_s[which] = seen.at_s
        self._since_s.clear()
        self._others_well_s = seen.at_s
        return True


class Probes(msgspec.Struct, frozen=True, kw_only=True):
    """What the watchdog checks.

    Attributes:
        broker: the broker's report about itself, "" for well; raises `Unavailable`.
        old: queries over an open connection to the database; raises `Unavailable`.
        new: queries over a new one, within so many seconds; raises `Unavailable`.
        canaries: None if there are none.
        arrivals: how many messages have arrived in all.
        is_stuck: whether an arrived message waits for the database.
    """

    broker: Callable[[], Awaitable[str]]
    old: Callable[[], Awaitable[None]]
    new: Callable[[float], Awaitable[None]]
    canaries: CanaryStatus | None
    arrivals: Callable[[], int]
    is_stuck: Callable[[], bool]


class Watchdog:
    """Usage: `supervisor.run_essential("watchdog", partial(watchdog.run, probes))`."""

    def __init__(
        self, disk: Disk, keepers: dict[Which, Keeper], patience_s: float = PATIENCE_S
    ) -> None:
        self._disk = disk
        self._keepers = keepers
        self._judge = Judge(patience_s)
        self._every_s = patience_s / LOOKS
        self._within_s = min(ANSWER_WITHIN_S, patience_s / 3)

    async def run(self, probes: Probes) -> None:
        arrived = probes.arrivals()
        while True:
            await trio.sleep(self._every_s)
            seen = await self._look(probes, arrived)
            arrived = probes.arrivals()
            for verdict in self._judge.judge(seen):
                self._keepers[verdict.which].restart(verdict.why, hung=verdict.hung)

    async def _look(self, probes: Probes, arrived: int) -> Seen:
        broker: str | None = None
        answers = {"old": False, "new": False}

        async def ask_broker() -> None:
            nonlocal broker
            with trio.move_on_after(self._within_s):
                try:
                    broker = await probes.broker()
                except Unavailable as error:
                    log.debug("the broker does not answer", error=in_words(error))

        async def ask_database(name: str, ask: Callable[[], Awaitable[None]]) -> None:
            with trio.move_on_after(self._within_s):
                try:
                    await ask()
                    answers[name] = True
                except Unavailable as error:
                    log.debug("the database does not answer", how=name, error=in_words(error))

        up = tuple(which for which, keeper in self._keepers.items() if keeper.serves)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask_broker)
            nursery.start_soon(ask_database, "old", probes.old)
            nursery.start_soon(ask_database, "new", partial(probes.new, self._within_s))
        has_room = await self._disk.look()
        return Seen(
            at_s=trio.current_time(),
            has_room=has_room,
            broker=broker,
            old_answers=answers["old"],
            new_answers=answers["new"],
            failing_since_s=None if probes.canaries is None else probes.canaries.failing_since_s,
            arrives=probes.arrivals() > arrived or probes.is_stuck(),
            up=tuple(which for which in up if self._keepers[which].serves),
        )
