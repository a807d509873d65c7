"""The calendar over REST: one call for a window of all schedules."""

from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

import protocol.schedule.calendar
import web.api.calendar
from protocol.times import SECOND_US, format_us, parse_rfc3339
from tests.unit.actors.adapters.test_unreadable_rows import store_of
from tests.unit.site import Site

NOW = 1_790_000_000_000_000
DAY = 86_400 * SECOND_US
MONTH = NOW, NOW + 31 * DAY


async def media(site: Site, name: str = "a.txt") -> str:
    head = f'Content-Disposition: form-data; name="file"; filename="{name}"'.encode()
    part = b"--x\r\n" + head + b"\r\n\r\n" + name.encode() + b"\r\n--x--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    _, made = await site.call("POST", "/media", data=part, headers=headers)
    return str(made["id"])


async def schedule(site: Site, device: Any, media_id: str, **more: Any) -> Any:
    plan = {"device_id": device["id"], "media_id": media_id, "trigger_time": format_us(NOW + DAY)}
    status, made = await site.post("/media-schedules", plan | more)
    assert status == 201, made
    return made


async def calendar(site: Site, start_us: int, end_us: int, **more: str) -> tuple[int, Any]:
    asked = {"start": format_us(start_us), "end": format_us(end_us), **more}
    return await site.call("GET", f"/schedule-calendar?{urlencode(asked)}")


async def test_more_than_is_planned_ahead_and_more_than_fifty_schedules_are_shown(
    site: Site,
) -> None:
    screen, other = await site.device("d1"), await site.device("d2")
    advert = await media(site)
    daily = await schedule(site, screen, advert, recurrence="FREQ=DAILY")
    for n in range(60):
        at = format_us(NOW + DAY + (n + 1) * SECOND_US)
        await schedule(site, other, advert, trigger_time=at)
    status, page = await calendar(site, *MONTH)
    assert (status, page["complete"], page["unreadable"]) == (200, True, 0)
    assert len(page["items"]) == 30 + 60
    mine = [each for each in page["items"] if each["schedule_id"] == daily["id"]]
    assert [each["due_at"] for each in mine] == [format_us(NOW + n * DAY) for n in range(1, 31)]
    assert {(each["state"], each["filename"], each["conflict"]) for each in mine} == {
        ("pending", "a.txt", False)
    }
    assert mine[0]["id"] is not None
    assert mine[-1]["id"] is None
    _, page = await calendar(site, *MONTH, device_id=screen["id"])
    assert len(page["items"]) == 30


async def test_two_on_one_screen_at_once_are_marked(site: Site) -> None:
    screen = await site.device()
    first = await schedule(site, screen, await media(site), recurrence="FREQ=DAILY")
    await schedule(site, screen, await media(site, "b.txt"))
    _, page = await calendar(site, *MONTH)
    marked = [each for each in page["items"] if each["conflict"]]
    assert [each["due_at"] for each in marked] == [format_us(NOW + DAY)] * 2
    assert {each["filename"] for each in marked} == {"a.txt", "b.txt"}
    path = f"/media-schedules/{first['id']}"
    await site.call("PATCH", path, json={"enabled": False})
    _, page = await calendar(site, *MONTH)
    assert [(each["filename"], each["conflict"]) for each in page["items"]] == [("b.txt", False)]


async def test_a_minutely_rule_shows_the_first_entries_and_says_so(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web.api.calendar, "EXPAND_S", 600.0)  # a busy machine is no failure
    await schedule(site, await site.device(), await media(site), recurrence="FREQ=MINUTELY")
    _, page = await calendar(site, *MONTH)
    assert (len(page["items"]), page["complete"]) == (5_000, False)
    assert page["end"] == format_us(NOW + DAY + 5_000 * 60 * SECOND_US)


async def test_what_takes_too_long_ends_early_and_says_so(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen, advert = await site.device(), await media(site)
    for _ in range(3):
        await schedule(site, screen, advert, recurrence="FREQ=DAILY")
    monkeypatch.setattr(web.api.calendar, "EXPAND_S", 0.0)
    monkeypatch.setattr(protocol.schedule.calendar, "INSTANTS_AT_ONCE", 1)
    _, page = await calendar(site, *MONTH)
    assert not page["complete"]
    assert NOW < parse_rfc3339(page["end"]) < NOW + 31 * DAY
    assert len(page["items"]) >= 3
    assert all(each["id"] is not None for each in page["items"])  # stored ones


async def test_of_too_many_schedules_it_shows_up_to_where_the_next_may_come(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end was said to be that of the window."""
    screen, advert = await site.device(), await media(site)
    for n in range(9):
        at = format_us(NOW + (n + 1) * DAY)
        await schedule(site, screen, advert, recurrence="FREQ=DAILY", trigger_time=at)
    _, whole = await calendar(site, *MONTH)
    monkeypatch.setattr(web.api.calendar, "ENTRIES_MAX", 5)
    _, page = await calendar(site, *MONTH)
    assert not page["complete"]
    assert page["items"] == [each for each in whole["items"] if each["due_at"] < page["end"]]
    assert page["items"]


async def test_a_window_is_bounded(site: Site) -> None:
    for start_us, end_us in ((NOW, NOW), (NOW, NOW + 63 * DAY)):
        status, problem = await calendar(site, start_us, end_us)
        assert (status, list(problem["errors"])) == (422, ["end"])


async def test_a_rule_that_somebody_spoiled_with_sql_hides_no_other(site: Site) -> None:
    screen, advert = await site.device(), await media(site)
    spoiled = await schedule(site, screen, advert, recurrence="FREQ=DAILY")
    await schedule(site, screen, advert, recurrence="FREQ=DAILY;INTERVAL=30")
    _, me = await site.call("GET", "/users/me")
    known = await site.service.store.schedule(me["id"], spoiled["id"])
    assert known is not None
    store_of(site).change_schedule(msgspec.structs.replace(known, recurrence="FREQ=NEVER"))
    status, page = await calendar(site, NOW + 15 * DAY, NOW + 46 * DAY)
    assert (status, page["unreadable"]) == (200, 1)
    assert [each["due_at"] for each in page["items"]] == [format_us(NOW + 31 * DAY)]
