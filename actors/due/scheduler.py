"""Due work on one timer: jobs, sending commands, deliveries to webhooks, and other timed calls of
the service."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial

import structlog

from actors.due.commands import CommandOutbox
from actors.due.dead_letters import DeadLetters
from actors.due.occurrences import CLAIM_PACE_S, Scheduling
from actors.due.play_media import ScheduleMessageBuilder
from actors.due.rollups import Rollups
from actors.due.webhooks import WebhookSender
from actors.ports import Ports
from actors.ports.time import Progress
from actors.runtime.isolation import Failed, attempt_now
from actors.runtime.jobs import Job
from actors.runtime.supervisor import Supervisor
from actors.runtime.timer import Key, Timer
from protocol.dead_letters import DeadLetter
from protocol.device import commands
from protocol.errors import in_words
from protocol.events import CommandChanged, Event, OccurrenceChanged

log = structlog.get_logger("roost.scheduler")

# Of other jobs: work that becomes due within this time is done together.
PACE_S = 0.02
RING_AGAIN_S = 1.0
# A job that fails runs again after the first pause, and after many failures after the second.
RETRY_S, RETRY_MAX_S = 1.0, 60.0
NEVER_S = float("inf")
# Jobs whose work leaves the service: a claimed row is claimed again unless it is noted as sent.
CLAIMS = ("occurrences", "commands", "webhooks")
RENEWAL: Key = ("renewal", "")
RENEW_AFTER_S = 1.0

Work = Callable[[], Awaitable[int | None]]


class Scheduler:
    """The timer and everything that uses it.

    Args:
        tell: sends an event to a user's dashboards.
        renew: makes all dashboards read their data again.
        may_serve: whether this process certainly leads. Only the leader claims, because only its
            dashboards are told the results. One whose lease has run out may have a successor.
        look_again_s: how often jobs look by themselves, because another process may have died.
        again: how to retry dead letters whose work has no row of its own.
    """

    def __init__(
        self,
        ports: Ports,
        *,
        tell: Callable[[str, Event], None],
        renew: Callable[[], None],
        may_serve: Callable[[], bool],
        look_again_s: float,
        again: Mapping[str, Callable[[DeadLetter], None]],
    ) -> None:
        self._store = ports.store
        self._clock = ports.clock
        self._tell = tell
        self._renew = renew
        self._may_serve = may_serve
        self._rings: Mapping[str, Callable[[int], None]] = {}
        self._woken: dict[int, None] = {}
        self.timer = Timer(ports.clock, self._ring)
        self.command_outbox = CommandOutbox(
            ports.store,
            ports.broker,
            ports.logins,
            ports.clock,
            self.changed,
            lambda at_us: self.due("commands", at_us),
        )
        self.rolling = Rollups(ports.store, ports.clock)
        self.webhook_sender = WebhookSender(
            ports.store, ports.receivers, ports.clock, freed=lambda: self.wake("webhooks")
        )
        self.scheduling = Scheduling(
            ports.store,
            ports.clock,
            self.command_outbox,
            ScheduleMessageBuilder(ports.ids, ports.links),
            self.changed,
            planned=lambda: self.wake("occurrences"),
        )
        self.dead_letters = DeadLetters(ports.store, ports.clock, again)
        self.jobs = {
            name: Job(name, self.timer, self._as_leader(work), again_s, pace_s)
            for name, work, again_s, pace_s in self._work(look_again_s)
        }

    def _work(self, look_again_s: float) -> Iterable[tuple[str, Work, float, float]]:
        """The jobs by name: what each does, how often it looks by itself, and its pace."""
        fire = self._claim(self.scheduling.fire)
        try_commands = self._claim(self.scheduling.try_commands)
        yield "occurrences", fire, look_again_s, CLAIM_PACE_S
        yield "plans", self.scheduling.plan, look_again_s, PACE_S
        yield "commands", try_commands, look_again_s, CLAIM_PACE_S
        yield "nudges", self._nudge, NEVER_S, PACE_S
        yield "rollups", self.rolling.work, look_again_s, PACE_S
        yield "webhooks", self.webhook_sender.deliver, look_again_s, PACE_S
        yield "dead letters", self.dead_letters.work, look_again_s, PACE_S

    def _as_leader(self, work: Work) -> Work:
        async def work_if_it_leads() -> int | None:
            return await work() if self._may_serve() else None

        return work_if_it_leads

    def _claim(self, work: Work) -> Work:
        """A claim that failed may have been committed, with its answer lost. When the store answers
        again, the jobs that it would have woken look by themselves, and dashboards read their data
        again."""
        is_unsure = False

        async def claim() -> int | None:
            nonlocal is_unsure
            was_unsure, is_unsure = is_unsure, True
            next_us = await work()
            is_unsure = False
            if was_unsure:
                self.wake("commands")
                self.wake("webhooks")
                self.timer.after(RENEWAL, RENEW_AFTER_S)  # once for all claims that failed
            return next_us

        return claim

    def start(self, supervisor: Supervisor, rings: Mapping[str, Callable[[int], None]]) -> None:
        """Run all of it in the service's nursery.

        Args:
            rings: other users of the timer, by the first part of their keys; each is called with
                the second part.
        """
        self._rings = rings
        supervisor.health.include(self.degraded)
        supervisor.run_essential("timer", self.timer.run)
        supervisor.run_essential("command outbox", self.command_outbox.run)
        supervisor.run_essential("webhook sender", self.webhook_sender.run)
        for job in self.jobs.values():
            name = f"job {job.name}"
            supervisor.run_essential(name, job.run, pause_first_s=RETRY_S, pause_max_s=RETRY_MAX_S)

    def degraded(self) -> dict[str, str]:
        """Jobs that wait for a server, and dead letters."""
        waiting = {f"job {job.name}": job.waits_for for job in self.jobs.values() if job.waits_for}
        return waiting | self.dead_letters.degraded()

    def take_over(self) -> None:
        """This process leads from now on, or its lease runs again: it does the due work."""
        for job in self.jobs.values():
            job.wake()

    def close(self) -> None:
        """Claim nothing any more. What was claimed is finished."""
        for name in CLAIMS:
            self.jobs[name].close()

    @property
    def in_flight(self) -> int:
        """How many commands, deliveries and claims are in flight, or not noted yet."""
        claims = sum(self.jobs[name].is_working for name in CLAIMS)
        return claims + self.command_outbox.in_flight + self.webhook_sender.in_flight

    def wake(self, name: str) -> None:
        """There may be due work of this kind: "occurrences", "plans", "commands", "webhooks"."""
        self.jobs[name].wake()

    def due(self, name: str, at_us: int) -> None:
        """There will be due work of this kind at this time."""
        self.jobs[name].due(at_us)

    def nudge(self, device_num: int) -> None:
        """This device came online: the commands that it has not answered are sent again."""
        self._woken[device_num] = None
        self.wake("nudges")

    def changed(self, progress: Progress) -> None:
        """Commands and occurrences changed their state: tell dashboards, and continue with commands
        that waited for one of these."""
        for command in progress.commands:
            self._tell(command.user_id, CommandChanged(command))
        for occurrence in progress.occurrences:
            self._tell(occurrence.user_id, OccurrenceChanged(occurrence))
        if any(c.state not in commands.OPEN and not c.parallel for c in progress.commands):
            self.wake("commands")
        if progress.told:
            self.wake("webhooks")

    async def _nudge(self) -> int | None:
        woken = list(self._woken)
        if woken:
            await self._store.nudge_commands(woken, self._clock.now_us())
            for device_num in woken:
                del self._woken[device_num]
            self.wake("commands")
        return None

    def _ring(self, key: Key) -> None:
        """A due time has come. If its call fails, it is repeated, and all others are still made."""
        done = attempt_now(partial(self._ring_for, key))
        if isinstance(done, Failed):
            log.warning(
                "timer call repeated", key=key, error=in_words(done.error), exc_info=done.error
            )
            self.timer.after(key, RING_AGAIN_S)

    def _ring_for(self, key: Key) -> None:
        assert isinstance(key, tuple)
        kind, which = key
        if kind in self._rings:
            self._rings[kind](which)
        elif key == RENEWAL:
            self._renew()
        else:
            self.jobs[which].wake()
