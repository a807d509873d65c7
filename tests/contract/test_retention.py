"""Retention: one long history holds up no other feed, and a failure loses no place."""

from typing import Any

import pytest

from actors.adapters.postgres import history_deletion
from actors.due.retention import Retention
from actors.ports.charts import Expired
from actors.ports.store import FeedPage
from protocol.device.values import digest64
from protocol.errors import Unavailable
from protocol.records import Reading
from tests.contract.pg_scene import Scene
from tests.unit.makers import NOW, SECOND, some_feed

DAY = 86400 * SECOND


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Portions of few readings."""
    monkeypatch.setattr(history_deletion, "PORTIONS_EACH", 2)
    statement = history_deletion._LAST_OF_PORTION.replace("OFFSET 9999", "OFFSET 4")
    monkeypatch.setattr(history_deletion, "_LAST_OF_PORTION", statement)


async def many(scene: Scene, n: int, readings: int) -> int:
    feed = await scene.home.store.add_feed(some_feed(f"f{n}", n, retain_days=1))
    history = [
        Reading(feed.num, 0, NOW - 9 * DAY + k * SECOND, digest64(float(k)), float(k))
        for k in range(readings)
    ]
    await scene.home.store.add_history(feed, history)
    return feed.num


async def left(scene: Scene, num: int) -> int:
    return len(await scene.home.store.feed_values(FeedPage(feed_num=num)))


async def test_a_long_history_gets_a_share_of_each_round(scene: Scene, small: None) -> None:
    long, short = await many(scene, 30, 43), await many(scene, 31, 4)
    expired = await scene.home.store.expire_history(NOW)
    assert (expired.after, expired.is_left) == (None, True)
    assert (await left(scene, long), await left(scene, short)) == (33, 0)
    assert await Retention(scene.home.store).run(NOW) == 33
    assert await left(scene, long) == 0


async def test_a_run_goes_on_where_a_failed_one_stopped() -> None:
    class Store:
        def __init__(self) -> None:
            self.asked: list[int] = []

        async def expire_history(self, now_us: int, after: int) -> Expired:
            self.asked.append(after)
            if self.asked == [0, 7]:
                raise Unavailable("away")
            return Expired(deleted=1, after={0: 7, 7: 9}.get(after), is_left=False)

    store: Any = Store()
    retention = Retention(store)
    with pytest.raises(Unavailable):
        await retention.run(NOW)
    assert await retention.run(NOW) == 2
    assert store.asked == [0, 7, 7, 9]
