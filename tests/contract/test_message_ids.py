"""Message ids that were stored before their content was, and the statement that looks for them."""

import pytest

from tests.contract.pg_scene import Scene, open_scene
from tests.contract.test_store import of
from tests.unit.makers import SECOND


@pytest.mark.parametrize(("days", "stored"), [(6, 1), (8, 2)])
async def test_an_id_from_before_the_update_is_a_repetition_for_its_seven_days(
    url: str, days: int, stored: int
) -> None:
    async with open_scene(url) as scene:
        await known(scene, days)
        home = scene.home
        done = await home.commit(
            of(home.reading(1.0, message_id="m")),
            of(home.reading(2.0, message_id="n")),
        )
        assert list(done.duplicates) == [2 - stored, 0]
        again = await home.commit(of(home.reading(1.0, SECOND, message_id="m")))
        assert list(again.duplicates) == [1]


async def known(scene: Scene, days: int) -> None:
    feed, device = scene.home.feeds["number"].num, scene.home.device.num
    await scene.fetch(
        "INSERT INTO message_ids_before (feed_num, device_num, id, seen_at)"
        f" VALUES ({feed}, {device}, 'm', now() - interval '{days} days')"
    )
