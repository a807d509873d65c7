"""A device that says a thing once and is silent for good, in some plans (I1, I3).

What a process knew of it and the store does not, nobody says again: not its alarm, if the batch
that raised it was given up; not its lease, if the process that had it is gone. So a mistake stays.
"""

import random
from typing import TYPE_CHECKING

import trio

from tests.simulation.broken import Broken
from tests.simulation.plan import FIRST_NUMBER, LIMIT, AnyStep, Fault, Kill, Publish, Stop, Word

if TYPE_CHECKING:
    from tests.simulation.screen import Screen
    from tests.simulation.world import World

OWNER, CODE = "ada", "quiet"
NAME = f"{OWNER}/{CODE}"
SHARE = 0.4
NUMBER = 39 * FIRST_NUMBER  # of nobody else
OFFLINE_AFTER_S = 20
# A lease begins anew with each change of the lead, and waits for sessions that come back.
OFFLINE_WITHIN_S = 180.0


def draw(rng: random.Random, until_s: float) -> list[AnyStep]:
    """What it says, and what may befall the process that hears it; chances of its own."""
    if rng.random() >= SHARE:
        return []
    at_s = round(rng.uniform(0.5, until_s - 4), 3)
    online = Word(at_s=at_s, device=NAME, status="online")
    violation = Publish(
        at_s=round(at_s + 0.05, 3),
        device=NAME,
        key="limited",
        form="ts",
        number=NUMBER,
        arrivals=[0.0],
        violates=True,
    )
    soon_s = round(at_s + rng.choice((0.0, rng.uniform(0, 0.2), rng.uniform(0, 4))), 3)
    troubles: list[list[AnyStep]] = [
        [],
        [Fault(at_s=round(at_s - 0.1, 3), kind="overtaken in a commit")],
        [Fault(at_s=soon_s, kind="lead lost")],
        [Kill(at_s=soon_s, steps=rng.randrange(20), down_s=1.0)],
        [Stop(at_s=soon_s, steps=rng.randrange(20), down_s=1.0)],
    ]
    return [online, violation, *rng.choice(troubles)]


def speaks(steps: list[AnyStep]) -> bool:
    return any(isinstance(step, Word) and step.device == NAME for step in steps)


async def furnish(world: "World") -> None:
    device = await world.device(CODE, OWNER).register()
    await device.person.patch(f"/devices/{device.id}", {"offline_after_s": OFFLINE_AFTER_S})
    await device.feed("limited", max_value=LIMIT, on_violation="flag")


async def check(world: "World", screens: list["Screen"]) -> None:
    """Long after its last word it is offline, on dashboards, too. Its alarm is checked with all
    others.

    Raises:
        Broken: it is not, and never will be.
    """
    device = world.device(CODE, OWNER)
    with trio.move_on_after(OFFLINE_WITHIN_S):
        while (await device.state())["status"] != "offline":
            await trio.sleep(1)
        await world.settle()
        for screen in screens:
            if screen.is_calm and screen.person.name == OWNER:
                shown = screen.devices[device.id]["status"]
                if shown != "offline":
                    raise Broken("I3", f"{NAME} is offline, and a dashboard shows it {shown}")
        return
    raise Broken("I3", f"{NAME} fell silent long ago and is {(await device.state())['status']}")
