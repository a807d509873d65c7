"""Counts of durations or sizes in fixed buckets: a look at a sorted tuple and two additions.

durations = Histogram(SECONDS)
durations.add(0.003)
durations.quantile(0.99)    # 0.005: the bound of its bucket
"""

from bisect import bisect_left
from collections.abc import Sequence

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROWS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500)


class Histogram:
    """Args:
    bounds: the largest value of each bucket, ascending.

    Attributes:
        counts: how many values each bucket has; one more for those beyond the last bound.
        total: of all values.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float, times: int = 1) -> None:
        """A value came, or the same one so many times."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.total += value * times

    def quantile(self, share: float) -> float:
        """So many values (0.99: of a hundred 99) are not above this bound; infinite where that is
        beyond the last one, 0 where there are no values."""
        wanted, seen = share * sum(self.counts), 0
        if not wanted:
            return 0.0
        for count, bound in zip(self.counts, (*self.bounds, float("inf")), strict=True):
            seen += count
            if seen >= wanted:
                return bound
        return float("inf")
