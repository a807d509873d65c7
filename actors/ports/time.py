"""The store's part for time: commands, schedules, alarms, leases.

Due work is *claimed*: exactly one of several processes gets it, and what a process that dies had
claimed becomes due again. Every claim returns when the next is due.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from protocol.device.alarms import Alarm
from protocol.device.commands import Command, CommandKey
from protocol.records import Device
from protocol.schedule.calendar import Window
from protocol.schedule.schedules import Due, Occurrence, Schedule

# Decides about a due occurrence; returns its new state, and its command.
Judge = Callable[[Due], tuple[Occurrence, Command | None]]
# More due times of a schedule, and the schedule as it is planned then.
Planner = Callable[[Schedule], tuple[Schedule, list[int]]]


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What changed, in its new state: for dashboards. `told`: webhooks have deliveries of it, or of
    something that changed with it."""

    commands: tuple[Command, ...] = ()
    occurrences: tuple[Occurrence, ...] = ()
    told: bool = False


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """Commands to publish now, what changed, and when (µs) the next claim is due."""

    send: tuple[Command, ...] = ()
    changed: Progress = Progress()
    next_us: int | None = None


class CommandStore(Protocol):
    async def add_command(self, command: Command) -> Command:
        """Returns the existing one if the device has a command with that id.

        Raises:
            Conflict: another device of the same user has a command with that id, or too many
            commands of the device are open. What other users have is never looked at.
        """
        ...

    async def command(self, user_id: str, command_id: str) -> Command | None: ...

    async def cancel_command(self, user_id: str, command_id: str, now_us: int) -> Progress:
        """Raises `Conflict` if the device has it already, or it has ended."""
        ...

    async def claim_commands(self, now_us: int, limit: int) -> Claimed:
        """Claim open commands that are due: to be sent (again), expired, or postponed because they
        wait for another one of their device."""
        ...

    async def commands_sent(self, sent: Sequence[tuple[CommandKey, int]]) -> dict[CommandKey, int]:
        """The broker has these (key, when): `queued` ones become `sent`. Returns the versions of
        those that changed, by key; the same note again changes nothing and returns the same."""
        ...

    async def commands_unsent(self, again: Sequence[tuple[CommandKey, int]]) -> None:
        """These were not published; each becomes due again at its time (µs)."""
        ...

    async def nudge_commands(self, device_nums: Sequence[int], now_us: int) -> None:
        """These devices came online: the commands that they have not answered are due now."""
        ...


class ScheduleStore(Protocol):
    async def add_schedule(
        self, schedule: Schedule, due: Sequence[int], most: int | None = None
    ) -> Schedule:
        """With its first occurrences. Raises `Conflict` if its device or media was deleted, and if
        the user would have more than `most` schedules."""
        ...

    async def add_played(self, schedule: Schedule, played: Sequence[Occurrence]) -> None:
        """Add what became of a schedule before it was kept here: occurrences that have ended.

        Nobody is told of them. A due time that the schedule has already is left as it is.
        """
        ...

    async def schedule(self, user_id: str, schedule_id: str) -> Schedule | None: ...

    async def update_schedule(
        self, schedule: Schedule, due: Sequence[int], known: int | None = None
    ) -> list[Occurrence]:
        """Raises `Outdated` if the revision is not the known one.

        Occurrences that have not fired become those of `due`; others are cancelled. Returns what
        changed."""
        ...

    async def delete_schedule(self, user_id: str, schedule_id: str) -> None: ...

    async def window(
        self, user_id: str, start_us: int, end_us: int, device_id: str | None, limit: int
    ) -> Window:
        """What a calendar shows from start to before the end, of one device or of all: at most
        `limit` occurrences, and so many schedules."""
        ...

    async def claim_occurrences(self, now_us: int, limit: int, judge: Judge) -> Claimed:
        """Claim pending occurrences that are due; judge and write them in one transaction together
        with their commands."""
        ...

    async def plan_schedules(self, now_us: int, limit: int, planner: Planner) -> int | None:
        """Plan more occurrences of schedules whose `plan_us` is reached; return the next of these
        times."""
        ...


class WaitingAlarms(msgspec.Struct, frozen=True, kw_only=True):
    """The device of each alarm, and how long it waits (s).

    Attributes:
        after: where the next call continues; None after the last one.
    """

    alarms: tuple[tuple[tuple[str, str], Alarm, float], ...]
    after: int | None


class AlarmStore(Protocol):
    async def acknowledge_alarms(
        self, user_id: str, alarm_ids: Sequence[str], now_us: int
    ) -> list[Alarm]:
        """Those of them that exist, as they are now, oldest first. A cleared one stays cleared."""
        ...

    async def pending_alarms(self, limit: int, after: int) -> WaitingAlarms:
        """Alarms that wait for their time, after the one with the number `after`. One that cannot
        be read is put aside under its device's name."""
        ...

    async def online_devices(self) -> list[Device]:
        """Devices that are not offline: each has a lease."""
        ...


class TimeStore(CommandStore, ScheduleStore, AlarmStore, Protocol):
    """All of these."""
