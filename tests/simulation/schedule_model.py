"""Schedules of a plan: how they are made and changed, and what must have become of them (I7)."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from protocol.schedule.recurrence import occurrences
from protocol.schedule.schedules import (
    CANCELLED,
    COMPLETED,
    FAILED,
    MISSED,
    PENDING,
    Occurrence,
    Schedule,
)
from protocol.times import SECOND_US, format_us
from tests.simulation.broken import Broken
from tests.simulation.clock import START_US
from tests.simulation.person import Refused
from tests.simulation.plan import Arrange, Rearrange

if TYPE_CHECKING:
    from tests.simulation.world import World

# What explains that an occurrence was missed for being late.
DELAYS = (
    "process killed",
    "process stopped",
    "store away",
    "store slow",
    "store: away for minutes",
    "process: paused",
    "process: cut off from the store",
    "clock forward",
    "clock back",  # at the end it is set forward again
    "store: answer of a call lost",
    "store: job fails",
    "schedule: unknown zone",
)
# By then what was put aside is tried again, however long it has been.
HEALS_WITHIN_S = 1_400


class ScheduleModel:
    """Whoever makes schedules, and the book of them."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._made: dict[int, str] = {}  # ids by number, of what was answered 201
        self._dropped: set[int] = set()  # asked for only
        self._edited: set[int] = set()

    async def arrange(self, step: Arrange) -> None:
        owner, _, code = step.device.partition("/")
        device = self._world.device(code, owner)
        body: dict[str, Any] = {
            "media_id": self._world.media[owner],
            "device_id": device.id,
            "trigger_time": format_us(START_US + round((step.at_s + step.in_s) * SECOND_US)),
            "timezone": "Europe/Berlin",
            "misfire": step.misfire,
            "grace_s": step.grace_s,
        }
        if step.rule:
            body["recurrence"] = step.rule
        try:
            made = await device.person.post("/media-schedules", body)
        except Refused as refused:
            if refused.status not in (404, 409, 422):  # the visitor is gone, or the moment is past
                raise
            return
        self._made[step.number] = made["id"]

    async def rearrange(self, step: Rearrange) -> None:
        """Later, paused, or away with it."""
        schedule_id = self._made.get(step.number)
        if schedule_id is None:
            return
        person = self._world.person(step.owner)
        self._edited.add(step.number)
        try:
            if step.change == "delete":
                self._dropped.add(step.number)
                await person.delete(f"/media-schedules/{schedule_id}")
            elif step.change == "pause":
                await person.patch(f"/media-schedules/{schedule_id}", {"enabled": False})
                self._check_paused(schedule_id)
            else:
                await person.patch(f"/media-schedules/{schedule_id}", {"grace_s": 1})
        except Refused as refused:
            if refused.status not in (404, 409, 422):
                raise

    def _check_paused(self, schedule_id: str) -> None:
        """From the answer on nothing more of it fires."""
        left = [o for o in self._rows() if o.schedule_id == schedule_id and o.state == PENDING]
        if left:
            raise Broken("I7", f"paused, and still to come: {left[0]}")

    def _rows(self) -> list[Occurrence]:
        return list(self._world.store.all_occurrences.values())

    async def check(self) -> None:
        """When all that was due is long past: once while some zones are unknown, and once more when
        they are known again."""
        self._check_all(without=self._world.poison.schedules)
        if self._world.poison.heal_schedules():
            await self._world.advance(HEALS_WITHIN_S)
            await self._world.settle()
            self._check_all(without={})

    def _check_all(self, without: Mapping[str, str]) -> None:
        self._check_once()
        now_us = self._world.clock.peek_us()
        schedules = {s.id: s for s in self._world.store.all_schedules()}
        for occurrence in self._rows():
            self._check_occurrence(occurrence, schedules[occurrence.schedule_id], now_us)
        for number, schedule_id in self._made.items():
            schedule = schedules.get(schedule_id)
            if schedule is None:
                visitor = self._world.trace.fired["device deleted"]
                if number not in self._dropped and not visitor:
                    raise Broken("I7", f"schedule {number} was answered 201 and is not there")
            elif number not in self._edited and schedule_id not in without:
                self._check_complete(schedule, now_us)

    def _check_once(self) -> None:
        """Every `play_media` is the one of its occurrence."""
        mine = {o.command_id for o in self._rows()}
        for command in self._world.store.all_commands.values():
            if command.type == "play_media" and command.id not in mine and not self._dropped:
                if self._world.trace.fired["device deleted"]:
                    continue
                raise Broken("I7", f"fired a second time: {json.loads(command.payload)['due_at']}")

    def _was_delayed(self) -> bool:
        trace = self._world.trace
        # A claim that failed comes again after a second (seed 1250).
        failed = any("store: call" in each and "claim_occ" in each for each in trace.lines)
        return failed or any(trace.fired[kind] for kind in DELAYS)

    def _check_occurrence(self, o: Occurrence, schedule: Schedule, now_us: int) -> None:
        if o.state == PENDING and o.due_us < now_us - SECOND_US:
            raise Broken("I7", f"never came: {o}")
        if o.triggered_us is not None:
            late_s = (o.triggered_us - o.due_us) / SECOND_US
            # An edit may have made it stricter since; a judgement takes a moment.
            tolerance_s = 300 if o.schedule_id in self._edited_ids else schedule.tolerance_s
            if not -0.001 <= late_s <= tolerance_s + 0.1:
                raise Broken("I7", f"fired {late_s:.3f} s late: {o}")
        command = self._world.store.all_commands.get((o.user_id, o.command_id or ""))
        heard = self._world.command_listener.heard.get(o.command_id or "")
        late = o.state == MISSED and command is None and "late" in o.detail
        if late and not self._was_delayed():
            raise Broken("I7", f"nothing delayed it: {o}")
        if o.state == MISSED and heard is not None and heard.owed and not self._is_lossy:
            raise Broken("I7", f"the device did it, and it counts as missed: {o}")
        if o.state in (COMPLETED, FAILED) and command is not None and heard is None:
            raise Broken("I7", f"no device heard of it: {o}")

    @property
    def _edited_ids(self) -> list[str]:
        return [self._made[number] for number in self._made if number in self._edited]

    @property
    def _is_lossy(self) -> bool:
        crashed = self._world.trace.fired["actor crash, same message again"]
        return bool(crashed or self._world.poison.devices)

    def _check_complete(self, schedule: Schedule, now_us: int) -> None:
        """Every due time of the rule since it was made is there, and no other."""
        rows = sorted(o.due_us for o in self._rows() if o.schedule_id == schedule.id)
        if schedule.recurrence is None:
            wanted = [schedule.trigger_us]
        else:
            last_us = min(now_us, rows[-1]) if rows else now_us
            wanted = occurrences(schedule.rule, schedule.created_us, 10_000)[: len(rows) + 20]
            wanted = [us for us in wanted if us <= last_us]
            rows = [us for us in rows if us <= last_us]
            if wanted and wanted[-1] < last_us - 120 * SECOND_US:
                raise Broken("I7", f"not planned up to now: {schedule}")
        if rows != wanted:
            raise Broken("I7", f"due {_shown(wanted)}, planned {_shown(rows)}: {schedule}")
        if any(o.state == CANCELLED for o in self._rows() if o.schedule_id == schedule.id):
            raise Broken("I7", f"cancelled by nobody: {schedule}")


def _shown(times: list[int]) -> list[str]:
    return [format_us(us)[11:23] for us in times]
