"""Limits long queries, so that database connections are left for everybody else.

    async with queries.charting.turn(user.id):
        buckets = await store.feed_buckets(…)

There are eight connections for people (`postgres.store.READING_CONNECTIONS`). At most three make
charts and two delete histories (which may take ten minutes), and one user never has all of these.
"""

from web.http.turns import Turns

CHARTS_AT_ONCE, CHARTS_OF_ONE = 3, 2
ERASED_AT_ONCE, ERASED_OF_ONE = 2, 1


class LongQueries:
    """Turns for charts, and for deletions."""

    def __init__(self) -> None:
        self.charting = Turns(
            at_once=CHARTS_AT_ONCE,
            of_one_at_once=CHARTS_OF_ONE,
            of_one_max=64,
            waiting_max=128,
            wait_s=20.0,
            busy="charts_busy",
        )
        self.erasing = Turns(
            at_once=ERASED_AT_ONCE,
            of_one_at_once=ERASED_OF_ONE,
            of_one_max=16,
            waiting_max=64,
            wait_s=60.0,
            busy="deletions_busy",
        )
