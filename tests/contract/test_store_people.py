"""What every store promises of accounts, sign-ins and the audit log: PostgreSQL and its twin."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import trio

from actors.ports.people import AccountChange
from protocol.people.people import SESSIONS_MAX, AuditEntry, Session
from protocol.people.user import User
from protocol.rest.listing import AUDIT, SESSIONS
from tests.contract.refused import refused
from tests.contract.test_store import Home
from tests.support.lists import items
from tests.unit.makers import NOW, OTHER_USER, SECOND, USER, some_user

DAY = 24 * 3600 * SECOND
TICKET = b"t" * 32


@pytest.fixture
async def home(opened_store: Any) -> AsyncIterator[Home]:
    async with opened_store() as store:
        yield await Home(store).furnish()


def id_of(n: int) -> str:
    return f"00000000-0000-4000-9000-{n:012d}"


def some_session(n: int = 1, **changes: Any) -> Session:
    session = Session(
        id=id_of(n),
        user_id=USER,
        created_us=NOW,
        expires_us=NOW + DAY,
        address="192.0.2.1",
        agent="curl",
    )
    return msgspec.structs.replace(session, **changes)


async def known(home: Home, user_id: str) -> User:
    found = await home.store.user(user_id)
    assert found is not None
    return found


async def signed_in(home: Home, n: int = 1, **changes: Any) -> Session:
    new = some_session(n, **changes)
    owner = await known(home, new.user_id)
    assert await home.store.add_session(new, owner.password_hash)
    found = await home.store.session(new.id)
    assert found is not None
    return found[0]


async def test_a_session_comes_back_with_its_user_until_it_ends(home: Home) -> None:
    first, second = await signed_in(home, 1), await signed_in(home, 2)
    stranger = await signed_in(home, 3, user_id=OTHER_USER)
    assert msgspec.structs.replace(first, num=0) == some_session(1)
    assert await home.store.session(first.id) == (first, await home.store.user(USER))
    assert await items(home.store, SESSIONS, USER, 10) == [second, first]
    assert await items(home.store, SESSIONS, USER, 10, second) == [first]
    assert await home.store.delete_sessions(USER, [first.id, stranger.id]) == [first.id]
    assert await home.store.delete_sessions(USER, [first.id]) == []
    assert await home.store.session(first.id) is None
    alive = await home.store.sessions_alive([first.id, second.id, stranger.id, id_of(9)])
    assert alive == {second.id, stranger.id}


async def test_a_password_that_was_changed_meanwhile_begins_no_session(home: Home) -> None:
    assert not await home.store.add_session(some_session(), "another hash")
    assert not await home.store.add_session(some_session(user_id=id_of(77)), None)
    assert await home.store.session(id_of(1)) is None


async def test_the_oldest_session_of_too_many_ends(home: Home) -> None:
    for n in range(SESSIONS_MAX + 2):
        await signed_in(home, n)
    kept = await items(home.store, SESSIONS, USER, 1000)
    assert [s.id for s in kept] == [id_of(n) for n in range(SESSIONS_MAX + 1, 1, -1)]


async def test_a_new_password_ends_all_sessions_of_its_user_only(home: Home) -> None:
    await signed_in(home, 1)
    stranger = await signed_in(home, 2, user_id=OTHER_USER)
    ada = await known(home, USER)
    await home.store.update_user(
        AccountChange(user=msgspec.structs.replace(ada, full_name="Ada L."))
    )
    assert len(await items(home.store, SESSIONS, USER, 10)) == 1
    changed = msgspec.structs.replace(ada, password_hash="new")
    await home.store.update_user(AccountChange(user=changed, sign_out=True))
    assert await items(home.store, SESSIONS, USER, 10) == []
    assert await home.store.session(stranger.id) is not None
    assert await home.store.user(USER) == msgspec.structs.replace(changed, revision=3)


async def test_a_ticket_opens_one_door_once_and_in_time(home: Home) -> None:
    session = await signed_in(home)
    await home.store.add_ticket(TICKET, session.id, NOW + 30 * SECOND)
    assert await home.store.take_ticket(TICKET, NOW) == session.id
    assert await home.store.take_ticket(TICKET, NOW) is None
    await home.store.add_ticket(TICKET, session.id, NOW + 30 * SECOND)
    assert await home.store.take_ticket(TICKET, NOW + 30 * SECOND) is None
    await home.store.add_ticket(TICKET, session.id, NOW + 30 * SECOND)
    await home.store.delete_sessions(USER, [session.id])
    assert await home.store.take_ticket(TICKET, NOW) is None
    await home.store.add_ticket(TICKET, session.id, NOW + 30 * SECOND)  # of a session that is gone
    assert await home.store.take_ticket(TICKET, NOW) is None


async def test_people_of_others_are_known_by_their_subject(home: Home) -> None:
    zalo = User(
        id=id_of(50),
        email=None,
        full_name="Lan",
        password_hash=None,
        created_us=NOW,
        idp="zalo",
        subject="8372",
    )
    await home.store.add_user(zalo)
    again = msgspec.structs.replace(zalo, id=id_of(51))
    with refused("person_exists"):
        await home.store.add_user(again)
    assert await home.store.user_by_subject("zalo", "8372") == zalo
    assert await home.store.user_by_subject("roost", "8372") is None
    assert await home.store.user_by_subject("zalo", USER) is None
    assert (await signed_in(home, 5, user_id=zalo.id)).user_id == zalo.id
    # Without an address they share none.
    await home.store.add_user(msgspec.structs.replace(again, subject="8373"))


async def test_what_ends_and_changes_is_told_to_who_follows(home: Home) -> None:
    first, _ = await signed_in(home, 1), await signed_in(home, 2)
    heard: list[str] = []
    begun = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(home.store.follow_people, heard.append, begun.set, 0.05)
        await begun.wait()
        await home.store.delete_sessions(USER, [first.id])
        await heard_all(heard, {first.id})
        ada = await known(home, USER)
        await home.store.update_user(AccountChange(user=ada, sign_out=True))
        await heard_all(heard, {first.id, id_of(2), USER})
        await signed_in(home, 3)
        for n in range(4, 4 + SESSIONS_MAX):
            await signed_in(home, n)
        await heard_all(heard, {first.id, id_of(2), id_of(3), USER})
        nursery.cancel_scope.cancel()


async def heard_all(heard: list[str], wanted: set[str]) -> None:
    with trio.fail_after(5):
        while set(heard) != wanted:
            await trio.lowlevel.checkpoint()


async def test_an_account_comes_with_the_addresses_where_it_is_signed_in(home: Home) -> None:
    email = (await known(home, USER)).email
    assert email is not None
    assert await home.store.account(email.upper()) == (await known(home, USER), frozenset())
    for n, address in enumerate(("192.0.2.1", "192.0.2.1", "2001:db8::1")):
        await signed_in(home, n, address=address)
    await signed_in(home, 4, user_id=OTHER_USER, address="192.0.2.4")
    found = await home.store.account(email)
    assert found is not None and found[1] == {"192.0.2.1", "2001:db8::1"}
    await home.store.delete_sessions(USER, [id_of(2)])
    found = await home.store.account(email)
    assert found is not None and found[1] == {"192.0.2.1"}
    assert await home.store.account("nobody@example.org") is None


async def test_the_audit_log_is_a_users_own_newest_first(home: Home) -> None:
    entry = AuditEntry(user_id=USER, at_us=NOW, action="signed_in", address="::1", agent="curl")
    await home.store.add_audit(entry)
    await home.store.add_audit(
        msgspec.structs.replace(entry, action="device_added", subject="d1", at_us=NOW + 1)
    )
    await home.store.add_audit(msgspec.structs.replace(entry, user_id=OTHER_USER))
    newest, oldest = await items(home.store, AUDIT, USER, 10)
    assert (newest.action, newest.subject) == ("device_added", "d1")
    assert msgspec.structs.replace(oldest, num=0) == entry
    assert await items(home.store, AUDIT, USER, 1, newest) == [oldest]


async def test_two_accounts_never_share_an_address(home: Home) -> None:
    other = msgspec.structs.replace(some_user(OTHER_USER), email="x@example.org")
    await home.store.update_user(AccountChange(user=other))
    with refused("account_exists"):
        await home.store.update_user(
            AccountChange(user=msgspec.structs.replace(some_user(), email="X@example.org"))
        )
