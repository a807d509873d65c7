"""What every store promises of second factors: PostgreSQL and its twin."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import pytest
import trio

from protocol.errors import Forbidden
from protocol.people.people import AuditEntry
from protocol.people.second_factor import WRONG, SecondFactor, used
from protocol.people.totp import PERIOD_US, code_at
from protocol.rest.listing import AUDIT, SESSIONS
from tests.contract.test_store import Home
from tests.contract.test_store_people import id_of, known, signed_in, some_session
from tests.support.lists import items
from tests.unit.makers import NOW, OTHER_USER, USER

FACTOR = SecondFactor(
    user_id=USER,
    secret=b"s" * 20,
    confirmed_us=NOW,
    last_step=NOW // PERIOD_US,
    recovery_sha256=(b"a" * 32, b"b" * 32),
)
ENTRY = AuditEntry(user_id=USER, at_us=NOW, action="second_factor_on")
ROUNDS = 20
Changed = tuple[SecondFactor | None, Sequence[AuditEntry]]


@pytest.fixture
async def home(opened_store: Any) -> AsyncIterator[Home]:
    async with opened_store() as store:
        yield await Home(store).furnish()


async def put(home: Home, factor: SecondFactor | None) -> None:
    await home.store.update_second_factor(USER, lambda before: (factor, ()))


async def test_a_factor_comes_back_as_it_was_stored_until_it_is_deleted(home: Home) -> None:
    assert await home.store.second_factor(USER) is None
    waiting = SecondFactor(user_id=USER, secret=b"w" * 20)
    for factor in (waiting, FACTOR):
        await put(home, factor)
        assert await home.store.second_factor(USER) == factor
    assert await home.store.second_factor(OTHER_USER) is None
    for _ in range(2):
        await put(home, None)
        assert await home.store.second_factor(USER) is None


async def test_a_change_sees_what_is_stored_and_is_in_the_log(home: Home) -> None:
    await put(home, FACTOR)
    seen: list[SecondFactor | None] = []

    def change(before: SecondFactor | None) -> Changed:
        seen.append(before)
        return before, [ENTRY]

    assert await home.store.update_second_factor(USER, change) == []
    assert seen == [FACTOR]
    (entry,) = await items(home.store, AUDIT, USER, 10)
    assert msgspec.structs.replace(entry, num=0) == ENTRY


@pytest.mark.parametrize("many", [2, 8])
async def test_of_several_uses_of_one_code_one_counts(home: Home, many: int) -> None:
    """Each round is a race: without a lock some round has two winners."""
    await put(home, FACTOR)
    outcomes: list[str] = []

    async def use(code: str, now_us: int) -> None:
        def change(before: SecondFactor | None) -> Changed:
            assert before is not None
            after = used(before, code, now_us)
            if after is None:
                raise Forbidden(WRONG)
            return after, [ENTRY]

        try:
            await home.store.update_second_factor(USER, change)
            outcomes.append("counted")
        except Forbidden:
            outcomes.append("refused")

    for n in range(1, ROUNDS + 1):
        code = code_at(FACTOR.secret, FACTOR.last_step + n)
        outcomes.clear()
        async with trio.open_nursery() as nursery:
            for _ in range(many):
                nursery.start_soon(use, code, NOW + n * PERIOD_US)
        assert sorted(outcomes) == ["counted", *["refused"] * (many - 1)]
    assert len(await items(home.store, AUDIT, USER, 1000)) == ROUNDS


async def test_a_change_that_fails_leaves_everything_as_it_was(home: Home) -> None:
    await signed_in(home)
    await put(home, FACTOR)

    def change(before: SecondFactor | None) -> Changed:
        raise Forbidden(WRONG)

    with pytest.raises(Forbidden):
        await home.store.update_second_factor(USER, change, only_session=id_of(2))
    assert await home.store.second_factor(USER) == FACTOR
    assert len(await items(home.store, SESSIONS, USER, 10)) == 1


async def test_all_other_sessions_of_the_user_end_with_it(home: Home) -> None:
    first, second = await signed_in(home, 1), await signed_in(home, 2)
    await signed_in(home, 3, user_id=OTHER_USER)
    await home.store.add_ticket(b"t" * 32, first.id, NOW + PERIOD_US)
    ended = await home.store.update_second_factor(
        USER, lambda before: (FACTOR, ()), only_session=second.id
    )
    assert ended == [first.id]
    assert await items(home.store, SESSIONS, USER, 10) == [second]
    assert len(await items(home.store, SESSIONS, OTHER_USER, 10)) == 1
    assert await home.store.take_ticket(b"t" * 32, NOW) is None


@pytest.mark.parametrize("factor_us", [None, NOW + 1])
async def test_a_session_begins_with_the_factor_that_was_verified_only(
    home: Home, factor_us: int | None
) -> None:
    """It was turned on, or off and on, after the password was verified."""
    password = (await known(home, USER)).password_hash
    await put(home, SecondFactor(user_id=USER, secret=b"w" * 20))
    assert await home.store.add_session(some_session(1), password)
    await put(home, FACTOR)
    assert not await home.store.add_session(some_session(2), password, factor_us)
    assert await home.store.add_session(some_session(2), password, NOW)
    await put(home, None)
    assert not await home.store.add_session(some_session(3), password, NOW)
