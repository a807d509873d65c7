"""A virtual fleet's owner over the twin of a server; what is asked, kept, compared and shown."""

import io
import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
import pytest
import trio

from actors.adapters.memory.clocks import ManualClock
from protocol.errors import RoostError, SettingsError, Unavailable
from roost.fleet.account import Account, Refused, side_by_side
from roost.fleet.comparing import LATE_MAX_S, PATIENCE_S, UNWELL_PATIENCE_S, Comparison
from roost.fleet.device import Access
from roost.fleet.options import FleetOptions, check_options
from roost.fleet.remembered import Memory, Owner
from roost.fleet.screen import EVERY_S, Screen
from roost.fleet.tally import Tally
from tests.simulation.running import run_virtually

virtual = pytest.mark.trio(run=run_virtually)

ACCESS = Access("device-1", "device-1", "secret", "users/u/devices/d")

WISH = FleetOptions(
    devices=10,
    rate=5.0,
    seconds=None,
    url="127.0.0.1:8000",
    mqtt_url=None,
    email=None,
    password=None,
    prefix="virtual",
    data_dir=Path("data"),
)


def test_a_wish_is_made_whole() -> None:
    options = check_options(WISH)
    assert options.url == "http://127.0.0.1:8000"
    assert options.codes[0] == "virtual-00001"
    assert len(set(options.codes)) == 10
    for given, meant in ((":8000", "127.0.0.1:8000"), ("0.0.0.0:80", "127.0.0.1:80")):
        assert check_options(msgspec.structs.replace(WISH, url=given)).url == f"http://{meant}"


@pytest.mark.parametrize(
    "wrong",
    [
        {"devices": 0},
        {"devices": 1_000_000},
        {"rate": 0.0},
        {"rate": -1.0},
        {"rate": float("nan")},
        {"rate": float("inf")},
        {"seconds": 0.0},
        {"seconds": float("nan")},
        {"url": "ftp://x"},
        {"url": "roost.example"},
        {"url": "https://ada:secret@roost.example"},
        {"mqtt_url": "http://x"},
        {"url": ""},
        {"prefix": ""},
        {"prefix": "a b"},
        {"prefix": "x" * 59},
    ],
)
def test_a_wish_that_cannot_be_is_told_in_words(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        check_options(msgspec.structs.replace(WISH, **wrong))


def test_memory_keeps_owners_by_server_and_address_for_us_alone(tmp_path: Path) -> None:
    file = tmp_path / "fleet.json"
    memory = Memory(file)
    made = memory.add(Owner("http://a", "fleet@x", "secret", {"d": ACCESS}))
    memory.add(Owner("http://a", "ada@x", None))
    memory.save()
    assert file.stat().st_mode & 0o777 == 0o600
    again = Memory(file)
    assert again.owner("http://a", None) == made
    assert again.owner("http://b", None) is None
    assert again.owner("http://a", "ada@x") is not None
    again.forget(made)
    assert again.owner("http://a", None) is None


def test_a_memory_that_cannot_be_read_is_never_replaced(tmp_path: Path) -> None:
    file = tmp_path / "fleet.json"
    file.write_bytes(b'[{"url": 7}]')
    with pytest.raises(SettingsError, match="remove it"):
        Memory(file)
    assert file.read_bytes() == b'[{"url": 7}]'


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@virtual
async def test_progress_is_written_over_on_a_terminal_and_rare_elsewhere() -> None:
    terminal, file = Terminal(), io.StringIO()
    for out in (terminal, file):
        screen = Screen(out)
        for n in range(4):
            screen.progress("making", n, 4)
            await trio.sleep(EVERY_S / 2)
        screen.progress("nothing", 0, 0)
        screen.say("done")
    assert file.getvalue() == "making: 0 of 4\nmaking: 2 of 4\ndone\n"
    assert terminal.getvalue().count("\n") == 1
    assert terminal.getvalue().endswith("\r\x1b[Kdone\n")
    with Screen(terminal) as screen:
        screen.show("passing")
    assert terminal.getvalue().endswith("passing\n")


def account(answer: Callable[[httpx.Request], httpx.Response]) -> Account:
    transport = httpx.MockTransport(answer)
    return Account(httpx.AsyncClient(transport=transport, base_url="http://roost"))


@virtual
async def test_a_busy_server_is_asked_again_when_it_says() -> None:
    asked: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(trio.current_time())
        pauses = {0: "7", 1: "86400", 2: "Fri, 31 Dec 1999 23:59:59 GMT"}
        if len(asked) <= len(pauses):
            return httpx.Response(429, headers={"Retry-After": pauses[len(asked) - 1]})
        return httpx.Response(201, json={"id": "f"})

    await account(answer).add_feed({"key": "t"})
    assert [round(b - a) for a, b in pairwise(asked)] == [7, 60, 1]


@virtual
async def test_a_server_that_stays_busy_is_not_asked_for_ever() -> None:
    for status in (429, 502, 503):
        busy = httpx.Response(status)
        with pytest.raises(Unavailable, match=str(status)):
            await account(partial(_always, busy)).add_feed({})


def _always(answer: httpx.Response, request: httpx.Request) -> httpx.Response:
    return answer


@virtual
async def test_what_is_not_a_roost_is_told_in_words() -> None:
    with pytest.raises(SettingsError, match="not a Roost"):
        await account(lambda request: httpx.Response(200, html="<h1>hello</h1>")).add_feed({})
    with pytest.raises(SettingsError, match="not a Roost"):
        await account(lambda request: httpx.Response(200, json={"ok": True})).sign_in("a", "b")
    moved = httpx.Response(308, headers={"Location": "https://roost/"})
    with pytest.raises(SettingsError, match="leads to https://roost/"):
        await account(lambda request: moved).add_feed({})
    with pytest.raises(Refused, match="status 404"):
        await account(lambda request: httpx.Response(404, html="no")).add_feed({})


@virtual
async def test_all_pages_of_a_list_are_read() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        n = int(request.url.params.get("cursor", "0"))
        item = {"device_code": f"v-{n}", "id": f"id-{n}"}
        other = {"device_code": f"not-v-{n}", "id": "x"}
        following = str(n + 1) if n < 2 else None
        return httpx.Response(200, json={"items": [item, other], "next": following})

    found = await account(answer).devices("v-")
    assert found == {"v-0": "id-0", "v-1": "id-1", "v-2": "id-2"}


@virtual
async def test_work_side_by_side_tells_how_far_it_is_and_ends_with_the_first_failure() -> None:
    told: list[tuple[int, int]] = []
    await side_by_side([trio.lowlevel.checkpoint] * 20, lambda done, of: told.append((done, of)))
    assert told == [(n, 20) for n in range(1, 21)]

    async def fail() -> None:
        raise Unavailable("gone")

    with pytest.raises(ExceptionGroup) as failed:
        await side_by_side([trio.sleep_forever, fail], lambda done, of: None)
    assert failed.group_contains(Unavailable)


@virtual
async def test_a_session_that_ended_is_begun_again() -> None:
    tokens: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("access-token"):
            tokens.append(f"token {len(tokens)}")
            return httpx.Response(200, json={"access_token": tokens[-1]})
        good = request.headers["x-auth-token"] == "token 1"
        return httpx.Response(200 if good else 401, json={"detail": "no"})

    owner = account(answer)
    await owner.sign_in("ada@example.org", "secret")
    await owner.add_feed({})
    assert tokens == ["token 0", "token 1"]
    with pytest.raises(Refused) as refused:
        await account(lambda request: httpx.Response(401)).sign_in("ada@example.org", "wrong")
    assert refused.value.status == 401


AWAY = -1


class Counting:
    """A server that has counted so many readings, at each question; or is away."""

    def __init__(self, *counts: int, trouble: str = "", well_s: float = math.inf) -> None:
        self.counts = list(counts)
        self._trouble = trouble
        self._well_s = well_s  # from then on nothing is wrong any more

    async def trouble(self) -> str:
        return "" if trio.current_time() >= self._well_s else self._trouble

    async def stored(self, since_us: int, until_us: int) -> int:
        count = self.counts.pop(0) if len(self.counts) > 1 else self.counts[0]
        if count == AWAY:
            raise Unavailable("away")
        return count


async def compare(counting: Counting, sent: int, acknowledged: int) -> str:
    out = io.StringIO()
    comparison = Comparison(cast(Account, counting), ManualClock(0))
    await comparison.begin()
    tally = Tally()
    tally.sent = sent
    for _ in range(acknowledged):
        tally.acknowledge(0.001)
    await comparison.finish(tally, Screen(out))
    return out.getvalue().splitlines()[-1]


@virtual
async def test_all_that_was_acknowledged_is_waited_for() -> None:
    assert await compare(Counting(0, 0, 3, AWAY, 9, AWAY, 10), 10, 10) == (
        "stored 10: all that was acknowledged, each once"
    )


@virtual
async def test_readings_that_are_late_are_waited_for_while_the_server_says_why() -> None:
    late = 4 * PATIENCE_S  # looks, one a second
    counts = [0, 0, *[4] * int(late), 10]
    said = await compare(Counting(*counts, trouble="degraded"), 10, 10)
    assert said == "stored 10: all that was acknowledged, each once"


@virtual
async def test_readings_that_trickle_in_are_waited_for() -> None:
    slow = int(PATIENCE_S) - 1
    counts = [0, 0, *(n for n in range(1, 10) for _ in range(slow)), 10]
    said = await compare(Counting(*counts), 10, 10)
    assert said == "stored 10: all that was acknowledged, each once"


@virtual
async def test_late_is_told_apart_from_missing() -> None:
    began_s = trio.current_time()
    with pytest.raises(RoostError, match=r"6 acknowledged readings are late, .*: degraded"):
        await compare(Counting(0, 0, 4, trouble="degraded"), 10, 10)
    assert trio.current_time() - began_s >= UNWELL_PATIENCE_S
    began_s = trio.current_time()
    well_s = began_s + PATIENCE_S
    with pytest.raises(RoostError, match="6 acknowledged readings were not stored"):
        await compare(Counting(0, 0, 4, trouble="degraded", well_s=well_s), 10, 10)
    assert trio.current_time() - well_s >= PATIENCE_S - 1  # looks are a second apart


@virtual
async def test_no_server_is_waited_for_for_ever() -> None:
    began_s = trio.current_time()
    with pytest.raises(RoostError, match="late, not stored yet: they still come"):
        await compare(Counting(0, 0, *range(1, 10_000)), 10_000, 10_000)
    assert trio.current_time() - began_s >= LATE_MAX_S


@virtual
async def test_a_server_says_itself_why_it_may_be_behind() -> None:
    def answer(status: int, said: str) -> Callable[[httpx.Request], httpx.Response]:
        checks = {"database": "ok", "writer": "a commit has waited for 40 s"}
        return partial(_always, httpx.Response(status, json={"status": said, "checks": checks}))

    assert await account(answer(200, "ready")).trouble() == ""
    for status, said in ((200, "degraded"), (503, "not ready")):
        trouble = await account(answer(status, said)).trouble()
        assert trouble == f"the server is {said} (writer: a commit has waited for 40 s)"
    assert await account(partial(_always, httpx.Response(404))).trouble() == ""

    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    assert await account(away).trouble() == "http://roost does not answer"


@virtual
async def test_what_was_sent_and_not_acknowledged_may_be_stored_or_not() -> None:
    said = await compare(Counting(0, 0, 11), 12, 10)
    assert said == "stored 11; of 2 it is not known whether they arrived"


@virtual
async def test_earlier_readings_are_not_counted_even_those_that_are_summed_up_late() -> None:
    assert "stored 10:" in await compare(Counting(5, 7, 7, 12, 17), 10, 10)
    assert "stored 10:" in await compare(Counting(0, 7, 7, 12, 17), 10, 10)


@virtual
async def test_less_than_was_acknowledged_and_more_than_was_sent_are_failures() -> None:
    began_s = trio.current_time()
    with pytest.raises(RoostError, match="1 acknowledged readings were not stored"):
        await compare(Counting(0, 0, 4, 9), 12, 10)
    assert trio.current_time() - began_s >= PATIENCE_S
    with pytest.raises(RoostError, match="2 more readings were stored than sent"):
        await compare(Counting(0, 0, 10, 14), 12, 10)  # doubles come later
