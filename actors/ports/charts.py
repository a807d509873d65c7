"""What the store knows of many readings at once: sums for charts, last values, retention."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from protocol.records import Feed, Reading
from protocol.rest.charts import Bucket
from protocol.rest.stats import Counts


class Expired(msgspec.Struct, frozen=True, kw_only=True):
    """What became of readings that feeds keep no longer.

    Attributes:
        deleted: how many went.
        after: where the next call goes on; None behind the last feed.
        is_left: a feed that was passed has more to lose: another round is wanted.
    """

    deleted: int
    after: int | None
    is_left: bool


class ChartStore(Protocol):
    async def feed_bounds(self, feed_num: int) -> tuple[int, int] | None:
        """When its first and its last reading were; None where there is none."""
        ...

    async def feed_buckets(
        self, feed_num: int, start_us: int, end_us: int, bucket_s: int
    ) -> list[Bucket]:
        """Buckets that have readings, in order; the first and last hold what lies in the time.

        They equal the readings of this moment.
        """
        ...

    async def user_buckets(
        self, user_id: str, start_us: int, end_us: int, bucket_s: int
    ) -> list[Bucket]:
        """Those of all feeds of a user: they equal the readings of this moment. `bucket_s`: whole
        minutes. The time begins and ends with whole minutes, too: the first and the last count
        whole."""
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

    async def expire_history(self, now_us: int, after: int = 0) -> Expired:
        """Delete some of what feeds keep no longer (`retain_days`), from the feed behind the number
        `after` on; bounded work for each call."""
        ...
