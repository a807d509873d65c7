"""Signing in and out as a black box: sessions, tickets, limits, who asks from where."""

from types import SimpleNamespace
from typing import Any

import jwt
import pytest
import trio
import trio.testing

from actors.access.sessions import Sessions
from actors.adapters.memory.clocks import PlainHasher
from protocol.device.listeners import AGAIN
from protocol.errors import Unavailable
from tests.simulation.asgi import SocketClosed, open_socket
from tests.unit.makers import USER
from tests.unit.site import ACCOUNT, Site
from web.app import create_app
from web.http.context import WebSettings
from web.people.sign_in_limits import (
    ACCOUNT_TRIES,
    PAIR_EVERY_S,
    PAIR_TRIES,
)

NEW = {"password": "battery-staple", "current_password": ACCOUNT["password"]}


async def token(site: Site) -> dict[str, str]:
    status, body = await site.post("/login/access-token", ACCOUNT)
    assert status == 200
    return {"x-auth-token": body["access_token"]}


async def closed_with(site: Site, path: str, headers: dict[str, str]) -> int:
    """The code with which a socket is closed, whatever it said before."""
    codes: list[int] = []
    with trio.fail_after(5):
        try:
            async with open_socket(site.app, path, headers) as socket:
                while True:
                    await socket.receive()
        except* SocketClosed as group:
            first: BaseException = group
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]
            assert isinstance(first, SocketClosed)
            codes.append(first.code)
    return codes[0]


async def test_signing_out_ends_this_session_and_no_other(site: Site) -> None:
    other = await token(site)
    answer = await site.raw("POST", "/api/v1/logout")
    assert answer.status_code == 204
    assert "roost_token=;" in answer.headers["Set-Cookie"]
    assert (await site.call("GET", "/users/me"))[0] == 401
    assert (await site.call("POST", "/logout"))[0] == 401
    site.headers = other
    assert (await site.call("GET", "/users/me"))[0] == 200


async def test_signing_out_closes_open_sockets(site: Site) -> None:
    mine, other = site.headers, await token(site)
    async with open_socket(site.app, "/ws/devices", other) as kept:
        assert (await kept.receive())["type"] == "device_list"
        async with trio.open_nursery() as nursery:
            codes: list[int] = []

            async def watch() -> None:
                codes.append(await closed_with(site, "/ws/devices", mine))

            nursery.start_soon(watch)
            await trio.testing.wait_all_tasks_blocked()
            await site.call("POST", "/logout")
        assert codes == [4401]
        await kept.send(type="ping")
        assert (await kept.receive())["type"] == "pong"
    assert await closed_with(site, "/ws/devices", mine) == 4401


async def test_a_new_password_ends_every_session(site: Site) -> None:
    other = await token(site)
    assert (await site.call("PATCH", "/users/me", json={"full_name": "Ada"}))[0] == 200
    assert (await site.call("GET", "/users/me"))[1]["full_name"] == "Ada"
    answer = await site.raw("PATCH", "/api/v1/users/me", json=NEW)
    assert (answer.status_code, "Set-Cookie" in answer.headers) == (200, False)
    for headers in (site.headers, other):
        site.headers = headers
        assert (await site.call("GET", "/users/me"))[0] == 401
        assert await closed_with(site, "/ws/devices", headers) == 4401
    assert (await site.post("/login/access-token", ACCOUNT))[0] == 401
    assert (await site.post("/login/access-token", {**ACCOUNT, **pick(NEW)}))[0] == 200


def pick(change: dict[str, str]) -> dict[str, str]:
    return {"password": change["password"]}


async def test_a_browser_stays_signed_in_when_it_changes_the_password(site: Site) -> None:
    site.headers = {"Cookie": f"roost_token={site.headers['x-auth-token']}"}
    answer = await site.raw("PATCH", "/api/v1/users/me", json=NEW)
    fresh = answer.headers["Set-Cookie"].partition(";")[0]
    assert (await site.call("GET", "/users/me"))[0] == 401
    site.headers = {"Cookie": fresh}
    assert (await site.call("GET", "/users/me"))[0] == 200


async def test_sessions_are_listed_and_ended_by_their_owner_only(site: Site) -> None:
    await token(site)
    _, listed = await site.call("GET", "/sessions")
    newest, oldest = listed["items"]
    assert (newest["current"], oldest["current"]) == (False, True)
    mine = site.headers
    await site.post("/users", {**ACCOUNT, "email": "bob@example.org"})
    _, bob = await site.post("/login/access-token", {**ACCOUNT, "email": "bob@example.org"})
    site.headers = {"x-auth-token": bob["access_token"]}
    assert (await site.call("DELETE", f"/sessions/{newest['id']}"))[0] == 404
    assert len((await site.call("GET", "/sessions"))[1]["items"]) == 1
    site.headers = mine
    assert (await site.call("DELETE", f"/sessions/{newest['id']}"))[0] == 204
    assert (await site.call("DELETE", f"/sessions/{newest['id']}"))[0] == 404
    assert (await site.call("DELETE", "/sessions/nonsense"))[0] == 404


async def test_a_ticket_opens_one_socket(site: Site) -> None:
    _, made = await site.call("POST", "/login/ws-ticket")
    assert made["expires_in"] == 30
    path = f"/ws/devices?ticket={made['ticket']}"
    async with open_socket(site.app, path, {}) as socket:
        assert (await socket.receive())["type"] == "device_list"
    assert await closed_with(site, path, {}) == 4401
    _, late = await site.call("POST", "/login/ws-ticket")
    site.clock.advance(31)
    assert await closed_with(site, f"/ws/devices?ticket={late['ticket']}", {}) == 4401
    assert await closed_with(site, "/ws/devices?ticket=", {}) == 4401


async def test_an_account_that_is_guessed_at_is_left_alone_for_a_while(site: Site) -> None:
    wrong = {**ACCOUNT, "password": "guess"}
    for _ in range(PAIR_TRIES):
        assert (await site.post("/login/access-token", wrong))[0] == 401
    for body in (wrong, ACCOUNT):
        answer = await site.raw("POST", "/api/v1/login/access-token", json=body)
        assert answer.status_code == 429
        assert 0 < int(answer.headers["Retry-After"]) <= PAIR_EVERY_S
    assert (await site.post("/login/access-token", {**wrong, "email": "b@example.org"}))[0] == 401
    assert (await site.call("PATCH", "/users/me", json=NEW))[0] == 429


async def test_right_passwords_never_count(site: Site) -> None:
    for _ in range(ACCOUNT_TRIES + 1):
        await token(site)


async def test_the_audit_log_tells_who_did_what(site: Site) -> None:
    await site.post("/login/access-token", {**ACCOUNT, "password": "guess"})
    device = await site.device("d1")
    await site.call("PATCH", f"/devices/{device['id']}", json={"name": "other"})
    await site.call("POST", f"/devices/{device['id']}/credentials")
    await site.call("DELETE", f"/devices/{device['id']}")
    _, log = await site.call("GET", "/audit-log")
    assert [(each["action"], each["subject"]) for each in log["items"]] == [
        ("device_deleted", "d1"),
        ("device_credentials_renewed", "d1"),
        ("device_changed", "d1"),
        ("device_added", "d1"),
        ("sign_in_failed", ""),
        ("signed_in", ""),
    ]


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({}, 200),
        ({"jti": "00000000-0000-4000-8000-000000000000"}, 401),
        ({"jti": 5}, 401),
        ({"idp": "zalo"}, 401),
        ({"sub": "00000000-0000-4000-8000-000000000000"}, 401),
        ({"sub": None}, 401),
    ],
)
async def test_a_token_must_say_what_its_session_says(
    site: Site, said: dict[str, Any], status: int
) -> None:
    secret = "s" * 32
    claims = jwt.decode(site.headers["x-auth-token"], secret, ["HS256"], {"verify_exp": False})
    site.headers = {"x-auth-token": jwt.encode({**claims, **said}, secret)}
    assert (await site.call("GET", "/users/me"))[0] == status


S1, S2 = (f"00000000-0000-4000-8000-00000000000{n}" for n in (1, 2))


class Following:
    """A store that is asked for a session, and tells of changes as long as it is told to."""

    def __init__(self) -> None:
        self.sessions: set[str] = {S1, S2}
        self.heard: Any = None
        self.lost = trio.Event()

    async def session(self, session_id: str) -> Any:
        await trio.lowlevel.checkpoint()
        user = SimpleNamespace(id=USER)
        return (SimpleNamespace(id=session_id), user) if session_id in self.sessions else None

    async def sessions_alive(self, asked: Any) -> set[str]:
        await trio.lowlevel.checkpoint()
        return self.sessions & set(asked)

    async def follow_people(self, heard: Any, begun: Any, check_s: float) -> None:
        self.heard = heard
        begun()
        await self.lost.wait()
        raise Unavailable("gone")


async def test_what_is_at_hand_counts_only_while_changes_are_told(
    nursery: trio.Nursery, autojump_clock: Any
) -> None:
    store = Following()
    sessions = Sessions(store, 5.0)  # type: ignore[arg-type]
    await sessions.find(S1)
    await sessions.find(S1)
    assert sessions.asked == 2  # nobody tells of changes yet
    nursery.start_soon(sessions.run)
    await trio.testing.wait_all_tasks_blocked()
    await sessions.find(S1)
    await sessions.find(S1)
    assert sessions.asked == 3
    store.heard(USER)
    await sessions.find(S1)
    assert sessions.asked == 4
    with sessions.watch(S1) as first, sessions.watch(S2) as second:
        store.sessions.remove(S1)  # while nobody tells
        store.lost.set()
        await trio.testing.wait_all_tasks_blocked()
        assert await sessions.find(S1) is None
        store.lost = trio.Event()
        await trio.sleep(1.1)
        assert (first.is_set(), second.is_set()) == (True, False)
        store.heard(S2)
        assert second.is_set()


async def test_a_notice_that_names_nobody_is_counted_and_means_nothing(
    nursery: trio.Nursery, autojump_clock: Any
) -> None:
    """Every role of the database server may send one."""
    store = Following()
    told: list[str] = []
    again: list[str] = []
    sessions = Sessions(store, 5.0, told.append, again.append)  # type: ignore[arg-type]
    nursery.start_soon(sessions.run)
    await trio.testing.wait_all_tasks_blocked()
    for junk in ("", "x", "'; DROP", USER.upper(), USER + " ", "\x00", "é" * 4_000, AGAIN + "x"):
        store.heard(junk)
    assert (told, sessions.misunderstood) == ([], 8)
    store.heard(USER)
    assert (told, again) == ([USER], [])
    store.heard(AGAIN + USER)
    assert (told, again) == ([USER], [USER])


async def test_whoever_hears_of_changes_knows_when_some_may_be_missing(
    nursery: trio.Nursery, autojump_clock: Any
) -> None:
    """What another process changed while the line was lost reached no MQTT listener."""
    store = Following()
    begun: list[str] = []
    sessions = Sessions(store, 5.0, begun=lambda: begun.append("begun"))  # type: ignore[arg-type]
    nursery.start_soon(sessions.run)
    await trio.testing.wait_all_tasks_blocked()
    assert len(begun) == 1
    store.lost.set()
    await trio.testing.wait_all_tasks_blocked()
    store.lost = trio.Event()
    await trio.sleep(1.1)
    assert len(begun) == 2


async def test_the_cookie_is_secure_where_the_client_speaks_tls(site: Site) -> None:
    async def cookie(**headers: str) -> str:
        path = "/api/v1/login/access-token"
        answer = await site.raw("POST", path, json=ACCOUNT, headers=headers)
        return str(answer.headers["Set-Cookie"])

    assert "Secure" not in await cookie()
    proxied = {"X-Forwarded-Proto": "https"}
    assert "Secure" not in await cookie(**proxied)  # anybody may say so
    settings = WebSettings(jwt_secret="s" * 32, public_url="https://roost.example")
    site.app = create_app(site.service, PlainHasher(), settings)
    assert "Secure" in await cookie()


async def test_an_outage_of_ours_counts_as_nobodys_guess(site: Site) -> None:
    site.faults.away = True
    for _ in range(2 * PAIR_TRIES):
        assert (await site.post("/login/access-token", ACCOUNT))[0] == 503
    site.faults.away = False
    await token(site)
