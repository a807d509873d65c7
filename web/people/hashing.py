"""Turns for password hashing. One hash takes a third of a second of CPU time.

    user = await hashing.look(who, partial(store.user_by_email, email))
    if await hashing.verify(user.password_hash, password, who): ...

Sign-ins, new passwords and account look-ups have separate turns. A waiting request holds nothing
else, above all no connection to the database.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
import trio

from actors.ports.ids import Hasher
from protocol.people.passwords import normal
from web.http.turns import Turns

T = TypeVar("T")

# At 0.3 s each, sixteen are served within five seconds. More would only wait to be refused; a
# client that is refused at once can retry, and then goes first.
OF_ONE_MAX, WAITING_MAX, WAIT_S = 2, 16, 6.0
# A look-up takes some milliseconds. Two at once leave most connections to signed-in users.
LOOKS_AT_ONCE, LOOKS_OF_ONE_MAX, LOOKS_WAITING_MAX, LOOK_WAIT_S = 2, 16, 512, 5.0


class Who(msgspec.Struct, frozen=True):
    """Whose turn it is: a network, or an account in a network from which it signed in before."""

    name: str
    is_known: bool


class Hashing:
    """The hasher, used one request at a time in fair turns."""

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
        # Failures are stored one at a time, so that they use one connection at most.
        self._noting = trio.CapacityLimiter(1)

    async def hash(self, password: str, who: Who) -> str:
        """Hash a new password. Raises `TooMany` and `Busy` (`web.http.turns`)."""
        async with self.choosing.turn(who.name, is_known=who.is_known):
            return await self._hasher.hash(normal(password))

    async def verify(self, hashed: str | None, password: str, who: Who) -> bool:
        """Whether the password matches. Takes as long for None (no such user).

        Raises `TooMany` and `Busy`.
        """
        async with self.verifying.turn(who.name, is_known=who.is_known):
            if await self._hasher.verify(hashed, normal(password)):
                return True
            # An earlier version hashed what was typed.
            is_other = normal(password) != password
            return is_other and await self._hasher.verify(hashed, password)

    async def look(self, who: Who, look: Callable[[], Awaitable[T]]) -> T:
        """Run a look-up for a client that has not signed in. Raises `TooMany` and `Busy`."""
        async with self.looking.turn(who.name, is_known=who.is_known):
            return await look()

    async def note(self, note: Callable[[], Awaitable[None]]) -> None:
        """Store a failed sign-in."""
        async with self._noting:
            await note()


def _turns_to_hash() -> Turns:
    return Turns(at_once=1, of_one_max=OF_ONE_MAX, waiting_max=WAITING_MAX, wait_s=WAIT_S)
