"""How many requests a client may send. They cost by their work: a long page counts as several
requests, and so does a long computation."""

import math

from actors.runtime.buckets import Buckets
from protocol.errors import TooMany
from protocol.problems.detail import Detail

# Seconds of the allowed rate that may be used at once: a page sends many requests when it opens.
BURST_S = 10.0
# The time that a simple look-up costs, and how many items of a page cost as much.
COST_S = 0.004
ITEMS_OF_ONE = 100


class Rates:
    """How many requests a second a user, or an address without a user, may send."""

    def __init__(self, per_s: float) -> None:
        self._most = max(1, round(per_s * BURST_S))
        self._buckets = Buckets(self._most, 1 / per_s)

    def check(self, who: str) -> None:
        """Count a request. Raises `TooMany`."""
        wait_s = self._buckets.take(who)
        if wait_s:
            raise TooMany(Detail("too_many_requests"), retry_after_s=math.ceil(wait_s))

    def charge_items(self, who: str, items: int) -> None:
        """Charge a page for its number of items. Only existing items cost something, not a high
        `limit`."""
        self._buckets.owe(who, min(max(items - 1, 0) // ITEMS_OF_ONE, self._most))

    def charge(self, who: str, took_s: float) -> None:
        """Charge a request for the time in which it used the processor."""
        self._buckets.owe(who, int(took_s / COST_S))
