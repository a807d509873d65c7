"""A user over REST, through the real application of whichever process serves at the moment."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import trio

from tests.simulation.asgi import request
from tests.simulation.process import Gone

if TYPE_CHECKING:
    from tests.simulation.world import World

PASSWORD = "correct-horse"
# 500 only comes of an error that the world put there: any other is in the log, and ends the test.
AGAIN = (500, 503, 507)
AGAIN_S, SOON = 0.5, 20
LATER_S = 5.0  # after so many tries: an outage
TRIES_MAX = 200


class Refused(Exception):
    """REST said no, and will say so again."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status


class Person:
    """Somebody who asks again while the service is away."""

    def __init__(self, world: "World", name: str) -> None:
        self.name = name
        self.id = ""
        self.token = ""
        self._world = world
        self._signing_up = trio.Lock()

    @property
    def headers(self) -> dict[str, str]:
        return {"x-auth-token": self.token} if self.token else {}

    async def sign_up(self) -> "Person":
        """Once; a second call finds the account there."""
        async with self._signing_up:
            if not self.id:
                account = {"email": f"{self.name}@example.org", "password": PASSWORD}
                try:
                    await self.post("/users", account)
                except Refused as refused:
                    if refused.status != 409:  # an earlier try was done, its answer lost
                        raise
                self.token = (await self.post("/login/access-token", account))["access_token"]
                self.id = (await self.get("/users/me"))["id"]
                self._world.trace.name(self.id, self.name)
        return self

    async def get(self, path: str) -> Any:
        return await self.call("GET", path)

    async def post(self, path: str, body: Any) -> Any:
        return await self.call("POST", path, body)

    async def patch(self, path: str, body: Any) -> Any:
        return await self.call("PATCH", path, body)

    async def delete(self, path: str) -> None:
        await self.call("DELETE", path)

    async def call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """The answer's body; asks again after 500, 503, 507 or the death of the process.

        Raises:
            Refused: any other status above 399.
        """
        for n in range(TRIES_MAX):
            try:
                status, answer = await self.once(method, path, body, headers)
            except Gone:
                status, answer = 503, None
            if status < 400:
                return answer
            if status not in AGAIN:
                raise Refused(status, answer)
            await trio.sleep(AGAIN_S if n < SOON else LATER_S)
        raise AssertionError(f"{method} {path}: not served after {TRIES_MAX} tries")

    async def once(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and body of one try. Raises `Gone`."""
        process = await self._world.serving()
        status, answer = 503, None
        with process.client():
            said = {**self.headers, **(headers or {})}
            status, answer = await request(process.app, method, f"/api/v1{path}", said, body)
        return status, answer
