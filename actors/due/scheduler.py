"""Everything that happens because time passes, on one timer: jobs, leases, flows, dispatch,
deliveries to webhooks."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import structlog
import trio

from actors.device.leases import Leases
from actors.device.restoration import Restoration, restore_waits
from actors.due.commands import CommandOutbox
from actors.due.dead_letters import DeadLetters
from actors.due.occurrences import CLAIM_PACE_S, Scheduling
from actors.due.play_media import ScheduleMessageBuilder
from actors.due.rollups import Rollups
from actors.due.webhooks import WebhookSender
from actors.ingest.partition_clock import PartitionClocks
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
from protocol.messages import TimerMessage
from protocol.records import LoadedDevice

log = structlog.get_logger("roost.scheduler")

# Of other jobs: what comes meanwhile is done together.
PACE_S = 0.02
RING_AGAIN_S = 1.0
# A job that fails looks again so soon, and so late after many failures.
RETRY_S, RETRY_MAX_S = 1.0, 60.0
NEVER_S = float("inf")
# Jobs whose work leaves the service: what they claimed comes again unless it is noted as sent.
CLAIMS = ("occurrences", "commands", "webhooks")
RENEWAL: Key = ("renewal", "")
RENEW_AFTER_S = 1.0

Work = Callable[[], Awaitable[int | None]]


class Scheduler:
    """The timer and what hangs on it.

    Args:
        ask: hands what time asks to a device's actor.
        tell: tells a user's dashboards.
        renew: has all dashboards look again.
        written: waits until the store has what this process, and earlier ones, gave to it.
        leads: whether this process leads: only then it claims anything, because only its own
            dashboards hear what became of it.
        look_again_s: how often jobs look by themselves; another process may have died.
        again: how dead letters are tried again whose work has no row of its own.
    """

    def __init__(
        self,
        ports: Ports,
        *,
        ask: Callable[[tuple[str, str], TimerMessage], bool],
        tell: Callable[[str, Event], None],
        renew: Callable[[], None],
        written: Callable[[], Awaitable[None]],
        leads: Callable[[], bool],
        look_again_s: float,
        again: Mapping[str, Callable[[DeadLetter], None]],
    ) -> None:
        self._store = ports.store
        self._clock = ports.clock
        self._tell = tell
        self._renew = renew
        self._written = written
        self._leads = leads
        self._woken: dict[int, None] = {}
        self._restoring = trio.CancelScope()
        self._restorations = 0
        self.timer = Timer(ports.clock, self._ring)
        self.flows = PartitionClocks(
            ports.broker.sessions,
            changed=lambda partition: self.leases.arm(partition),
            later=lambda partition, s: self.timer.after(("flow", partition), s),
        )
        self.leases = Leases(self.flows, ask, self._arm_leases)
        self.command_outbox = CommandOutbox(ports.store, ports.broker, ports.clock, self.changed)
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
        work: dict[str, tuple[Work, float, float]] = {
            "occurrences": (self._claim(self.scheduling.fire), look_again_s, CLAIM_PACE_S),
            "plans": (self.scheduling.plan, look_again_s, PACE_S),
            "commands": (self._claim(self.scheduling.try_commands), look_again_s, CLAIM_PACE_S),
            "nudges": (self._nudge, NEVER_S, PACE_S),
            "rollups": (self.rolling.work, look_again_s, PACE_S),
            "webhooks": (self.webhook_sender.deliver, look_again_s, PACE_S),
            "dead letters": (self.dead_letters.work, look_again_s, PACE_S),
        }
        self.jobs = {
            name: Job(name, self.timer, self._as_leader(each), again_s, pace_s)
            for name, (each, again_s, pace_s) in work.items()
        }

    def _as_leader(self, work: Work) -> Work:
        async def work_if_it_leads() -> int | None:
            return await work() if self._leads() else None

        return work_if_it_leads

    def _claim(self, work: Work) -> Work:
        """A claim that failed may have been done, its answer lost: when the store answers again,
        what it would have woken looks by itself, and dashboards look at what it would have told."""
        is_unsure = False

        async def claim() -> int | None:
            nonlocal is_unsure
            was_unsure, is_unsure = is_unsure, True
            next_us = await work()
            is_unsure = False
            if was_unsure:
                self.wake("commands")
                self.wake("webhooks")
                self.timer.after(RENEWAL, RENEW_AFTER_S)  # once for all that failed
            return next_us

        return claim

    def start(self, supervisor: Supervisor) -> None:
        """Run all of it in the service's nursery."""
        supervisor.health.include(self.degraded)
        supervisor.run_essential("timer", self.timer.run)
        supervisor.run_essential("command outbox", self.command_outbox.run)
        supervisor.run_essential("webhook sender", self.webhook_sender.run)
        for job in self.jobs.values():
            name = f"job {job.name}"
            supervisor.run_essential(name, job.run, pause_first_s=RETRY_S, pause_max_s=RETRY_MAX_S)

    def degraded(self) -> dict[str, str]:
        """Jobs that wait for a server, and what was put aside."""
        waiting = {f"job {job.name}": job.waits_for for job in self.jobs.values() if job.waits_for}
        return waiting | self.dead_letters.degraded()

    def take_over(self, supervisor: Supervisor) -> None:
        """This process leads from now on: due work is its own. Leases begin with what the store
        knows, because until then another process heard the devices."""
        for job in self.jobs.values():
            job.wake()
        self.leases.clear()
        self._restoring.cancel()  # an earlier one that has not come to its end
        self._restorations += 1
        number = self._restorations
        restoration = Restoration(self._store, self._clock, self.leases)

        async def restore() -> None:
            if number != self._restorations:
                return
            with trio.CancelScope() as scope:  # one for each try
                self._restoring = scope
                await self._restore(restoration)

        supervisor.run_essential("leases", restore)

    def close(self) -> None:
        """Claim nothing any more: what was claimed is brought to its end."""
        for name in CLAIMS:
            self.jobs[name].close()

    @property
    def in_flight(self) -> int:
        """How many commands, deliveries and claims are on their way, or not noted yet."""
        claims = sum(self.jobs[name].is_working for name in CLAIMS)
        return claims + self.command_outbox.in_flight + self.webhook_sender.in_flight

    def wake(self, name: str) -> None:
        self.jobs[name].wake()

    def due(self, name: str, at_us: int) -> None:
        self.jobs[name].due(at_us)

    def nudge(self, device_num: int) -> None:
        """This device came online: what it has not answered is sent again."""
        self._woken[device_num] = None
        self.wake("nudges")

    def changed(self, progress: Progress) -> None:
        """Commands and occurrences came to another state: dashboards hear of it, and what waited
        behind a command of its device goes on."""
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

    async def _restore(self, restoration: Restoration) -> None:
        """Leases and waits of the devices that were online, or near an alarm, when we ended."""
        await self._written()
        await restoration.run()

    def restore_waits(self, loaded: LoadedDevice) -> None:
        """Of a device that could not be read before."""
        restore_waits(self.leases, loaded, self._clock.now_us())

    def _arm_leases(self, partition: int, in_s: float | None) -> None:
        if in_s is None:
            self.timer.cancel(("lease", partition))
        else:
            self.timer.after(("lease", partition), in_s)

    def _ring(self, key: Key) -> None:
        """A moment has come. Where that fails it comes again, and the others come all the same."""
        done = attempt_now(partial(self._ring_for, key))
        if isinstance(done, Failed):
            log.warning(
                "moment comes again", key=key, error=in_words(done.error), exc_info=done.error
            )
            self.timer.after(key, RING_AGAIN_S)

    def _ring_for(self, key: Key) -> None:
        assert isinstance(key, tuple)
        match key:
            case "lease", partition:
                self.leases.tick(partition)
            case "flow", partition:
                self.flows.look(partition)
            case "renewal", _:
                self._renew()
            case _, name:
                self.jobs[name].wake()
