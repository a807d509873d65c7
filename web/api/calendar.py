"""The REST call for a calendar: what plays in a window of time, over all schedules at once."""

from functools import partial

import msgspec
import trio

from protocol.errors import Invalid
from protocol.problems.detail import Detail
from protocol.rest.charts import DAY_US
from protocol.rest.shapes import Id, Time
from protocol.schedule.calendar import (
    ENTRIES_MAX,
    WINDOW_DAYS_MAX,
    CalendarView,
    Gathered,
    Rules,
    calendar_entry,
    conflicting,
    stored,
)
from protocol.times import format_us
from web.api.spans import instant
from web.http.context import Call
from web.http.listing import some_id
from web.http.operation import Json
from web.http.routing import Api

api = Api("media-schedules")

# Rules are expanded for so long at most; in turns with other users, and with pauses.
EXPAND_S = 3.0


class CalendarQuery(msgspec.Struct, frozen=True, kw_only=True):
    """From `start` to before `end`: 62 days at most."""

    start: Time
    end: Time
    device_id: Id | None = None


@api.operation("GET", "/schedule-calendar", query=CalendarQuery, answer=Json(CalendarView))
async def show_calendar(call: Call, query: CalendarQuery) -> CalendarView:
    """List what was and will be played in a window of time, by all your schedules.

    Times that are not stored yet come from the schedules' rules. Of more than 5,000 entries, or if
    it takes too long, the first are shown: `complete` is false then, and `end` is where they stop.
    """
    start_us, end_us = _window(query)
    device_id = some_id("device_id", query.device_id)
    known = await call.service.store.window(
        call.user.id, start_us, end_us, device_id, ENTRIES_MAX + 1
    )
    gathered, rules = Gathered(end_us, ENTRIES_MAX), Rules(known.schedules, start_us)
    gathered.add(stored(occurrence) for occurrence in known.occurrences)
    if len(known.schedules) > ENTRIES_MAX:  # further ones go on behind the last
        gathered.end_early((known.schedules[-1].planned_us or 0) + 1)
    with trio.move_on_after(EXPAND_S):
        while await call.think(partial(rules.expand, gathered)):
            pass
    if rules.through_us is not None:
        gathered.end_early(rules.through_us + 1)
    entries = gathered.entries()
    in_conflict = conflicting(entries)
    return CalendarView(
        start=format_us(start_us),
        end=format_us(gathered.end_us),
        complete=gathered.complete,
        items=[
            calendar_entry(
                entry,
                known.media.get(entry.schedule_id, (None, None)),
                (entry.schedule_id, entry.due_us) in in_conflict,
            )
            for entry in entries
        ],
        unreadable=known.unreadable + rules.unreadable,
    )


def _window(query: CalendarQuery) -> tuple[int, int]:
    start_us, end_us = instant("start", query.start), instant("end", query.end)
    assert start_us is not None
    assert end_us is not None
    if not 0 < end_us - start_us <= WINDOW_DAYS_MAX * DAY_US:
        raise Invalid({"end": Detail("window_of_days", days=WINDOW_DAYS_MAX)})
    return start_us, end_us
