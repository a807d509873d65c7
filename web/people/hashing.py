"""Who is hashed for next. A hash of a password takes a core for a third of a second.

    user = await hashing.look(who, partial(store.user_by_email, email))
    if await hashing.verify(user.password_hash, password, who): ...

Those who sign in, those who choose a password and those whose account is looked up wait in turns
of their own, and hold nothing else meanwhile, no connection to the database above all.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
import trio

from actors.ports.ids import Hasher
from web.http.turns import Turns

T = TypeVar("T")

# At 0.3 s each, sixteen are served within five seconds. More would only wait to be refused: who is
# told so at once comes again, and then goes first.
OF_ONE_MAX, WAITING_MAX, WAIT_S = 2, 16, 6.0
# A look takes some milliseconds. Two at once leave most connections to those who are in.
LOOKS_AT_ONCE, LOOKS_OF_ONE_MAX, LOOKS_WAITING_MAX, LOOK_WAIT_S = 2, 16, 512, 5.0


class Who(msgspec.Struct, frozen=True):
    """What counts as one: a network, or an account in a network where it is known."""

    name: str
    is_known: bool


class Hashing:
    """The hasher, by turns."""

    def __init__(self, hasher: Hasher) -> None:
        self._hasher = hasher
        self.verifying = _turns_to_hash()
        self.choosing = _turns_to_hash()
        self.looking = Turns(
            at_once=LOOKS_AT_ONCE,
            of_one_max=LOOKS_OF_ONE_MAX,
            waiting_max=LOOKS_WAITING_MAX,
            wait_s=LOOK_WAIT_S,
        )
        # What failed is noted one after the other: at most one connection for all of them.
        self._noting = trio.CapacityLimiter(1)

    async def hash(self, password: str, who: Who) -> str:
        """Raises `TooMany` and `Busy`."""
        async with self.choosing.turn(who.name, is_known=who.is_known):
            return await self._hasher.hash(password)

    async def verify(self, hashed: str | None, password: str, who: Who) -> bool:
        """Takes as long for `None` (no such user). Raises `TooMany` and `Busy`."""
        async with self.verifying.turn(who.name, is_known=who.is_known):
            return await self._hasher.verify(hashed, password)

    async def look(self, who: Who, look: Callable[[], Awaitable[T]]) -> T:
        """Ask the store for who has not signed in yet. Raises `TooMany` and `Busy`."""
        async with self.looking.turn(who.name, is_known=who.is_known):
            return await look()

    async def note(self, note: Callable[[], Awaitable[None]]) -> None:
        """Tell the store of a sign-in that failed."""
        async with self._noting:
            await note()


def _turns_to_hash() -> Turns:
    return Turns(at_once=1, of_one_max=OF_ONE_MAX, waiting_max=WAITING_MAX, wait_s=WAIT_S)
