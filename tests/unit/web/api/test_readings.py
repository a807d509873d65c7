"""Charts, exports, imports and deletion of readings, as a black box."""

import csv
import io
import json
from types import MethodType
from typing import Any

import pytest

from actors.due.retention import Retention
from actors.ports.store import Batch
from protocol.device.values import digest64
from protocol.errors import TooMany
from protocol.records import Reading, WriteUnit
from protocol.times import format_us
from tests.unit.site import ACCOUNT, Site
from web.api.import_budget import Imports

SECOND = 1_000_000
START = 1_790_000_000_000_000 - 3600 * SECOND  # an hour before the site's clock


async def feed(site: Site, key: str = "t", **more: Any) -> Any:
    status, made = await site.post("/feeds", {"key": key, "name": key, **more})
    assert status == 201, made
    return made


async def fill(site: Site, made: Any, values: list[Any], every_s: int = 60) -> None:
    _, me = await site.call("GET", "/users/me")
    known = await site.service.store.feed(me["id"], made["id"])
    assert known is not None
    readings = tuple(
        Reading(known.num, 1, START + n * every_s * SECOND, digest64(value), value)
        for n, value in enumerate(values)
    )
    unit = WriteUnit(device=(me["id"], "d1"), readings=readings)
    await site.service.store.commit(Batch(id=site.service.ids.uuid(), units=[unit], confirmed={}))


async def chart(site: Site, made: Any, query: str) -> Any:
    return await site.call("GET", f"/feed-values/{made['id']}?{query}")


async def test_a_chart_has_the_aggregates_asked_for_newest_first(site: Site) -> None:
    made = await feed(site)
    await fill(site, made, [float(n) for n in range(10)])
    status, found = await chart(site, made, "bucket=5m&agg=count,avg")
    assert status == 200
    assert [(p["count"], p["avg"]) for p in found["items"]] == [(3, 8.0), (5, 4.0), (2, 0.5)]
    assert set(found["items"][0]) == {"ts", "count", "avg"}
    assert found["next"] is None
    _, default = await chart(site, made, "bucket=1h&limit=1")
    assert [set(p) for p in default["items"]] == [{"ts", "avg", "min", "max"}]


async def test_a_chart_of_days_is_one_of_a_place(site: Site) -> None:
    """An hour before 14:13 UTC, every hour for 24 hours: midnight in Ho Chi Minh City is 17:00."""
    made = await feed(site)
    await fill(site, made, [1.0] * 24, every_s=3600)

    async def days(query: str) -> list[tuple[str, int]]:
        status, found = await chart(site, made, f"agg=count&{query}")
        assert status == 200, found
        return [(point["ts"][:16], point["count"]) for point in found["items"]]

    assert await days("bucket=1d") == [("2026-09-22T00:00", 13), ("2026-09-21T00:00", 11)]
    place = [("2026-09-21T17:00", 20), ("2026-09-20T17:00", 4)]
    assert await days("bucket=1d&tz=Asia/Ho_Chi_Minh") == place
    assert await days("max_points=2&tz=Asia/Ho_Chi_Minh") == place
    assert await days("bucket=12h&tz=Asia/Ho_Chi_Minh") == await days("bucket=12h")
    assert await days("bucket=3650d&tz=Asia/Ho_Chi_Minh") == [("2019-12-19T17:00", 24)]
    stats = "/dashboard/stats?start=2024-01-01T00:00:00Z&tz=Asia/Ho_Chi_Minh"
    _, figures = await site.call("GET", stats)
    assert figures["feed_values"]["bucket_s"] % 86_400 == 0
    assert {point["ts"][11:16] for point in figures["feed_values"]["points"]} == {"17:00"}


async def test_the_server_picks_a_bucket_for_so_many_points(site: Site) -> None:
    made = await feed(site)
    await fill(site, made, [float(n) for n in range(50)])
    for many in (1, 5, 20, 480):
        _, found = await chart(site, made, f"max_points={many}&agg=sum")
        assert 1 <= len(found["items"]) <= max(many, 2)
        assert sum(p["sum"] for p in found["items"]) == sum(range(50))
    empty = await feed(site, "empty")
    assert (await chart(site, empty, "max_points=10"))[1] == {"items": [], "next": None}
    late = format_us(START + 7200 * SECOND)
    assert (await chart(site, made, f"max_points=10&start={late}"))[1]["items"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("bucket=5x", "bucket"),
        ("bucket=1s&start=2000-01-01T00:00:00Z", "bucket"),
        ("bucket=1m&agg=median", "agg"),
        ("max_points=0", "max_points"),
        ("max_points=10001", "max_points"),
        ("bucket=1m&start=soon", "start"),
        ("bucket=1d&tz=Mars/Olympus", "tz"),
        ("tz=", "tz"),
        ("bucket=36h&tz=Asia/Ho_Chi_Minh", "bucket"),
        ("bucket=1d&timezone=Asia/Ho_Chi_Minh", "timezone"),
        ("buckets=1d", "buckets"),
    ],
)
async def test_a_chart_that_cannot_be_is_refused(site: Site, query: str, field: str) -> None:
    made = await feed(site)
    await fill(site, made, [1.0, 2.0], every_s=20_000)
    status, problem = await chart(site, made, query)
    assert (status, list(problem["errors"])) == (422, [field])


async def test_texts_have_no_chart_and_bools_are_one_and_zero(site: Site) -> None:
    text, switch = await feed(site, "text", kind="text"), await feed(site, "sw", kind="bool")
    assert (await chart(site, text, "bucket=1m"))[0] == 422
    await fill(site, switch, [True, False, True, True])
    _, found = await chart(site, switch, "bucket=1d&agg=avg")
    assert found["items"][0]["avg"] == 0.75


async def test_readings_come_as_csv_and_as_lines(site: Site) -> None:
    made = await feed(site, kind="text")
    values = ['plain, "quoted"', "two\nlines", "é", "=1+1", *(f"n{n}" for n in range(6_000))]
    await fill(site, made, values, every_s=0)
    path = f"/api/v1/feed-values/{made['id']}"
    answer = await site.raw("GET", path, headers={"Accept": "text/csv"})
    assert answer.content_type == "text/csv; charset=utf-8"
    assert 'filename="t.csv"' in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO((await answer.get_data()).decode(), newline="")))
    assert sorted(row["value"] for row in rows) == sorted(values)
    lines = await site.raw("GET", path, headers={"Accept": "application/x-ndjson"})
    found = [json.loads(line) for line in (await lines.get_data()).splitlines()]
    assert sorted(each["value"] for each in found) == sorted(values)
    few = await site.raw("GET", f"{path}?limit=2", headers={"Accept": "text/csv"})
    assert len((await few.get_data()).splitlines()) >= 3
    points = await site.raw("GET", path, headers={"Accept": "text/html, application/json"})
    assert points.content_type == "application/json"


async def test_a_chart_comes_as_csv(site: Site) -> None:
    made = await feed(site)
    await fill(site, made, [1.5, 2.5])
    path = f"/api/v1/feed-values/{made['id']}?bucket=1d&agg=max,count"
    answer = await site.raw("GET", path, headers={"Accept": "text/csv"})
    (row,) = csv.DictReader(io.StringIO((await answer.get_data()).decode()))
    assert (row["max"], row["count"]) == ("2.5", "2")


async def test_what_was_exported_can_be_imported(site: Site) -> None:
    one, other = await feed(site), await feed(site, "other")
    await fill(site, one, [1.5, -2e-7, 1e300])
    answer = await site.raw(
        "GET", f"/api/v1/feed-values/{one['id']}", headers={"Accept": "text/csv"}
    )
    content = await answer.get_data()
    for stored, duplicate in ((3, 0), (0, 3)):
        status, became = await bring(site, other, content)
        assert (status, became["stored"], became["duplicate"]) == (200, stored, duplicate)
    same = [(await chart(site, each, "limit=10"))[1]["items"] for each in (one, other)]
    assert same[0] == same[1]
    assert (await site.call("GET", f"/feeds/{other['id']}"))[1]["last_value"] == 1e300


async def bring(site: Site, made: Any, content: bytes, kind: str = "text/csv") -> Any:
    path = f"/feed-values/{made['id']}/import"
    return await site.call("POST", path, data=content, headers={"Content-Type": kind})


async def test_lines_that_do_not_fit_are_named_and_the_others_taken(site: Site) -> None:
    made = await feed(site, min_value=0)
    content = (
        "\ufeffvalue , device,TS\n1.5,x,2026-01-31T08:05:00Z\n\nwarm,x,2026-01-31T08:06:00Z\n"
        "2,x,1769846400\n-1,x,2026-01-31T08:07:00Z\n3,x,1999-01-01T00:00:00Z\n4\n"
    )
    status, became = await bring(site, made, content.encode())
    assert (status, became["stored"], became["refused"]) == (200, 2, 4)
    assert [(each["line"], each["code"]) for each in became["errors"]] == [
        (4, "value_not_number"),
        (6, "value_outside"),
        (7, "time_before"),
        (8, "row_too_short"),
    ]
    switch = await feed(site, "sw", kind="bool")
    _, became = await bring(site, switch, b"ts,value\n1769846400,true\n1769846401,off\n")
    assert became["stored"] == 2


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"a,b\n1,2\n", "text/csv", 400),
        (b"", "text/csv", 400),
        (b'ts,value\n"1', "text/csv", 400),
        (b"ts,value\n\xff\xfe,1\n", "text/csv", 400),
        (b"ts,value\n", "application/json", 415),
        (b"ts,value\n" + b"1769846400,1\n" * 100_000, "text/csv", 413),
    ],
)
async def test_a_file_that_is_none_is_refused(
    site: Site, content: bytes, kind: str, status: int
) -> None:
    assert (await bring(site, await feed(site), content, kind))[0] == status


async def test_who_imported_too_much_waits_and_others_do_not(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await feed(site)
    content = b"ts,value\n1769846400,1\n1769846401,2\n"
    imports = Imports(readings=10, size=1_000)
    for name in ("check", "count"):
        monkeypatch.setattr(Imports, name, MethodType(getattr(Imports, name), imports))
    assert [(await bring(site, made, content))[0] for _ in range(6)] == [200] * 5 + [429]
    imports.check("another")
    imports.count("another", 15, 1)  # a file that is too much for one hour is taken whole
    with pytest.raises(TooMany) as refused:
        imports.check("another")
    assert refused.value.retry_after_s == 2160  # six of ten an hour
    imports.check("a third")
    imports.count("a third", 1, 5_000)
    with pytest.raises(TooMany):
        imports.check("a third")


async def test_readings_are_deleted_by_time(site: Site) -> None:
    made = await feed(site)
    await fill(site, made, [1.0, 2.0, 3.0])
    path = f"/feed-values/{made['id']}"
    late = format_us(START + 60 * SECOND)
    assert await site.call("DELETE", f"{path}?start={late}") == (200, {"deleted": 2})
    assert [r["value"] for r in (await site.call("GET", path))[1]["items"]] == [1.0]
    assert await site.call("DELETE", path) == (200, {"deleted": 1})
    assert (await site.call("GET", f"/feeds/{made['id']}"))[1]["last_value"] is None


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"ts,value" + b",x" * 40_000 + b"\n1769846400,1\n", 1),
        (b"ts,value\n1769846400,1\n1769846401,2" + b",x" * 40_000 + b"\n", 3),
        (b'ts,value\n1769846400,"1"' + b',"\n"' * 20_000 + b"\n", 16382),
        (b"ts,value\r1769846400,1" + b",x" * 40_000, 2),
    ],
    ids=["header", "row", "row of many lines", "Mac"],
)
async def test_a_row_of_very_many_columns_is_no_import(
    site: Site, content: bytes, line: int
) -> None:
    """Half a million of them held everybody up for a tenth of a second."""
    made = await feed(site)
    status, problem = await bring(site, made, content)
    assert status == 400
    assert problem["detail"] == f"Line {line} is longer than 65536 characters"


async def test_last_values_of_many_feeds_come_at_once(site: Site) -> None:
    one, two = await feed(site), await feed(site, "two", unit="°C")
    await fill(site, two, [4.5])
    path = f"/feed-values/latest?feed_ids={two['id']},{one['id'].upper()}"
    _, found = await site.call("GET", path)
    assert [(v["feed_key"], v["value"], v["unit"]) for v in found["items"]] == [
        ("two", 4.5, "°C"),
        ("t", None, None),
    ]
    for wrong in ("", "?feed_ids=", "?feed_ids=x", "?feed_ids=" + ",".join([one["id"]] * 201)):
        assert (await site.call("GET", f"/feed-values/latest{wrong}"))[0] == 422


async def test_strangers_find_nothing(site: Site) -> None:
    made = await feed(site)
    await fill(site, made, [1.0])
    path = f"/feed-values/{made['id']}"
    await site.post("/users", {**ACCOUNT, "email": "bob@example.org"})
    _, token = await site.post("/login/access-token", {**ACCOUNT, "email": "bob@example.org"})
    for headers, status in (({"x-auth-token": token["access_token"]}, 404), ({}, 401)):
        site.headers = headers
        assert (await site.call("GET", f"{path}?bucket=1m"))[0] == status
        assert (await site.call("DELETE", path))[0] == status
        assert (await bring(site, made, b"ts,value\n1769846400,1\n"))[0] == status
    site.headers = {"x-auth-token": token["access_token"]}
    _, found = await site.call("GET", f"/feed-values/latest?feed_ids={made['id']}")
    assert found["items"] == []


async def test_a_feed_keeps_its_readings_as_long_as_it_says(site: Site) -> None:
    made = await feed(site, retain_days=1)
    assert made["retain_days"] == 1
    await fill(site, made, [1.0, 2.0])
    site.clock.advance(23 * 3600)
    assert await Retention(site.service.store).run(site.clock.now_us()) == 0
    site.clock.advance(45)
    assert await Retention(site.service.store).run(site.clock.now_us()) == 1
    path = f"/feeds/{made['id']}"
    assert (await site.call("PATCH", path, json={"retain_days": None}))[1]["retain_days"] is None
    assert (await site.call("PATCH", path, json={"retain_days": 0}))[0] == 422


async def test_a_sum_that_no_float64_holds_is_null_and_the_rest_is_right(site: Site) -> None:
    """It was Infinity, or 400 from a database."""
    made = await feed(site)
    _, became = await bring(site, made, b"ts,value\n1769846400,1e308\n1769846401,1.1e308\n")
    assert became["stored"] == 2
    for bucket in ("59s", "1m", "1h"):
        status, found = await chart(site, made, f"bucket={bucket}&agg=count,sum,avg,min,max")
        assert status == 200
        (point,) = found["items"]
        assert (point["count"], point["sum"], point["min"]) == (2, None, 1e308)
        assert point["avg"] == pytest.approx(1.05e308)
    path = f"/api/v1/feed-values/{made['id']}?bucket=1h&agg=sum,max"
    answer = await site.raw("GET", path, headers={"Accept": "text/csv"})
    (row,) = csv.DictReader(io.StringIO((await answer.get_data()).decode()))
    assert (row["sum"], row["max"]) == ("", "1.1e308")
    day = "start=2026-01-31T00:00:00Z&end=2026-02-01T00:00:00Z"
    status, stats = await site.call("GET", f"/dashboard/stats?{day}")
    assert status == 200
    (point,) = stats["feed_values"]["points"]
    assert (point["count"], point["max"]) == (2, 1.1e308)
    assert point["avg"] == pytest.approx(1.05e308)


@pytest.mark.parametrize(
    "day",
    [
        "start=0001-01-01T00:00:00Z&end=0001-01-02T00:00:00Z",
        "start=0001-01-01T00:00:00%2B23:59&end=0001-01-02T00:00:00Z",
        "start=9999-12-31T00:00:00Z&end=9999-12-31T23:59:59-23:59",
    ],
)
async def test_the_ends_of_time_are_no_failure(site: Site, day: str) -> None:
    made = await feed(site)
    await fill(site, made, [1.0])
    assert (await site.call("GET", f"/dashboard/stats?{day}"))[0] in (200, 422)
    assert (await chart(site, made, f"bucket=1h&{day}"))[0] in (200, 422)
