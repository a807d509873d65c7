"""What plays within a window of time, over many schedules at once: what is stored of the past and
of the near future, and behind it what the rules bring.

    gathered = Gathered(end_us)
    gathered.add(stored(occurrence) for occurrence in occurrences)
    rules = Rules(schedules, start_us)
    while rules.expand(gathered):
        ...
    entries = gathered.entries()

Times are µs since 1970. All functions are pure.
"""

from collections import defaultdict
from collections.abc import Iterable
from heapq import heapify, heappop, heappush

import msgspec

from protocol.errors import BadRecurrence
from protocol.problems.coded import CodedView, code_of
from protocol.schedule.recurrence import WORK_MAX, upcoming
from protocol.schedule.schedules import CANCELLED, PENDING, Occurrence, Schedule
from protocol.times import SECOND_US, format_us

WINDOW_DAYS_MAX = 62
ENTRIES_MAX = 5_000
# Instants of one step of an expansion, and steps at once: up to some 10 ms.
STEP = 24
INSTANTS_AT_ONCE = 240
STEPS_AT_ONCE = 60


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A time at which a schedule plays; `occurrence` is None for one that is not stored yet."""

    due_us: int
    schedule_id: str
    device_id: str
    occurrence: Occurrence | None = None

    @property
    def state(self) -> str:
        return PENDING if self.occurrence is None else self.occurrence.state


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """What the store knows of a window of time.

    Attributes:
        occurrences: in the window, ascending; not those that `is_shown` hides.
        schedules: enabled ones whose rule goes on beyond what is stored of it, before the end;
            those that go on first are first.
        media: of the schedules of both, by their ids: the id of the media, and its file name.
        unreadable: how many rows are damaged and left out.
    """

    occurrences: tuple[Occurrence, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    media: dict[str, tuple[str | None, str | None]] = {}
    unreadable: int = 0


class Gathered:
    """The first entries of a window; it ends earlier where there are too many.

    Attributes:
        end_us: up to where entries are of use.
        complete: the window has no other entries.
    """

    def __init__(self, end_us: int, most: int = ENTRIES_MAX) -> None:
        self.end_us = end_us
        self.complete = True
        self._most = most
        self._found: list[Entry] = []

    def add(self, entries: Iterable[Entry]) -> None:
        self._found += (entry for entry in entries if entry.due_us < self.end_us)
        if len(self._found) > 2 * self._most:
            self._cut()

    def end_early(self, end_us: int) -> None:
        """What comes at this instant or later is not known."""
        if end_us < self.end_us:
            self.end_us = end_us
            self.complete = False
            self._found = [entry for entry in self._found if entry.due_us < end_us]

    def _cut(self) -> None:
        """Keep the earliest. Entries of one instant stay together."""
        self._found.sort(key=lambda entry: entry.due_us)
        if len(self._found) > self._most:
            self.end_early(self._found[self._most].due_us)

    def entries(self) -> list[Entry]:
        """Ascending by time; the stored one where a rule brings the same again."""
        self._cut()
        known: dict[tuple[str, int], Entry] = {}
        for entry in self._found:
            key = entry.schedule_id, entry.due_us
            if key not in known or entry.occurrence is not None:
                known[key] = entry
        return sorted(known.values(), key=lambda entry: (entry.due_us, entry.schedule_id))


def stored(occurrence: Occurrence) -> Entry:
    return Entry(
        due_us=occurrence.due_us,
        schedule_id=occurrence.schedule_id,
        device_id=occurrence.device_id,
        occurrence=occurrence,
    )


class Rules:
    """Expands the rules of schedules, always the one that is the least far.

    Attributes:
        unreadable: how many have a stored rule that is none.
    """

    def __init__(self, schedules: Iterable[Schedule], start_us: int) -> None:
        self.unreadable = 0
        self._next = [
            (max(start_us - 1, schedule.planned_us or 0), n, schedule)
            for n, schedule in enumerate(schedules)
        ]
        heapify(self._next)

    @property
    def through_us(self) -> int | None:
        """Up to which instant all are expanded; None if nothing is left."""
        return self._next[0][0] if self._next else None

    def expand(self, gathered: Gathered) -> bool:
        """Add some entries; False if nothing is left before their end."""
        instants = steps = 0
        while instants < INSTANTS_AT_ONCE and steps < STEPS_AT_ONCE:
            if not self._next or self._next[0][0] >= gathered.end_us - 1:
                self._next.clear()
                return False
            instants += self._step(gathered)
            steps += 1
        return True

    def _step(self, gathered: Gathered) -> int:
        after_us, n, schedule = heappop(self._next)
        try:
            some = upcoming(schedule.rule, after_us, STEP, gathered.end_us)
        except BadRecurrence:
            self.unreadable += 1
            return 0
        gathered.add(
            Entry(due_us=us, schedule_id=schedule.id, device_id=schedule.device_id)
            for us in some.instants
        )
        if some.through_us is not None:
            heappush(self._next, (some.through_us, n, schedule))
        return len(some.instants) + some.spent * INSTANTS_AT_ONCE // WORK_MAX


def is_shown(occurrence: Occurrence) -> bool:
    """Not one that a change of its schedule replaced before anything was sent."""
    return occurrence.state != CANCELLED or occurrence.command_id is not None


def conflicting(entries: Iterable[Entry]) -> set[tuple[str, int]]:
    """Entries (schedule, time) that begin in the same second as another schedule's on one device,
    and have not been missed or cancelled: only one of them can be seen."""
    begun: dict[tuple[str, int], set[tuple[str, int]]] = defaultdict(set)
    for entry in entries:
        if entry.state not in _NOTHING_PLAYS:
            place = entry.device_id, entry.due_us // SECOND_US
            begun[place].add((entry.schedule_id, entry.due_us))
    return {
        each
        for those in begun.values()
        if len({schedule_id for schedule_id, _ in those}) > 1
        for each in those
    }


_NOTHING_PLAYS = (CANCELLED, "missed", "failed")


class CalendarEntry(CodedView, frozen=True, kw_only=True):
    """`id` is that of the occurrence; null for one that the rule will bring. `conflict`: another
    schedule begins in the same second on the same device."""

    due_at: str
    id: str | None
    schedule_id: str
    device_id: str
    media_id: str | None
    filename: str | None
    state: str
    detail: str
    conflict: bool


class CalendarView(msgspec.Struct, frozen=True, kw_only=True):
    """Entries from `start` to before `end`, ascending.

    `complete` is false if the window has more of them than one response: `end` is then where they
    stop.
    """

    start: str
    end: str
    complete: bool
    items: list[CalendarEntry]
    unreadable: int


def calendar_entry(
    entry: Entry, media: tuple[str | None, str | None], in_conflict: bool
) -> CalendarEntry:
    """The entry as it is shown; `media` is the id of its media, and the file name."""
    media_id, filename = media
    return CalendarEntry(
        due_at=format_us(entry.due_us),
        id=None if entry.occurrence is None else entry.occurrence.id,
        schedule_id=entry.schedule_id,
        device_id=entry.device_id,
        media_id=media_id,
        filename=filename,
        state=entry.state,
        detail="" if entry.occurrence is None else entry.occurrence.detail,
        **code_of(None if entry.occurrence is None else entry.occurrence.coded),
        conflict=in_conflict,
    )
