"""What is wrong counts for where it came from; who is right is in, whatever others try there."""

from typing import Any

import pytest
import trio
import trio.testing

from protocol.errors import Busy, TooMany, Unauthorized
from protocol.problems.detail import Detail
from tests.simulation.asgi import SocketClosed, open_socket
from tests.unit.site import Site
from web.http import failed_auth, idle_sockets
from web.http.failed_auth import FAILURES_MAX, RETRY_S, FailedAuth
from web.http.idle_sockets import IDLE_MAX, IDLE_OF_ONE_MAX, IdleSockets

HERE, THERE = "203.0.113.9", "2001:db8::/64"
WRONG = "roost_abcdefgh_" + "x" * 27
EVERY_S = 60.0


async def tried(failed: FailedAuth, network: str = HERE, *, right: bool = False) -> int | None:
    """How a credential fares: None, or the status of the refusal."""
    try:
        async with failed.trying(network):
            await trio.lowlevel.checkpoint()
            if not right:
                raise Unauthorized(Detail("token_invalid"))
    except (Unauthorized, TooMany, Busy) as problem:
        return problem.status
    return None


@pytest.fixture(autouse=True)
def slow_refill(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test fails is not forgiven while it goes on."""
    monkeypatch.setattr(failed_auth, "FAILURE_EVERY_S", EVERY_S)


async def test_failures_of_a_network_are_bounded_and_only_they_count(
    autojump_clock: trio.testing.MockClock,
) -> None:
    failed = FailedAuth()
    for _ in range(3 * FAILURES_MAX):
        assert await tried(failed, right=True) is None
    answers = [await tried(failed) for _ in range(FAILURES_MAX + 10)]
    assert answers == [401] * FAILURES_MAX + [429] * 10
    assert await tried(failed, right=True) is None
    assert await tried(failed, THERE) == 401
    await trio.sleep(2 * EVERY_S)
    assert [await tried(failed) for _ in range(3)] == [401, 401, 429]


async def test_where_much_fails_one_after_the_other_is_looked_at(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So guesses take one connection to the database, and not all of them."""
    monkeypatch.setattr(failed_auth, "WAITING_MAX", 30)
    failed = FailedAuth()
    for _ in range(FAILURES_MAX):
        await tried(failed)
    here = most = 0
    answers: list[str] = []

    async def look(name: str) -> None:
        nonlocal here, most
        try:
            async with failed.trying(HERE):
                here += 1
                most = max(most, here)
                await trio.sleep(0.01)
                here -= 1
                answers.append(name)
        except Busy as busy:
            answers.append(f"busy for {busy.retry_after_s} s")

    async with trio.open_nursery() as looks:
        for _ in range(40):
            looks.start_soon(look, "right")
    assert most == 1
    assert (answers.count("right"), answers.count(f"busy for {RETRY_S} s")) == (31, 9)

    async def hang() -> None:  # the database does not answer
        async with failed.trying(HERE):
            await trio.sleep_forever()

    nursery.start_soon(hang)
    await trio.testing.wait_all_tasks_blocked()
    with trio.fail_after(2 * failed_auth.WAIT_S):
        assert await tried(failed, right=True) == 503
    assert await tried(failed, THERE, right=True) is None


async def test_unknown_keys_and_tokens_are_answered_429_and_right_ones_200(site: Site) -> None:
    right = site.headers
    _, made = await site.post("/api-keys", {"name": "script"})
    for n in range(FAILURES_MAX):
        site.headers = {"x-auth-token": (WRONG, "rubbish", WRONG + "y")[n % 3]}
        assert (await site.call("GET", "/devices"))[0] == 401
    answer = await site.raw("GET", "/api/v1/devices")
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    for headers in (right, {"Authorization": f"Bearer {made['key']}"}):
        site.headers = headers
        assert (await site.call("GET", "/devices"))[0] == 200
    site.headers = {}
    assert (await site.call("GET", "/devices"))[0] == 401  # nothing was tried


async def code_of(site: Site, query: str = "", headers: Any = None, frame: Any = None) -> int:
    """With which code a socket is closed."""
    codes: list[int] = []
    with trio.fail_after(5):
        try:
            async with open_socket(site.app, f"/ws/devices{query}", headers or {}) as socket:
                if frame is not None:
                    await socket.send(**frame)
                while True:
                    await socket.receive()
        except* SocketClosed as group:
            error: BaseException = group
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            assert isinstance(error, SocketClosed)
            codes.append(error.code)
    return codes[0]


async def test_tokens_tickets_and_first_frames_of_sockets_count_alike(site: Site) -> None:
    ways: list[dict[str, Any]] = [
        {"query": "?ticket=guessed"},
        {"query": f"?token={WRONG}"},
        {"headers": {"x-auth-token": WRONG}},
        {"frame": {"type": "auth", "token": WRONG}},
        {"frame": {"type": "ping"}},
    ]
    for n in range(FAILURES_MAX):
        assert await code_of(site, **ways[n % len(ways)]) == 4401
    for way in ways:
        assert await code_of(site, **way) == 1013
    async with open_socket(site.app, "/ws/devices", site.headers) as socket:
        assert (await socket.receive())["type"] == "device_list"
    _, ticket = await site.post("/login/ws-ticket", None)
    async with open_socket(site.app, f"/ws/devices?ticket={ticket['ticket']}", {}) as socket:
        assert (await socket.receive())["type"] == "device_list"


async def waits(idle: IdleSockets, network: str, gone: list[str]) -> None:
    try:
        with idle.place(network):
            await trio.sleep_forever()
    except TooMany:
        gone.append(network)


async def test_of_too_many_idle_sockets_the_oldest_of_whoever_has_most_goes(
    nursery: trio.Nursery,
) -> None:
    idle, gone = IdleSockets(), list[str]()
    for _ in range(IDLE_OF_ONE_MAX + 3):
        nursery.start_soon(waits, idle, HERE, gone)
        await trio.testing.wait_all_tasks_blocked()
    assert gone == [HERE] * 3
    nursery.start_soon(waits, idle, THERE, gone)
    for n in range(IDLE_MAX - IDLE_OF_ONE_MAX + 1):
        nursery.start_soon(waits, idle, f"10.0.0.{n}", gone)
    await trio.testing.wait_all_tasks_blocked()
    assert gone == [HERE] * 5
    assert len(idle) == IDLE_MAX


async def test_an_idle_socket_gives_way_and_says_when_to_come_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle_sockets, "IDLE_OF_ONE_MAX", 1)
    codes: list[int] = []

    async def stay() -> None:
        codes.append(await code_of(site))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(stay)
        await trio.testing.wait_all_tasks_blocked()
        async with open_socket(site.app, "/ws/devices", {}) as socket:
            await socket.send(type="auth", token=site.headers["x-auth-token"])
            assert (await socket.receive())["type"] == "device_list"
    assert codes == [1013]
