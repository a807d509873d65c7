"""The REST call for a calendar: what plays in a window of time, over all schedules at once."""

from functools import partial

import msgspec

from actors.runtime.isolation import Failed, attempt_now
from protocol.errors import Invalid
from protocol.rest.charts import DAY_US
from protocol.rest.shapes import Id, Time
from protocol.schedule.calendar import (
    ENTRIES_MAX,
    WINDOW_DAYS_MAX,
    CalendarView,
    Gathered,
    Step,
    calendar_entry,
    conflicting,
    expanded,
    stored,
)
from protocol.schedule.schedules import Schedule
from protocol.times import format_us
from web.api.spans import instant
from web.http.context import Call
from web.http.listing import some_id
from web.http.operation import Json
from web.http.routing import Api

api = Api("media-schedules")


class CalendarQuery(msgspec.Struct, frozen=True, kw_only=True):
    """From `start` to before `end`: 62 days at most."""

    start: Time
    end: Time
    device_id: Id | None = None


@api.operation("GET", "/schedule-calendar", query=CalendarQuery, answer=Json(CalendarView))
async def show_calendar(call: Call, query: CalendarQuery) -> CalendarView:
    """List what was and will be played in a window of time, by all your schedules.

    Times that are not stored yet come from the schedules' rules. Of more than 5,000 entries the
    first are shown.
    """
    start_us, end_us = _window(query)
    device_id = some_id("device_id", query.device_id)
    known = await call.service.store.window(
        call.user.id, start_us, end_us, device_id, ENTRIES_MAX + 1
    )
    gathered, unreadable = Gathered(end_us), known.unreadable
    gathered.add(stored(occurrence) for occurrence in known.occurrences)
    for schedule in known.schedules:
        if not await _expand(call, schedule, start_us, gathered):
            unreadable += 1
    entries = gathered.entries()
    in_conflict = conflicting(entries)
    return CalendarView(
        start=format_us(start_us),
        end=format_us(gathered.end_us),
        complete=gathered.complete and len(known.schedules) <= ENTRIES_MAX,
        items=[
            calendar_entry(
                entry,
                known.media.get(entry.schedule_id, (None, None)),
                (entry.schedule_id, entry.due_us) in in_conflict,
            )
            for entry in entries
        ],
        unreadable=unreadable,
    )


async def _expand(call: Call, schedule: Schedule, start_us: int, gathered: Gathered) -> bool:
    """Add what the rule brings behind what is stored; False if it cannot be read."""
    after_us: int | None = max(start_us - 1, schedule.planned_us or 0)
    while after_us is not None:
        step = await call.think(partial(_step, schedule, after_us, gathered.end_us))
        if step is None:
            return False
        gathered.add(step.entries)
        after_us = step.through_us
    return True


def _step(schedule: Schedule, after_us: int, end_us: int) -> Step | None:
    """None for a rule that somebody spoiled with SQL: all other schedules are shown."""
    done = attempt_now(partial(expanded, schedule, after_us, end_us))
    return None if isinstance(done, Failed) else done


def _window(query: CalendarQuery) -> tuple[int, int]:
    start_us, end_us = instant("start", query.start), instant("end", query.end)
    assert start_us is not None
    assert end_us is not None
    if not 0 < end_us - start_us <= WINDOW_DAYS_MAX * DAY_US:
        raise Invalid({"end": f"must be after start, by at most {WINDOW_DAYS_MAX} days"})
    return start_us, end_us
