"""A backlog of users' sums, as a deletion leaves it: worked off in short transactions."""

import pytest
import trio

from actors.adapters.postgres.rollups import stale as rollup_stale
from protocol.rest.charts import Bucket
from tests.contract.pg_scene import Scene
from tests.contract.test_store import of
from tests.unit.makers import NOW, SECOND, USER

MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86400 * SECOND
START = NOW - NOW % DAY - 3 * DAY
MINUTES = 150
ROWS = 40
LIMIT = ROWS // rollup_stale.ROWS_EACH


@pytest.fixture
async def stale(scene: Scene) -> Scene:
    """Two feeds had a value in each of 150 minutes; then one of them was deleted."""
    home = scene.home
    for n in range(MINUTES):
        at = START + n * MINUTE
        await home.commit(of(home.reading(float(n), at), home.reading(n % 2 == 0, at)))
    while await home.store.roll_up(1_000):
        pass
    await home.store.delete_feed(USER, home.feeds["bool"].id)
    return scene


async def totals(scene: Scene) -> list[Bucket]:
    return await scene.home.store.user_buckets(USER, START, START + DAY, 60)


async def until(scene: Scene) -> int:
    """Minutes since the start that are still stale, or 0."""
    rows = await scene.fetch("SELECT extract(epoch FROM until) FROM user_rollups_stale")
    return (int(rows[0][0]) * SECOND - START) // MINUTE if rows else 0


async def test_each_turn_makes_a_portion_and_goes_on_where_the_last_one_stopped(
    stale: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it was one transaction of up to a million rows."""
    monkeypatch.setattr(rollup_stale, "WITHIN_S", 0.0)
    left = [await until(stale)]
    while await stale.home.store.roll_up(LIMIT):
        left.append(await until(stale))
        # Whatever is made by now: what is asked for equals the readings.
        assert [bucket.max for bucket in await totals(stale)] == [float(n) for n in range(MINUTES)]
    feeds = len(await stale.home.store.feeds(USER, 1_000, 0))
    portion = ROWS // (feeds + 1)
    assert left[0] == 180
    assert left[1:] == list(range(MINUTES - portion, 0, -portion))
    hours = "SELECT count FROM user_hours ORDER BY ts"
    assert await stale.fetch(hours) == [(60,), (60,), (30,)]


async def test_a_turn_makes_portions_until_its_time_is_over_each_in_its_own_transaction(
    stale: Scene,
) -> None:
    while await stale.home.store.roll_up(LIMIT):
        pass
    made = await stale.fetch(
        "SELECT count(*) FROM (SELECT xmin::text FROM user_minutes"
        " UNION ALL SELECT xmin::text FROM user_hours) u (made) GROUP BY made"
    )
    assert len(made) > 5
    # An hour's own row may come with it.
    assert max(count for (count,) in made) <= ROWS + 1


async def test_a_portion_that_fails_keeps_what_was_made_and_is_tried_alone_again(
    stale: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollup_stale, "WITHIN_S", 0.0)
    bad = "CHECK (max <> 100 OR count <> 1) NOT VALID"
    await stale.fetch(f"ALTER TABLE user_minutes ADD CONSTRAINT bad {bad}")
    store = stale.home.store
    while await store.roll_up(LIMIT):
        pass
    (letter,) = await store.dead_letters(10, None)
    assert letter.subject == f"user {USER}"
    stopped = await until(stale)
    assert 100 < stopped < MINUTES
    for attempts in (2, 3):  # pauses grow, whatever else succeeded in that turn
        await store.retry_dead_letters(None, 0)
        await store.roll_up(LIMIT)
        (letter,) = await store.dead_letters(10, None)
        assert letter.attempts == attempts
    assert [bucket.max for bucket in await totals(stale)] == [float(n) for n in range(MINUTES)]
    await stale.fetch("ALTER TABLE user_minutes DROP CONSTRAINT bad")
    await store.retry_dead_letters(None, 0)
    assert await store.roll_up(LIMIT)
    assert await until(stale) < stopped
    assert len(await store.dead_letters(10, None)) == 1  # something of theirs is left
    while await store.roll_up(LIMIT):
        pass
    assert await store.dead_letters(10, None) == []


async def test_a_turn_leaves_the_backlog_while_a_deletion_has_the_sums(stale: Scene) -> None:
    store = stale.home.store
    await stale.fetch("BEGIN")
    await stale.fetch("SELECT true FROM rollup_turn FOR UPDATE")
    with trio.fail_after(5):
        assert await store.roll_up(LIMIT) is None
    await stale.fetch("ROLLBACK")
    while await store.roll_up(LIMIT):
        pass
    assert await until(stale) == 0
