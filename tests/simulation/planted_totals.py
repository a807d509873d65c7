"""Classic mistakes with sums: they overflow, are forgotten, or outlive what they are of."""

from collections.abc import Iterable

import msgspec

import protocol.rest.charts
from actors.adapters.memory.store import rollups as memory_rollups
from actors.adapters.memory.store.rollups import RollupTables
from protocol.records import Feed, Reading
from protocol.rest.charts import Bucket
from tests.simulation.clock import START_US
from tests.simulation.planted import Patch, plant

LATE_US = 600_000_000


@plant("overflow in a sum")
def overflow(patch: Patch) -> None:
    """As `sum(float8)` does."""

    def mistaken(ts_us: int, parts: Iterable[Bucket]) -> Bucket:
        some = list(parts)
        count, total = sum(p.count for p in some), sum(p.sum or 0.0 for p in some)
        if total in (float("inf"), float("-inf")):
            raise OverflowError("value out of range: overflow")
        low, high = min(p.min for p in some), max(p.max for p in some)
        return Bucket(ts_us, count, total, total / count, low, high)

    patch.setattr(memory_rollups, "merged", mistaken)
    patch.setattr(protocol.rest.charts, "merged", mistaken)


@plant("the mean of sums that do not fit is lost")
def lost_mean(patch: Patch) -> None:
    """It is right within a minute, and wrong in the hour."""
    merged = protocol.rest.charts.merged

    def mistaken(ts_us: int, parts: Iterable[Bucket]) -> Bucket:
        zeros = [msgspec.structs.replace(p, sum=p.sum or 0.0) for p in parts]
        return merged(ts_us, zeros)

    patch.setattr(memory_rollups, "merged", mistaken)


@plant("a late reading is not in the chart")
def late_is_lost(patch: Patch) -> None:
    note = RollupTables._note_minutes

    def mistaken(self: RollupTables, readings: Iterable[Reading]) -> None:
        note(self, [reading for reading in readings if reading.ts_us > START_US - LATE_US])

    patch.setattr(RollupTables, "_note_minutes", mistaken)


@plant("a late reading of a time whose minutes expired is not summed up")
def late_after_expiry(patch: Patch) -> None:
    """Its minute has no sum, and nobody thinks of its hour."""
    sum_minute = RollupTables._sum_minute

    def mistaken(self: RollupTables, num: int, us: int, user_id: str) -> None:
        if us >= self.minutes_since:
            sum_minute(self, num, us, user_id)

    patch.setattr(RollupTables, "_sum_minute", mistaken)


@plant("hours are made of minutes that expired")
def hours_of_nothing(patch: Patch) -> None:
    """What is summed up again of before has only what came since."""
    sum_feed = RollupTables._sum_feed

    def mistaken(self: RollupTables, num: int, us: int, unit_us: int) -> None:
        since, self.minutes_since = self.minutes_since, 0
        sum_feed(self, num, us, unit_us)
        self.minutes_since = since

    patch.setattr(RollupTables, "_sum_feed", mistaken)


@plant("charts look for minutes that expired")
def expired_charts(patch: Patch) -> None:
    patch.setattr(RollupTables, "_units", lambda self, us: (60_000_000, 3_600_000_000))


@plant("the sums of a deleted feed are kept")
def kept_sums(patch: Patch) -> None:
    def mistaken(self: RollupTables, feed: Feed) -> None:
        return

    patch.setattr(RollupTables, "_forget_feed", mistaken)


@plant("totals do not hear of deleted readings")
def deaf_totals(patch: Patch) -> None:
    def mistaken(self: RollupTables, user_id: str, times: Iterable[int]) -> None:
        return

    patch.setattr(RollupTables, "_leave_stale", mistaken)


@plant("charts wait until readings are summed up")
def waiting_charts(patch: Patch) -> None:
    patch.setattr(RollupTables, "_noted", lambda self: iter(()))
