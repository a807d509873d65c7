"""Plans in which one device sends far more than it may, beside all else that happens.

What is counted and not kept has no trace in the store; but a bucket's worth of what was
acknowledged was within the rate, whatever failed meanwhile, and that much is stored.
"""

import json
import random
from typing import TYPE_CHECKING

import trio

from actors.adapters.memory.broker.published import Published
from actors.ingest.rates import RateSettings
from protocol.errors import Unavailable
from protocol.rest.listing import REJECTIONS
from tests.simulation.broken import Broken
from tests.simulation.plan import AnyStep, Flood
from tests.support.lists import items

if TYPE_CHECKING:
    from tests.simulation.device import VirtualDevice
    from tests.simulation.world import World

SHARE = 0.06
OWNER, CODE = "mal", "m0"
# No other device of a plan comes near them. A flood is what sends 250 in five seconds.
RATES = RateSettings(
    device_per_s=5.0, device_burst=200.0, user_per_s=1e4, user_burst=1e4, retry_after_s=4.0
)
EVERYTHING = 100_000


def draw(rng: random.Random) -> list[AnyStep]:
    """In most plans nobody floods."""
    if rng.random() >= SHARE:
        return []
    at_s = round(rng.uniform(1, 15), 3)
    every_s = rng.choice((0.002, 0.005, 0.02))
    many = rng.randint(300, 800)
    return [Flood(at_s=at_s, many=many, every_s=every_s, qos=rng.choice((1, 1, 0)))]


def floods(steps: list[AnyStep]) -> bool:
    return any(isinstance(step, Flood) for step in steps)


class Flooding:
    """The device that does."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._sent: list[Published] = []

    @property
    def device(self) -> "VirtualDevice":
        return self._world.device(CODE, OWNER)

    async def furnish(self) -> None:
        await self.device.feed("t", kind="number")
        await self._world.receivers.register(OWNER)  # of its alarms, too

    async def send(self, step: Flood) -> None:
        """Each with a number of its own; at QoS 1 until the broker takes it."""
        self._world.trace.fault("device: floods")
        for n in range(step.many):
            payload = json.dumps({"value": n, "id": f"f{n}"}).encode()
            try:
                sent = await self.device.send("feeds/t", payload, qos=step.qos)
            except Unavailable:
                continue
            finally:
                await trio.sleep(step.every_s)
            self._sent.append(sent)

    async def check(self) -> None:
        """Raises `Broken`."""
        stored = await self.device.values("t")
        if len(set(stored)) != len(stored):
            raise Broken("I2", f"of a flood something is stored twice: {len(stored)}")
        if len(stored) > len(self._sent):
            raise Broken("I2", f"of a flood of {len(self._sent)} {len(stored)} are stored")
        user_id = self.device.person.id
        refused = await items(self._world.store, REJECTIONS, user_id, EVERYTHING)
        if any(each.reason == "too_fast" for each in refused):
            raise Broken("I5", "what is refused for its rate is kept")
        owed = sum(each.qos > 0 and not each.lost for each in self._sent)
        if len(stored) + len(refused) < min(owed, RATES.device_burst):
            raise Broken("I1", f"of a flood of {owed} {len(stored)} are stored")
