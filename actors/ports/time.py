"""What the store knows of time: commands, schedules, alarms, leases.

Work that is due is *claimed*: of several processes exactly one gets it, and what a process that
dies had claimed comes again. Every claim says when the next is due.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from protocol.device.alarms import Alarm
from protocol.device.commands import Command
from protocol.records import Device
from protocol.schedule.schedules import Due, Occurrence, Schedule

# What becomes of an occurrence whose time has come, and the command that brings it about.
Judge = Callable[[Due], tuple[Occurrence, Command | None]]
# More due times of a schedule, and the schedule as it is then planned.
Planner = Callable[[Schedule], tuple[Schedule, list[int]]]


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What changed, as it is now: for dashboards. `told`: webhooks have deliveries of it, or of
    what changed beside it."""

    commands: tuple[Command, ...] = ()
    occurrences: tuple[Occurrence, ...] = ()
    told: bool = False


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """Commands to be published now, what changed, and when (µs) the next claim is due."""

    send: tuple[Command, ...] = ()
    changed: Progress = Progress()
    next_us: int | None = None


class CommandStore(Protocol):
    async def add_command(self, command: Command) -> Command:
        """Answers with the one of that id where the device has it already.

        Raises:
            Conflict: the id is another's, or too many commands of the device are open.
        """
        ...

    async def command(self, user_id: str, command_id: str) -> Command | None: ...

    async def cancel_command(self, user_id: str, command_id: str, now_us: int) -> Progress:
        """Raises `Conflict` where the device has it already, or it has ended."""
        ...

    async def claim_commands(self, now_us: int, limit: int) -> Claimed:
        """Open commands whose time has come: to be sent (again), expired, or put off because they
        wait behind another of their device."""
        ...

    async def commands_sent(self, sent: Sequence[tuple[str, int]]) -> dict[str, int]:
        """The broker has these (id, when): what was `queued` is `sent`. Answers with the versions
        of those that changed, by id; the same note again changes nothing and gives the same
        answer."""
        ...

    async def commands_unsent(self, ids: Sequence[str], next_us: int) -> None:
        """The broker did not take these: look at them again at `next_us`."""
        ...

    async def nudge_commands(self, device_nums: Sequence[int], now_us: int) -> None:
        """These devices came online: what they have not answered is due now."""
        ...


class ScheduleStore(Protocol):
    async def add_schedule(
        self, schedule: Schedule, due: Sequence[int], most: int | None = None
    ) -> Schedule:
        """With its first occurrences. Raises `Conflict` where its device or media is gone, and
        where the user would have more than `most` schedules."""
        ...

    async def schedule(self, user_id: str, schedule_id: str) -> Schedule | None: ...

    async def update_schedule(
        self, schedule: Schedule, due: Sequence[int], known: int | None = None
    ) -> list[Occurrence]:
        """Raises `Outdated` where the revision is not the known one.

        Occurrences that have not fired are those of `due` from here on; others of them are
        cancelled. Answers with what changed."""
        ...

    async def delete_schedule(self, user_id: str, schedule_id: str) -> None: ...

    async def claim_occurrences(self, now_us: int, limit: int, judge: Judge) -> Claimed:
        """Pending occurrences whose time has come, judged and written in one transaction together
        with their commands."""
        ...

    async def plan_schedules(self, now_us: int, limit: int, planner: Planner) -> int | None:
        """Plan more occurrences where `plan_us` has come; answers with the next of these times."""
        ...


class WaitingAlarms(msgspec.Struct, frozen=True, kw_only=True):
    """Whose device's alarm each is, and how long it waits (s).

    Attributes:
        after: where the next call goes on; None behind the last one.
    """

    alarms: tuple[tuple[tuple[str, str], Alarm, float], ...]
    after: int | None


class AlarmStore(Protocol):
    async def acknowledge_alarm(self, user_id: str, alarm_id: str, now_us: int) -> Alarm | None:
        """The alarm as it is now; None where there is none. A cleared one stays cleared."""
        ...

    async def pending_alarms(self, limit: int, after: int) -> WaitingAlarms:
        """Alarms that wait for their time, from the one behind the number `after` on. One that
        nobody can read is put aside under its device's name."""
        ...

    async def online_devices(self) -> list[Device]:
        """Devices that are not offline: each has a lease."""
        ...


class TimeStore(CommandStore, ScheduleStore, AlarmStore, Protocol):
    """All of it."""
