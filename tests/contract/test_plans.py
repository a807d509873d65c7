"""What is due is found by its index: a claim reads what it takes, however much else waits.

PostgreSQL chooses a plan by what it knows of the tables, and of a table that was just filled it
knows nothing. So nothing is analyzed here. And a connection keeps the plan that it made: the best
one for a few rows is the worst when many came.
"""

import json
from collections.abc import Iterator
from itertools import count
from typing import Any
from uuid import uuid4

import pytest

from actors.adapters.asyncio_bridge import open_bridge
from actors.adapters.postgres import command_claims, schedule_claims
from actors.adapters.postgres.store import open_store
from actors.adapters.postgres.wire import connections
from actors.ports.store import Batch
from protocol.device.commands import Command, firsts_of
from protocol.records import DeviceState, Reading, StateChange
from protocol.schedule.schedules import Due, Occurrence, triggered
from tests.contract.pg_scene import Scene
from tests.contract.test_store import Home, of
from tests.contract.test_store_schedules import some_media, some_schedule
from tests.unit.makers import NOW, SECOND, USER

WAITING = 3_000
TAKEN = 10


class Explained:
    """A connection that notes how many rows each step of its statements looked at."""

    def __init__(self, connection: Any) -> None:
        self.looked_at: list[int] = []
        self.transaction = connection.transaction
        self._connection = connection

    async def fetch(self, query: str, *args: Any) -> Any:
        await self._explain(query, *args)
        return await self._connection.fetch(query, *args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        await self._explain(query, *args)
        return await self._connection.fetchval(query, *args)

    async def execute(self, query: str, *args: Any) -> Any:
        if not query.startswith("SET "):
            await self._explain(query, *args)
        return await self._connection.execute(query, *args)

    async def _explain(self, query: str, *args: Any) -> None:
        attempt = self._connection.transaction()
        await attempt.start()
        try:
            (plan,) = json.loads(
                await self._connection.fetchval(
                    f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {query}", *args
                )
            )
        finally:
            await attempt.rollback()
        self.looked_at += _looked_at(plan["Plan"])


def _looked_at(node: dict[str, Any]) -> Iterator[int]:
    removed = sum(value for name, value in node.items() if name.startswith("Rows Removed"))
    yield round((node["Actual Rows"] + removed) * node["Actual Loops"])
    for below in node.get("Plans", ()):
        yield from _looked_at(below)


def _id(n: int) -> str:
    """Of the command of the occurrence of that number."""
    return f"00000000-0000-4000-b000-{n:012d}"


def _fires(due: Due) -> tuple[Occurrence, Command | None]:
    command = Command(
        id=_id(due.occurrence.num),
        user_id=due.schedule.user_id,
        device_id=due.schedule.device_id,
        device_num=due.device_num,
        device_code=due.device_code,
        type="play_media",
        payload="{}",
        parallel=True,
        created_us=NOW,
        expires_us=NOW + 600 * SECOND,
        next_try_us=NOW + 60 * SECOND,
    )
    return triggered(due.occurrence, command, NOW), command


@pytest.fixture
async def crowded(url: str) -> str:
    """A database with as many occurrences due as commands that wait for their device."""
    async with open_store(url) as store:
        await Home(store).furnish()
        await store.add_media(some_media())
        await store.add_schedule(some_schedule(), [NOW + n for n in range(2 * WAITING)])
        await store.claim_occurrences(NOW + SECOND, WAITING, _fires)
        # What comes first in its index is not what is looked for.
        await store.commands_sent([((USER, _id(n + 1)), NOW) for n in range(WAITING // 2)])
    return url


async def _looks_at(url: str, work: Any, *args: Any) -> tuple[Any, int]:
    """What a unit of work answers, and the most rows that a step of it looked at."""

    async def run() -> tuple[Any, int]:
        connection = await connections.connect(url)
        explained = Explained(connection)
        try:
            return await work(explained, *args), max(explained.looked_at)
        finally:
            await connection.close()

    async with open_bridge("plans") as bridge:
        return await bridge.run(run)


async def test_a_claim_of_occurrences_looks_at_those_it_takes(crowded: str) -> None:
    claimed, rows = await _looks_at(
        crowded, schedule_claims.claim_occurrences, NOW + SECOND, TAKEN, _fires
    )
    assert (len(claimed.send), claimed.next_us) == (TAKEN, NOW + WAITING + TAKEN)
    assert rows <= 4 * TAKEN


async def test_a_claim_of_commands_looks_at_those_it_takes(crowded: str) -> None:
    claimed, rows = await _looks_at(crowded, command_claims.claim_commands, NOW + SECOND, TAKEN)
    assert (claimed.send, claimed.next_us) == ((), NOW + 60 * SECOND)
    assert rows <= 4
    claimed, rows = await _looks_at(
        crowded, command_claims.claim_commands, NOW + 60 * SECOND, TAKEN
    )
    assert len(claimed.send) == firsts_of(TAKEN)
    assert rows <= 4 * TAKEN


async def test_noting_commands_as_sent_looks_at_these(crowded: str) -> None:
    keys = [(USER, _id(WAITING - n)) for n in range(TAKEN)]
    noted, rows = await _looks_at(
        crowded, command_claims.commands_sent, [(each, NOW) for each in keys]
    )
    assert noted == dict.fromkeys(keys, 1)
    assert rows <= 4 * TAKEN


# What the connection has read and not reported yet; from its transactions before this one, too.
_SCANNED = "SELECT relname, seq_tup_read FROM pg_stat_xact_user_tables"


async def test_a_plan_that_was_made_for_a_few_rows_finds_its_few_among_many(url: str) -> None:
    """The claims of a service that was empty when they were planned, on the same connection."""
    async with open_store(url) as store:
        await Home(store).furnish()
        await store.add_media(some_media())
        await store.add_schedule(some_schedule(), [NOW + n for n in range(2 * WAITING)])

    async def claim(connection: Any) -> None:
        await schedule_claims.claim_occurrences(connection, NOW + SECOND, TAKEN, _fires)
        await command_claims.claim_commands(connection, NOW + 60 * SECOND, TAKEN)
        await command_claims.commands_sent(
            connection, [((USER, _id(n)), NOW) for n in range(TAKEN)]
        )

    async def run() -> dict[str, int]:
        connection = await connections.connect(url)
        try:
            aside = "CREATE TEMP TABLE aside AS TABLE schedule_occurrences"
            for statement in (aside, "DELETE FROM schedule_occurrences", "VACUUM ANALYZE"):
                await connection.execute(statement)
            for _ in range(20):
                await claim(connection)
            await connection.execute(
                "INSERT INTO schedule_occurrences OVERRIDING SYSTEM VALUE TABLE aside"
            )
            for _ in range(WAITING // 1000):
                await schedule_claims.claim_occurrences(connection, NOW + SECOND, 1000, _fires)
            async with connection.transaction():
                before = dict(await connection.fetch(_SCANNED))
                await claim(connection)
                after = dict(await connection.fetch(_SCANNED))
            return {name: rows - before.get(name, 0) for name, rows in after.items()}
        finally:
            await connection.close()

    async with open_bridge("plans") as bridge:
        scanned = await bridge.run(run)
    assert {name: rows for name, rows in scanned.items() if rows > 8 * TAKEN} == {}


async def test_no_plan_is_forced_on_whoever_did_not_ask_for_it(scene: Scene) -> None:
    """`enable_seqscan=off` was a setting of every connection, and made plans that cost more."""
    forced = (
        "SELECT name FROM pg_settings WHERE name ~ '^(enable_|plan_cache_mode)'"
        " AND setting <> boot_val"
    )

    async def names(connection: Any) -> list[str]:
        return [row["name"] for row in await connection.fetch(forced)]

    store = scene.store
    await store.claim_commands(0, 10)  # it asks, for its own transaction
    await store.roll_up(10)
    assert await store._work(names) == []
    # The writer's one statement is planned once, however full the tables are (below).
    assert await store._work(names, writing=True) == ["plan_cache_mode"]


_CROWD = """
INSERT INTO devices (id, user_id, code, name, offline_after_s, created_at, username, client_id,
    password_sha256)
SELECT gen_random_uuid(), user_id, 'c' || n, 'c' || n, 300, now(), 'c' || n, 'crowd-' || n, ''
FROM devices d, generate_series(1, 20000) n WHERE d.code = 'd1'
"""
_FEEDS = """
INSERT INTO feeds (id, user_id, device_id, key, name, kind, enabled, on_violation, created_at)
SELECT gen_random_uuid(), d.user_id, d.id, 't', 't', 'number', true, 'reject', now()
FROM devices d WHERE d.code LIKE 'c%'
"""
_LAST = (
    "INSERT INTO feed_last (feed_num, ts, number) SELECT num, now(), 1 FROM feeds WHERE key = 't'"
)


async def test_a_commit_finds_its_device_among_many_that_came_after_its_plan(url: str) -> None:
    """It is planned once for many commits, here when there was one device."""

    async def scanned(connection: Any) -> int:
        await connection.execute("SELECT pg_stat_force_next_flush()")
        await connection.execute("SELECT pg_stat_clear_snapshot()")
        query = "SELECT sum(seq_tup_read) FROM pg_stat_user_tables"
        return int(await connection.fetchval(query))

    async def crowd(connection: Any) -> None:
        for table in ("devices", "feeds", "feed_last"):
            await connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
        for statement in (_CROWD, _FEEDS, _LAST):
            await connection.execute(statement)

    async with open_store(url) as store:
        home = await Home(store).furnish()
        feed, versions = home.feeds["number"], count(1)

        async def commit() -> None:
            state = DeviceState(version=next(versions), status="online")
            reading = Reading(feed.num, home.device.num, NOW + state.version, 1, 1.0)
            unit = of(reading, state=StateChange(home.device.num, state))
            batch = Batch(id=str(uuid4()), units=[unit], confirmed={}, epoch=0)
            await store.commit(batch)

        for _ in range(3):
            await commit()
        await store._work(crowd)
        await commit()
        before = await store._work(scanned, writing=True)
        for _ in range(10):
            await commit()
        assert await store._work(scanned, writing=True) - before < 100
