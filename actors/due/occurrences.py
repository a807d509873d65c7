"""Work that is due at a time: occurrences fire, schedules are planned ahead, commands are retried.

Each method is the `work` of a job (`actors.runtime.jobs`): it claims due rows in the database,
passes them on, and returns when the next row is due.
"""

from collections.abc import Callable

import trio

from actors.due.commands import CommandOutbox
from actors.due.play_media import ScheduleMessageBuilder
from actors.ports.store import Store
from actors.ports.time import Claimed, Progress
from actors.runtime.clock import WallClock
from protocol.device.commands import Command
from protocol.problems.detail import Detail
from protocol.schedule.schedules import (
    AHEAD,
    FAILED,
    Due,
    Occurrence,
    Schedule,
    ended,
    missed,
    planned,
    triggered,
    why_missed,
)
from protocol.times import SECOND_US

# Everything else waits while a portion is claimed, so many due rows are claimed in small portions,
# one every few milliseconds. A claim costs a transaction, whatever its size, so a machine that
# cannot keep that pace gets larger ones. A single due row does not wait.
CLAIMED_PER_S = 2_100
CLAIM_MIN, CLAIM_MAX = 10, 50
CLAIM_PACE_S = CLAIM_MIN / CLAIMED_PER_S
# Retried commands, while occurrences wait for their first try.
BESIDE_PER_S = CLAIMED_PER_S / 10
BESIDE_PACE_US = round(CLAIM_MIN / BESIDE_PER_S * SECOND_US)
# Computing ten due times takes up to some milliseconds.
PLAN_MAX = 20
# After an outage: occurrences that were never planned are recorded as missed this far back.
BACK_S = 7 * 24 * 3_600
CATCH_UP = 200


class ClaimPacer:
    """How many to claim at once: the rate times the time since the last claim, within bounds."""

    def __init__(self) -> None:
        self._since_s = float("-inf")

    def take(self) -> int:
        now_s = trio.current_time()
        share = (now_s - self._since_s) * CLAIMED_PER_S
        self._since_s = now_s
        return round(min(max(share, CLAIM_MIN), CLAIM_MAX))

    def beside(self) -> int:
        """How many to claim while others go first: few, or none yet."""
        now_s = trio.current_time()
        if (now_s - self._since_s) * BESIDE_PER_S < CLAIM_MIN:
            return 0
        self._since_s = now_s
        return CLAIM_MIN


class Scheduling:
    """Work of the timer's jobs.

    Args:
        changed: called with commands and occurrences whose state changed.
        planned: called when there are new occurrences.
    """

    def __init__(
        self,
        store: Store,
        clock: WallClock,
        command_outbox: CommandOutbox,
        builder: ScheduleMessageBuilder,
        changed: Callable[[Progress], None],
        planned: Callable[[], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._dispatcher = command_outbox
        self._builder = builder
        self._changed = changed
        self._planned = planned
        self._occurrences = ClaimPacer()
        self._commands = ClaimPacer()
        self._is_behind = False  # more occurrences are due than were claimed

    async def fire(self) -> int | None:
        """Fire occurrences that are due."""
        room = min(self._occurrences.take(), self._dispatcher.room)
        now_us = self._clock.now_us()
        if not room:
            return now_us + SECOND_US
        next_us = self._take(await self._store.claim_occurrences(now_us, room, self._judge))
        self._is_behind = next_us is not None and next_us <= now_us
        return next_us

    async def try_commands(self) -> int | None:
        """Retry commands that are due, and expire others."""
        portion = self._commands.beside() if self._is_behind else self._commands.take()
        room = min(portion, self._dispatcher.room)
        now_us = self._clock.now_us()
        if not portion:
            return now_us + BESIDE_PACE_US
        if not room:
            return now_us + SECOND_US
        return self._take(await self._store.claim_commands(now_us, room))

    async def plan(self) -> int | None:
        """Plan schedules that have few occurrences left."""
        next_us = await self._store.plan_schedules(self._clock.now_us(), PLAN_MAX, self._plan)
        self._planned()
        return next_us

    def _take(self, claimed: Claimed) -> int | None:
        self._dispatcher.send(claimed.send)
        self._changed(claimed.changed)
        return claimed.next_us

    def _judge(self, due: Due) -> tuple[Occurrence, Command | None]:
        """Whether an occurrence fires; called inside the transaction that claims it."""
        now_us = self._clock.now_us()
        why = why_missed(due, now_us)
        if why is not None:
            return missed(due.occurrence, why), None
        if due.media_sha256 is None:
            return ended(due.occurrence, FAILED, Detail("play_without_media")), None
        command = self._builder.build(due, now_us)
        return triggered(due.occurrence, command, now_us), command

    def _plan(self, schedule: Schedule) -> tuple[Schedule, list[int]]:
        now_us = self._clock.now_us()
        after_us = max(schedule.planned_us or 0, now_us - BACK_S * SECOND_US)
        count = CATCH_UP if after_us < now_us else AHEAD
        return planned(schedule, after_us, count)
