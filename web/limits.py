"""How many requests anybody may make."""

import math

from actors.runtime.buckets import Buckets
from protocol.errors import TooMany

# Seconds of the allowed rate that may come at once: a page that opens asks for many things.
BURST_S = 10.0


class Rates:
    """How many requests a second anybody may make: a user, or an address without a user."""

    def __init__(self, per_s: float) -> None:
        self._buckets = Buckets(max(1, round(per_s * BURST_S)), 1 / per_s)

    def check(self, who: str) -> None:
        """Count a request. Raises `TooMany`."""
        wait_s = self._buckets.take(who)
        if wait_s:
            raise TooMany("more requests than anybody may make", retry_after_s=math.ceil(wait_s))
