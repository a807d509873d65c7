"""A row that nobody can read, or show, hides no other: REST as a black box."""

from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from actors.adapters.memory.store.store import MemoryStore
from actors.due.dead_letters import AGAIN_S
from protocol.dead_letters import PAUSE_FIRST_S, ROWS
from protocol.device.values import digest64
from protocol.errors import Unstorable
from protocol.records import Device, Reading
from tests.conftest import Logs
from tests.simulation.asgi import open_socket
from tests.unit.makers import NOW, SECOND
from tests.unit.site import ACCOUNT, Site

SOME_ID = "00000000-0000-4000-8000-000000000001"


def store_of(site: Site) -> MemoryStore:
    line = site.service.store
    return line._store  # type: ignore[attr-defined,no-any-return]


async def one_of_three_that_no_view_can_show(site: Site) -> Device:
    """The second of three devices: it was seen at a time that no calendar has."""
    for n in range(3):
        await site.device(f"d{n}")
    store = store_of(site)
    bad = next(each for each in store._devices.values() if each.code == "d1")
    state = msgspec.structs.replace(bad.state, last_seen_us=2**62)
    store._devices[bad.id] = msgspec.structs.replace(bad, state=state)
    return bad


async def test_a_page_tells_how_many_of_its_rows_cannot_be_read(site: Site) -> None:
    for n in range(4):
        await site.device(f"d{n}")
    store_of(site).unreadable["devices", 2] = "DivisionByZeroError: division by zero"
    status, page = await site.call("GET", "/devices?limit=2")
    assert status == 200
    assert ([each["device_code"] for each in page["items"]], page["unreadable"]) == (["d0"], 1)
    _, page = await site.call("GET", f"/devices?limit=2&cursor={page['next']}")
    assert [each["device_code"] for each in page["items"]] == ["d2", "d3"]
    assert "unreadable" not in page


async def test_what_no_view_can_show_is_left_out_and_noted(site: Site) -> None:
    """A time that no calendar has: the whole list answered 500."""
    bad = await one_of_three_that_no_view_can_show(site)
    for _ in range(2):
        status, page = await site.call("GET", "/devices")
        assert status == 200
        assert [each["device_code"] for each in page["items"]] == ["d0", "d2"]
        assert page["unreadable"] == 1
    (letter,) = await site.service.store.dead_letters(10, None)
    assert (letter.work, letter.subject, letter.attempts) == (ROWS, f"devices {bad.num}", 1)
    assert letter.reason == "This record holds a time outside the years 1 to 9999"


async def test_a_last_value_that_no_view_can_show_hides_no_other(site: Site) -> None:
    """`/feed-values/latest` answered 500 for all the feeds that were asked for."""
    ids = [(await site.post("/feeds", {"key": f"k{n}", "name": "k"}))[1]["id"] for n in range(3)]
    store = store_of(site)
    bad = store._feeds[ids[1]]
    store._feeds[ids[1]] = msgspec.structs.replace(bad, last_us=2**62)
    status, page = await site.call("GET", f"/feed-values/latest?feed_ids={','.join(ids)}")
    assert status == 200
    assert [each["feed_id"] for each in page["items"]] == [ids[0], ids[2]]
    assert page["unreadable"] == 1
    (letter,) = await site.service.store.dead_letters(10, None)
    assert (letter.work, letter.subject) == (ROWS, f"feeds {bad.num}")


async def test_a_reading_that_no_view_can_show_hides_no_other(site: Site) -> None:
    _, feed = await site.post("/feeds", {"key": "k", "name": "k"})
    num = store_of(site)._feeds[feed["id"]].num
    history = [
        Reading(num, 0, ts_us, digest64(value), value)
        for value, ts_us in ((1.0, NOW), (2.0, 2**62), (3.0, NOW + SECOND))
    ]
    store_of(site)._store_readings(history)
    path = f"/feed-values/{feed['id']}"
    status, page = await site.call("GET", path)
    assert (status, page["unreadable"]) == (200, 1)
    assert [each["value"] for each in page["items"]] == [3.0, 1.0]
    answer = await site.raw("GET", f"/api/v1{path}", headers={"accept": "text/csv"})
    lines = (await answer.get_data()).splitlines()[1:]
    assert [line.split(b",")[1] for line in lines] == [b"3.0", b"1.0"]


async def test_a_device_that_no_view_can_show_is_missing_in_the_list_of_a_dashboard(
    site: Site,
) -> None:
    """Each of the user's sockets was closed as it began."""
    await one_of_three_that_no_view_can_show(site)
    async with open_socket(site.app, "/ws/devices", site.headers) as socket:
        first = await socket.receive()
        assert (first["type"], first["seq"]) == ("device_list", 1)
        assert [each["device_code"] for each in first["devices"]] == ["d0", "d2"]


async def test_the_letter_of_a_row_goes_when_it_can_be_read_again(
    site: Site, autojump_clock: trio.testing.MockClock
) -> None:
    await site.device("d0")
    store = store_of(site)
    store.unreadable["devices", 1] = "why"
    await site.call("GET", "/devices")
    site.service.scheduler.wake("dead letters")
    site.clock.advance(PAUSE_FIRST_S + 1)
    await trio.sleep(2 * AGAIN_S)
    (letter,) = await store.dead_letters(10, None)
    assert letter.attempts == 2
    store.unreadable.clear()
    site.clock.advance(3 * PAUSE_FIRST_S)
    await trio.sleep(2 * AGAIN_S)
    assert await store.dead_letters(10, None) == []


async def test_who_asks_for_that_row_alone_is_told_that_it_is_no_mistake_of_theirs(
    site: Site, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answered 400, "A value is outside the range …", to a request that has no value."""

    async def spoiled(*_: Any) -> None:
        raise Unstorable("DivisionByZeroError: division by zero")

    logs.claim("stored data cannot be read")
    for noun in ("media", "device"):
        monkeypatch.setattr(store_of(site), noun, spoiled)
    status, problem = await site.call("GET", f"/media/{SOME_ID}")
    assert (status, problem["detail"]) == (
        500,
        "The stored data cannot be read; the error was logged",
    )
    status, _ = await site.call("GET", "/media/no-uuid")
    assert status == 404
    status, _ = await site.call("PATCH", f"/devices/{SOME_ID}", json={"name": "n"})
    assert status == 400  # the value may be its cause


async def test_a_record_with_a_time_that_no_view_can_show_is_a_problem_that_says_so(
    site: Site, logs: Logs
) -> None:
    """It was a traceback in the log, and "An internal error occurred"."""
    logs.claim("stored data cannot be read")
    bad = await one_of_three_that_no_view_can_show(site)
    (user,) = store_of(site)._users.values()
    store_of(site)._users[user.id] = msgspec.structs.replace(user, created_us=-(2**62))
    _, token = await site.post("/login/access-token", ACCOUNT)
    site.headers = {"x-auth-token": token["access_token"]}
    for method, path, body in (
        ("GET", f"/devices/{bad.id}", None),
        ("PATCH", f"/devices/{bad.id}", {"name": "n"}),
        ("GET", "/users/me", None),
    ):
        status, problem = await site.call(method, path, json=body)
        assert (status, problem["detail"]) == (
            500,
            "This record holds a time outside the years 1 to 9999",
        )


@pytest.mark.parametrize("noun", ["devices", "feeds", "products"])
async def test_a_record_that_no_view_can_show_is_put_aside_by_who_asks_for_it_alone(
    site: Site, logs: Logs, noun: str
) -> None:
    """Without a time or a price, which the database does not allow: a traceback, and no letter."""
    logs.claim("stored data cannot be read")
    store = store_of(site)
    records: dict[str, Any]
    if noun == "devices":
        made, spoiled, records = await site.device(), "created_us", store._devices
    elif noun == "feeds":
        _, made = await site.post("/feeds", {"key": "k", "name": "k"})
        spoiled, records = "created_us", store._feeds
    else:
        _, made = await site.post("/products", {"name": "n", "sku": "s", "price": "1"})
        spoiled, records = "price", store.all_products
    bad: Any = records[made["id"]]
    records[bad.id] = msgspec.structs.replace(bad, **{spoiled: "nonsense"})
    status, problem = await site.call("GET", f"/{noun}/{bad.id}")
    assert (status, problem["detail"]) == (500, "This record cannot be shown; the error was logged")
    (letter,) = await store.dead_letters(10, None)
    assert (letter.work, letter.subject) == (ROWS, f"{noun} {bad.num}")


async def test_a_command_that_nobody_can_read_is_cancelled_all_the_same(site: Site) -> None:
    """It was looked at first, which failed; so it could only be waited for."""
    device = await site.device()
    _, made = await site.post(f"/devices/{device['id']}/commands", {"type": "beep"})
    store = store_of(site)
    (bad,) = store.all_commands.values()
    assert bad.id == made["id"]
    store.unreadable["commands", bad.num] = "DataCorruptedError: missing chunk number 0"
    assert (await site.call("DELETE", f"/commands/{bad.id}"))[0] == 204
    assert store.all_commands[bad.key].state == "cancelled"
    assert (await site.call("DELETE", f"/commands/{bad.id}"))[0] == 409
    assert (await site.call("DELETE", f"/commands/{SOME_ID}"))[0] == 404
