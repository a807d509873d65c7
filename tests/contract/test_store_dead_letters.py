"""What every store promises of dead letters: PostgreSQL and its memory twin."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from actors.adapters.memory.store.store import MemoryStore
from actors.ports.store import Store
from protocol import dead_letters
from protocol.dead_letters import DETAIL_MAX, PAUSE_MAX_US, REASON_MAX, SUBJECT_MAX
from protocol.rest.listing import OCCURRENCES
from protocol.webhook.deliveries import Outcome
from tests.contract import test_store_commands as of_commands
from tests.contract import test_store_schedules as of_schedules
from tests.contract import test_store_webhooks as of_webhooks
from tests.contract.test_store import Home, of
from tests.support.lists import items
from tests.unit.makers import NOW, OTHER_USER, SECOND, USER


@pytest.fixture
async def store(opened_store: Any) -> AsyncIterator[Store]:
    async with opened_store() as store:
        yield store


async def test_what_is_put_aside_is_found_with_its_reason(store: Store) -> None:
    next_us = await store.put_aside(
        "plans", "s1", "no zone Mars", now_us=NOW, user_id=USER, detail="row 7"
    )
    (letter,) = await store.dead_letters(10, None)
    assert (letter.work, letter.subject, letter.user_id) == ("plans", "s1", USER)
    assert (letter.reason, letter.detail, letter.attempts) == ("no zone Mars", "row 7", 1)
    assert (letter.first_us, letter.last_us) == (NOW, NOW)
    assert letter.next_try_us == next_us == NOW + 10 * SECOND
    assert await store.count_dead_letters() == {"plans": 1}


async def test_each_attempt_makes_the_pause_longer_up_to_a_bound(store: Store) -> None:
    now_us, pauses = NOW, []
    for n in range(12):
        next_us = await store.put_aside("plans", "s1", f"try {n}", now_us=now_us)
        assert next_us is not None
        pauses.append((next_us - now_us) // SECOND)
        now_us = next_us
    assert pauses == [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600, 3600]
    assert pauses == [dead_letters.pause_us(n) // SECOND for n in range(1, 13)]
    (letter,) = await store.dead_letters(10, None)
    assert (letter.attempts, letter.first_us, letter.reason) == (12, NOW, "try 11")


async def test_it_is_due_when_its_pause_is_over_and_not_before(store: Store) -> None:
    await store.put_aside("plans", "late", "r", now_us=NOW + 5 * SECOND)
    await store.put_aside("plans", "early", "r", now_us=NOW)
    await store.put_aside("commands", "other", "r", now_us=NOW)

    async def due(now_us: int, limit: int = 10) -> list[str]:
        return [e.subject for e in await store.due_dead_letters("plans", now_us, limit)]

    assert await due(NOW + 10 * SECOND - 1) == []
    assert await due(NOW + 10 * SECOND) == ["early"]
    assert await due(NOW + 15 * SECOND) == ["early", "late"]
    assert await due(NOW + 15 * SECOND, limit=1) == ["early"]
    # The clock was set back by more than any pause.
    assert await due(NOW - PAUSE_MAX_US) == ["early", "late"]


async def test_what_succeeded_is_cleared_and_begins_anew(store: Store) -> None:
    for subject in ("a", "b"):
        await store.put_aside("plans", subject, "r", now_us=NOW)
    await store.put_aside("commands", "a", "r", now_us=NOW)
    await store.put_aside("plans", "a", "r", now_us=NOW)
    assert await store.clear_dead_letters("plans", ["a", "a", "unknown"]) == 1
    assert await store.count_dead_letters() == {"commands": 1, "plans": 1}
    assert await store.put_aside("plans", "a", "r", now_us=NOW) == NOW + 10 * SECOND


async def test_texts_of_any_kind_and_length_are_stored(store: Store) -> None:
    hostile = "a\0b\ud800\n" + "x" * 5_000
    for _ in range(2):
        await store.put_aside("plans", hostile, hostile, now_us=NOW, detail=hostile)
    (letter,) = await store.dead_letters(10, None)
    assert len(letter.subject) == SUBJECT_MAX
    assert len(letter.reason) == REASON_MAX
    assert len(letter.detail) == DETAIL_MAX
    assert letter.attempts == 2
    assert letter.reason.startswith("a?b? xxx")
    assert letter.detail.startswith("a?b?\nxxx")
    assert await store.clear_dead_letters("plans", [hostile]) == 1


async def test_a_full_table_takes_no_more_of_that_work_and_forgets_nothing(
    store: Store,
) -> None:
    await _fill(store)
    assert await store.put_aside("plans", "last", "r", now_us=NOW) is not None
    assert await store.put_aside("plans", "more", "r", now_us=NOW) is None
    assert await store.count_dead_letters() == {"plans": dead_letters.KEPT_MAX}
    # Known ones go on, and so does other work.
    assert await store.put_aside("plans", "last", "r", now_us=NOW) == NOW + 20 * SECOND
    assert await store.put_aside("commands", "c", "r", now_us=NOW) is not None


async def _fill(store: Any) -> None:
    """One less than there is room for."""
    if isinstance(store, MemoryStore):
        await store.put_aside("plans", "s0", "r", now_us=NOW)
        some = store.all_dead_letters["plans", "s0"]
        for n in range(1, dead_letters.KEPT_MAX - 1):
            store.all_dead_letters["plans", f"s{n}"] = some
        return
    await store._work(
        asyncpg.Connection.execute,
        "INSERT INTO dead_letters (work, subject, reason, detail, attempts, first_at, last_at,"
        " next_try_at) SELECT 'plans', 's' || n, 'r', '', 1, now(), now(), now()"
        f" FROM generate_series(1, {dead_letters.KEPT_MAX - 1}) AS n",
    )


async def test_an_operator_tries_again_and_drops(store: Store) -> None:
    await store.put_aside("plans", "a", "r", now_us=NOW)
    await store.put_aside("commands", "b", "r", now_us=NOW + 1)
    a, b = await store.dead_letters(10, None)
    assert await store.dead_letters(10, (a.first_us, a.id)) == [b]
    assert await store.dead_letters(1, None) == [a]
    assert await store.retry_dead_letters(a.id, NOW + 2) == 1
    assert [e.id for e in await store.due_dead_letters("plans", NOW + 2, 10)] == [a.id]
    assert await store.due_dead_letters("commands", NOW + 2, 10) == []
    assert await store.retry_dead_letters(None, NOW + 2) == 2
    assert [e.id for e in await store.due_dead_letters("commands", NOW + 2, 10)] == [b.id]
    assert await store.retry_dead_letters(USER, NOW + 2) == 0
    assert await store.drop_dead_letter(a.id)
    assert not await store.drop_dead_letter(a.id)
    assert [e.id for e in await store.dead_letters(10, None)] == [b.id]


async def test_a_webhook_delivery_that_an_operator_releases_is_tried_at_once(store: Store) -> None:
    """The pause of its webhook won: "1 tried again", and nothing happened for five minutes."""
    home = await Home(store).furnish()
    hook, other = await of_webhooks.added(home), await of_webhooks.added(home, 2)
    bad = await of_webhooks.with_news(home, hook)
    await of_webhooks.with_news(home, other)
    for one in (await of_webhooks.claim(home)).claims:
        for _ in range(9):  # it is left alone for minutes
            await store.delivery_tried(one.delivery, Outcome(detail="no"), NOW)
    for n in range(2, 8):  # more than are tried at once
        await of_webhooks.with_news(home, hook, n)
    await store.put_aside("webhooks", bad.id, "r", now_us=NOW, user_id=USER)
    assert (await of_webhooks.claim(home, 10)).claims == ()
    assert await store.retry_dead_letters(None, NOW + 10 * SECOND) == 1
    tried = [one.delivery.id for one in (await of_webhooks.claim(home, 10)).claims]
    assert bad.id in tried
    assert len(tried) == 4
    left = await store.webhook(USER, other.id)  # nobody asked for that one
    assert left is not None
    assert left.paused_us is not None
    assert left.paused_us > NOW + 10 * SECOND


async def test_letters_go_with_what_they_are_about(store: Store) -> None:
    home = await Home(store).furnish()
    await store.add_media(of_schedules.some_media())
    hook = await of_webhooks.added(home)
    delivery = await of_webhooks.with_news(home, hook)
    command = await store.add_command(of_commands.some_command(home))
    schedule = await store.add_schedule(of_schedules.some_schedule(), [NOW])
    (occurrence,) = await items(store, OCCURRENCES, USER, 10, schedule_id=schedule.id)
    feed = home.feeds["number"]
    subjects = {
        "plans": schedule.id,
        "occurrences": occurrence.id,
        "commands": f"{USER}/{command.id}",
        "webhooks": delivery.id,
        "devices": f"{USER}/{home.device.code}",
        "rollups": f"{feed.num}/29000000",
    }
    for work, subject in subjects.items():
        await store.put_aside(work, subject, "r", now_us=NOW)
        await store.put_aside(work, f"{OTHER_USER}/x", "nobody's", now_us=NOW)

    async def left() -> dict[str, str]:
        for work in dead_letters.KINDS:
            await store.forget_gone_letters(work)
        return {each.work: each.subject for each in await store.dead_letters(100, None)}

    assert await left() == subjects
    await store.delete_webhook(USER, hook.id)
    await store.cancel_command(USER, command.id, NOW)
    await store.delete_schedule(USER, schedule.id)
    assert await left() == {work: subjects[work] for work in ("devices", "rollups")}
    await store.delete_feed(USER, feed.id)
    await store.delete_device(USER, home.device.id, purge=False)
    assert await left() == {}
    # What a listener left behind is cleared by its next try; the sums of a user likewise.
    await store.put_aside("listeners", OTHER_USER, "r", now_us=NOW)
    assert await left() == {"listeners": OTHER_USER}


NONSENSE = {
    "rollups": ["user not-a-uuid", "user ", "x/5", "7", "9999999999/5", "7/99999999999"],
    "rows": ["nonsense 5", "devices", "devices x", "devices 99999999999999999999"],
    "history": ["x", "-1", "99999999999"],
    "devices": ["d1", "not-a-uuid/d1"],
    "listeners": ["not-a-uuid"],
    "plans": ["not-a-uuid"],
    "commands": ["\u2603", "not-a-uuid/x", USER, f"{USER}/x"],
}


@pytest.mark.parametrize("work", NONSENSE)
async def test_a_letter_about_nothing_that_there_can_be_is_forgotten(
    store: Store, work: str
) -> None:
    """It was tried for ever, each time with nine tracebacks."""
    for subject in NONSENSE[work]:
        await store.put_aside(work, subject, "written by hand", now_us=NOW)
    assert await store.forget_gone_letters(work) == len(NONSENSE[work])
    assert await store.dead_letters(100, None) == []


async def test_a_letter_about_no_sum_that_there_can_be_stops_no_other_sum(store: Store) -> None:
    """Nobody's readings were summed up any more."""
    home = await Home(store).furnish()
    for subject in NONSENSE["rollups"]:
        await store.put_aside("rollups", subject, "written by hand", now_us=NOW)
    await store.retry_dead_letters(None, 0)
    await home.commit(of(home.reading(1.0)))
    assert await store.roll_up(100) == 0
    await store.forget_gone_letters("rollups")
    assert await store.dead_letters(100, None) == []
