"""REST calls for media schedules and their occurrences.

Times are RFC 3339 in requests and µs since 1970 inside.
"""

from functools import partial

import msgspec

from protocol.errors import BadRecurrence, Invalid
from protocol.ids import is_uuid
from protocol.problems.detail import Detail
from protocol.rest.listing import OCCURRENCES, SCHEDULES
from protocol.rest.shapes import Id, Page
from protocol.schedule.recurrence import recurrence, upcoming
from protocol.schedule.schedules import (
    STATES,
    NewSchedule,
    OccurrenceView,
    Schedule,
    ScheduleChange,
    SchedulePreview,
    ScheduleView,
    occurrence_view,
    planned,
    schedule_view,
)
from protocol.times import SECOND_US, format_us, parse_rfc3339
from protocol.views import given_in
from web.http.context import Call
from web.http.listing import ListQuery, listed, shown_alone, some_id, some_of, truth
from web.http.missing import missing
from web.http.operation import Condition, Json
from web.http.preconditions import check_match, tag
from web.http.routing import Api
from web.people.activity import note_soon

api = Api("media-schedules")

PREVIEWED = 10


class ScheduleQuery(ListQuery, frozen=True, kw_only=True):
    device_id: Id | None = None
    media_id: Id | None = None
    enabled: bool | None = None


class OccurrenceQuery(ListQuery, frozen=True, kw_only=True):
    """`state`: pending, triggered, …, or several separated by commas; default: all."""

    state: str | None = None


@api.operation("GET", "/media-schedules", query=ScheduleQuery, answer=Json(Page[ScheduleView]))
async def list_schedules(call: Call, query: ScheduleQuery) -> Page[ScheduleView]:
    """List your schedules, oldest first; `sort` takes trigger_time and next_due_at."""
    return await listed(
        call,
        SCHEDULES,
        query,
        schedule_view,
        device_id=some_id("device_id", query.device_id),
        media_id=some_id("media_id", query.media_id),
        enabled=truth(query.enabled),
    )


@api.operation(
    "POST",
    "/media-schedules",
    body=Json(NewSchedule),
    answer=Json(ScheduleView),
    status=201,
    errors=(404, 409),
)
async def add_schedule(call: Call, body: NewSchedule) -> ScheduleView:
    """Schedule media to play on a device, once or on repeat in the civil time of a time zone."""
    schedule = Schedule(
        id=call.service.ids.uuid(),
        user_id=call.user.id,
        device_id=_id("device_id", body.device_id),
        media_id=_id("media_id", body.media_id),
        trigger_us=_instant(body.trigger_time),
        timezone=body.timezone or "UTC",
        recurrence=body.recurrence,
        exclusions=tuple(body.exclusions),
        misfire=body.misfire,
        grace_s=body.grace_s,
        enabled=body.enabled,
        created_us=call.service.clock.now_us(),
    )
    schedule = await call.think(partial(_checked, schedule))
    await _check_targets(call, schedule)
    schedule, due = await call.think(partial(_planned, schedule, schedule.created_us))
    most = call.settings.bounds.schedules
    schedule = await call.service.changes.add_schedule(schedule, due, most)
    note_soon(call, "schedule_added", schedule.id)
    return schedule_view(schedule)


@api.operation("POST", "/schedule-previews", body=Json(NewSchedule), answer=Json(SchedulePreview))
async def preview_schedule(call: Call, body: NewSchedule) -> SchedulePreview:
    """Show when such a schedule would fire next. Nothing is saved."""
    exclusions = tuple(body.exclusions)
    for name in ("device_id", "media_id"):
        _id(name, getattr(body, name))
    trigger_us = _instant(body.trigger_time)
    made = partial(recurrence, trigger_us, body.timezone, body.recurrence, exclusions)
    try:
        rule = await call.think(made)
    except BadRecurrence as error:
        raise Invalid({error.field: error.detail}) from None
    times: list[int] = []
    through_us: int | None = call.service.clock.now_us()
    while through_us is not None and len(times) < PREVIEWED:
        some = await call.think(partial(upcoming, rule, through_us, PREVIEWED - len(times)))
        times += some.instants
        through_us = some.through_us
    return SchedulePreview([format_us(us) for us in times])


@api.operation(
    "GET",
    "/media-schedules/<schedule_id>",
    answer=Json(ScheduleView),
    errors=(404,),
    condition=Condition.REVISION,
)
async def show_schedule(call: Call, schedule_id: str) -> ScheduleView:
    """Show a schedule."""
    schedule = await schedule_of(call, schedule_id)
    tag(call, schedule.revision)
    return await shown_alone(call, SCHEDULES, schedule, schedule_view)


@api.operation(
    "PATCH",
    "/media-schedules/<schedule_id>",
    body=Json(ScheduleChange),
    answer=Json(ScheduleView),
    condition=Condition.REVISION,
    errors=(404, 409),
)
async def change_schedule(call: Call, schedule_id: str, body: ScheduleChange) -> ScheduleView:
    """Change a schedule, with effect for every occurrence that has not fired yet."""
    asked_us = call.service.clock.now_us()
    schedule = await schedule_of(call, schedule_id)
    given = given_in(body)
    for name in ("device_id", "media_id"):
        if name in given:
            given[name] = _id(name, given[name])
    if "trigger_time" in given:
        given["trigger_us"] = _instant(given.pop("trigger_time"))
    if "exclusions" in given:
        given["exclusions"] = tuple(given["exclusions"])
    changed_to = msgspec.structs.replace(schedule, **given)
    schedule = await call.think(partial(_checked, changed_to))
    await _check_targets(call, schedule)
    check_match(call, schedule.revision)
    schedule, due = await call.think(partial(_planned, schedule, asked_us))
    await call.service.changes.change_schedule(schedule, due)
    note_soon(call, "schedule_changed", schedule.id)
    schedule = await schedule_of(call, schedule_id)
    tag(call, schedule.revision)
    return schedule_view(schedule)


@api.operation("DELETE", "/media-schedules/<schedule_id>", status=204, errors=(404,))
async def delete_schedule(call: Call, schedule_id: str) -> None:
    """Delete a schedule with its occurrences. Media already playing continues."""
    schedule = await schedule_of(call, schedule_id)
    await call.service.changes.delete_schedule(schedule)
    note_soon(call, "schedule_deleted", schedule.id)


@api.operation(
    "GET",
    "/media-schedules/<schedule_id>/occurrences",
    query=OccurrenceQuery,
    answer=Json(Page[OccurrenceView]),
    errors=(404,),
)
async def list_occurrences(
    call: Call, schedule_id: str, query: OccurrenceQuery
) -> Page[OccurrenceView]:
    """List the occurrences of a schedule, latest first; `sort` takes due_at and state."""
    await schedule_of(call, schedule_id)
    state = some_of("state", query.state, STATES)
    return await listed(
        call, OCCURRENCES, query, occurrence_view, schedule_id=schedule_id, state=state
    )


async def schedule_of(call: Call, schedule_id: str) -> Schedule:
    """The user's schedule. Raises `NotFound`."""
    schedule = await call.service.store.schedule(call.user.id, schedule_id)
    if schedule is None:
        raise missing("schedule_id")
    return schedule


def _checked(schedule: Schedule) -> Schedule:
    """The schedule with rule, zone and exclusions normalised. Raises `Invalid`."""
    try:
        rule = recurrence(
            schedule.trigger_us, schedule.timezone, schedule.recurrence, schedule.exclusions
        )
    except BadRecurrence as error:
        raise Invalid({error.field: error.detail}) from None
    return msgspec.structs.replace(
        schedule, timezone=rule.timezone, recurrence=rule.rule, exclusions=rule.exclusions
    )


async def _check_targets(call: Call, schedule: Schedule) -> None:
    """Raises `NotFound` unless device and media exist and are the user's."""
    store = call.service.store
    if await store.device(call.user.id, schedule.device_id) is None:
        raise missing("device_id")
    if schedule.media_id is None or await store.media(call.user.id, schedule.media_id) is None:
        raise missing("media_id")


def _planned(schedule: Schedule, asked_us: int) -> tuple[Schedule, list[int]]:
    """The schedule and its first due times (µs).

    Args:
        asked_us: when the request arrived; due times from then on count, so that none is lost
            while the request is processed.

    Raises:
        Invalid: it would never fire, because its only time is past or excluded.
    """
    schedule, due = planned(schedule, asked_us)
    if schedule.enabled and schedule.recurrence is None and not due:
        late_s = (asked_us - schedule.trigger_us) // SECOND_US
        raise Invalid({"trigger_time": Detail("start_past", seconds=late_s)})
    return schedule, due


def _id(name: str, text: str) -> str:
    if not is_uuid(text.lower()):
        raise Invalid({name: Detail("not_id")})
    return text.lower()


def _instant(text: str) -> int:
    try:
        return parse_rfc3339(text)
    except ValueError:
        raise Invalid({"trigger_time": Detail("not_time")}) from None
