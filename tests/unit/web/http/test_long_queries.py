"""What may take the database long leaves connections for everybody else."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
import trio.testing

from actors.adapters.postgres.store import READING_CONNECTIONS
from protocol.device.feed_views import ReadingView
from protocol.rest.charts import Bucket
from protocol.schedule.civil import MINUTE_US
from tests.unit.makers import NOW
from tests.unit.site import Site, open_site
from web.http.long_queries import CHARTS_AT_ONCE, CHARTS_OF_ONE, ERASED_AT_ONCE, ERASED_OF_ONE
from web.http.thinking import Thinking


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_site() as place:
        yield place


class Slow:
    """A call to the store that ends when it may."""

    def __init__(self, answer: Any) -> None:
        self.on_their_way = 0
        self.may_end = trio.Event()
        self._answer = answer

    async def __call__(self, *args: Any) -> Any:
        self.on_their_way += 1
        await self.may_end.wait()
        return self._answer


async def test_long_questions_of_all_leave_connections_and_one_has_not_all_of_them(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight purges of one user took every connection for readers for up to ten minutes."""
    assert CHARTS_AT_ONCE + ERASED_AT_ONCE < READING_CONNECTIONS - 2
    charts, erased = Slow((0, 1)), Slow(0)
    monkeypatch.setattr(site.service.store, "feed_bounds", charts, raising=False)
    monkeypatch.setattr(site.service.store, "delete_history", erased, raising=False)
    _, feed = await site.post("/feeds", {"key": "t", "name": "t", "kind": "number"})
    statuses: list[int] = []

    async def ask(method: str, path: str) -> None:
        statuses.append((await site.call(method, path))[0])

    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(ask, "GET", f"/feed-values/{feed['id']}?max_points=10")
            nursery.start_soon(ask, "DELETE", f"/feed-values/{feed['id']}")
        await trio.testing.wait_all_tasks_blocked()
        assert charts.on_their_way == CHARTS_OF_ONE
        assert erased.on_their_way == ERASED_OF_ONE
        assert (await site.call("GET", "/users/me"))[0] == 200
        charts.may_end.set()
        erased.may_end.set()
    assert statuses == [200] * 16


async def test_a_chart_of_many_points_is_shown_in_portions(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten thousand took a tenth of a second in one step."""
    _, feed = await site.post("/feeds", {"key": "t", "name": "t", "kind": "number"})
    buckets = [
        Bucket(ts_us=NOW + n * MINUTE_US, count=1, sum=float(n), avg=float(n), min=0.0, max=1.0)
        for n in range(5_000)
    ]

    async def bounds(*args: Any) -> tuple[int, int]:
        return NOW, NOW + 4_999 * MINUTE_US

    async def found_buckets(*args: Any) -> list[Bucket]:
        return buckets

    monkeypatch.setattr(site.service.store, "feed_bounds", bounds, raising=False)
    monkeypatch.setattr(site.service.store, "feed_buckets", found_buckets, raising=False)
    path = f"/feed-values/{feed['id']}"
    portions: list[int] = []
    right = Thinking.turn

    async def counted(self: Thinking, who: str, step: Any) -> Any:
        done = await right(self, who, step)
        portions.append(len(done))
        return done

    monkeypatch.setattr(Thinking, "turn", counted)
    status, found = await site.call("GET", f"{path}?bucket=1m&agg=avg,count")
    assert status == 200
    assert portions == [2_000, 2_000, 1_000]
    shown = [item["avg"] for item in found["items"]]
    assert shown == [float(n) for n in reversed(range(5_000))]
    assert set(found["items"][0]) == {"ts", "avg", "count"} <= set(ReadingView.__struct_fields__)
