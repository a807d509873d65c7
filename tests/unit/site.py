"""The application over the memory twins, with somebody signed in: REST as a black box."""

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from actors.adapters.memory.broker.broker import MemoryBroker
from actors.adapters.memory.broker.port import MemoryBrokerPort
from actors.adapters.memory.clocks import ManualClock, PlainHasher, SeededIds
from actors.adapters.memory.store.line import StoreFaults, StoreLine
from actors.adapters.memory.store.media import MemoryFiles
from actors.adapters.memory.store.store import MemoryStore
from actors.adapters.memory.store.webhooks import MemoryReceivers, Receive
from actors.adapters.mqtt.no_logins import NoLogins
from actors.adapters.mqtt.plans import plain_plans
from actors.media.signed_urls import MediaLinks
from actors.ports import Ports
from actors.service import Service, open_service
from web.app import create_app
from web.http.context import WebSettings

ACCOUNT = {"email": "ada@example.org", "password": "correct-horse"}


class Site:
    """The application with somebody signed in."""

    def __init__(
        self,
        service: Service,
        clock: ManualClock,
        faults: StoreFaults,
        files: MemoryFiles,
        app: Any,
    ) -> None:
        self.service = service
        self.clock = clock
        self.faults = faults
        self.files = files
        self.app = app
        self.headers: dict[str, str] = {}

    async def call(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        answer = await self.raw(method, "/api/v1" + path, **options)
        data = await answer.get_data()
        return answer.status_code, json.loads(data) if data else None

    async def raw(self, method: str, path: str, **options: Any) -> Any:
        headers = {**self.headers, **options.pop("headers", {})}
        return await self.app.test_client().open(path, method=method, headers=headers, **options)

    async def post(self, path: str, body: Any) -> tuple[int, Any]:
        return await self.call("POST", path, json=body)

    async def sign_in(self) -> None:
        await self.post("/users", ACCOUNT)
        _, token = await self.post("/login/access-token", ACCOUNT)
        self.headers = {"x-auth-token": token["access_token"]}

    async def device(self, code: str = "d1") -> Any:
        status, made = await self.post("/devices", {"device_code": code, "name": code})
        assert status == 201
        return made


@asynccontextmanager
async def open_site(receive: Receive | None = None) -> AsyncIterator[Site]:
    """A site of its own, on its own store and clock; `receive` answers its webhooks."""
    clock = ManualClock()
    faults = StoreFaults()
    files = MemoryFiles()
    store = StoreLine(MemoryStore(clock), faults)
    ports = Ports(
        store=store,
        broker=MemoryBrokerPort(MemoryBroker(plain_plans())),
        clock=clock,
        ids=SeededIds(random.Random(1)),
        logins=NoLogins(),
        links=MediaLinks("s" * 32, lambda: "http://roost.example"),
        files=files,
        receivers=MemoryReceivers(receive),
        rng=random.Random(1),
    )
    async with open_service(ports) as service:
        app = create_app(service, PlainHasher(), WebSettings(jwt_secret="s" * 32))
        place = Site(service, clock, faults, files, app)
        await place.sign_in()
        yield place
