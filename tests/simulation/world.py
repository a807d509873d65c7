"""The whole house on its memory twins, on virtual time, with a seeded scheduler.

    def scenario(world: World) -> ...: ...
    trace = simulate(seed, scenario)

Two runs of a seed do the same things in the same order: the scheduler, the pauses, the ids and the
faults all come from it. Nothing real runs beside it, threads included.
"""

import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing
from quart_trio import QuartTrio
from trio._core import _run

from actors.adapters.memory import NoLogins, PlainHasher, SeededIds
from actors.adapters.memory_broker import MemoryBroker
from actors.adapters.memory_store import MemoryStore
from actors.adapters.mqtt.broker import partition_plans
from actors.house import House, Ports, open_house
from protocol.records import Device, Feed
from web.app import create_app
from web.routing import WebSettings

START_US = 1_790_000_000_000_000
PARTITIONS = 2
SETTLE_S = 60.0


class VirtualClock:
    """Civil time that goes with Trio's."""

    def now_us(self) -> int:
        return START_US + round(trio.current_time() * 1_000_000)


class ActorCrash(Exception):
    """A fault of the plan."""


class World:
    """Store and broker last; the house on them may crash and open again."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.clock = VirtualClock()
        self.ids = SeededIds(random.Random(seed + 1))
        self.store = MemoryStore(self.clock)
        self.broker = MemoryBroker(partition_plans(PARTITIONS), PARTITIONS)
        self.trace: list[str] = []
        self.crash_one_in = 0
        self.house: House
        self.app: QuartTrio
        self._seed = seed

    @property
    def digest(self) -> str:
        """One line for all that happened."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()

    def note(self, what: str) -> None:
        self.trace.append(f"{trio.current_time():.6f} {what}")

    def _on_step(self, name: str, message: Any) -> None:
        self.note(f"{name} {type(message).__name__}")
        if self.crash_one_in and self.rng.randrange(self.crash_one_in) == 0:
            self.note(f"fault: {name} crashes")
            raise ActorCrash(name)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[House]:
        """Open the house; at the end of the block it drains, unless it was cancelled before."""
        ports = Ports(
            store=self.store,
            broker=self.broker,
            clock=self.clock,
            ids=self.ids,
            logins=NoLogins(),
            rng=random.Random(self._seed + 2),
        )
        async with open_house(ports, on_step=self._on_step, idle_s=20.0) as house:
            self.house = house
            self.app = create_app(house, PlainHasher(), WebSettings(jwt_secret="s" * 32))
            yield house

    def kill(self) -> None:
        """The process ends at whatever await it is: no drain, no good-bye. Cancel it after this."""
        self.note("fault: the process is killed")
        self.broker.cut()
        self.house.drain = trio.lowlevel.checkpoint  # type: ignore[method-assign]

    async def settle(self) -> None:
        """Faults are over: wait until nothing is on its way."""
        with trio.fail_after(SETTLE_S * 20):
            while True:
                await trio.sleep(SETTLE_S)
                waiting = sum(
                    self.broker.unacknowledged(plan.client_id) for plan in self.broker.sessions
                )
                if not waiting and not self.house.gateway.in_flight:
                    return


class Person:
    """A user over REST and WebSocket, through the real application."""

    def __init__(self, world: World, email: str) -> None:
        self.world = world
        self.email = email
        self.id = ""
        self.token = ""

    async def sign_up(self) -> "Person":
        account = {"email": self.email, "password": "long-enough"}
        self.id = (await self.post("/users", account))["id"]
        self.token = (await self.post("/login/access-token", account))["access_token"]
        return self

    @property
    def headers(self) -> dict[str, str]:
        return {"x-auth-token": self.token} if self.token else {}

    async def post(self, path: str, body: Any) -> Any:
        client = self.world.app.test_client()
        answer = await client.post(f"/api/v1{path}", json=body, headers=self.headers)
        assert answer.status_code in (200, 201), await answer.get_data(as_text=True)
        return await answer.get_json()

    async def get(self, path: str) -> Any:
        client = self.world.app.test_client()
        answer = await client.get(f"/api/v1{path}", headers=self.headers)
        assert answer.status_code == 200, await answer.get_data(as_text=True)
        return await answer.get_json()

    def socket(self) -> Any:
        """`async with person.socket() as socket`."""
        return self.world.app.test_client().websocket("/ws/devices", headers=self.headers)


async def devices_of(world: World, user_id: str) -> list[Device]:
    return await world.store.snapshot(user_id)


async def feeds_of(world: World, user_id: str) -> list[Feed]:
    return await world.store.feeds(user_id, 1000, 0)


def simulate(seed: int, scenario: Callable[[World], Awaitable[None]]) -> World:
    """Run a scenario on virtual time with everything seeded. The world tells what happened."""
    world = World(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
        _run._r.seed(seed)
        trio.run(scenario, world, clock=trio.testing.MockClock(autojump_threshold=0))
    return world
