"""Plans in which two owners want more of everything than one may have (I5).

They have the same small bounds, and each takes all that she gets. Whoever is refused is told what
she may have, and has that many just then; what she deletes she may have again; and what one has
says nothing of what the other may have.
"""

import random
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import trio

from protocol.times import SECOND_US, format_us
from tests.simulation.broken import Broken
from tests.simulation.clock import START_US
from tests.simulation.doors import LISTENER_CLIENTS, DoorLogins
from tests.simulation.person import Person, Refused
from tests.simulation.plan import HOARDERS, AnyStep, Hoard, Shed
from tests.simulation.receiver import ADDRESS
from tests.simulation.screen import Screen
from web.http.bounds import Bounds

if TYPE_CHECKING:
    from tests.simulation.world import World

SHARE = 0.1
HOME = "home"  # a device of each, which stays
# More than anybody else of such a plan has.
DASHBOARDS = 6
BOUNDS = Bounds(
    devices=5, feeds=40, feeds_of_device=10, schedules=6, webhooks=3, dashboards=DASHBOARDS
)
# What they want: the path, how many of it one may have, and what a refusal calls it.
NOUNS: dict[str, tuple[str, int, str]] = {
    "devices": ("/devices", BOUNDS.devices, "devices"),
    "feeds": ("/feeds", BOUNDS.feeds_of_device, "feeds of this device"),
    "shared": ("/feeds", BOUNDS.feeds_of_device, "feeds that all your devices share"),
    "schedules": ("/media-schedules", BOUNDS.schedules, "schedules"),
    "webhooks": ("/webhooks", BOUNDS.webhooks, "webhooks"),
}
FEW = ("devices", "schedules", "webhooks")  # quickly filled once more
FIRES_IN_S = 40 * 24 * 3600  # later than any clock is set
CLOSED_FULL = 1013
SOON_S = 5.0


def draw(rng: random.Random, until_s: float) -> list[AnyStep]:
    """In most plans nobody does."""
    if rng.random() >= SHARE:
        return []
    steps: list[AnyStep] = []
    for owner in HOARDERS:
        for noun, (_, most, _) in NOUNS.items():
            for _ in range(rng.randint(0, 3)):
                at_s, many = round(rng.uniform(0, until_s), 3), rng.randint(1, most + 2)
                steps.append(Hoard(at_s=at_s, owner=owner, noun=noun, many=many))
                if rng.random() < 0.6:
                    later_s = round(at_s + rng.choice((0.0, rng.uniform(0, 9))), 3)
                    many = rng.randint(1, most)
                    steps.append(Shed(at_s=later_s, owner=owner, noun=noun, many=many))
    return steps


def hoards(steps: list[AnyStep]) -> bool:
    return any(isinstance(step, Hoard) for step in steps)


class Hoarding:
    """What they have, and what they are told."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._numbers = 0
        # In turns: what one asks for is decided before anything of it goes.
        self._turn = {(owner, noun): trio.Lock() for owner in HOARDERS for noun in NOUNS}
        # Ids of what was answered 201, and not asked to go.
        self._had: dict[tuple[str, str], list[str]] = {key: [] for key in self._turn}

    def _home(self, owner: str) -> str:
        return self._world.device(HOME, owner).id

    async def furnish(self) -> None:
        for owner in HOARDERS:
            await self._world.device(HOME, owner).register()
            await self._world.add_media(owner)

    async def hoard(self, step: Hoard) -> None:
        """So many more, all at once."""
        async with self._turn[step.owner, step.noun], trio.open_nursery() as nursery:
            for _ in range(step.many):
                nursery.start_soon(self._add, step.owner, step.noun)

    async def shed(self, step: Shed) -> None:
        """So many of them go, the newest first."""
        async with self._turn[step.owner, step.noun]:
            had = self._had[step.owner, step.noun]
            for _ in range(min(step.many, len(had))):
                await self._drop(step.owner, step.noun, had.pop())

    async def _add(self, owner: str, noun: str, place: str | None = None) -> bool:
        """Whether there was room. Raises `Broken` for a refusal that is not so."""
        path, most, told = NOUNS[noun]
        try:
            made = await self._person(owner).post(path, self._wanted(owner, noun, place))
        except Refused as refused:
            if refused.status != 409:
                raise
            if "You can have" not in str(refused):
                return True  # an earlier try was done, its answer lost
            self._check_refusal(owner, noun, refused, most, told)
            return False
        self._had[owner, noun].append(made["id"])
        return True

    def _wanted(self, owner: str, noun: str, place: str | None) -> dict[str, Any]:
        self._numbers += 1
        name = f"h{self._numbers}"
        if noun == "devices":
            return {"device_code": name, "name": name}
        if noun == "webhooks":
            return {"url": f"{ADDRESS}{owner}/{name}"}
        if noun == "schedules":
            trigger_us = START_US + FIRES_IN_S * SECOND_US
            body = {"media_id": self._world.media[owner], "device_id": self._home(owner)}
            return {**body, "trigger_time": format_us(trigger_us)}
        device_id = None if noun == "shared" else place or self._home(owner)
        return {"key": name, "name": name, "device_id": device_id}

    def _check_refusal(self, owner: str, noun: str, said: Refused, most: int, told: str) -> None:
        wanted = f"You can have at most {most} {told}, and already have {most}"
        has = len(self._has(owner, noun))
        if has != most or wanted not in str(said):
            raise Broken("I5", f"{owner} has {has} {told} of {most}, and was told {said}")
        self._world.trace.fault("bound reached: shares", f"{owner} {noun}")

    def _has(self, owner: str, noun: str) -> list[str]:
        """The ids of all that is stored."""
        store, user_id = self._world.store, self._person(owner).id
        if noun == "devices":
            return [d.id for d in store._devices.values() if d.user_id == user_id]
        if noun == "schedules":
            return [s.id for s in store.all_schedules() if s.user_id == user_id]
        if noun == "webhooks":
            return [w.id for w in store.all_webhooks.values() if w.user_id == user_id]
        place = None if noun == "shared" else self._home(owner)
        return [f.id for f in self._feeds(owner) if f.device_id == place]

    def _feeds(self, owner: str) -> list[Any]:
        user_id = self._person(owner).id
        return [f for f in self._world.store._feeds.values() if f.user_id == user_id]

    def _person(self, owner: str) -> Person:
        return self._world.person(owner)

    async def _drop(self, owner: str, noun: str, identity: str) -> None:
        purge = "?purge=true" if noun == "devices" else ""
        try:
            await self._person(owner).delete(f"{NOUNS[noun][0]}/{identity}{purge}")
        except Refused as refused:
            if refused.status != 404:  # an earlier try was done, its answer lost
                raise

    async def check(self) -> None:
        """When all faults are over. Raises `Broken`."""
        for (owner, noun), had in self._had.items():
            if gone := set(had) - set(self._has(owner, noun)):
                raise Broken("I1", f"{noun} of {owner} were answered 201 and are gone: {gone}")
        await self._fill_all(NOUNS)
        await self._fill_feeds(HOARDERS[0])
        await self._empty_all()
        await self._fill_all(FEW)  # what was deleted counts no more
        await self._empty_all()
        await self._check_dashboards()
        if self._world.broker.habits.partitions:  # else it is no broker of ours
            for owner in HOARDERS:
                await self._check_clients(owner)

    async def _fill_all(self, nouns: Iterable[str]) -> None:
        for noun in nouns:
            for owner in HOARDERS:
                await self._fill(owner, noun)

    async def _empty_all(self) -> None:
        for owner in HOARDERS:
            await self._empty(owner)

    async def _fill(self, owner: str, noun: str) -> None:
        _, most, told = NOUNS[noun]
        for _ in range(most + 1):
            if not await self._add(owner, noun):
                return
        raise Broken("I5", f"{owner} has more {told} than {most}")

    async def _fill_feeds(self, owner: str) -> None:
        """Everywhere, until there are as many as one may have in all."""
        said = f"You can have at most {BOUNDS.feeds} feeds, and already have {BOUNDS.feeds}"
        for place in self._has(owner, "devices"):
            for _ in range(BOUNDS.feeds_of_device if place != self._home(owner) else 0):
                body = self._wanted(owner, "feeds", place)
                try:
                    await self._person(owner).post("/feeds", body)
                except Refused as refused:
                    if said in str(refused) and len(self._feeds(owner)) == BOUNDS.feeds:
                        return
                    raise Broken("I5", f"{owner} is refused a feed: {refused}") from None
        raise Broken("I5", f"{owner} has {len(self._feeds(owner))} feeds of {BOUNDS.feeds}")

    async def _empty(self, owner: str) -> None:
        """All goes but for her home; feeds elsewhere go with their devices."""
        for noun in NOUNS:
            for identity in self._has(owner, noun):
                if identity != self._home(owner):
                    await self._drop(owner, noun, identity)
            self._had[owner, noun].clear()
            left = len(self._has(owner, noun))
            if left != (noun == "devices"):
                raise Broken("I6", f"all {noun} of {owner} were deleted, and {left} are there")

    async def _check_dashboards(self) -> None:
        """Who is one too many is closed, told to come again, and comes in when another leaves."""
        screens = {
            owner: [Screen(self._world, self._person(owner)) for _ in range(DASHBOARDS + 2)]
            for owner in HOARDERS
        }
        async with trio.open_nursery() as nursery:
            leaving = {owner: trio.CancelScope() for owner in HOARDERS}
            for owner, mine in screens.items():
                nursery.start_soon(_watch, mine[0], leaving[owner])
            await self._world.advance(SOON_S)
            for mine in screens.values():
                for screen in mine[1:]:
                    nursery.start_soon(screen.watch)
            await self._world.advance(SOON_S)
            for mine in screens.values():
                _check_open(mine)
            for scope in leaving.values():
                scope.cancel()
            await self._world.advance(SOON_S)
            for mine in screens.values():
                _check_open(mine[1:])
            nursery.cancel_scope.cancel()

    async def _check_clients(self, owner: str) -> None:
        """A listener's client that is one too many stays out until another is gone for good."""
        username = await self._world.listeners.register(owner)
        logins, clients = (await self._world.serving()).logins, self._world.broker.clients
        assert isinstance(logins, DoorLogins)

        async def comes_in(n: int) -> bool:
            return await logins.log_in(username, f"{username}-{n}", is_clean=n % 2 == 0)

        if not all([await comes_in(n) for n in range(LISTENER_CLIENTS)]):
            raise Broken("I5", f"a client of {owner}'s listener is refused too early")
        clients.leave(f"{username}-1")  # its session is kept, and it may come back
        await self._world.advance(2 * SOON_S)
        if await comes_in(LISTENER_CLIENTS):
            raise Broken("I5", f"{owner}'s listener has more than {LISTENER_CLIENTS} clients")
        clients.leave(f"{username}-0")
        await self._world.advance(2 * SOON_S)
        if not await comes_in(LISTENER_CLIENTS):
            raise Broken("I5", f"a client of {owner}'s listener that is gone counts still")


async def _watch(screen: Screen, scope: trio.CancelScope) -> None:
    with scope:
        await screen.watch()


def _check_open(screens: list[Screen]) -> None:
    is_open = [screen.is_listed for screen in screens]
    name = screens[0].person.name
    if is_open.count(True) != DASHBOARDS:
        raise Broken("I5", f"{is_open.count(True)} dashboards of {name} of {DASHBOARDS} are open")
    for screen, is_in in zip(screens, is_open, strict=True):
        if not is_in and CLOSED_FULL not in screen.codes:
            raise Broken("I5", f"a dashboard of {name} was closed with {screen.codes}")
