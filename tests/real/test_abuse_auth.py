"""Guessed keys, tokens and tickets, and sockets that never sign in (`docs/security.md`).

Meanwhile, correct credentials are accepted from the same address."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, closing
from http.client import HTTPConnection
from pathlib import Path

import pytest
import trio

from tests.real.harness import Person, Roost, open_socket, running
from tests.real.test_abuse import serves_others
from web.http.failed_auth import FAILURE_EVERY_S, FAILURES_MAX
from web.http.idle_sockets import IDLE_OF_ONE_MAX

SITE, ELSEWHERE = "2001:db8::9", "198.51.100.7"
NEIGHBOUR = "2001:db8::a"  # in the same /64
STORM_MAX_S = 60.0


@pytest.fixture(scope="module")
def roost(begun_for_all: Path) -> Iterator[Roost]:
    with running(begun_for_all, "--trusted-proxies", "127.0.0.0/8") as service:
        yield service


def asks(
    roost: Roost, address: str, token: str, is_over: Callable[[], bool], answers: Counter[int]
) -> None:
    """Request repeatedly over one connection, at least once."""
    line = HTTPConnection("127.0.0.1", int(roost.url.rpartition(":")[2]), timeout=30)
    with closing(line):
        while True:
            headers = {"x-forwarded-for": address, "x-auth-token": token}
            line.request("GET", "/api/v1/devices", headers=headers)
            answer = line.getresponse()
            answer.read()
            assert answer.status != 429 or int(answer.headers["retry-after"]) > 0
            answers[answer.status] += 1
            if is_over():
                return


def test_who_tries_out_keys_is_slowed_down_and_the_site_goes_on(roost: Roost, ada: Person) -> None:
    """Each unknown key once cost a database query, without a limit."""
    key = ada.post("/api-keys", {"name": "script"})["key"]
    guessed, right, elsewhere = Counter[int](), Counter[int](), Counter[int]()
    since_s = time.monotonic()

    def is_over() -> bool:
        return guessed[429] > 100 or time.monotonic() - since_s > STORM_MAX_S

    guess = "roost_abcdefgh_" + "x" * 27
    storm = [
        threading.Thread(target=asks, args=(roost, address, guess, is_over, guessed))
        for address in 4 * (SITE, NEIGHBOUR)
    ]
    site = [
        threading.Thread(target=asks, args=(roost, SITE, token, is_over, right))
        for token in (key, ada.token)
    ]
    for thread in (*storm, *site):
        thread.start()
    for thread in (*storm, *site):
        thread.join()
    assert set(right) == {200}
    assert guessed[429] and set(guessed) <= {401, 429}
    lasted_s = time.monotonic() - since_s
    assert guessed[401] <= FAILURES_MAX + 2 * lasted_s / FAILURE_EVERY_S + 10
    asks(roost, ELSEWHERE, guess, lambda: True, elsewhere)
    assert elsewhere == {401: 1}
    serves_others(roost, "beside-guesses")


async def test_sockets_that_never_sign_in_give_way(roost: Roost, ada: Person) -> None:
    headers = [("x-forwarded-for", ELSEWHERE)]
    async with AsyncExitStack() as sockets:
        idle = [
            await sockets.enter_async_context(open_socket(roost, headers=headers))
            for _ in range(IDLE_OF_ONE_MAX + 2)
        ]
        with trio.fail_after(10):
            assert [await idle[n].closed() for n in range(2)] == [1013, 1013]
        async with open_socket(roost, headers=headers) as screen:
            await screen.send(type="auth", token=ada.token)
            assert (await screen.next())["type"] == "device_list"
        assert await idle[2].closed() == 1013  # the oldest, which gave way to hers
        await idle[-1].send(type="auth", token=ada.token)
        assert (await idle[-1].next())["type"] == "device_list"
