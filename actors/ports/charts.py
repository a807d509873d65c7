"""The store's part for many readings at once: sums for charts, last values, retention."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from protocol.records import Feed, Reading
from protocol.rest.charts import Bucket
from protocol.rest.stats import Counts


class Expired(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one call that deletes readings beyond retention.

    Attributes:
        deleted: how many readings were deleted.
        after: where the next call continues; None after the last feed.
        is_left: a feed that was passed has more to delete, so another round is needed.
    """

    deleted: int
    after: int | None
    is_left: bool


class ChartStore(Protocol):
    async def feed_bounds(self, feed_num: int) -> tuple[int, int] | None:
        """The times of its first and its last reading; None if there is none."""
        ...

    async def feed_buckets(
        self,
        feed_num: int,
        start_us: int,
        end_us: int,
        bucket_s: int,
        starts: Sequence[int] = (),
    ) -> list[Bucket]:
        """Buckets that have readings, in order; the first and last contain only readings within the
        time.

        They equal the readings at this moment. If `starts` are given (`charts.civil_starts`), the
        buckets begin there, the first of them not after `start_us`.
        """
        ...

    async def user_buckets(
        self,
        user_id: str,
        start_us: int,
        end_us: int,
        bucket_s: int,
        starts: Sequence[int] = (),
    ) -> list[Bucket]:
        """Buckets over all feeds of a user: they equal the readings at this moment. `bucket_s` is
        whole minutes. The time also begins and ends with whole minutes: the first and the last one
        count completely."""
        ...

    async def dashboard_counts(self, user_id: str, start_us: int, end_us: int) -> Counts:
        """Counts of what a user has; occurrences are those that are due in that time."""
        ...

    async def roll_up(self, limit: int) -> int | None:
        """Sum up what up to so many commits wrote; return about how many are left.

        None if another process is doing so at the moment.
        """
        ...

    async def expire_minute_sums(self, until_us: int) -> None:
        """Forget the sums of minutes before that time (its hour begins); those of hours are kept.

        Charts of earlier times are made of hours and readings. This cannot be undone: a later call
        with an earlier time does nothing.
        """
        ...

    async def last_values(self, user_id: str, feed_ids: Sequence[str]) -> list[Feed]:
        """These feeds as they are now, in the requested order, without those that do not exist."""
        ...

    async def add_history(self, feed: Feed, readings: Sequence[Reading]) -> int:
        """Store readings that no device sent just now; return how many were stored already."""
        ...

    async def delete_history(self, feed_num: int, start_us: int | None, end_us: int | None) -> int:
        """Delete the readings of that time; return how many there were."""
        ...

    async def expire_history(self, now_us: int, after: int = 0) -> Expired:
        """Delete some readings beyond retention (`retain_days`), starting after the feed with the
        number `after`; each call is bounded."""
        ...
