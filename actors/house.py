"""The house: gateway, actors and writer, opened together and closed in order.

    async with open_house(ports) as house:
        async with house.users.watch(user_id) as outbox: ...

At the end: no new work, what is in flight is committed and acknowledged, then the sessions end.
"""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import structlog
import trio

from actors.accounts import Accounts
from actors.devices import IDLE_S, Devices
from actors.gateway import Gateway
from actors.ports import Broker, Ids, Logins, Store, WallClock
from actors.supervisor import Supervisor
from actors.users import Users
from actors.writer import Writer
from protocol.events import Staleness
from protocol.messages import DeviceEffect, Live, Notice
from protocol.records import Unit

log = structlog.get_logger("roost.house")

DRAIN_MAX_S = 4.0


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """What the house stands on. `rng` decides pauses only; ids and secrets have their own port."""

    store: Any  # Store; msgspec does not check protocols
    broker: Any  # Broker
    clock: Any  # WallClock
    ids: Any  # Ids
    logins: Any  # Logins
    rng: random.Random


class House:
    """The running house."""

    def __init__(
        self,
        nursery: trio.Nursery,
        ports: Ports,
        on_step: Callable[[str, Any], None] | None,
        idle_s: float,
    ) -> None:
        self.store: Store = ports.store
        self.clock: WallClock = ports.clock
        self.ids: Ids = ports.ids
        self.logins: Logins = ports.logins
        self.broker: Broker = ports.broker
        self.accounts = Accounts()
        self.supervisor = Supervisor(nursery, ports.clock, ports.rng)
        self.writer = Writer(
            ports.store, ports.ids, self.accounts, ports.rng, lambda no, u: self._committed(no, u)
        )
        self.devices = Devices(
            ports.store,
            self.supervisor,
            self.writer,
            self._perform,
            lambda user_id: self.users.renew(user_id),
            on_step,
            idle_s,
        )
        self.users = Users(
            ports.store, self.supervisor, self.devices.announce, self._written, on_step
        )
        self.gateway = Gateway(
            ports.broker,
            ports.store,
            ports.clock,
            self.accounts,
            hand_over=self.devices.hand_over,
            live_changed=lambda since_us: self.users.tell_all(Staleness(since_us)),
            confirm=self.writer.confirm,
        )

    async def _written(self) -> None:
        """Wait until the store has what this process, and earlier ones, gave to it."""
        await self.gateway.prepared.wait()
        await self.writer.barrier()

    def _committed(self, no: int, units: Any) -> None:
        self.gateway.committed(no, units)

    def _perform(self, effect: DeviceEffect) -> None:
        match effect:
            case Unit():
                self.writer.submit(effect)
            case Live(user_id=user_id, event=event):
                self.users.tell(user_id, event)
            case Notice():
                self.gateway.tell(effect)

    async def drain(self) -> None:
        """Take nothing new, and wait (bounded) until what was taken is committed."""
        if self.gateway.closing:
            await trio.lowlevel.checkpoint()
            return
        self.gateway.closing = True
        with trio.move_on_after(DRAIN_MAX_S) as scope:
            while self.gateway.in_flight:
                await self.writer.barrier()
                await trio.sleep(0.01)
        if scope.cancelled_caught:
            log.warning("left to the broker", messages=self.gateway.in_flight)


@asynccontextmanager
async def open_house(
    ports: Ports,
    *,
    on_step: Callable[[str, Any], None] | None = None,
    idle_s: float = IDLE_S,
) -> AsyncIterator[House]:
    """Open the house on its ports; it takes messages when the block begins."""
    async with trio.open_nursery() as nursery:
        house = House(nursery, ports, on_step, idle_s)
        house.supervisor.keep("writer", house.writer.run)
        house.supervisor.keep("loader", house.devices.load_forever)
        house.supervisor.keep("fetcher", house.gateway.fetch_forever)
        house.supervisor.keep("refresher", house.devices.refresh_forever)
        async with house.broker.open(house.gateway, house.gateway.prepare):
            try:
                yield house
            finally:
                with trio.CancelScope(shield=True):  # bounded by DRAIN_MAX_S
                    await house.drain()
        nursery.cancel_scope.cancel()
