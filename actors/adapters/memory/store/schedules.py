"""Media schedules and their occurrences in the store's twin."""

from collections.abc import Sequence

import msgspec

from actors.adapters.memory.store.commands import CommandTables
from actors.adapters.memory.store.media import MediaTables
from actors.adapters.memory.store.rules import computed, revised
from actors.ports.time import Claimed, Judge, Planner, Progress
from actors.runtime.clock import WallClock
from protocol.dead_letters import OCCURRENCES, PLANS
from protocol.device import commands
from protocol.errors import Conflict, Unreadable
from protocol.media.media import Media
from protocol.problems.detail import Detail
from protocol.records import OFFLINE
from protocol.rest.bounds import check_room
from protocol.schedule.calendar import Window, is_shown
from protocol.schedule.schedules import CANCELLED, KEPT_DAYS, PENDING, Due, Occurrence, Schedule
from protocol.times import SECOND_US


class ScheduleTables(CommandTables, MediaTables):
    """See `actors.ports.time.ScheduleStore`."""

    def __init__(self, clock: WallClock) -> None:
        super().__init__(clock)
        self.all_occurrences = {}
        self._held_occurrences: dict[str, int] = {}  # put aside, and until when
        self._schedules: dict[str, Schedule] = {}
        self.media_needed_by.append(self._needs_media)

    def _media_row(self, media_id: str | None) -> Media | None:
        return None if media_id is None else self._media.get(media_id)

    def _needs_media(self, media: Media) -> str | None:
        waiting = {o.schedule_id for o in self.all_occurrences.values() if o.state == PENDING}
        for schedule in self._schedules.values():
            needs = schedule.id in waiting or schedule.plan_us is not None
            if schedule.media_id == media.id and needs:
                return "media_in_use"
        return None

    def _forget_ended(self, now_us: int) -> None:
        """Delete commands and occurrences that ended long ago."""
        day_us = 24 * 3_600 * SECOND_US
        before_us = now_us - commands.KEPT_DAYS * day_us
        for command in [c for c in self.all_commands.values() if c.created_us < before_us]:
            if command.state not in commands.OPEN:
                del self.all_commands[command.key]
        before_us = now_us - KEPT_DAYS * day_us
        for occurrence in [o for o in self.all_occurrences.values() if o.due_us < before_us]:
            if occurrence.state != PENDING:
                del self.all_occurrences[occurrence.id]

    async def add_schedule(
        self, schedule: Schedule, due: Sequence[int], most: int | None = None
    ) -> Schedule:
        await self._cross()
        mine = [each for each in self._schedules.values() if each.user_id == schedule.user_id]
        check_room("schedules_full", len(mine), 1, most)
        self._check_place(schedule)
        schedule = msgspec.structs.replace(schedule, num=self._next("schedule"))
        self._schedules[schedule.id] = schedule
        self._add_occurrences(schedule, due)
        return self._seen(schedule)

    def _check_place(self, schedule: Schedule) -> None:
        media = self._media_row(schedule.media_id)
        if schedule.device_id not in self._devices or (schedule.media_id and media is None):
            raise Conflict(Detail("target_deleted"))

    def _add_occurrences(self, schedule: Schedule, due: Sequence[int]) -> None:
        known = {o.due_us for o in self._of(schedule.id)}
        for due_us in due:
            if due_us not in known:
                num = self._next("occurrence")
                occurrence = Occurrence(
                    num=num,
                    id=f"00000000-0000-4000-9000-{num:012x}",
                    schedule_id=schedule.id,
                    user_id=schedule.user_id,
                    device_id=schedule.device_id,
                    due_us=due_us,
                )
                self.all_occurrences[occurrence.id] = occurrence

    async def add_played(self, schedule: Schedule, played: Sequence[Occurrence]) -> None:
        await self._cross()
        known = {o.due_us for o in self._of(schedule.id)}
        self._add_occurrences(schedule, [each.due_us for each in played])
        of_due = {each.due_us: each for each in played if each.due_us not in known}
        for mine in self._of(schedule.id):
            if (said := of_due.get(mine.due_us)) is not None:
                self.all_occurrences[mine.id] = msgspec.structs.replace(
                    mine,
                    state=said.state,
                    triggered_us=said.triggered_us,
                    acknowledged_us=said.acknowledged_us,
                    completed_us=said.completed_us,
                    detail=said.detail,
                    coded=said.coded,
                )

    def change_schedule(self, schedule: Schedule) -> None:
        """Somebody changes the row with SQL: nothing is planned for it."""
        self._schedules[schedule.id] = schedule

    def all_schedules(self) -> list[Schedule]:
        """Those of all users."""
        return list(self._schedules.values())

    async def delete_media(self, user_id: str, media_id: str) -> None:
        await super().delete_media(user_id, media_id)
        if media_id not in self._media:
            for schedule in self.all_schedules():
                if schedule.media_id == media_id:
                    without = msgspec.structs.replace(schedule, media_id=None)
                    self._schedules[schedule.id] = without

    def _of(self, schedule_id: str) -> list[Occurrence]:
        return [o for o in self.all_occurrences.values() if o.schedule_id == schedule_id]

    def _seen(self, schedule: Schedule) -> Schedule:
        coming = [o.due_us for o in self._of(schedule.id) if o.state == PENDING]
        return msgspec.structs.replace(schedule, next_us=min(coming, default=None))

    async def schedule(self, user_id: str, schedule_id: str) -> Schedule | None:
        await self._cross()
        found = self._one("media-schedules", self._schedules.get(schedule_id), user_id)
        return None if found is None else self._seen(found)

    async def update_schedule(
        self, schedule: Schedule, due: Sequence[int], known: int | None = None
    ) -> list[Occurrence]:
        await self._cross()
        if schedule.id not in self._schedules:
            return []
        self._check_place(schedule)
        revision = revised(self._schedules[schedule.id].revision, known)
        schedule = msgspec.structs.replace(schedule, revision=revision)
        self._schedules[schedule.id] = schedule
        changed = []
        for occurrence in self._of(schedule.id):
            is_due = occurrence.due_us in due
            if occurrence.state == PENDING and not is_due:
                state = CANCELLED
            elif occurrence.state == CANCELLED and occurrence.command_id is None and is_due:
                state = PENDING
            else:
                state = occurrence.state
            # The device is the schedule's: a row of its own does not hold it.
            moved = msgspec.structs.replace(occurrence, device_id=schedule.device_id)
            if state != occurrence.state:
                version = occurrence.version + 1
                moved = msgspec.structs.replace(moved, state=state, version=version)
                changed.append(moved)
            self.all_occurrences[moved.id] = moved
        self._add_occurrences(schedule, due)
        return changed

    async def delete_schedule(self, user_id: str, schedule_id: str) -> None:
        await self._cross()
        schedule = self._schedules.get(schedule_id)
        if schedule is not None and schedule.user_id == user_id:
            self._drop_schedule(schedule_id)

    def _drop_schedule(self, schedule_id: str) -> None:
        del self._schedules[schedule_id]
        for occurrence in self._of(schedule_id):
            del self.all_occurrences[occurrence.id]

    def _drop_schedules(self, device_id: str) -> None:
        """The device is deleted."""
        for schedule in [s for s in self._schedules.values() if s.device_id == device_id]:
            self._drop_schedule(schedule.id)

    async def window(
        self, user_id: str, start_us: int, end_us: int, device_id: str | None, limit: int
    ) -> Window:
        await self._cross()
        mine = [s for s in self._schedules.values() if s.user_id == user_id]
        known = {s.id: s for s in mine if device_id in (None, s.device_id)}
        due = sorted(
            (o.due_us, o.num, o)
            for o in self.all_occurrences.values()
            if o.schedule_id in known and start_us <= o.due_us < end_us and is_shown(o)
        )
        going_on = sorted(
            (s.planned_us, s.num, s)
            for s in known.values()
            if s.enabled and s.plan_us is not None and (s.planned_us or end_us) < end_us
        )
        found = [o for _, _, o in due][:limit]
        rules = [self._seen(s) for *_, s in going_on][:limit]
        occurrences = self._all_readable("occurrences", user_id, found)
        schedules = self._all_readable("media-schedules", user_id, rules)
        media = {}
        for each in {o.schedule_id for o in occurrences} | {s.id for s in schedules}:
            shown = self._media_row(known[each].media_id)
            media[each] = known[each].media_id, shown.filename if shown else None
        return Window(
            occurrences=tuple(occurrences),
            schedules=tuple(schedules),
            media=media,
            unreadable=len(found) + len(rules) - len(occurrences) - len(schedules),
        )

    async def claim_occurrences(self, now_us: int, limit: int, judge: Judge) -> Claimed:
        await self._cross()
        coming = [
            (self._due_us(o), o.num, o)
            for o in self.all_occurrences.values()
            if o.state == PENDING and not self._is_disabled(o.user_id)
        ]
        due = [o for _, _, o in sorted(each for each in coming if each[0] <= now_us)][:limit]
        rest = (o for o in reversed(self.all_occurrences.values()) if o not in due)
        self._check_readable(
            [self._unread_occurrence(o) for o in due], map(self._unread_occurrence, rest)
        )
        send, changed = [], []
        for occurrence in due:
            unread = self._unread_occurrence(occurrence)
            found = computed(judge, self._due(occurrence)) if unread is None else unread
            if isinstance(found, Exception):
                self._held_occurrences[occurrence.id] = self._hold(
                    OCCURRENCES, occurrence.id, found, now_us, occurrence.user_id
                )
                continue
            if occurrence.id in self._held_occurrences:
                self._clear_dead_letters(OCCURRENCES, [occurrence.id])
            judged, command = found
            self.all_occurrences[judged.id] = judged
            changed.append(judged)
            if command is not None:
                send.append(self._insert_command(command))
        known = (self.all_occurrences[o.id] for _, _, o in coming)
        pending = [self._due_us(o) for o in known if o.state == PENDING]
        told = self._announce(now_us, occurrences=changed)
        return Claimed(
            send=tuple(send),
            changed=Progress(commands=tuple(send), occurrences=tuple(changed), told=told),
            next_us=min(pending, default=None),
        )

    def _unread_occurrence(self, occurrence: Occurrence) -> Unreadable | None:
        schedule = self._schedules[occurrence.schedule_id]
        return self._unread(("occurrences", occurrence.num), ("media-schedules", schedule.num))

    def _unread_schedule(self, schedule: Schedule) -> Unreadable | None:
        return self._unread(("media-schedules", schedule.num))

    def _due_us(self, occurrence: Occurrence) -> int:
        """From when on it may be claimed."""
        return self._held_occurrences.get(occurrence.id, occurrence.due_us)

    def _due_again(self, work: str, subject: str, now_us: int) -> None:
        super()._due_again(work, subject, now_us)
        if work == OCCURRENCES and subject in self._held_occurrences:
            self._held_occurrences[subject] = min(now_us, self._held_occurrences[subject])
        schedule = self._schedules.get(subject)
        if work == PLANS and schedule is not None and (schedule.plan_us or 0) > now_us:
            self._schedules[subject] = msgspec.structs.replace(schedule, plan_us=now_us)

    def _is_gone(self, work: str, subject: str) -> bool:
        if work == OCCURRENCES:
            occurrence = self.all_occurrences.get(subject)
            return occurrence is None or occurrence.state != PENDING
        if work == PLANS:
            schedule = self._schedules.get(subject)
            return schedule is None or schedule.plan_us is None
        return super()._is_gone(work, subject)

    def _due(self, occurrence: Occurrence) -> Due:
        schedule = self._schedules[occurrence.schedule_id]
        device = self._devices[schedule.device_id]
        media = self._media_row(schedule.media_id)
        return Due(
            occurrence=occurrence,
            schedule=schedule,
            device_num=device.num,
            device_code=device.code,
            is_online=device.state.status != OFFLINE,
            media_type=media.content_type if media else None,
            media_size=media.size if media else None,
            media_sha256=media.sha256 if media else None,
            password_sha256=self._logins[device.id].password_sha256,
        )

    async def plan_schedules(self, now_us: int, limit: int, planner: Planner) -> int | None:
        await self._cross()
        coming = sorted((s.plan_us, s.num, s) for s in self._to_plan() if s.plan_us is not None)
        due = [s for plan_us, _, s in coming if plan_us <= now_us][:limit]
        rest = (s for s in reversed(self._schedules.values()) if s not in due)
        self._check_readable(
            [self._unread_schedule(s) for s in due], map(self._unread_schedule, rest)
        )
        for schedule in due:
            unread = self._unread_schedule(schedule)
            found = computed(planner, schedule) if unread is None else unread
            if isinstance(found, Exception):
                next_us = self._hold(PLANS, schedule.id, found, now_us, schedule.user_id)
                self._schedules[schedule.id] = msgspec.structs.replace(schedule, plan_us=next_us)
                continue
            self._clear_dead_letters(PLANS, [schedule.id])
            more, times = found
            self._schedules[more.id] = more
            self._add_occurrences(more, times)
        plans = [s.plan_us for s in self._to_plan() if s.plan_us is not None]
        return min(plans, default=None)

    def _to_plan(self) -> list[Schedule]:
        return [s for s in self._schedules.values() if not self._is_disabled(s.user_id)]
