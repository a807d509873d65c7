"""Months of virtual time: daily schedules in four zones over both changes of their clocks, while
the service is killed and stopped, its database away and its clock set (I7).

What is due says a rule of its own here: `zoneinfo`, with the first of two times and, in a gap, the
offset before it (RFC 5545 §3.3.5).
"""

import random
from collections import Counter
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import trio

from actors.pulse import Pulse
from protocol.schedule.schedules import COMPLETED, MISSED, Occurrence
from protocol.times import SECOND_US, format_us
from tests.simulation.broken import Broken
from tests.simulation.clock import START_US
from tests.simulation.world import World

# Each has times that are missing, or come twice, when its clocks change (but for Ho Chi Minh City,
# whose clocks never do).
TIMES = {
    "Europe/Berlin": ("02:30", "12:00"),
    "America/New_York": ("01:30", "02:30"),
    "Australia/Lord_Howe": ("01:45", "02:15"),
    "Asia/Ho_Chi_Minh": ("02:30",),
}
DAYS = 210  # from 2026-09-21: all clocks change twice; 40: those of Lord Howe and Berlin once
DAY_S = 24 * 3_600
SET_MAX_S = 3_600
DOWN_MAX_S = 3_600
GRACE_S = 3 * 3_600  # longer than any two misfortunes together
SKIPS = ("Europe/Berlin", "12:00")
SILENT_S = 3 * DAY_S
PROMPT_S = 2.0
# Months of seconds: whoever is alone need not prove each of them that it lives.
PULSE = Pulse(beat_s=6 * 3600.0, canary_s=6 * 3600.0, retained_s=6 * 3600.0, is_alone=True)
IDLE_S = 3_600.0  # devices speak once a day
LOOK_AGAIN_S = 12 * 3_600.0  # nothing may depend on it, and hours pass quickly
# What a misfortune still explains after its end: a restart, a retry.
AFTER_S = 10.0


class Misfortune(msgspec.Struct, frozen=True, kw_only=True):
    """What befalls the service, in seconds of virtual time."""

    kind: str
    at_s: float
    lasts_s: float
    jump_s: int = 0


def misfortunes(rng: random.Random, days: int) -> list[Misfortune]:
    """One every other day; many of them around the moments when something is due."""
    found = []
    for day in range(1, days - 1, 2):
        hour = rng.choice((0.0, 0.49, 5.49, 9.99, 15.74, 19.49)) + rng.uniform(-0.1, 0.1)
        kind = rng.choice(("kill", "stop", "away", "clock"))
        jump_s = rng.randint(-SET_MAX_S, SET_MAX_S) if kind == "clock" else 0
        at_s = day * DAY_S + hour * 3_600 - _since_midnight_s()
        lasts_s = rng.choice((1.0, 60.0, rng.uniform(60, DOWN_MAX_S)))
        found.append(Misfortune(kind=kind, at_s=at_s, lasts_s=lasts_s, jump_s=jump_s))
    return found


def _since_midnight_s() -> float:
    return START_US / SECOND_US % DAY_S


def due_times(zone: str, at: str, from_us: int, to_us: int) -> list[int]:
    """When a clock in the zone shows that time, day by day."""
    hour, minute = map(int, at.split(":"))
    first = datetime.fromtimestamp(from_us / SECOND_US, UTC).date() - timedelta(days=1)
    last = datetime.fromtimestamp(to_us / SECOND_US, UTC).date() + timedelta(days=1)
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    shown = (datetime.combine(day, time(hour, minute), ZoneInfo(zone)) for day in days)  # fold=0
    found = (round(each.timestamp()) * SECOND_US for each in shown)
    return [us for us in found if from_us < us <= to_us]


class DstSoak:
    """The story and its check."""

    def __init__(self, world: World, days: int = DAYS) -> None:
        self._world = world
        self._days = days
        self._plan = misfortunes(random.Random(world.seed), days)
        world.idle_s = IDLE_S
        world.look_again_s = LOOK_AGAIN_S
        world.pulse = PULSE
        self._ids: dict[tuple[str, str], str] = {}  # of schedules

    async def live(self) -> None:
        """Raises `Broken` where something due did not happen just once, at its moment."""
        async with self._world.open(), trio.open_nursery() as nursery:
            await self._arrange()
            nursery.start_soon(self._speak)
            for misfortune in self._plan:
                await trio.sleep_until(misfortune.at_s)
                await self._happen(misfortune)
            await trio.sleep_until((self._days - 1) * DAY_S)
            await self._world.settle()
            self._check()
            nursery.cancel_scope.cancel()

    async def _arrange(self) -> None:
        world = self._world
        media_id = await world.add_media()
        for zone, times in TIMES.items():
            device = await world.device(_code(zone)).register()
            await device.person.patch(f"/devices/{device.id}", {"offline_after_s": SILENT_S})
            await device.status(status="online")
            for at in times:
                now_us = world.clock.peek_us()
                first = due_times(zone, at, now_us, now_us + 2 * DAY_S * SECOND_US)
                body = {
                    "media_id": media_id,
                    "device_id": device.id,
                    "trigger_time": format_us(first[0]),
                    "timezone": zone,
                    "recurrence": "FREQ=DAILY",
                    "misfire": "skip" if (zone, at) == SKIPS else "fire",
                    "grace_s": GRACE_S,
                }
                made = await device.person.post("/media-schedules", body)
                self._ids[zone, at] = made["id"]

    async def _speak(self) -> None:
        """Devices say twice a day that they live."""
        while True:
            await trio.sleep(DAY_S / 2)
            for zone in TIMES:
                await self._world.device(_code(zone)).status(status="online")

    async def _happen(self, what: Misfortune) -> None:
        world = self._world
        match what.kind:
            case "kill":
                await world.restart(what.lasts_s)
            case "stop":
                await world.stop()
                await trio.sleep(what.lasts_s)
                world.start()
                await world.serving()
            case "away":
                world.fault("store away", seconds=what.lasts_s)
            case "clock":
                world.fault("clock", seconds=what.jump_s)
                await trio.sleep(DOWN_MAX_S)
                world.fault("clock", seconds=-what.jump_s)

    def _check(self) -> None:
        world = self._world
        to_us = START_US + (self._days - 1) * DAY_S * SECOND_US - 2 * SET_MAX_S * SECOND_US
        for (zone, at), schedule_id in self._ids.items():
            rows = [o for o in world.store.all_occurrences.values() if o.due_us <= to_us]
            rows = [o for o in rows if o.schedule_id == schedule_id]
            wanted = due_times(zone, at, START_US, to_us)
            if sorted(o.due_us for o in rows) != wanted:
                wrong = set(wanted).symmetric_difference(o.due_us for o in rows)
                shown = [format_us(us) for us in sorted(wrong)]
                raise Broken("I7", f"{zone} {at}: due or not, there or not: {shown}")
            for row in rows:
                self._check_row(row, skips=(zone, at) == SKIPS)
        self._check_heard()

    def _check_row(self, row: Occurrence, *, skips: bool) -> None:
        near = [m for m in self._plan if self._touches(m, row.due_us)]
        if row.state == MISSED and skips and near:
            return
        if row.state != COMPLETED:
            raise Broken("I7", f"{row.state} ({row.detail}): {format_us(row.due_us)}, {near}")
        assert row.triggered_us is not None
        late_s = (row.triggered_us - row.due_us) / SECOND_US
        if not near and not 0 <= late_s <= PROMPT_S:
            raise Broken("I7", f"{late_s} s late for no reason: {format_us(row.due_us)}")

    def _touches(self, what: Misfortune, due_us: int) -> bool:
        """Whether it may have held up what was due then, or brought it about too early."""
        due_s = (due_us - START_US) / SECOND_US
        if what.kind == "clock":
            reach_s = abs(what.jump_s) + AFTER_S
            return what.at_s - reach_s <= due_s <= what.at_s + DOWN_MAX_S + reach_s
        return what.at_s - AFTER_S <= due_s <= what.at_s + what.lasts_s + AFTER_S

    def _check_heard(self) -> None:
        heard: Counter[tuple[str, str]] = Counter()
        for each in self._world.command_listener.heard.values():
            payload: Any = each.command["payload"]
            heard[each.device, payload["due_at"]] += 1
        twice = [f"{device} {due_at}" for (device, due_at), n in heard.items() if n > 1]
        # Two times of one zone may become one instant where a gap moves the earlier of them.
        if twice and not all(self._is_double(each) for each in twice):
            raise Broken("I7", f"fired twice: {twice}")

    def _is_double(self, heard: str) -> bool:
        name, _, due_at = heard.partition(" ")
        zone = next(zone for zone in TIMES if name.endswith(_code(zone)))
        to_us = START_US + self._days * DAY_S * SECOND_US
        times = [due_times(zone, at, START_US, to_us) for at in TIMES[zone]]
        return sum(due_at in map(format_us, each) for each in times) > 1


def _code(zone: str) -> str:
    return zone.partition("/")[2]
