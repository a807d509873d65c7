"""Mistakes about rates and turns (`planted.py`)."""

from typing import Any

from actors.ingest.limits import Limits
from actors.ingest.rates import Rates
from actors.ports.broker import Delivery
from protocol.device.topics import Topic
from tests.simulation.planted import Patch, plant


@plant("a bucket holds a fifth of a second")
def small_bucket(patch: Patch) -> None:
    init = Rates.__init__

    def mistaken(self: Rates, *args: Any) -> None:
        init(self, *args)
        self._burst_s = 0.2

    patch.setattr(Rates, "__init__", mistaken)


@plant("a redelivery is above the rate, too")
def judged_again(patch: Patch) -> None:
    """It is acknowledged while its first copy is not committed yet."""
    takes = Limits.takes

    def mistaken(self: Limits, delivery: Delivery, topic: Topic) -> bool:
        return not delivery.dup and takes(self, delivery, topic)

    patch.setattr(Limits, "takes", mistaken)
