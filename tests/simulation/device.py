"""A virtual device: registered over REST, publishing into the world's broker."""

import json
from typing import TYPE_CHECKING, Any

import trio

from actors.access.mqtt_credentials import client_id_of
from actors.adapters.memory.broker.published import Published
from protocol.device.topics import prefix
from protocol.errors import Unavailable
from tests.simulation.person import Person, Refused

if TYPE_CHECKING:
    from tests.simulation.world import World

AGAIN_S = 1.0
KINDS = {bool: "bool", str: "text"}


class VirtualDevice:
    """One device of one person. What it does at first makes it and its feeds exist.

        shed = world.device("shed")
        await shed.publish("temperature", 21.5)
        await shed.status(status="online", session=3)

    Attributes:
        feeds: ids by key.
    """

    def __init__(self, world: "World", person: Person, code: str) -> None:
        self.person = person
        self.code = code
        self.id = ""
        self.feeds: dict[str, str] = {}
        self._world = world

    @property
    def name(self) -> str:
        return f"{self.person.name}/{self.code}"

    @property
    def prefix(self) -> str:
        return prefix(self.person.id, self.code)

    async def register(self) -> "VirtualDevice":
        await self.person.sign_up()
        if not self.id:
            body = {"device_code": self.code, "name": self.code}
            self.id = (await self._made("/devices", body, ("device_code",)))["id"]
            self._world.trace.name(self.id, self.code)
            # It subscribes to its commands, and wants what it misses.
            self._world.broker.clients.connect(client_id_of(self.id), is_clean=False)
        return self

    async def feed(self, key: str, **settings: Any) -> str:
        """The id of its feed of that key; made with these settings where there is none."""
        await self.register()
        if key not in self.feeds:
            body = {"key": key, "name": key, "device_id": self.id, **settings}
            self.feeds[key] = (await self._made("/feeds", body, ("key", "device_id")))["id"]
            self._world.trace.name(self.feeds[key], f"{self.code}/{key}")
        return self.feeds[key]

    async def _made(self, path: str, body: dict[str, Any], by: tuple[str, ...]) -> Any:
        """Made now, or by an earlier try whose answer was lost."""
        try:
            return await self.person.post(path, body)
        except Refused as refused:
            if refused.status != 409:
                raise
            known = (await self.person.get(f"{path}?limit=1000"))["items"]
            return next(each for each in known if all(each[name] == body[name] for name in by))

    async def publish(
        self,
        key: str,
        value: Any,
        *,
        ts: Any = None,
        id: str | None = None,
        qos: int = 1,
        retain: bool = False,
    ) -> Published:
        """One reading, acknowledged by the broker when this returns."""
        await self.feed(key, kind=KINDS.get(type(value), "number"))
        body = {"value": value}
        if ts is not None:
            body["ts"] = ts
        if id is not None:
            body["id"] = id
        return await self.send(f"feeds/{key}", json.dumps(body).encode(), qos=qos, retain=retain)

    async def status(self, **fields: Any) -> Published:
        await self.register()
        return await self.send("status", json.dumps(fields).encode())

    async def send(
        self,
        tail: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        is_hasty: bool = False,
    ) -> Published:
        """Any bytes under one of its topics; a QoS 1 message is sent until the broker takes it, and
        not before the device may come in. With `is_hasty` it is in one write with its CONNECT.

        Raises:
            Unavailable: the broker is away, and the message of QoS 0 is lost.
        """
        while True:
            try:
                self._world.doors.check(client_id_of(self.id))
                self._come_back()
                return self._world.broker.publish_from_device(
                    f"{self.prefix}/{tail}", payload, qos, retain, is_hasty=is_hasty
                )
            except Unavailable:
                if not qos:
                    raise
                await trio.sleep(AGAIN_S)

    def _come_back(self) -> None:
        """What it sends, it sends on a connection."""
        client = self._world.broker.clients.sessions.get(client_id_of(self.id))
        if client is not None and not client.is_here and not self._world.broker.away:
            self._world.broker.clients.connect(client_id_of(self.id), is_clean=False)

    def connect(self, **will: Any) -> None:
        """Log in at the broker; the fields given are its will. Raises `Unavailable`."""
        body = (f"{self.prefix}/status", json.dumps(will).encode()) if will else None
        self._world.broker.connect_device(self.name, body)

    def vanish(self) -> Published | None:
        """Its line is cut: the broker publishes its will."""
        return self._world.broker.vanish_device(self.name)

    def forget(self) -> None:
        """It was deleted: what it does next makes it and its feeds anew."""
        self.id = ""
        self.feeds = {}

    # What became of it, over REST

    async def values(self, key: str) -> list[Any]:
        """All values of a feed that were stored, newest first."""
        found: list[Any] = []
        cursor = ""
        while True:
            page = await self.person.get(f"/feed-values/{self.feeds[key]}?limit=1000{cursor}")
            found += [item["value"] for item in page["items"]]
            if page["next"] is None:
                return found
            cursor = f"&cursor={page['next']}"

    async def last(self, key: str) -> Any:
        """The last value of a feed."""
        return (await self.person.get(f"/feeds/{self.feeds[key]}"))["last_value"]

    async def state(self) -> dict[str, Any]:
        """The device as REST shows it."""
        found: dict[str, Any] = await self.person.get(f"/devices/{self.id}")
        return found
