"""Second sign-ins of a plan: who is signed out sees nothing more, at once and for good (I8)."""

from typing import TYPE_CHECKING

import trio

from tests.simulation.broken import Broken
from tests.simulation.person import PASSWORD, Person, Refused
from tests.simulation.plan import Visit
from tests.simulation.screen import Screen

if TYPE_CHECKING:
    from tests.simulation.world import World

CLOSED = 4401


class SessionModel:
    """Who signs in on another machine for a while."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._left: list[Person] = []

    async def visit(self, step: Visit) -> None:
        """Sign in, watch, sign out; from then on the token is worth nothing."""
        guest = await self._signed_in(step.owner)
        screen = Screen(self._world, guest)
        with trio.CancelScope() as watching:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(screen.watch)
                await trio.sleep(step.lasts_s)
                await self._sign_out(guest)
                self._left.append(guest)
                await self._must_be_out(guest)
                with trio.move_on_after(60):
                    while CLOSED not in screen.codes:
                        await trio.sleep(0.5)
                if CLOSED not in screen.codes:
                    raise Broken("I8", f"a dashboard of {step.owner} outlived its session")
                watching.cancel()

    async def _signed_in(self, owner: str) -> Person:
        person = await self._world.person(owner).sign_up()
        guest = Person(self._world, owner)
        account = {"email": f"{owner}@example.org", "password": PASSWORD}
        guest.id = person.id
        guest.token = (await guest.post("/login/access-token", account))["access_token"]
        return guest

    async def _sign_out(self, guest: Person) -> None:
        try:
            await guest.post("/logout", {})
        except Refused as refused:
            if refused.status != 401:  # an earlier try was done, its answer lost
                raise

    async def _must_be_out(self, guest: Person) -> None:
        try:
            await guest.get("/users/me")
        except Refused as refused:
            if refused.status == 401:
                return
            raise
        raise Broken("I8", f"{guest.name} was signed out and is still in")

    async def check(self) -> None:
        """After all restarts: nobody who left is in again."""
        for guest in self._left:
            await self._must_be_out(guest)
