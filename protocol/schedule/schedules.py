"""Media schedules and their occurrences: pure functions, and REST shapes (CONTRACT §2).

    pending → triggered → acknowledged → completed | failed
    pending | triggered → missed,  pending → cancelled

An occurrence is (schedule, due time) and fires once. From `triggered` on it follows its command.
Times are µs since 1970.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from protocol.device import commands
from protocol.device.commands import Command, CommandKey
from protocol.problems.coded import CodedView, code_of
from protocol.problems.detail import Detail
from protocol.schedule.recurrence import Recurrence, occurrences, upcoming
from protocol.times import SECOND_US, format_us, shown_us
from protocol.views import view_of

PENDING, TRIGGERED, ACKNOWLEDGED = "pending", "triggered", "acknowledged"
COMPLETED, FAILED, MISSED, CANCELLED = "completed", "failed", "missed", "cancelled"
STATES = (PENDING, TRIGGERED, ACKNOWLEDGED, COMPLETED, FAILED, MISSED, CANCELLED)

# "On time" with misfire=skip: a delay that a busy moment of Roost or the database may cause.
ON_TIME_S = 5
GRACE_DEFAULT_S = 300
GRACE_MAX_S = 7 * 24 * 3_600
KEPT_DAYS = 400  # of occurrences, from their due time: a play history of more than a year
# How many are planned ahead; more are planned when half of them have fired.
AHEAD = 10
EXCLUSIONS_MAX = 100

Misfire = Literal["fire", "skip"]

_FOLLOWS = {
    commands.QUEUED: TRIGGERED,
    commands.SENT: TRIGGERED,
    commands.DELIVERED: ACKNOWLEDGED,
    commands.SUCCEEDED: COMPLETED,
    commands.FAILED: FAILED,
    commands.EXPIRED: MISSED,
    commands.CANCELLED: CANCELLED,
}


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A stored schedule.

    Occurrences up to `planned_us` are in the store. At `plan_us` more are planned; None: never
    again. `media_id` is None if the media was deleted after everything had fired.
    """

    id: str
    user_id: str
    device_id: str
    media_id: str | None
    trigger_us: int
    timezone: str
    recurrence: str | None
    exclusions: tuple[str, ...] = ()
    misfire: Misfire = "fire"
    grace_s: int = GRACE_DEFAULT_S
    enabled: bool = True
    created_us: int
    planned_us: int | None = None
    plan_us: int | None = None
    next_us: int | None = None
    revision: int = 1
    num: int = 0

    @property
    def rule(self) -> Recurrence:
        return Recurrence(
            start_us=self.trigger_us,
            timezone=self.timezone,
            rule=self.recurrence,
            exclusions=self.exclusions,
        )

    @property
    def tolerance_s(self) -> int:
        """How many seconds late an occurrence may fire."""
        return self.grace_s if self.misfire == "fire" else min(self.grace_s, ON_TIME_S)


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    """One due time of a schedule. `acknowledged_us` and `completed_us` are by the device's clock
    (proof of play). `version` grows with every change. `coded`: see `protocol.problems.detail`.
    """

    id: str
    schedule_id: str
    user_id: str
    device_id: str
    due_us: int
    state: str = PENDING
    command_id: str | None = None
    triggered_us: int | None = None
    acknowledged_us: int | None = None
    completed_us: int | None = None
    detail: str = ""
    coded: str | None = None
    version: int = 0
    num: int = 0

    @property
    def command_key(self) -> CommandKey | None:
        return None if self.command_id is None else (self.user_id, self.command_id)


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """An occurrence whose time has come, with what decides whether it fires, and its media.
    `password_sha256`: of its device."""

    occurrence: Occurrence
    schedule: Schedule
    device_num: int
    device_code: str
    is_online: bool
    media_type: str | None
    media_size: int | None
    media_sha256: bytes | None
    password_sha256: bytes


def planned(schedule: Schedule, after_us: int, count: int = AHEAD) -> tuple[Schedule, list[int]]:
    """The schedule with its next due times (µs, up to `count`) after an instant.

    A single time shortly before `after_us` is planned, too, if it may still fire.
    """
    if not schedule.enabled:
        return msgspec.structs.replace(schedule, planned_us=None, plan_us=None, next_us=None), []
    if schedule.recurrence is None:
        earliest_us = after_us - schedule.tolerance_s * SECOND_US
        times = occurrences(schedule.rule, earliest_us - 1, 1)
        plan_us = last_us = None
    else:
        some = upcoming(schedule.rule, after_us, count)
        times, last_us = some.instants, some.through_us
        # The bounded search may find fewer than requested, or none yet.
        half_us = times[len(times) // 2] if times else after_us
        plan_us = None if last_us is None else half_us
    if last_us is None:
        last_us = times[-1] if times else after_us
    first_us = times[0] if times else None
    schedule = msgspec.structs.replace(
        schedule, planned_us=last_us, plan_us=plan_us, next_us=first_us
    )
    return schedule, times


def why_missed(due: Due, now_us: int) -> Detail | None:
    """Why an occurrence must not fire; None if it may."""
    schedule = due.schedule
    late_us = now_us - due.occurrence.due_us
    if late_us > schedule.tolerance_s * SECOND_US:
        return Detail("play_late", late=round(late_us / SECOND_US), most=schedule.tolerance_s)
    if schedule.misfire == "skip" and not due.is_online:
        return Detail("play_offline")
    return None


def triggered(occurrence: Occurrence, command: Command, now_us: int) -> Occurrence:
    return msgspec.structs.replace(
        occurrence,
        state=TRIGGERED,
        command_id=command.id,
        triggered_us=now_us,
        version=occurrence.version + 1,
    )


def missed(occurrence: Occurrence, why: Detail) -> Occurrence:
    return ended(occurrence, MISSED, why)


def ended(occurrence: Occurrence, state: str, why: Detail) -> Occurrence:
    """The occurrence, ended without a command."""
    return msgspec.structs.replace(
        occurrence,
        state=state,
        detail=str(why),
        coded=why.coded,
        version=occurrence.version + 1,
    )


def followed(occurrence: Occurrence, command: Command) -> Occurrence:
    """The occurrence with the state of its command, and the device's times."""
    state = _FOLLOWS[command.state]
    completed = command.state in (commands.SUCCEEDED, commands.FAILED)
    return msgspec.structs.replace(
        occurrence,
        state=state,
        acknowledged_us=command.delivered_us,
        completed_us=command.finished_us if completed else None,
        detail=command.detail,
        coded=command.coded,
        version=occurrence.version + 1,
    )


# REST

Instant = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Identity = Annotated[str, Meta(extra_json_schema={"format": "uuid"})]
Zone = Annotated[str, Meta(min_length=1, max_length=64)]
Rule = Annotated[str, Meta(min_length=1, max_length=500)]
Exclusions = Annotated[list[str], Meta(max_length=EXCLUSIONS_MAX)]
Grace = Annotated[int, Meta(ge=0, le=GRACE_MAX_S)]


class NewSchedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`trigger_time` is an instant (RFC 3339). `recurrence` is an RFC 5545 RRULE that repeats it in
    the civil time of `timezone`. `misfire`: "fire" fires up to `grace_s` late, "skip" only on
    time."""

    media_id: Identity
    device_id: Identity
    trigger_time: Instant
    timezone: Zone | None = None
    recurrence: Rule | None = None
    exclusions: Exclusions = []
    misfire: Misfire = "fire"
    grace_s: Grace = GRACE_DEFAULT_S
    enabled: bool = True


class ScheduleChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Takes effect for every occurrence that has not fired yet."""

    media_id: Identity | UnsetType = UNSET
    device_id: Identity | UnsetType = UNSET
    trigger_time: Instant | UnsetType = UNSET
    timezone: Zone | UnsetType = UNSET
    recurrence: Rule | UnsetType | None = UNSET
    exclusions: Exclusions | UnsetType = UNSET
    misfire: Misfire | UnsetType = UNSET
    grace_s: Grace | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class ScheduleView(msgspec.Struct, frozen=True, kw_only=True):
    """`state`: `active` while occurrences are to come, `paused` if not enabled, else `finished`."""

    id: str
    media_id: str | None
    device_id: str
    trigger_time: str
    timezone: str
    recurrence: str | None
    exclusions: tuple[str, ...]
    misfire: str
    grace_s: int
    enabled: bool
    state: str
    next_due_at: str | None
    created_at: str


class SchedulePreview(msgspec.Struct, frozen=True):
    """The next due times, at most ten."""

    due_at: list[str]


class OccurrenceView(CodedView, frozen=True, kw_only=True):
    id: str
    schedule_id: str
    device_id: str
    due_at: str
    state: str
    command_id: str | None
    triggered_at: str | None
    acknowledged_at: str | None
    completed_at: str | None
    detail: str


def schedule_view(schedule: Schedule) -> ScheduleView:
    coming = schedule.next_us is not None or schedule.plan_us is not None
    state = ("active" if coming else "finished") if schedule.enabled else "paused"
    return view_of(
        ScheduleView,
        schedule,
        trigger_time=format_us(schedule.trigger_us),
        state=state,
        next_due_at=shown_us(schedule.next_us),
    )


def occurrence_view(occurrence: Occurrence) -> OccurrenceView:
    return view_of(OccurrenceView, occurrence, **code_of(occurrence.coded))
