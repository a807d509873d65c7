"""Half a year and more of schedules in seconds, and mistakes that only months show."""

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from protocol.schedule import civil, schedules
from protocol.schedule.recurrence import Recurrence, Upcoming
from protocol.schedule.schedules import Schedule
from protocol.times import SECOND_US
from tests.simulation import running
from tests.simulation.broken import Broken
from tests.simulation.dst_soak import DAY_S, DAYS, DstSoak
from tests.simulation.world import World

Patch = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def patience(monkeypatch: Patch) -> None:
    monkeypatch.setattr(running, "LIFE_MAX_S", (DAYS + 1) * DAY_S)


def live(seed: int, days: int = DAYS) -> World:
    world = World(seed)
    running.simulate(world, lambda world: DstSoak(world, days).live())
    return world


@pytest.mark.parametrize("seed", range(2))
def test_every_day_at_its_time_over_months_of_restarts_and_changes_of_clocks(seed: int) -> None:
    fired = live(seed).trace.fired
    wanted = ("process killed", "process stopped", "store away", "clock forward", "clock back")
    assert all(fired[kind] for kind in wanted)


class LaterOfTwo:
    """A zone whose offset after a change counts, not the one before it."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone

    def utcoffset(self, shown: datetime) -> timedelta | None:
        return self._zone.utcoffset(shown.replace(fold=1))


def later_of_two(patch: Patch) -> None:
    right = civil.instant_of

    def mistaken(day: int, minute: int, rest_us: int, zone: ZoneInfo) -> int:
        return right(day, minute, rest_us, LaterOfTwo(zone))  # type: ignore[arg-type]

    patch.setattr(civil, "instant_of", mistaken)


def day_of_24_hours(patch: Patch) -> None:
    def mistaken(rule: Recurrence, after_us: int, most: int) -> Upcoming:
        day_us = DAY_S * SECOND_US
        first = max(0, (after_us - rule.start_us) // day_us + 1)
        found = [rule.start_us + (first + n) * day_us for n in range(most)]
        return Upcoming(found, found[-1], 0)

    patch.setattr(schedules, "upcoming", mistaken)


def planned_once(patch: Patch) -> None:
    right = schedules.planned

    def mistaken(schedule: Schedule, after_us: int, count: int = 10) -> tuple[Schedule, list[int]]:
        after, times = right(schedule, after_us, count)
        return msgspec.structs.replace(after, plan_us=None), times

    patch.setattr("web.api.schedules.planned", mistaken)


def test_weeks_without_a_mistake_are_fine() -> None:
    live(0, days=40)


@pytest.mark.parametrize("mistake", [later_of_two, day_of_24_hours, planned_once])
def test_a_mistake_that_only_weeks_show_is_found(
    mistake: Callable[[Patch], None], monkeypatch: Patch
) -> None:
    mistake(monkeypatch)
    with pytest.raises((Broken, BaseExceptionGroup)) as caught:
        live(0, days=40)
    assert isinstance(running.first_of(caught.value), Broken)
