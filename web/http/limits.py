"""How many requests anybody may make. They cost by their work: a long page counts as several, and
so does what has to be worked out for long."""

import math

from actors.runtime.buckets import Buckets
from protocol.errors import TooMany

# Seconds of the allowed rate that may come at once: a page that opens asks for many things.
BURST_S = 10.0
# What a request costs that looks one thing up, and so many items of a page.
COST_S = 0.004
ITEMS_OF_ONE = 100


class Rates:
    """How many requests a second anybody may make: a user, or an address without a user."""

    def __init__(self, per_s: float) -> None:
        self._most = max(1, round(per_s * BURST_S))
        self._buckets = Buckets(self._most, 1 / per_s)

    def check(self, who: str) -> None:
        """Count a request. Raises `TooMany`."""
        wait_s = self._buckets.take(who)
        if wait_s:
            raise TooMany("Too many requests", retry_after_s=math.ceil(wait_s))

    def charge_items(self, who: str, items: int) -> None:
        """A page had so many: what it costs more than others is owed. What was only asked for, and
        was not there, costs nothing."""
        self._buckets.owe(who, min(max(items - 1, 0) // ITEMS_OF_ONE, self._most))

    def charge(self, who: str, took_s: float) -> None:
        """A request took the processor for so long: what it costs more than others is owed."""
        self._buckets.owe(who, int(took_s / COST_S))
