"""Who listens over MQTT: one of the owners does from the beginning, the other never (I8).

Their clients come and go with the service. What they know in the end of states that are retained is
what is stored (I3), though the broker may bring them neither what is said while they subscribe nor
what was retained just before.
"""

import json
from typing import TYPE_CHECKING

import trio

from protocol.device import listeners
from protocol.records import Device
from tests.simulation.broken import Broken
from tests.simulation.person import Person

if TYPE_CHECKING:
    from tests.simulation.world import World

DEVICES_MAX = 100


class Client:
    """What it knows of retained topics; it hears nothing until it has subscribed."""

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        self.place = listeners.live_prefix(user_id) + "/"
        self.knows: dict[str, bytes] | None = None


class Listeners:
    """What goes out under `live/…`, held against who may be told of it, and what they know."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._owners: dict[str, Person] = {}  # who listens, by their ids
        self._usernames: dict[str, str] = {}
        self._clients: list[Client] = []
        self._heard: set[str] = set()
        self._said_s: dict[str, float] = {}  # when what is retained was said, by topic

    async def register(self, owner: str) -> str:
        """A new login for listeners; its user name."""
        person = await self._world.person(owner).sign_up()
        self._owners[person.id] = person
        made = await person.post("/mqtt-listener", {"home_assistant": True})
        username: str = made["username"]
        self._usernames[person.id] = username
        return username

    async def come(self, owner: str, after_s: float, deaf_s: float) -> None:
        """A client logs in and subscribes, and does so again with every start of the service."""
        person = self._world.person(owner)
        client = Client(person.id)
        self._clients.append(client)
        number = len(self._clients)
        while True:
            process = await self._world.serving()
            process.logins.arrived(person.id)
            name = f"{self._usernames[person.id]}-{number}"
            self._world.broker.clients.connect(name, is_clean=number % 2 == 0)
            await trio.sleep(after_s)
            kept = self._of(client, trio.current_time() - deaf_s)
            await trio.sleep(deaf_s)
            if kept != self._of(client):
                self._world.trace.fault("listener: missed a state")
            client.knows = kept
            await process.ended.wait()
            client.knows = None

    def _of(self, client: Client, until_s: float = float("inf")) -> dict[str, bytes]:
        """What the broker brings it: what was retained up to then."""
        kept = self._world.broker.kept.items()
        return {
            topic: payload
            for topic, payload in kept
            if topic.startswith(client.place) and self._said_s[topic] <= until_s
        }

    def arrived(self, topic: str, payload: bytes) -> None:
        """The service published something."""
        parts = topic.split("/")
        if parts[0] != "live":
            return
        self._said_s[topic] = trio.current_time()
        owner = self._owners.get(parts[1])
        if owner is None:
            if payload:  # else a device that was deleted: nothing is retained of it
                self._world.break_with("I8", f"{topic}: nobody listens there")
        elif parts[2] == "devices" and payload:
            said = json.loads(payload)
            if "device_code" in said and self._world.owner_of(said["id"]) != owner.name:
                self._world.break_with("I8", f"{owner.name} was told of {said['device_code']}")
            self._heard.add(parts[-1])
        for client in self._clients:
            if client.knows is not None and topic.startswith(client.place):
                client.knows[topic] = payload

    def _pictures(self, person: Person) -> list[dict[str, bytes]]:
        """What is retained, and what each client of theirs knows."""
        mine = [client for client in self._clients if client.user_id == person.id]
        known = [client.knows for client in mine if client.knows is not None]
        return [self._world.broker.kept, *known]

    def check_heard(self) -> None:
        """Everybody has said something by now: a reading and a state went out."""
        if not {"by-ts", "status"} <= self._heard:
            raise Broken("I8", f"listeners heard of nothing but {sorted(self._heard)}")

    async def check(self) -> None:
        """Nothing is on its way: everybody who listens knows what is stored.

        Listeners are told before a commit, and a lease may have run out in this very moment: so
        what differs is looked at again.

        Raises:
            Broken: somebody does not.
        """
        try:
            await self._check_all()
        except Broken:
            await self._world.settle()
            await self._check_all()

    async def _check_all(self) -> None:
        for person in self._owners.values():
            devices = await self._world.store.devices(person.id, DEVICES_MAX, 0)
            for device in devices:
                await self._check(person, device)
            there = {listeners.status_topic(person.id, device.code) for device in devices}
            there |= {listeners.discovery_topic(person.id, device.code) for device in devices}
            for knows in self._pictures(person):
                mine = {t for t in knows if t.startswith(listeners.live_prefix(person.id) + "/")}
                known = {topic for topic in mine if knows[topic] and "/feeds/" not in topic}
                if extra := known - there:
                    raise Broken("I3", f"known to listeners, and not there: {sorted(extra)}")

    async def _check(self, person: Person, device: Device) -> None:
        topic = listeners.status_topic(person.id, device.code)
        stored = listeners.status_payload(device)
        documents = listeners.discovery_topic(person.id, device.code)
        feeds = await self._world.store.feeds(person.id, 1_000, 0)
        mine = {f"feed_{f.key}" for f in feeds if f.enabled and f.device_id in (None, device.id)}
        for knows in self._pictures(person):
            if knows.get(topic) != stored:
                told = f"{knows.get(topic)!r}, stored is {stored!r}"
                raise Broken("I3", f"listeners know of {device.code}: {told}")
            components = set(json.loads(knows.get(documents) or b"{}").get("components", ()))
            if components != mine:
                raise Broken("I6", f"a document of {device.code} has {components}, not {mine}")
