"""Who signs in has a place of its own, whatever sign-ups do."""

import threading
from typing import Any

import trio
import trio.testing

from actors.adapters.clocks import WAITING_MAX, Argon2Hasher
from protocol.errors import Busy
from tests.unit.site import Site
from web.signing_in import SIGN_UPS


class Hanging:
    """Hashes wait until they may go on; to verify takes no time."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def hash(self, password: str) -> str:
        self.go_on.wait(30)
        return password

    def verify(self, hashed: str, password: str) -> bool:
        return hashed == password


async def test_a_login_does_not_wait_for_sign_ups_and_those_are_bounded() -> None:
    hasher: Any = Argon2Hasher()
    hasher._hasher = hanging = Hanging()
    hasher._nobody = ""
    busy = 0

    async def sign_up() -> None:
        nonlocal busy
        try:
            await hasher.hash("x")
        except Busy:
            busy += 1

    async with trio.open_nursery() as nursery:
        for _ in range(48):
            nursery.start_soon(sign_up)
        await trio.testing.wait_all_tasks_blocked()
        try:
            with trio.fail_after(10):
                assert await hasher.verify("right", "right")
                assert not await hasher.verify(None, "right")
        finally:
            hanging.go_on.set()
    assert busy == 48 - WAITING_MAX - 1


async def test_sign_ups_are_limited_by_address_and_logins_go_on(site: Site) -> None:
    account = {"email": "rightful@example.org", "password": "correct-horse"}
    assert (await site.post("/users", account)) is not None
    statuses = [
        (await site.call("POST", "/users", json={**account, "email": f"{n}@example.org"}))[0]
        for n in range(SIGN_UPS + 5)
    ]
    assert 201 in statuses
    assert statuses[-1] == 429
    assert (await site.call("POST", "/login/access-token", json=account))[0] == 200
