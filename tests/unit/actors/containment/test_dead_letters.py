"""Dead letters of the running service, and as an operator reads them."""

import msgspec
import pytest

from actors.adapters.memory.clocks import ManualClock
from actors.adapters.memory.store.store import MemoryStore
from actors.containment.put_aside import put_aside
from actors.due.dead_letters import AGAIN_S, RENEWED_WITHIN_S, DeadLetters, read_row_again
from actors.ports.store import Store
from protocol.dead_letters import DeadLetter, reason_of
from protocol.errors import Unavailable, Unstorable
from roost.dead_letter_table import print_letters, table
from tests.contract.test_store_schedules import some_media, some_schedule
from tests.unit.makers import NOW, SECOND, USER, some_device, some_login


def some_letter(**changes: object) -> DeadLetter:
    letter = DeadLetter(
        id="00000000-0000-4000-8000-000000000001",
        work="plans",
        subject="s1",
        user_id=None,
        reason="no zone Mars",
        detail="",
        attempts=3,
        first_us=NOW,
        last_us=NOW,
        next_try_us=NOW + 90 * SECOND,
    )
    return msgspec.structs.replace(letter, **changes)


async def test_a_letter_has_the_reason_in_a_line_and_the_traceback_beside_it() -> None:
    store: Store = MemoryStore(ManualClock())
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        next_us = await put_aside(store, ManualClock(NOW), "devices", "u/d", error, USER)
    assert next_us == NOW + 10 * SECOND
    (letter,) = await store.dead_letters(10, None)
    assert letter.reason == "ValueError: two lines"
    assert letter.detail.startswith("Traceback")
    assert letter.detail.endswith("two\nlines\n")


async def test_a_letter_that_cannot_be_noted_is_no_failure_of_its_own() -> None:
    class Away(MemoryStore):
        async def _cross(self) -> None:
            raise Unavailable("away")

    store: Store = Away(ManualClock())
    assert await put_aside(store, ManualClock(), "devices", "u/d", ValueError("x")) is None


async def test_a_letter_whose_subject_is_gone_goes_at_the_next_look() -> None:
    """They stayed listed, and `/readyz` degraded, for up to an hour."""
    store: Store = MemoryStore(ManualClock())
    clock, tried = ManualClock(NOW), list[str]()
    letters = DeadLetters(store, clock, {"devices": lambda letter: tried.append(letter.subject)})
    for _ in range(12):  # an hour's pause
        await store.put_aside("devices", f"{USER}/gone", "r", now_us=NOW)
    assert await letters.work() is None
    assert letters.degraded() == {}
    assert tried == []


async def test_letters_that_cannot_be_looked_through_are_tried_all_the_same() -> None:
    class Broken(MemoryStore):
        async def forget_gone_letters(self, work: str) -> int:
            raise Unstorable("division by zero")

    store, tried = Broken(ManualClock()), list[str]()
    letters = DeadLetters(
        store, ManualClock(NOW), {"devices": lambda letter: tried.append(letter.subject)}
    )
    await store.put_aside("devices", "u/d", "r", now_us=NOW - 10 * SECOND)
    await letters.work()
    assert tried == ["u/d"]


async def test_due_letters_without_a_row_are_tried_and_those_of_a_row_that_went_on_go() -> None:
    store = MemoryStore(ManualClock())
    device = await store.add_device(some_device(), some_login(some_device()))
    await store.add_media(some_media())
    schedule = await store.add_schedule(some_schedule(device_id=device.id), [])
    clock, tried = ManualClock(NOW), list[str]()
    letters = DeadLetters(store, clock, {"devices": lambda letter: tried.append(letter.subject)})
    assert await letters.work() is None
    assert letters.degraded() == {}
    subject = "/".join(device.key)
    await store.put_aside("devices", subject, "r", now_us=NOW)
    await store.put_aside("plans", schedule.id, "r", now_us=NOW)
    assert await letters.work() == NOW + AGAIN_S * SECOND
    assert tried == []
    assert letters.degraded() == {"dead letters": "devices 1, plans 1: see `roost dead-letters`"}
    clock.advance(10)
    await letters.work()
    assert tried == [subject]
    clock.advance(RENEWED_WITHIN_S + 1)
    await letters.work()
    assert await store.count_dead_letters() == {"devices": 1}


async def test_a_letter_whose_try_fails_as_such_keeps_its_pauses_and_holds_up_no_other() -> None:
    """The others behind it were never tried, or a task began again nine times for it."""
    store, tried = MemoryStore(ManualClock()), list[str]()

    def again(letter: DeadLetter) -> None:
        tried.append(letter.subject)
        if letter.subject == "bad":
            raise KeyError("no such list")

    clock = ManualClock(NOW)
    letters = DeadLetters(store, clock, {"media": again})
    for subject in ("bad", "good"):
        await store.put_aside("media", subject, "r", now_us=NOW - 10 * SECOND)
    await letters.work()
    assert tried == ["bad", "good"]
    bad = next(each for each in await store.dead_letters(10, None) if each.subject == "bad")
    assert (bad.attempts, bad.next_try_us) == (2, NOW + 20 * SECOND)
    # Likewise where a task of its own tries it.
    await store.put_aside("rows", "nonsense 5", "r", now_us=NOW)
    (row,) = await store.due_dead_letters("rows", NOW + 10 * SECOND, 10)
    await read_row_again(store, clock, row)
    assert (await store.due_dead_letters("rows", NOW + 10 * SECOND, 10)) == []


def test_a_table_says_what_since_when_how_often_and_why() -> None:
    lines = table(
        [
            some_letter(),
            some_letter(work="devices", subject="u/d\x1b[2J", user_id=USER, next_try_us=NOW),
            some_letter(next_try_us=NOW + 7_300 * SECOND, reason="x" * 300),
        ],
        NOW,
    )
    assert lines[0].split()[:3] == ["ID", "WORK", "SUBJECT"]
    assert "in 1 min" in lines[1]
    assert lines[1].endswith("no zone Mars")
    assert "u/d?[2J" in lines[2]
    assert "  due  " in lines[2]
    assert "in 2 h" in lines[3]
    assert (
        len(
            {
                line.index("SINCE") if n == 0 else line.index("2026-09")
                for n, line in enumerate(lines)
            }
        )
        == 1
    )


async def test_no_letters_are_a_line_of_their_own() -> None:
    store: Store = MemoryStore(ManualClock())
    said = list[str]()
    await print_letters(store, NOW, said.append)
    assert said == ["no dead letters: all work goes on"]
    for n in range(3):
        await store.put_aside("plans", f"s{n}", "r", now_us=NOW + n)
    said.clear()
    await print_letters(store, NOW, said.append)
    assert [line.split()[2] for line in said] == ["SUBJECT", "s0", "s1", "s2"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError(), "ValueError"),
        (KeyError("k"), "KeyError: 'k'"),
        (OSError("a\tb"), "OSError: a b"),
    ],
)
def test_a_reason_is_one_line(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason
