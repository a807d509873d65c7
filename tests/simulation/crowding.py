"""Plans in which there is more of everything than the bounds of a small service (I5).

A third owner has more devices than there may be actors, and they talk in turns; more dashboards
than one user may open; more commands and schedules due at once than a turn takes; and a receiver
that is told of all of it.
"""

import random
from typing import TYPE_CHECKING

from actors.device import registry
from actors.due import webhooks
from actors.service import Service
from actors.user import registry as users
from tests.simulation.broken import Broken
from tests.simulation.plan import (
    CROWD_OWNER,
    FIRST_NUMBER,
    AnyStep,
    Arrange,
    Boot,
    Order,
    Publish,
    Watch,
)

if TYPE_CHECKING:
    from tests.simulation.world import World

SHARE = 0.08
TURNS_S = (0.0, 0.002, 0.1)  # between two devices that talk in turns
FIRST_OF_CROWD = 40 * FIRST_NUMBER  # numbers of nobody else
# Names under which a bound counts as reached.
REACHED = ("actors", "dashboards", "senders", "commands")


def names(count: int) -> list[str]:
    return [f"{CROWD_OWNER}/c{n:02d}" for n in range(count)]


def draw(rng: random.Random) -> tuple[int, list[AnyStep]]:
    """How many devices, and what they do; in most plans none and nothing."""
    if rng.random() >= SHARE:
        return 0, []
    devices = names(rng.randint(7, 10))
    number = FIRST_OF_CROWD
    steps: list[AnyStep] = []
    for first_s in sorted(rng.uniform(0, 28) for _ in range(3)):
        turn_s = rng.choice(TURNS_S)
        for n, device in enumerate(devices):
            number += 1
            at_s = round(first_s + n * turn_s, 3)
            steps.append(_said(at_s, device, number))
    steps += [Boot(at_s=round(rng.uniform(0, 9), 3), device=d, session=1) for d in devices[::2]]
    for n in range(rng.randint(9, 12)):
        at_s = round(5 + n * rng.choice((0.0, 0.01)), 3)
        lasts_s = round(rng.uniform(1, 15), 3)
        steps.append(Watch(at_s=at_s, owner=CROWD_OWNER, lasts_s=lasts_s, batch=n % 2 == 0))
    due_s = round(rng.uniform(3, 20), 3)
    for device in devices[: rng.randint(6, 10)]:
        number += 1
        ttl_s = rng.choice((3, 600))
        parallel = rng.random() < 0.3
        steps.append(
            Order(at_s=due_s, device=device, number=number, ttl_s=ttl_s, parallel=parallel)
        )
    fires_s = round(rng.uniform(10, 25), 3)
    for device in rng.choices(devices, k=rng.randint(4, 7)):
        number += 1
        steps.append(Arrange(at_s=1.0, device=device, number=number, in_s=fires_s))
    return len(devices), steps


def _said(at_s: float, device: str, number: int) -> Publish:
    return Publish(at_s=at_s, device=device, key="by-ts", form="ts", number=number, arrivals=[0.0])


def bounds(world: "World", service: Service) -> None:
    """At every step; each bound that is reached is noted once."""
    most = max((len(boxes) for boxes in service.users._watching.values()), default=0)
    if most > users.DASHBOARDS_MAX:
        raise Broken("I5", f"{most} dashboards of one user")
    sending = service.scheduler.webhook_sender.sending
    if sending.total() > webhooks.SENDERS or max(sending.values(), default=0) > webhooks.EACH_MAX:
        raise Broken("I5", f"webhooks are sent by {sending}")
    reached = (
        len(service.devices) >= registry.ACTORS_MAX,
        most >= users.DASHBOARDS_MAX,
        sending.total() >= webhooks.SENDERS,
        service.scheduler.command_outbox.room == 0,
    )
    for name, is_reached in zip(REACHED, reached, strict=True):
        kind = f"bound reached: {name}"
        if is_reached and not world.trace.fired[kind]:
            world.trace.fault(kind)
