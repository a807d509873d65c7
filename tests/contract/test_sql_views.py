"""A user's database login: it reads their own devices and readings, and can do nothing else."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import trio

from actors.adapters.postgres.store import PostgresStore, open_store
from actors.adapters.postgres.views import role_of
from tests.contract.test_store import Home, of
from tests.unit.makers import NOW, OTHER_USER, USER, some_device, some_feed, some_login


@pytest.fixture
async def store(url: str) -> AsyncIterator[PostgresStore]:
    async with open_store(url) as opened:
        yield opened
        for user_id in (USER, OTHER_USER):
            await opened.revoke_views(user_id)


async def asked(url: str, role: str, *statements: str) -> list[Any]:
    """What a login by that role gets for each statement: rows, or the name of an error."""

    async def ask() -> list[Any]:
        connection = await asyncpg.connect(re.sub(r"//\w+@", f"//{role}@", url))
        found: list[Any] = []
        for statement in statements:
            try:
                found.append([dict(row) for row in await connection.fetch(statement)])
            except asyncpg.PostgresError as error:
                found.append(type(error).__name__)
        await connection.close()
        return found

    return await trio.to_thread.run_sync(asyncio.run, ask())


async def test_a_login_reads_what_is_its_users(store: PostgresStore, url: str) -> None:
    at = await Home(store).furnish()
    device_id = "00000000-0000-4000-8000-0000000000bb"
    theirs = some_device("theirs", device_id, user_id=OTHER_USER, client_id="device-x")
    added = await at.store.add_device(theirs, some_login(theirs))
    feed = some_feed("secret", 99, user_id=OTHER_USER, device_id=device_id)
    foreign = await at.store.add_feed(feed)
    await at.commit(of(at.reading(1.5), at.reading("word"), at.reading(True)))
    while await at.store.roll_up(10):
        pass
    role = await store.grant_views(USER, "first")
    assert role == role_of(USER)
    assert await store.grant_views(USER, "it's \\another") == role
    readings, hours, devices = await asked(
        url,
        role,
        "SELECT * FROM readings ORDER BY feed_key",
        f"SELECT * FROM {role}.readings_by_hour WHERE feed_key = 'number'",
        "SELECT code FROM devices",
    )
    assert {(r["feed_key"], r["number"], r["text"], r["boolean"]) for r in readings} == {
        ("number", 1.5, None, None),
        ("text", None, "word", None),
        ("bool", None, None, True),
    }
    assert readings[0]["time"].timestamp() * 1_000_000 == NOW
    assert [(r["count"], r["avg"]) for r in hours] == [(1, 1.5)]
    assert [r["code"] for r in devices] == [at.device.code]
    assert added.num and foreign.num


async def test_a_login_reads_and_changes_nothing_else(store: PostgresStore, url: str) -> None:
    await Home(store).furnish()
    role, other = [await store.grant_views(user, "pw") for user in (USER, OTHER_USER)]
    refused = await asked(
        url,
        role,
        "SELECT * FROM public.users",
        "SELECT * FROM public.feed_values",
        f"SELECT * FROM {other}.readings",
        "UPDATE devices SET name = 'x'",
        "SET default_transaction_read_only = off",  # that is a wish, not a right
        "UPDATE devices SET name = 'x'",
        "CREATE TABLE public.mine (x integer)",
        f"CREATE TABLE {role}.mine (x integer)",
        f"SET ROLE {other}",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
    )
    allowed = ("InsufficientPrivilegeError", "ReadOnlySQLTransactionError")
    assert refused.pop(4) == []
    assert all(each in allowed for each in refused), refused


async def test_a_login_that_is_taken_away_is_gone(store: PostgresStore, url: str) -> None:
    await Home(store).furnish()
    role = await store.grant_views(USER, "pw")
    assert await store.revoke_views(USER)
    assert not await store.revoke_views(USER)
    with pytest.raises(asyncpg.PostgresError):
        await asked(url, role, "SELECT 1")
