"""A user's database login: it reads their own devices and readings, and can do nothing else, to
nobody."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import asyncpg
import pytest
import trio

from actors.adapters.postgres.readers import Patience, readers_of
from actors.adapters.postgres.store import PostgresStore, open_store
from actors.adapters.postgres.views import SqlLogin, role_of
from tests.contract.test_store import Home, of
from tests.unit.makers import NOW, OTHER_USER, USER, some_device, some_feed, some_login

REFUSED = ("InsufficientPrivilegeError", "ReadOnlySQLTransactionError")


@pytest.fixture
async def store(url: str) -> AsyncIterator[PostgresStore]:
    async with open_store(url) as opened:
        yield opened
        for user_id in (USER, OTHER_USER):
            await opened.revoke_views(user_id)


def database_of(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


async def connected(url: str, login: SqlLogin, password: str = "pw", database: str = "") -> Any:
    given = {"user": login.role, "password": password, "database": database or login.database}
    return await asyncpg.connect(url, **given)


def in_asyncio(work: Callable[[], Any]) -> Any:
    return asyncio.run(work())


async def told(connection: Any, *statements: str) -> list[Any]:
    """What each statement answers: rows, or the name of an error."""
    found: list[Any] = []
    for statement in statements:
        try:
            found.append([dict(row) for row in await connection.fetch(statement)])
        except asyncpg.PostgresError as error:
            found.append(type(error).__name__)
    return found


async def asked(url: str, login: SqlLogin, *statements: str, password: str = "pw") -> list[Any]:
    async def ask() -> list[Any]:
        connection = await connected(url, login, password)
        found = await told(connection, *statements)
        await connection.close()
        return found

    return await trio.to_thread.run_sync(in_asyncio, ask)


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
    login = await store.grant_views(USER, "first")
    role = login.role
    assert role == role_of(USER)
    assert (login.database, login.is_apart) == (readers_of(database_of(url)), True)
    assert await store.grant_views(USER, "it's \\another") == login
    readings, hours, devices = await asked(
        url,
        login,
        "SELECT * FROM readings ORDER BY feed_key",
        f"SELECT * FROM {role}.readings_by_hour WHERE feed_key = 'number'",
        "SELECT code FROM devices",
        password="it's \\another",
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
    login, other = [await store.grant_views(user, "pw") for user in (USER, OTHER_USER)]
    refused = await asked(
        url,
        login,
        "UPDATE devices SET name = 'x'",
        "SET default_transaction_read_only = off",  # that is a wish, not a right
        "UPDATE devices SET name = 'x'",
        f"SELECT * FROM {other.role}.readings",
        "CREATE TABLE public.mine (x integer)",
        f"CREATE TABLE {login.role}.mine (x integer)",
        "CREATE TEMP TABLE mine (x integer)",
        "SELECT lo_create(0)",
        "SELECT lo_from_bytea(0, 'x')",
        "SELECT pg_notify('roost_people', 'x')",
        "SET temp_file_limit = -1",
        "CREATE FOREIGN TABLE public.users (email text) SERVER roost",
        "CREATE USER MAPPING FOR CURRENT_USER SERVER roost",
        f"SET ROLE {other.role}",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
    )
    assert refused.pop(1) == []
    assert [each for each in refused if each not in REFUSED] == []
    (mappings,) = await asked(url, login, "SELECT umoptions FROM pg_user_mappings")
    assert mappings == [{"umoptions": None}]  # no password of anybody


async def test_a_login_connects_to_no_other_database(store: PostgresStore, url: str) -> None:
    await Home(store).furnish()
    login = await store.grant_views(USER, "pw")

    async def ask() -> list[str]:
        found = []
        for database in (database_of(url), "postgres", "template1"):
            try:
                await (await connected(url, login, database=database)).close()
            except asyncpg.PostgresError as error:
                found.append(type(error).__name__)
        roost = await asyncpg.connect(url)
        for right in ("CONNECT", "TEMPORARY"):
            has = "SELECT has_database_privilege($1, current_database(), $2)"
            found.append(str(await roost.fetchval(has, login.role, right)))
        await roost.close()
        return found

    found = await trio.to_thread.run_sync(in_asyncio, ask)
    assert found == [*["InvalidAuthorizationSpecificationError"] * 3, "False", "False"]


async def test_a_login_hears_nobody_is_heard_by_nobody_and_holds_no_lock_of_roost(
    store: PostgresStore, url: str
) -> None:
    """It ended the service with notifications, and heard the sessions of all users."""
    await Home(store).furnish()
    login = await store.grant_views(USER, "pw")

    async def ask() -> tuple[list[str], list[str], bool]:
        roost, reader = await asyncpg.connect(url), await connected(url, login)
        heard: dict[Any, list[str]] = {roost: [], reader: []}
        for each, theirs in heard.items():
            await each.add_listener("roost_people", partial(_note, theirs))
        await reader.execute("NOTIFY roost_people, 'from a reader'")
        await roost.execute("NOTIFY roost_people, 'from Roost'")
        await reader.fetch("SELECT pg_advisory_lock(1)")
        is_free = await roost.fetchval("SELECT pg_try_advisory_lock(1)")
        for each in heard:
            await each.fetch("SELECT 1")
            await each.close()
        return heard[roost], heard[reader], is_free

    heard = await trio.to_thread.run_sync(in_asyncio, ask)
    assert heard == (["from Roost"], ["from a reader"], True)


def _note(heard: list[str], *what: Any) -> None:
    heard.append(what[-1])


@pytest.mark.parametrize(
    ("begin", "patience"),
    [
        ("SELECT pg_sleep(60)", Patience(statement_s=0.2)),
        ("BEGIN", Patience(idle_s=0.2)),
        ("BEGIN; SELECT count(*) FROM readings", Patience(transaction_s=0.2)),
    ],
    ids=["statement", "idle", "transaction"],
)
async def test_who_takes_too_long_is_cut_off_whatever_they_set(
    store: PostgresStore, url: str, begin: str, patience: Patience
) -> None:
    await Home(store).furnish()
    login = await store.grant_views(USER, "pw")

    async def ask() -> str:
        reader = await connected(url, login)
        await reader.execute("SET statement_timeout = 0")
        await reader.execute("SET idle_in_transaction_session_timeout = 0")
        try:
            await reader.execute(begin)
            await asyncio.sleep(60)
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            return type(error).__name__
        return "still there"

    async def run() -> None:
        await trio.to_thread.run_sync(in_asyncio, ask, abandon_on_cancel=True)

    async with trio.open_nursery() as nursery:
        assert await store.end_late_readers() == 0
        nursery.start_soon(run)
        with trio.fail_after(20):
            while not await store.end_late_readers(patience):  # noqa: ASYNC110 (the server tells nobody)
                await trio.sleep(0.05)
        nursery.cancel_scope.cancel()


async def test_a_login_that_is_taken_away_is_gone(store: PostgresStore, url: str) -> None:
    await Home(store).furnish()
    login = await store.grant_views(USER, "pw")
    assert await store.revoke_views(USER)
    assert not await store.revoke_views(USER)
    with pytest.raises(asyncpg.PostgresError):
        await asked(url, login, "SELECT 1")
