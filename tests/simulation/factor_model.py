"""Somebody with a second factor: without a code she is not let in, and each code lets in once,
whatever becomes of the process and of answers (I8)."""

import base64
from typing import TYPE_CHECKING, Any

import trio

from protocol.people.totp import PERIOD_US, code_at
from protocol.times import SECOND_US
from tests.simulation.broken import Broken
from tests.simulation.person import AGAIN, PASSWORD, Person, Refused
from tests.simulation.plan import Protect
from tests.simulation.process import Gone

if TYPE_CHECKING:
    from tests.simulation.world import World

AT = "/users/me/second-factor"
PERIOD_S = PERIOD_US / SECOND_US
TRIES_MAX = 20


class FactorModel:
    """Who signs in with the codes of an app."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._newest: dict[str, int] = {}  # the newest step whose code was sent, by owner

    async def protect(self, step: Protect) -> None:
        """Turn it on, and sign in with the codes of some steps, each sent twice."""
        person = await self._world.person(step.owner).sign_up()
        secret = await self._turned_on(person)
        for _ in range(step.many):
            await trio.sleep(PERIOD_S)
            await self._signs_in_once(step, secret)

    async def _turned_on(self, person: Person) -> bytes:
        begun = await person.post(AT, {"current_password": PASSWORD})
        secret = base64.b32decode(begun["secret"])
        for _ in range(TRIES_MAX):
            try:
                now = self._newest[person.name] = self._step()
                await person.post(f"{AT}/confirm", {"code": code_at(secret, now)})
                return secret
            except Refused as refused:
                if refused.status == 409:  # an earlier try was done, its answer lost
                    return secret
                if refused.status != 403:  # the code is too old: the service was away for a while
                    raise
        raise Broken("I8", f"{person.name} cannot confirm a code")

    def _step(self) -> int:
        return self._world.clock.peek_us() // PERIOD_US

    async def _signs_in_once(self, step: Protect, secret: bytes) -> None:
        now, offset_s = self._step(), self._world.clock.offset_s
        is_new = now > self._newest[step.owner]  # unless somebody has put the clock back
        self._newest[step.owner] = max(now, self._newest[step.owner])
        code = code_at(secret, now)
        statuses = [await self._status(step.owner, code)]
        is_new = is_new and offset_s == self._world.clock.offset_s
        await trio.sleep(step.again_s)
        statuses.append(await self._status(step.owner, code))
        if statuses.count(200) > 1:
            raise Broken("I8", f"a code of {step.owner} signed in twice")
        if await self._status(step.owner, None) == 200:
            raise Broken("I8", f"{step.owner} is in without a code")
        if statuses[0] == 401 and is_new:
            raise Broken("I8", f"{step.owner} is not let in with a new code")

    async def _status(self, owner: str, code: str | None) -> int:
        """Of one try."""
        guest = Person(self._world, owner)
        sent: dict[str, Any] = {"email": f"{owner}@example.org", "password": PASSWORD}
        try:
            status, _ = await guest.once(
                "POST", "/login/access-token", sent if code is None else {**sent, "code": code}
            )
        except Gone:
            return AGAIN[0]
        return status
