"""Months of readings are made ahead, and nobody waits for it longer than a second."""

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import trio

from actors.adapters.postgres.wire import migrating, partitions
from actors.adapters.postgres.wire.partitions import make_partitions
from protocol.errors import Unavailable
from tests.contract.pg_scene import Scene
from tests.contract.test_store import of
from tests.unit.makers import NOW, SECOND

# As long ago that its month is in the default partition.
LONG_AGO = 946_684_800 * SECOND
_MONTHS = """
SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'feed_values'::regclass
"""


@pytest.fixture
async def without_the_last_month(scene: Scene) -> str:
    """The name of the month that is to be made."""
    last: str = max(name for (name,) in await scene.fetch(_MONTHS) if name[-1].isdigit())
    await scene.fetch(f"DROP TABLE {last}")
    return last


async def months(scene: Scene) -> set[str]:
    return {name for (name,) in await scene.fetch(_MONTHS)}


async def test_a_month_is_made_whatever_is_read_and_nobody_waits_for_it(
    scene: Scene, without_the_last_month: str
) -> None:
    """It waited behind a reader's open transaction, and the writer behind it, for 91 s."""
    await scene.fetch("BEGIN")
    await scene.fetch("SELECT count(*) FROM feed_values")
    since = time.monotonic()
    with pytest.raises(Unavailable):
        await scene.store.tidy()
    assert time.monotonic() - since < 10  # three tries of a second would be three
    await scene.home.commit(of(scene.home.reading(1.0)))
    assert without_the_last_month not in await months(scene)
    await scene.fetch("COMMIT")
    await scene.store.tidy()
    assert without_the_last_month in await months(scene)


async def test_while_a_month_waits_to_be_made_others_write(
    scene: Scene, without_the_last_month: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "WITHIN", "60s")
    await scene.fetch("BEGIN")
    await scene.fetch("SELECT count(*) FROM feed_values")

    async def waits() -> bool:
        return await scene.fetch("SELECT FROM pg_locks WHERE NOT granted") != []

    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.store._work, make_partitions)
        while not await waits():
            await trio.sleep(0.01)
        await scene.home.commit(of(scene.home.reading(1.0)))
        assert await waits()
        await scene.fetch("COMMIT")
    assert without_the_last_month in await months(scene)


async def test_a_default_partition_with_rows_is_not_looked_through_while_it_is_locked(
    scene: Scene, without_the_last_month: str
) -> None:
    await scene.home.commit(of(scene.home.reading(1.0, LONG_AGO)))
    said: list[str] = []

    async def make(connection: Any) -> None:
        def note(_: Any, message: Any) -> None:
            said.append(str(message))

        connection.add_log_listener(note)
        await connection.execute("SET client_min_messages = debug1")
        await make_partitions(connection)
        await connection.execute("RESET client_min_messages")
        connection.remove_log_listener(note)

    await scene.store._work(make)
    assert without_the_last_month in await months(scene)
    implied = [line for line in said if "feed_values_default" in line and "is implied" in line]
    assert len(implied) == 1
    (left,) = await scene.fetch(
        "SELECT count(*) FROM pg_constraint WHERE conrelid = 'feed_values_default'::regclass"
        " AND contype = 'c'"
    )
    assert left == (0,)
    assert await scene.home.values() == [(LONG_AGO - NOW, 1.0)]


async def test_what_was_begun_and_cut_off_is_finished(
    scene: Scene, without_the_last_month: str
) -> None:
    await scene.home.commit(of(scene.home.reading(1.0, LONG_AGO)))
    name = without_the_last_month
    await scene.fetch(f"CREATE TABLE {name} (LIKE feed_values INCLUDING ALL)")
    await scene.fetch(
        f"ALTER TABLE feed_values_default ADD CONSTRAINT not_{name} CHECK (ts < '2020-01-01')"
        " NOT VALID"
    )
    await scene.store.tidy()
    assert name in await months(scene)
    # As every other month has it.
    (keys,) = await scene.fetch(
        "SELECT count(*) FROM pg_index WHERE indrelid = $1::text::regclass AND indisprimary", name
    )
    assert keys == (1,)


async def test_while_the_month_of_now_cannot_be_made_what_is_measured_is_stored(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A constraint that kept it out of the default partition would refuse it as unstorable."""
    await scene.home.commit(of(scene.home.reading(1.0, LONG_AGO)))
    ((now_us, name),) = await scene.fetch(
        "SELECT (extract(epoch FROM now()) * 1000000)::bigint,"
        " 'feed_values_' || to_char(now(), 'YYYY_MM')"
    )
    await scene.fetch(f"DROP TABLE {name}")
    monkeypatch.setattr(partitions, "_ATTACH", "SELECT pg_sleep(600) /* {name} {since} {until} */")
    with pytest.raises(Unavailable):
        await scene.store.tidy()
    await scene.home.commit(of(scene.home.reading(2.0, now_us)))
    assert {value for _, value in await scene.home.values()} == {1.0, 2.0}


# Two statements, which are not in one transaction.
INDEX = """-- What the migration needs.
DROP INDEX CONCURRENTLY IF EXISTS later;
CREATE INDEX CONCURRENTLY later ON rejected_messages (topic);
"""


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of the migrations with one more, 9999_later.sql."""
    for path in migrating.files().values():
        shutil.copy(path, tmp_path)
    (tmp_path / "9999_later.sql").write_text("ALTER TABLE devices ADD COLUMN later integer;")
    monkeypatch.setattr(migrating, "FOLDER", tmp_path)
    return tmp_path


async def test_a_migration_does_not_wait_for_readers_with_everybody_behind_it(
    scene: Scene, later: Path
) -> None:
    (later / "9998_before.sql").write_text("ALTER TABLE feeds ADD COLUMN before integer;")
    await scene.fetch("BEGIN")
    await scene.fetch("SELECT count(*) FROM devices")
    with pytest.raises(Unavailable):
        await scene.store.migrate()
    # The one before has its own transaction: its locks were not held while the next one waited.
    await scene.fetch("SELECT before FROM feeds")
    await scene.fetch("COMMIT")
    assert await scene.store.migrate() == ["9999_later.sql"]
    assert partitions.LOCK != migrating.LOCK


async def test_an_index_of_a_large_table_is_built_while_others_write(
    scene: Scene, later: Path
) -> None:
    (later / "9999_later.ahead.sql").write_text(INDEX)
    applied: list[str] = []

    async def migrate() -> None:
        applied.extend(await scene.store.migrate())

    await scene.fetch("BEGIN")
    await scene.fetch("DELETE FROM rejected_messages")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(migrate)
        while not await scene.waiting_for("virtualxid"):
            await trio.sleep(0.01)
        await scene.home.commit(of(rejections=scene.batch().units[1].rejections))
        assert applied == []
        await scene.fetch("COMMIT")
    assert applied == ["9999_later.sql"]
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'later'::regclass"
    assert await scene.fetch(valid) == [(True,)]


async def test_processes_that_migrate_at_once_do_not_block_each_other(
    scene: Scene, later: Path
) -> None:
    """One that waits for the other has no snapshot for which an index would wait."""
    (later / "9999_later.ahead.sql").write_text(INDEX)
    applied: list[str] = []

    async def migrate() -> None:
        applied.extend(await scene.store.migrate())

    async with trio.open_nursery() as both:
        both.start_soon(migrate)
        both.start_soon(migrate)
    assert applied == ["9999_later.sql"]
