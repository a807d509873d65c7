"""Accounts that are disabled, enabled and deleted while others go on (I8).

Whatever was signed in or connected is out soon and for good: tokens, API keys, dashboards, devices.
An account that is enabled again has everything but its sessions. Of a deleted one nothing is left.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec
import trio

from actors.access.mqtt_credentials import client_id_of
from tests.simulation.broken import Broken
from tests.simulation.device import VirtualDevice
from tests.simulation.person import PASSWORD, Person, Refused
from tests.simulation.plan import Leave
from tests.simulation.screen import Screen

if TYPE_CHECKING:
    from tests.simulation.world import World

CLOSED = 4401
# Over an outage of minutes, and the pauses of whoever looks again after it.
WITHIN_S = 900.0
LOOK_S = 0.5
CODE, KEY = "leaves", "by-ts"
# What the twin remembers besides its tables: answers of commits, who owned what, who listens.
NO_TABLES = ("_commits", "_running", "_begun", "owners", "_followers")


class Gone(msgspec.Struct, frozen=True):
    """An account that was deleted: its id, and the ids and numbers of what it had."""

    name: str
    ids: tuple[str, ...]
    feed_num: int


class AccountModel:
    """Who leaves, and comes back."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._out: list[Person] = []
        self._gone: list[Gone] = []

    async def leave(self, step: Leave) -> None:
        """Furnish an account, watch it, lock it; enable it again or see it go."""
        person = await self._world.person(step.owner).sign_up()
        device = self._world.device(CODE, step.owner)
        key = await self._furnish(person, device)
        gone = await self._found(person, device)
        screen = Screen(self._world, person)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(screen.watch)
            await trio.sleep(step.watched_s)
            before = self._guest(person, person.token)
            await self._lock(step, person)
            self._out.append(before)
            await self._until(f"a token of {person.name} outlived it", self._is_out, before)
            await self._until(f"an API key of {person.name} outlived it", self._is_out, key)
            await self._until(f"{person.name} is let in", self._is_refused, person)
            await self._until(f"a dashboard of {person.name} outlived it", _is_closed, screen)
            if step.how == "disable":
                await self._until(f"{device.name} stays connected", self._is_disconnected, device)
            nursery.cancel_scope.cancel()
        if step.how == "disable":
            await trio.sleep(step.lasts_s)
            await self._come_back(person, device, key)
        else:
            self._gone.append(gone)
            self._world.forget(person)

    async def _furnish(self, person: Person, device: VirtualDevice) -> Person:
        """A reading, a product, half a second factor, an API key; returns a program with that."""
        await device.register()
        # Nobody is there to be told of it.
        await person.patch(f"/devices/{device.id}", {"offline_alarm": False})
        await self._tell(device, 1.0)
        await person.post("/users/me/second-factor", {"current_password": PASSWORD})
        await self._world.add_media(person.name)
        try:
            await person.post("/products", {"name": "Lamp", "sku": "L", "price": "1"})
        except Refused as refused:
            if refused.status != 409:  # an earlier try was done, its answer lost
                raise
        made = await person.post("/api-keys", {"name": "k", "scope": "write"})
        return self._guest(person, made["key"])

    def _guest(self, person: Person, token: str) -> Person:
        guest = Person(self._world, person.name)
        guest.id, guest.token = person.id, token
        return guest

    async def _found(self, person: Person, device: VirtualDevice) -> Gone:
        feed = await self._world.store.feed(person.id, device.feeds[KEY])
        assert feed is not None
        return Gone(person.name, (person.id, device.id, feed.id), feed.num)

    async def _lock(self, step: Leave, person: Person) -> None:
        self._world.trace.fault(f"account: {step.how}")
        if step.how == "leave":
            try:
                await person.call("DELETE", "/users/me", {"password": PASSWORD})
            except Refused as refused:
                if refused.status != 401:  # an earlier try was done, its answer lost
                    raise
            return
        # The operator's command, over a connection of its own.
        now_us, erase = self._world.clock.peek_us(), step.how == "delete"
        await self._world.store.disable_user(person.id, now_us, erase=erase)

    async def _come_back(self, person: Person, device: VirtualDevice, key: Person) -> None:
        await self._world.store.enable_user(person.id)
        self._world.trace.fault("account: enabled")
        account = {"email": f"{person.name}@example.org", "password": PASSWORD}
        person.token = (await person.post("/login/access-token", account))["access_token"]
        await self._until(f"the API key of {person.name} stays out", self._is_in, key)
        if not await self._has(device, 1.0):
            raise Broken("I8", f"{device.name} came back without its reading")
        await self._tell(device, 2.0)

    async def _tell(self, device: VirtualDevice, value: float) -> None:
        """A reading that is stored. What waits in a session that the broker forgets is lost with
        it, which is no fault of Roost: it is told again."""
        ts = self._world.clock.peek_us() // 1000
        sent = await device.publish(KEY, value, ts=ts)

        async def is_stored() -> bool:
            nonlocal sent
            if sent.lost:
                sent = await device.publish(KEY, value, ts=ts)
            return await self._has(device, value)

        await self._until(f"a reading of {device.name} is lost", is_stored)

    async def _until(self, otherwise: str, holds: Callable[..., Awaitable[bool]], *of: Any) -> None:
        with trio.move_on_after(WITHIN_S):
            while not await holds(*of):  # noqa: ASYNC110 (somebody looks now and then)
                await trio.sleep(LOOK_S)
            return
        raise Broken("I8", otherwise)

    async def _is_in(self, guest: Person) -> bool:
        return not await self._is_out(guest)

    async def _is_out(self, guest: Person) -> bool:
        try:
            await guest.get("/devices")
        except Refused as refused:
            if refused.status == 401:
                return True
            raise
        return False

    async def _is_refused(self, person: Person) -> bool:
        guest = Person(self._world, person.name)
        try:
            account = {"email": f"{person.name}@example.org", "password": PASSWORD}
            await guest.post("/login/access-token", account)
        except Refused as refused:
            return refused.status in (401, 403)
        return False

    async def _is_disconnected(self, device: VirtualDevice) -> bool:
        await trio.lowlevel.checkpoint()
        if not self._world.broker.habits.partitions:
            return True  # a broker of somebody else's
        client = self._world.broker.clients.sessions.get(client_id_of(device.id))
        return client is None or not client.is_here

    async def _has(self, device: VirtualDevice, value: float) -> bool:
        return value in await device.values(KEY)

    async def check(self) -> None:
        """After all restarts: who is out stays out, and of who is gone nothing is there."""
        for guest in self._out:
            if not await self._is_out(guest):
                raise Broken("I8", f"{guest.name} was locked out and is in again")
        for gone in self._gone:
            left: list[str] = []
            with trio.move_on_after(WITHIN_S):
                while left := self._left(gone):  # noqa: ASYNC110 (somebody looks now and then)
                    await trio.sleep(LOOK_S)
            if left:
                raise Broken("I8", f"{gone.name} was deleted, and is in {left}")

    def _left(self, gone: Gone) -> list[str]:
        """The tables that have something of a deleted account."""
        store = self._world.store
        tables = {name: each for name, each in vars(store).items() if name not in NO_TABLES}
        left = [name for name, each in tables.items() if any(i in repr(each) for i in gone.ids)]
        numbered = {name: tables[name] for name in ("_readings", "_deleted_until")}
        left += [name for name, each in numbered.items() if gone.feed_num in each]
        for name in ("_message_ids", "_feed_sums", "unsummable", "_held"):
            left += [name for place in tables[name] if place[0] == gone.feed_num][:1]
        return left


async def _is_closed(screen: Screen) -> bool:
    await trio.lowlevel.checkpoint()
    return CLOSED in screen.codes
