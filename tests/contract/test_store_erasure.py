"""What every store promises of accounts that are disabled or erased."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest
import trio

from actors.adapters.postgres.erasure import UNREFERENCED
from actors.adapters.postgres.views import role_of
from actors.ports.people import AccountChange
from actors.ports.webhooks import Wanted
from protocol.dead_letters import ERASURES
from protocol.people.people import AuditEntry
from protocol.people.user import DisabledUser, ErasureLeft
from protocol.rest.listing import LISTS, MEDIA, SCHEDULES, WEBHOOKS
from protocol.times import SECOND_US
from tests.contract.pg_scene import Scene
from tests.contract.test_sql_views import asked, connected, in_asyncio, told
from tests.contract.test_store import Home, of
from tests.contract.test_store_access import some_key
from tests.contract.test_store_commands import some_command
from tests.contract.test_store_listeners import some_listener
from tests.contract.test_store_media import some_media
from tests.contract.test_store_people import heard_all, known, some_session
from tests.contract.test_store_refusals import refused
from tests.contract.test_store_schedules import Judge, some_schedule
from tests.contract.test_store_shop import some_product
from tests.contract.test_store_webhooks import some_webhook, with_news
from tests.support.lists import items
from tests.unit.makers import (
    NOW,
    OTHER_USER,
    USER,
    some_device,
    some_feed,
    some_login,
    some_user,
)

BOTH = (USER, OTHER_USER)
THEIRS = "00000000-0000-4000-8000-0000000000bb"
SOON = NOW + 3_600 * SECOND_US


@pytest.fixture
async def home(opened_store: Any) -> AsyncIterator[Home]:
    async with opened_store() as store:
        made = await Home(store).furnish()
        device = some_device("d2", THEIRS, user_id=OTHER_USER, client_id=f"device-{THEIRS}")
        await store.add_device(device, some_login(device))
        for n, user_id in enumerate(BOTH, 1):
            await furnish(made, user_id, n)
        yield made


async def furnish(home: Home, user_id: str, n: int) -> None:
    """One of everything."""
    store = home.store
    (device,) = await store.devices(user_id, 10, 0)
    ids = {"user_id": user_id}
    await store.add_session(some_session(n, **ids), "plain:secret")
    await store.add_reset(bytes([n]) * 32, user_id, SOON)
    await store.add_api_key(some_key(n, **ids))
    await store.set_listener(some_listener(n, **ids))
    await store.add_audit(entry(user_id))
    media = await store.add_media(some_media(n, **ids))
    schedule = some_schedule(n, media_id=media.id, device_id=device.id, plan_us=NOW, **ids)
    await store.add_schedule(schedule, [NOW])
    await store.add_product(some_product(n, **ids))
    webhook = await store.add_webhook(some_webhook(n, **ids))
    await with_news(home, webhook, n)
    at_device = {"device_num": device.num, "device_id": device.id, "device_code": device.code}
    await store.add_command(some_command(home, n, **ids, **at_device))
    await store.add_feed(some_feed("shared", 50 + n, device_id=None, **ids))
    await home.commit(of(rejections=(refused(user=user_id, device=device.id),)))
    await store.put_aside("rows", f"devices {n}", "damaged", now_us=NOW, user_id=user_id)


def entry(user_id: str) -> AuditEntry:
    return AuditEntry(user_id=user_id, at_us=NOW, action="account_disabled")


async def works(home: Home, user_id: str, n: int) -> dict[str, bool]:
    """What belongs to this user and can be used just now."""
    store = home.store
    key, listener, session = some_key(n), some_listener(n), some_session(n + 10, user_id=user_id)
    (device,) = await store.devices(user_id, 10, 0)
    is_in = await store.add_session(session, "plain:secret")
    await store.delete_sessions(user_id, [session.id])
    return {
        "sign-in": is_in,
        "link": await store.reset_user(bytes([n]) * 32, NOW) is not None,
        "key": await store.api_key(key.sha256) is not None,
        "socket by key": key.id in await store.sessions_alive([key.id]),
        "device": device.client_id in await store.logins([device.client_id]),
        "listener": listener.username in await store.listener_logins([listener.username]),
    }


async def test_nothing_of_a_disabled_user_works_until_they_are_enabled(home: Home) -> None:
    store, before = home.store, await works(home, USER, 1)
    assert all(before.values()), before
    heard: list[str] = []
    begun = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.follow_people, heard.append, begun.set, 5.0)
        await begun.wait()
        assert await store.disable_user(USER, NOW + 1, entries=[entry(USER)])
        await heard_all(heard, {USER, some_session(1).id, some_key(1).id})
        nursery.cancel_scope.cancel()
    assert not any((await works(home, USER, 1)).values())
    assert await store.session(some_session(1).id) is None
    assert all((await works(home, OTHER_USER, 2)).values())
    assert await store.disabled_users() == [
        DisabledUser(id=USER, disabled_us=NOW + 1, is_erased=False)
    ]
    assert (await known(home, USER)).disabled_us == NOW + 1
    assert await store.disable_user(USER, NOW + 2)
    assert (await known(home, USER)).disabled_us == NOW + 1  # since the first time
    assert await store.enable_user(USER, entries=[entry(USER)])
    # What ended stays ended.
    assert await works(home, USER, 1) == {**before, "link": False}
    assert await store.session(some_session(1).id) is None
    assert await store.disabled_users() == []
    assert not await store.disable_user(THEIRS, NOW)  # nobody's
    assert not await store.enable_user(THEIRS)


async def test_nothing_that_is_due_for_a_disabled_user_is_claimed(home: Home) -> None:
    store = home.store
    await store.disable_user(USER, NOW)
    planned: list[str] = []

    def plan(schedule: Any) -> Any:
        planned.append(schedule.user_id)
        return msgspec.structs.replace(schedule, plan_us=None), []

    assert await store.plan_schedules(NOW, 10, plan) is None
    fired = await store.claim_occurrences(NOW, 10, Judge(home, fires=False))
    sent = await store.claim_deliveries(Wanted(now_us=NOW, limit=10, each=4))
    assert planned == [OTHER_USER]
    assert [each.user_id for each in fired.changed.occurrences] == [OTHER_USER]
    assert fired.next_us is None
    # Nobody wakes up for what waits: it stays where it is, and nothing new joins it.
    assert {claim.user_id for claim in sent.claims} == {OTHER_USER}
    taken = [claim.delivery.webhook_num for claim in sent.claims]
    wanted = Wanted(now_us=NOW, limit=10, each=4, busy=taken)
    assert (await store.claim_deliveries(wanted)).next_us is None
    await store.enable_user(USER)
    again = await store.claim_occurrences(NOW, 10, Judge(home, fires=False))
    assert [each.user_id for each in again.changed.occurrences] == [USER]
    await store.plan_schedules(NOW, 10, plan)
    assert planned == [OTHER_USER, USER]
    sent = await store.claim_deliveries(Wanted(now_us=NOW, limit=10, each=9))
    assert USER in {claim.user_id for claim in sent.claims}


async def test_a_change_that_was_read_before_does_not_enable_again(home: Home) -> None:
    read = await known(home, USER)
    await home.store.disable_user(USER, NOW)
    await home.store.update_user(AccountChange(user=read))
    assert (await known(home, USER)).disabled_us == NOW


async def test_a_user_that_is_erased_leaves_nothing_and_takes_nothing_of_others(
    home: Home,
) -> None:
    store = home.store
    reading = home.reading(1.5)
    await home.commit(of(reading, home.reading("word")))
    theirs = await seen(home, OTHER_USER)
    await store.erase_user(USER)  # nobody asked for it
    assert await store.erasure_left(USER) is None
    assert await seen(home, USER) != {}
    assert await store.disable_user(USER, NOW, erase=True)
    assert not await store.enable_user(USER)
    assert await store.erasure_left(USER) == ErasureLeft(devices=1, feeds=4, media=1)
    await store.put_aside(ERASURES, USER, "damaged", now_us=NOW, user_id=USER)
    assert await store.forget_gone_letters(ERASURES) == 0
    (mine,) = await store.disabled_users()
    assert mine.is_erased
    # Media are removed with their contents, which the store does not have.
    assert not await store.erase_user(USER)
    for schedule in await items(store, SCHEDULES, USER):
        await store.delete_schedule(USER, schedule.id)
    for media in await items(store, MEDIA, USER):
        await store.delete_media(USER, media.id)
    assert await store.erase_user(USER)
    assert await store.erase_user(USER)
    assert await store.erasure_left(USER) is None
    assert await store.user(USER) is None
    assert await seen(home, USER) == {}
    assert await home.values("number") == []
    assert {each.user_id for each in await store.dead_letters(10, None)} == {OTHER_USER}
    assert await seen(home, OTHER_USER) == theirs
    assert all((await works(home, OTHER_USER, 2)).values())
    assert await store.disabled_users() == []
    await store.add_user(some_user(THEIRS))  # the address is free again


async def seen(home: Home, user_id: str) -> dict[str, int]:
    """How many a user has of everything that can be listed, and of the rest."""
    found = {}
    for noun in LISTS:
        filters = {}
        if noun.name == "deliveries":
            filters["webhook_id"] = tuple(
                each.id for each in await items(home.store, WEBHOOKS, user_id, 10)
            )
        found[noun.name] = len(await items(home.store, noun, user_id, 100, **filters))
    found["listener"] = await home.store.listener(user_id) is not None
    return {name: count for name, count in found.items() if count}


async def test_no_row_of_an_erased_user_is_left_in_any_table(scene: Scene) -> None:
    """Tables without a reference to users were the ones to forget."""
    await furnish_sums(scene.home)
    columns = await scene.fetch(
        "SELECT c.table_name FROM information_schema.columns c JOIN information_schema.tables t"
        " USING (table_schema, table_name) WHERE c.column_name = 'user_id'"
        " AND c.table_schema = 'public' AND t.table_type = 'BASE TABLE'"
        " AND NOT (SELECT relispartition FROM pg_class WHERE oid = c.table_name::regclass)"
    )
    tables = {name for (name,) in columns}
    assert tables >= set(UNREFERENCED)
    referring = await scene.fetch(
        "SELECT DISTINCT conrelid::regclass::text AS name FROM pg_constraint"
        " WHERE confrelid = 'users'::regclass AND contype = 'f' AND confdeltype = 'c'"
    )
    cascading = {name for (name,) in referring}
    of_devices = {"alarms", "commands"}  # their devices' rows take them along
    assert tables - cascading == {*UNREFERENCED, *of_devices}
    await scene.fetch("UPDATE media_schedules SET media_id = NULL")
    await scene.fetch("DELETE FROM media")
    await scene.store.disable_user(USER, NOW, erase=True)
    assert await scene.store.erase_user(USER)
    for table in sorted(tables):
        rows = await scene.fetch(f"SELECT count(*) FROM {table} WHERE user_id = '{USER}'")
        assert (table, rows) == (table, [(0,)])
    of_feeds = ("feed_values", "feed_minutes", "feed_hours", "feed_last", "message_ids")
    for table in (*of_feeds, "rollup_late"):
        rows = await scene.fetch(f"SELECT count(*) FROM {table}")
        assert (table, rows) == (table, [(0,)])


async def furnish_sums(home: Home) -> None:
    await home.commit(of(home.reading(1.5), home.reading(True, message_id="m")))
    while await home.store.roll_up(10):
        pass
    await furnish(home, USER, 1)


async def test_the_sql_login_of_a_disabled_user_is_locked_and_that_of_an_erased_one_dropped(
    scene: Scene, url: str
) -> None:
    login = await scene.store.grant_views(USER, "pw")

    ended: list[Any] = []

    async def ask() -> None:
        ended.append(await told(await connected(url, login), "SELECT pg_sleep(60)"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, in_asyncio, ask)
        query = f"SELECT FROM pg_stat_activity WHERE usename = '{login.role}' AND query ~ 'sleep'"
        with trio.fail_after(20):
            while not await scene.fetch(query):  # noqa: ASYNC110 (the server tells nobody)
                await trio.sleep(0.05)
        await scene.store.disable_user(USER, NOW)
    ((how,),) = ended
    assert how in ("AdminShutdownError", "ConnectionDoesNotExistError")
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await asked(url, login, "SELECT 1")
    await scene.store.enable_user(USER)
    assert await asked(url, login, "SELECT 1 AS one") == [[{"one": 1}]]
    await scene.store.disable_user(USER, NOW, erase=True)
    await scene.store.erase_user(USER)
    assert await scene.fetch(f"SELECT 1 FROM pg_roles WHERE rolname = '{role_of(USER)}'") == []
