"""Who listens over MQTT: some people do from the beginning, the others never (I8)."""

import json
from typing import TYPE_CHECKING

from tests.simulation.broken import Broken

if TYPE_CHECKING:
    from tests.simulation.world import World


class Listeners:
    """What goes out under `live/…`, held against who may be told of it."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._owners: dict[str, str] = {}  # names of those who listen, by their ids
        self._heard: set[str] = set()

    async def register(self, owner: str) -> None:
        person = await self._world.person(owner).sign_up()
        self._owners[person.id] = owner
        await person.post("/mqtt-listener", {"home_assistant": True})

    def arrived(self, topic: str, payload: bytes) -> None:
        """The house published something."""
        parts = topic.split("/")
        if parts[0] != "live":
            return
        owner = self._owners.get(parts[1])
        if owner is None:
            self._world.break_with("I8", f"{topic}: nobody listens there")
        elif parts[2] == "devices" and payload:
            said = json.loads(payload)
            if "device_code" in said and self._world.owner_of(said["id"]) != owner:
                self._world.break_with("I8", f"{owner} was told of {said['device_code']}")
            self._heard.add(parts[-1])

    def check(self) -> None:
        """Everybody has said something by now: a reading and a state went out."""
        if self._owners and not {"status", "by-ts"} <= self._heard:
            raise Broken("I8", f"listeners heard of nothing but {sorted(self._heard)}")
