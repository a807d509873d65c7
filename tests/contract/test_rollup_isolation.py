"""One minute whose sums fail, or one user's: it is put aside, and its neighbours are summed up."""

import pytest

from protocol.dead_letters import ROLLUPS
from protocol.errors import Unavailable
from protocol.rest.charts import Bucket
from tests.contract.pg_scene import Scene
from tests.contract.test_store import of
from tests.unit.makers import NOW, SECOND, USER

MINUTE, DAY = 60 * SECOND, 86400 * SECOND
START = NOW - NOW % DAY - 3 * DAY
BAD = 13.0


@pytest.fixture
async def forbidding(scene: Scene) -> Scene:
    """No sum of a minute or hour may hold that value."""
    await scene.fetch(f"ALTER TABLE feed_minutes ADD CONSTRAINT bad CHECK (max <> {BAD})")
    return scene


async def chart(scene: Scene, bucket_s: int = 60) -> list[Bucket]:
    num = scene.home.feeds["number"].num
    return await scene.home.store.feed_buckets(num, START, START + DAY, bucket_s)


async def test_a_minute_that_fails_is_put_aside_and_its_neighbours_are_summed_up(
    forbidding: Scene,
) -> None:
    """It failed all of them, nine times, and the process with it."""
    scene, home = forbidding, forbidding.home
    values = [1.0, 2.0, BAD, 3.0, 4.0]
    for n, value in enumerate(values):
        await home.commit(of(home.reading(value, START + n * 61 * MINUTE)))
    assert await home.store.roll_up(100) == 0
    (kept,) = await scene.fetch("SELECT count(*) FROM feed_minutes")
    assert kept == (4,)
    (letter,) = await home.store.dead_letters(10, None)
    minute = (START + 2 * 61 * MINUTE) // MINUTE
    assert (letter.work, letter.subject) == (ROLLUPS, f"{home.feeds['number'].num}/{minute}")
    assert "CheckViolation" in letter.reason
    # Charts and totals tell of it all the same.
    assert [bucket.max for bucket in await chart(scene)] == values
    totals = await home.store.user_buckets(USER, START, START + DAY, 86400)
    assert [(b.count, b.max) for b in totals] == [(5, BAD)]
    # Nothing is tried before its time.
    assert await home.store.roll_up(100) == 0
    assert (await home.store.dead_letters(10, None))[0].attempts == 1


_UNREAD = (
    "CREATE FUNCTION unread() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " RAISE 'invalid page' USING ERRCODE = 'XX001'; END $$",
    "CREATE TRIGGER unread BEFORE INSERT ON feed_minutes FOR EACH ROW"
    f" WHEN (new.max = {BAD}) EXECUTE FUNCTION unread()",
)


async def test_so_is_one_whose_readings_the_server_cannot_read(scene: Scene) -> None:
    """Nobody's minutes were summed up any more."""
    home = scene.home
    for statement in _UNREAD:
        await scene.fetch(statement)
    values = [1.0, BAD, 3.0]
    for n, value in enumerate(values):
        await home.commit(of(home.reading(value, START + n * 61 * MINUTE)))
    assert await home.store.roll_up(100) == 0
    (letter,) = await home.store.dead_letters(10, None)
    assert "invalid page" in letter.reason
    assert [bucket.max for bucket in await chart(scene)] == values
    # Where it can read nothing, it is in trouble, and nothing is put aside.
    await home.commit(of(home.reading(BAD, START + 9 * 61 * MINUTE)))
    with pytest.raises(Unavailable):
        await home.store.roll_up(100)
    assert len(await home.store.dead_letters(10, None)) == 1


async def test_it_is_tried_again_and_its_letter_goes_when_it_succeeds(forbidding: Scene) -> None:
    scene, home = forbidding, forbidding.home
    await home.commit(of(home.reading(BAD, START)))
    await home.store.roll_up(100)
    await home.store.retry_dead_letters(None, 0)
    await home.store.roll_up(100)
    assert (await home.store.dead_letters(10, None))[0].attempts == 2
    await scene.fetch("ALTER TABLE feed_minutes DROP CONSTRAINT bad")
    await home.store.retry_dead_letters(None, 0)
    assert await home.store.roll_up(100) == 0
    assert await home.store.dead_letters(10, None) == []
    for sums in ("feed_minutes", "feed_hours"):
        assert await scene.fetch(f"SELECT max FROM {sums}") == [(BAD,)]
    assert await scene.fetch("SELECT count(*) FROM rollup_late") == [(0,)]


async def test_very_many_that_fail_end_within_some_turns(forbidding: Scene) -> None:
    home = forbidding.home
    readings = [home.reading(BAD, START + n * 61 * MINUTE) for n in range(22)]
    readings.append(home.reading(1.0, START + 23 * 61 * MINUTE))
    await home.commit(of(*readings))
    turns = 0
    while await home.store.roll_up(100):
        turns += 1
    assert 1 <= turns <= 4
    assert (await home.store.count_dead_letters()) == {ROLLUPS: 22}
    assert sum(bucket.count for bucket in await chart(forbidding, 3600)) == 23


async def test_what_waits_for_its_letter_goes_with_its_feed(forbidding: Scene) -> None:
    home = forbidding.home
    await home.commit(of(home.reading(BAD, START)))
    await home.store.roll_up(100)
    await home.store.delete_feed(USER, home.feeds["number"].id)
    await home.store.retry_dead_letters(None, 0)
    assert await home.store.roll_up(100) == 0
    assert await home.store.dead_letters(10, None) == []


async def test_totals_that_fail_after_a_deletion_are_put_aside(scene: Scene) -> None:
    home = scene.home
    await home.commit(of(home.reading(1.0, START), home.reading(True, START)))
    await home.store.roll_up(100)
    await scene.fetch("ALTER TABLE user_minutes ADD CONSTRAINT bad CHECK (count <> 1) NOT VALID")
    await home.store.delete_feed(USER, home.feeds["number"].id)
    assert await home.store.roll_up(100) == 0
    (letter,) = await home.store.dead_letters(10, None)
    assert (letter.subject, letter.user_id) == (f"user {USER}", USER)
    (total,) = await home.store.user_buckets(USER, START, START + DAY, 86400)
    assert total.count == 1  # from the sums of the feeds
    await scene.fetch("ALTER TABLE user_minutes DROP CONSTRAINT bad")
    await home.store.retry_dead_letters(None, 0)
    assert await home.store.roll_up(100) == 0
    assert await home.store.dead_letters(10, None) == []
    assert await scene.fetch("SELECT count FROM user_minutes") == [(1,)]


async def test_a_letter_that_is_dropped_leaves_no_minute_held_for_ever(forbidding: Scene) -> None:
    scene, home = forbidding, forbidding.home
    await home.commit(of(home.reading(BAD, START)))
    await home.store.roll_up(100)
    (letter,) = await home.store.dead_letters(10, None)
    assert await home.store.drop_dead_letter(letter.id)
    await scene.fetch("ALTER TABLE feed_minutes DROP CONSTRAINT bad")
    while await home.store.roll_up(100):
        pass
    assert await scene.fetch("SELECT count(*) FROM rollup_late") == [(0,)]
    assert await home.store.dead_letters(10, None) == []
