"""What the store knows of many readings at once: sums for charts, last values, retention."""

from collections.abc import Sequence
from typing import Protocol

from protocol.charts import Bucket
from protocol.records import Feed, Reading
from protocol.stats import Counts


class ChartStore(Protocol):
    async def feed_bounds(self, feed_num: int) -> tuple[int, int] | None:
        """When its first and its last reading were; None where there is none."""
        ...

    async def feed_buckets(
        self, feed_num: int, start_us: int, end_us: int, bucket_s: int
    ) -> list[Bucket]:
        """Buckets that have readings, in order; the first and last hold what lies in the time.

        Of what lies back for more than some minutes, what came within the last seconds may be
        missing.
        """
        ...

    async def user_buckets(
        self, user_id: str, start_us: int, end_us: int, bucket_s: int
    ) -> list[Bucket]:
        """Those of all feeds of a user, by whole minutes; what came in the last seconds may be
        missing. `bucket_s`: whole minutes."""
        ...

    async def dashboard_counts(self, user_id: str, start_us: int, end_us: int) -> Counts:
        """What a user has; occurrences are those that are due in that time."""
        ...

    async def roll_up(self, limit: int) -> int | None:
        """Sum up what up to so many commits wrote; answers how many are left, roughly.

        None where another process does so at the moment.
        """
        ...

    async def last_values(self, user_id: str, feed_ids: Sequence[str]) -> list[Feed]:
        """These feeds as they are now, in the order asked; without those that are not there."""
        ...

    async def add_history(self, feed: Feed, readings: Sequence[Reading]) -> int:
        """Store readings that no device sent just now; answers how many were there already."""
        ...

    async def delete_history(self, feed_num: int, start_us: int | None, end_us: int | None) -> int:
        """Delete the readings of that time; answers how many there were."""
        ...

    async def expire_history(self, now_us: int) -> int:
        """Delete what feeds keep no longer (`retain_days`); answers how much."""
        ...
