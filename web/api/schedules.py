"""Media schedules and their occurrences."""

from functools import partial

import msgspec
from msgspec import UNSET

from protocol.errors import BadRecurrence, Invalid, NotFound
from protocol.events import OccurrenceChanged, ScheduleChanged
from protocol.ids import is_uuid
from protocol.rest.listing import OCCURRENCES, SCHEDULES
from protocol.rest.resources import Id, Page
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
from web.http.context import Call
from web.http.listing import ListQuery, listed, some_id, some_of, truth
from web.http.preconditions import check_match, tag
from web.http.routing import Api

api = Api("media-schedules")

PREVIEWED = 10


class ScheduleQuery(ListQuery, frozen=True, kw_only=True):
    device_id: Id | None = None
    media_id: Id | None = None
    enabled: bool | None = None


class OccurrenceQuery(ListQuery, frozen=True, kw_only=True):
    """`state`: one of them, or several with commas; all without it."""

    state: str | None = None


@api.operation("GET", "/media-schedules", query=ScheduleQuery, answer=Page[ScheduleView])
async def list_schedules(call: Call, query: ScheduleQuery) -> Page[ScheduleView]:
    """One's schedules, in the order of their creation; or sorted by trigger_time or next_due_at."""
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
    body=NewSchedule,
    answer=ScheduleView,
    status=201,
    errors=(404, 409),
)
async def add_schedule(call: Call, body: NewSchedule) -> ScheduleView:
    """Plan a media item for a device: once, or again and again in the civil time of a zone."""
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
    schedule = await call.service.store.add_schedule(schedule, due, call.settings.bounds.schedules)
    _tell(call, schedule)
    return schedule_view(schedule)


@api.operation("POST", "/schedule-previews", body=NewSchedule, answer=SchedulePreview)
async def preview_schedule(call: Call, body: NewSchedule) -> SchedulePreview:
    """When such a schedule would fire next; nothing is kept."""
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
    "GET", "/media-schedules/<schedule_id>", answer=ScheduleView, errors=(404,), matched=True
)
async def show_schedule(call: Call, schedule_id: str) -> ScheduleView:
    """One schedule."""
    schedule = await schedule_of(call, schedule_id)
    tag(call, schedule.revision)
    return schedule_view(schedule)


@api.operation(
    "PATCH",
    "/media-schedules/<schedule_id>",
    body=ScheduleChange,
    answer=ScheduleView,
    matched=True,
    errors=(404, 409),
)
async def change_schedule(call: Call, schedule_id: str, body: ScheduleChange) -> ScheduleView:
    """Change a schedule: it holds for every occurrence that has not fired yet."""
    asked_us = call.service.clock.now_us()
    schedule = await schedule_of(call, schedule_id)
    given = {k: v for k, v in msgspec.structs.asdict(body).items() if v is not UNSET}
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
    changed = await call.service.store.update_schedule(schedule, due, schedule.revision)
    for occurrence in changed:
        call.service.users.tell(call.user.id, OccurrenceChanged(occurrence))
    _tell(call, schedule)
    schedule = await schedule_of(call, schedule_id)
    tag(call, schedule.revision)
    return schedule_view(schedule)


@api.operation("DELETE", "/media-schedules/<schedule_id>", status=204, errors=(404,))
async def delete_schedule(call: Call, schedule_id: str) -> None:
    """Delete a schedule with its occurrences; what has fired already goes on at the device."""
    schedule = await schedule_of(call, schedule_id)
    await call.service.store.delete_schedule(call.user.id, schedule_id)
    call.service.users.tell(call.user.id, ScheduleChanged(schedule, deleted=True))


@api.operation(
    "GET",
    "/media-schedules/<schedule_id>/occurrences",
    query=OccurrenceQuery,
    answer=Page[OccurrenceView],
    errors=(404,),
)
async def list_occurrences(
    call: Call, schedule_id: str, query: OccurrenceQuery
) -> Page[OccurrenceView]:
    """What a schedule did and will do, the latest due time first; or sorted by due_at or state."""
    await schedule_of(call, schedule_id)
    state = some_of("state", query.state, STATES)
    return await listed(
        call, OCCURRENCES, query, occurrence_view, schedule_id=schedule_id, state=state
    )


async def schedule_of(call: Call, schedule_id: str) -> Schedule:
    schedule = await call.service.store.schedule(call.user.id, schedule_id)
    if schedule is None:
        raise NotFound("there is no such schedule")
    return schedule


def _checked(schedule: Schedule) -> Schedule:
    """With its rule, zone and exclusions in their one spelling. Raises `Invalid`."""
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
    store = call.service.store
    if await store.device(call.user.id, schedule.device_id) is None:
        raise NotFound("there is no such device")
    if schedule.media_id is None or await store.media(call.user.id, schedule.media_id) is None:
        raise NotFound("there is no such media")


def _planned(schedule: Schedule, asked_us: int) -> tuple[Schedule, list[int]]:
    """From the moment on at which it was asked for: what falls due meanwhile is not forgotten.

    Raises `Invalid` where it would never fire, because its one moment is past.
    """
    schedule, due = planned(schedule, asked_us)
    if schedule.enabled and schedule.recurrence is None and not due:
        late_s = (asked_us - schedule.trigger_us) // SECOND_US
        raise Invalid({"trigger_time": f"lies {late_s} s in the past, or is excluded"})
    return schedule, due


def _tell(call: Call, schedule: Schedule) -> None:
    call.service.users.tell(call.user.id, ScheduleChanged(schedule))
    if schedule.next_us is not None:
        call.service.due("occurrences", schedule.next_us)
    if schedule.plan_us is not None:
        call.service.due("plans", schedule.plan_us)


def _id(name: str, text: str) -> str:
    if not is_uuid(text.lower()):
        raise Invalid({name: "is not an id"})
    return text.lower()


def _instant(text: str) -> int:
    try:
        return parse_rfc3339(text)
    except ValueError as error:
        raise Invalid({"trigger_time": str(error)}) from None
