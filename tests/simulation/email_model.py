"""Addresses that are verified by links in mails: each link counts once, for its account and its
address alone, and a new address counts from then on and not before (I8).

Mail is set up in the worlds of these plans only: it changes what a sign-up asks of the store.
"""

from typing import TYPE_CHECKING, Any

import trio

from tests.simulation.broken import Broken
from tests.simulation.person import AGAIN, PASSWORD, Person, Refused
from tests.simulation.plan import Verify
from tests.simulation.process import Gone

if TYPE_CHECKING:
    from tests.simulation.world import World

AT = "/email-verification"
TRIES_MAX = 60
LOOK_S = 10.0  # a mail that has not arrived by then is asked for again
NEW = "new.example"


class Mailbox:
    """Every mail of a world, in order. See `actors.ports.mail.Mailer`."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    async def send(self, to: str, subject: str, text: str) -> None:
        await trio.lowlevel.checkpoint()
        self.sent.append((to, text))

    def tokens(self, to: str) -> list[str]:
        """Of the links that this address got, the newest last."""
        found = [text.partition("/#/verify/")[2] for whom, text in self.sent if whom == to]
        return [each.split()[0] for each in found if each]


class EmailModel:
    """Who opens the links of mails."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._verified: dict[str, int] = {}  # by address: how often a link was taken

    async def verify(self, step: Verify) -> None:
        """Verify the address of a new account, and that of another one, each link opened twice."""
        person = await self._world.person(step.owner).sign_up()
        old, new = f"{step.owner}@example.org", f"{step.owner}@{NEW}"
        await self._confirm(person, old, step.again_s)
        if (await person.get("/users/me"))["email_verified"] is not True:
            raise Broken("I8", f"{old} was verified, and is not")
        await self._ask_for(person, new)
        if await self._signs_in(new) is not None:
            raise Broken("I8", f"{new} counts, and nobody has opened its link")
        before = person.token
        await self._confirm(person, new, step.again_s)
        if await self._signs_in(old) is not None:
            raise Broken("I8", f"{old} still counts")
        person.token = before
        if await self._status(person, "GET", "/users/me") == 200:
            raise Broken("I8", f"a session of {old} outlived the address")
        person.token = await self._signs_in(new) or ""

    async def _ask_for(self, person: Person, new: str) -> None:
        for _ in range(TRIES_MAX):
            try:
                await person.patch("/users/me", {"email": new, "current_password": PASSWORD})
                return
            except Refused as refused:
                if refused.status != 429:
                    raise
                await trio.sleep(LOOK_S)
        raise Broken("I6", f"{person.name} cannot ask for another address")

    async def _confirm(self, person: Person, email: str, again_s: float) -> None:
        """Open the links until the address counts, and all of them once more."""
        for _ in range(TRIES_MAX):
            await trio.sleep(LOOK_S)
            for token in self._tokens(email)[-1:]:
                await self._open(await self._world.person("bob").sign_up(), token)
                await self._open(person, token, email)
            if await self._counts(person, email):
                break
            await self._status(person, "POST", f"{AT}/request")
        else:
            raise Broken("I8", f"{email} cannot be verified")
        await trio.sleep(again_s)
        for token in self._tokens(email):
            await self._open(person, token, email)

    def _tokens(self, email: str) -> list[str]:
        mailbox = self._world.mailbox
        assert mailbox is not None
        return mailbox.tokens(email)

    async def _counts(self, person: Person, email: str) -> bool:
        """Whether it is verified; a new one signs in then, with a token of its own."""
        if NEW in email:
            token = await self._signs_in(email)
            person.token = token or person.token
            return token is not None
        return bool((await person.get("/users/me"))["email_verified"])

    async def _open(self, person: Person, token: str, email: str = "") -> None:
        """`email`: whose it is; of a stranger it is nobody's."""
        if await self._status(person, "POST", AT, {"token": token}) != 200:
            return
        if not email:
            raise Broken("I8", f"{person.name} verified an address of somebody else")
        self._verified[email] = self._verified.get(email, 0) + 1
        if self._verified[email] > 1:
            raise Broken("I8", f"{email} was verified twice")

    async def _signs_in(self, email: str) -> str | None:
        """The token; None if the address is not known."""
        try:
            account = {"email": email, "password": PASSWORD}
            answer = await Person(self._world, email).post("/login/access-token", account)
        except Refused as refused:
            if refused.status != 401:
                raise
            return None
        return str(answer["access_token"])

    async def _status(self, person: Person, method: str, path: str, body: Any = None) -> int:
        """Of one try."""
        try:
            status, _ = await person.once(method, path, body)
        except Gone:
            return AGAIN[0]
        return status
