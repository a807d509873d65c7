"""Wrong passwords and sign-ups keep nobody from signing in, and hold no connection meanwhile."""

import threading
from typing import Any

import pytest
import trio
import trio.testing

from actors.adapters.system.clocks import Argon2Hasher
from protocol.errors import Busy, TooMany
from tests.unit.site import ACCOUNT, Site
from web.app import create_app
from web.http.context import WebSettings
from web.people.hashing import LOOKS_AT_ONCE, OF_ONE_MAX, WAITING_MAX, Hashing, Who
from web.people.places import Places
from web.people.sign_in_limits import ACCOUNT_TRIES, ADDRESS_TRIES, PAIR_TRIES, SIGN_UPS

LOGIN = "/login/access-token"
WRONG = {**ACCOUNT, "password": "wrong-wrong"}
HASH_S = 0.3


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
    hashing = Hashing(hasher)
    refused = {Busy: 0, TooMany: 0}

    async def sign_up(n: int) -> None:
        try:
            await hashing.hash("x", Who(f"10.0.0.{n // 3}", False))
        except (Busy, TooMany) as error:
            refused[type(error)] += 1

    async with trio.open_nursery() as nursery:
        for n in range(3 * 48):
            nursery.start_soon(sign_up, n)
        await trio.testing.wait_all_tasks_blocked()
        try:
            with trio.fail_after(10):
                ada = Who("203.0.113.9", False)
                assert await hashing.verify("right", "right", ada)
                assert not await hashing.verify(None, "right", ada)
        finally:
            hanging.go_on.set()
    # Where one of an address had to go, its next may come: tasks begin in any order.
    assert 0 < refused[TooMany] <= 48 * (3 - OF_ONE_MAX)
    assert sum(refused.values()) == 3 * 48 - WAITING_MAX - 1


class SlowHasher:
    """As slow as Argon2, by Trio's clock."""

    async def hash(self, password: str) -> str:
        await trio.sleep(HASH_S)
        return f"plain:{password}"

    async def verify(self, hashed: str | None, password: str) -> bool:
        await trio.sleep(HASH_S)
        return hashed == f"plain:{password}"


@pytest.fixture
def slow(site: Site) -> Site:
    """A site that hashes as slowly as the real one, behind a proxy that tells addresses."""
    settings = WebSettings(jwt_secret="s" * 32, requests_per_s=10_000)
    site.app = create_app(site.service, SlowHasher(), settings)
    site.headers = {}
    return site


async def login(site: Site, body: Any, address: str) -> int:
    client = site.app.test_client()
    answer = await client.post(
        "/api/v1" + LOGIN, json=body, scope_base={"client": (address, 50_000)}
    )
    return int(answer.status_code)


async def storm(site: Site, body: Any, count: int, said: list[int]) -> None:
    async def one(n: int) -> None:
        said.append(await login(site, body(n), f"10.0.{n // 250}.{n % 250}"))

    async with trio.open_nursery() as nursery:
        for n in range(count):
            nursery.start_soon(one, n)


HERS, ELSEWHERE = "203.0.113.9", "203.0.113.77"


@pytest.mark.parametrize("address", [HERS, ELSEWHERE])
async def test_a_rightful_login_is_quick_while_200_addresses_guess(
    slow: Site, autojump_clock: Any, address: str
) -> None:
    assert await login(slow, ACCOUNT, HERS) == 200
    said: list[int] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(storm, slow, lambda n: {**WRONG, "email": f"{n}@example.org"}, 200, said)
        await trio.sleep(HASH_S)
        for _ in range(3):
            since_s = trio.current_time()
            assert await login(slow, ACCOUNT, address) == 200
            assert trio.current_time() - since_s <= 4 * HASH_S
    assert set(said) == {401, 503}


async def test_who_guesses_at_an_account_does_not_lock_its_owner_out(
    slow: Site, autojump_clock: Any
) -> None:
    assert await login(slow, ACCOUNT, HERS) == 200
    said: list[int] = []
    while said.count(429) <= ACCOUNT_TRIES:
        await storm(slow, lambda n: WRONG, 2 * ACCOUNT_TRIES, said)
    assert said.count(401) >= ACCOUNT_TRIES
    assert await login(slow, ACCOUNT, ELSEWHERE) == 429
    assert await login(slow, ACCOUNT, HERS) == 200
    for _ in range(PAIR_TRIES):  # her own bucket has an end, too
        assert await login(slow, WRONG, HERS) == 401
    assert await login(slow, ACCOUNT, HERS) == 429


async def test_after_a_start_her_sessions_tell_where_she_was(
    slow: Site, autojump_clock: Any
) -> None:
    assert await login(slow, ACCOUNT, HERS) == 200
    settings = WebSettings(jwt_secret="s" * 32, requests_per_s=10_000)
    slow.app = create_app(slow.service, SlowHasher(), settings)
    said: list[int] = []
    while said.count(401) < ACCOUNT_TRIES:
        await storm(slow, lambda n: WRONG, 2 * ACCOUNT_TRIES, said)
    assert await login(slow, ACCOUNT, ELSEWHERE) == 429
    assert await login(slow, ACCOUNT, HERS) == 200


async def test_a_neighbour_who_guesses_locks_nobody_out_who_was_there(
    slow: Site, autojump_clock: Any
) -> None:
    assert await login(slow, ACCOUNT, HERS) == 200
    guesses = ({**WRONG, "email": f"{n}@example.org"} for n in range(2 * ADDRESS_TRIES))
    assert [await login(slow, guess, HERS) for guess in guesses][-1] == 429
    assert await login(slow, ACCOUNT, HERS) == 200


async def test_logins_take_two_connections_and_notes_of_failures_one(
    slow: Site, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A storm of wrong passwords had all connections of the pool."""
    store: Any = slow.service.store
    most, now = {"account": 0, "add_audit": 0}, {"account": 0, "add_audit": 0}

    def counted(name: str) -> Any:
        inner = getattr(store, name)

        async def call(*args: Any) -> Any:
            now[name] += 1
            most[name] = max(most[name], now[name])
            try:
                await trio.sleep(2 * HASH_S)  # slower than passwords are found to be wrong
                return await inner(*args)
            finally:
                now[name] -= 1

        return call

    for name in most:
        monkeypatch.setattr(store, name, counted(name), raising=False)
    said: list[int] = []
    await storm(slow, lambda n: WRONG, 12, said)
    assert said == [401] * 12
    assert most == {"account": LOOKS_AT_ONCE, "add_audit": 1}


async def test_sign_ups_are_limited_by_address_and_logins_go_on(site: Site) -> None:
    account = {"email": "rightful@example.org", "password": "correct-horse"}
    assert (await site.post("/users", account)) is not None
    statuses = [
        (await site.call("POST", "/users", json={**account, "email": f"{n}@example.org"}))[0]
        for n in range(SIGN_UPS + 5)
    ]
    assert 201 in statuses
    assert statuses[-1] == 429
    assert (await site.call("POST", LOGIN, json=account))[0] == 200


def test_a_place_is_an_account_in_a_network_and_few_are_remembered() -> None:
    places = Places(2)
    places.add("Ada@example.org", "2001:db8::1")
    assert places.knows("ada@example.org", "2001:db8::2")
    assert not places.knows("ada@example.org", "192.0.2.1")
    assert not places.knows("bob@example.org", "2001:db8::1")
    for n in range(2):
        places.add(f"{n}@example.org", "192.0.2.1")
    assert not places.knows("ada@example.org", "2001:db8::2")
