"""What dashboards were told of commands, occurrences and alarms is what became of them (I3).

Everybody has a witness from the beginning: a dashboard that hears of nothing else. After each list
it would ask REST again for all of them, so only what was told since then is held against the store.
"""

from typing import TYPE_CHECKING, Any

import trio

from tests.simulation.broken import Broken
from tests.simulation.screen import Screen

if TYPE_CHECKING:
    from tests.simulation.asgi import Socket
    from tests.simulation.world import World

CHANNELS = ["commands", "schedules", "alarms"]
HEARD_WITHIN_S = 30.0


class Witness(Screen):
    """Attributes:
    told: the newest state of each of them, by its kind and id.
    """

    def __init__(self, world: "World", owner: str) -> None:
        super().__init__(world, world.person(owner))
        self.told: dict[tuple[str, str], str] = {}

    async def greet(self, socket: "Socket") -> None:
        await socket.send(type="subscribe", channels=CHANNELS)

    def _apply(self, event: dict[str, Any]) -> None:
        super()._apply(event)
        match event["type"]:
            case "device_list":
                self.told.clear()
            case "command_update":
                self.told["command", event["command"]["id"]] = event["command"]["state"]
            case "alarm":
                self.told["alarm", event["alarm"]["id"]] = event["alarm"]["state"]
            case "schedule_update" if "occurrence" in event["schedule"]:
                occurrence = event["schedule"]["occurrence"]
                self.told["occurrence", occurrence["id"]] = occurrence["state"]


class Told:
    """The witnesses of a world."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._witnesses: list[Witness] = []

    async def watch(self, owner: str) -> None:
        witness = Witness(self._world, owner)
        self._witnesses.append(witness)
        await witness.watch()

    async def check(self) -> None:
        """When all is quiet. Raises `Broken`."""
        await self._world.settle()
        if self._wrong():
            await trio.sleep(HEARD_WITHIN_S)  # something of it is on its way
        wrong = self._wrong()
        if wrong:
            raise Broken("I3", f"told, and not so: {wrong[:3]}")

    def _wrong(self) -> list[str]:
        """What the store has of it in another state; what was deleted, nobody is told of."""
        store = self._world.store
        tables: dict[str, dict[str, Any]] = {
            "command": {each.id: each for each in store.all_commands.values()},
            "alarm": store.all_alarms,
            "occurrence": store.all_occurrences,
        }
        return [
            f"{witness.person.name}: {kind} {identity} {state}, is {row.state}"
            for witness in self._witnesses
            if witness.is_calm
            for (kind, identity), state in witness.told.items()
            if (row := tables[kind].get(identity)) is not None and row.state != state
        ]
