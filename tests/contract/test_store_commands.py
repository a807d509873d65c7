"""What every store promises of commands: one suite for PostgreSQL and for its memory twin."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from actors.ports.time import Claimed
from protocol.device.commands import Command, CommandAck
from protocol.problems.detail import Detail
from protocol.records import AckChange, Rejection
from protocol.rest.listing import COMMANDS, REJECTIONS
from tests.contract.refused import refused
from tests.contract.test_store import KEY, Home, of
from tests.support.lists import items
from tests.unit.makers import DEVICE, NOW, OTHER_USER, SECOND, USER

REFUSED = Rejection(USER, DEVICE, NOW, "t", "{}", "utf-8", "unknown_command", "d")


@pytest.fixture
async def home(opened_store: Any) -> AsyncIterator[Home]:
    async with opened_store() as store:
        yield await Home(store).furnish()


def some_command(home: Home, n: int = 1, **changes: Any) -> Command:
    command = Command(
        id=f"00000000-0000-4000-b000-{n:012d}",
        user_id=USER,
        device_id=DEVICE,
        device_num=home.device.num,
        device_code="d1",
        type="beep",
        payload='{"n":1}',
        created_us=NOW,
        expires_us=NOW + 600 * SECOND,
        next_try_us=NOW,
    )
    return msgspec.structs.replace(command, **changes)


async def claim(home: Home, after_s: float = 0, limit: int = 10) -> Claimed:
    return await home.store.claim_commands(NOW + round(after_s * SECOND), limit)


def sent(claimed: Claimed) -> list[int]:
    return [int(command.id[-4:]) for command in claimed.send]


async def state(home: Home, n: int = 1) -> str:
    command = await home.store.command(USER, some_command(home, n).id)
    assert command is not None
    return command.state


def ack(home: Home, status: Any, n: int = 1, at_s: int = 1, **changes: Any) -> AckChange:
    said = CommandAck(status=status, at_us=NOW + at_s * SECOND, **changes)
    return AckChange(KEY, some_command(home, n).id, home.device.num, said, REFUSED)


async def test_a_command_comes_back_as_it_was_and_asking_twice_makes_one(home: Home) -> None:
    wanted = some_command(home)
    added = await home.store.add_command(wanted)
    assert msgspec.structs.replace(added, num=0) == wanted
    assert await home.store.add_command(wanted) == added
    assert await home.store.command(USER, wanted.id) == added
    assert await home.store.command(OTHER_USER, wanted.id) is None
    assert await items(home.store, COMMANDS, USER, 10, device_id=DEVICE) == [added]


async def test_commands_are_listed_newest_first_in_pages(home: Home) -> None:
    added = [await home.store.add_command(some_command(home, n)) for n in range(5)]
    first = await items(home.store, COMMANDS, USER, 3, device_id=DEVICE)
    assert first == added[:1:-1]
    assert await items(home.store, COMMANDS, USER, 3, first[-1], device_id=DEVICE) == added[1::-1]
    assert await items(home.store, COMMANDS, OTHER_USER, 3, device_id=DEVICE) == []


async def test_what_is_claimed_is_claimed_again_only_after_its_pause(home: Home) -> None:
    await home.store.add_command(some_command(home))
    first = await claim(home)
    assert (sent(first), first.next_us) == ([1], NOW + 5 * SECOND)
    assert sent(await claim(home, 4.9)) == []
    second = await claim(home, 5)
    assert (sent(second), second.next_us) == ([1], NOW + 15 * SECOND)
    assert [c.attempts for c in second.send] == [2]


async def test_what_was_never_sent_goes_before_what_is_sent_again(home: Home) -> None:
    for n in range(1, 5):
        await home.store.add_command(some_command(home, n, parallel=True))
    await claim(home)
    for n in range(5, 7):
        late = NOW + 6 * SECOND
        await home.store.add_command(some_command(home, n, parallel=True, next_try_us=late))
    assert sorted(sent(await claim(home, 7, limit=3))) == [1, 5, 6]
    assert sorted(sent(await claim(home, 7))) == [2, 3, 4]


async def test_many_that_were_never_sent_leave_some_room_for_the_others(home: Home) -> None:
    await home.store.add_command(some_command(home, 1, expires_us=NOW + 3 * SECOND, parallel=True))
    await claim(home)
    for n in range(2, 12):
        await home.store.add_command(some_command(home, n, parallel=True))
    claimed = await claim(home, 3, limit=5)
    assert (len(claimed.send), len(claimed.changed.commands)) == (4, 1)


async def test_commands_of_a_device_go_one_after_the_other_unless_they_are_parallel(
    home: Home,
) -> None:
    for n in (1, 2, 3):
        await home.store.add_command(some_command(home, n, parallel=n == 3))
    assert sorted(sent(await claim(home))) == [1, 3]
    assert sent(await claim(home, 1)) == []
    await home.commit(of(acks=(ack(home, "delivered"),)))
    assert sent(await claim(home, 1)) == [2]


async def test_a_command_expires_undelivered_and_lets_the_next_one_go(home: Home) -> None:
    await home.store.add_command(some_command(home, 1, expires_us=NOW + 3 * SECOND))
    await home.store.add_command(some_command(home, 2))
    assert sent(await claim(home)) == [1]
    over = await claim(home, 3)
    assert [(c.id[-1], c.state) for c in over.changed.commands] == [("1", "expired")]
    assert sent(over) == []
    assert sent(await claim(home, 3)) == [2]


async def test_a_clock_that_is_set_back_holds_no_command_for_long(home: Home) -> None:
    await home.store.add_command(some_command(home, next_try_us=NOW + 500 * SECOND))
    assert sent(await claim(home)) == [1]


async def test_sent_is_noted_once_and_never_after_the_device_has_answered(home: Home) -> None:
    await home.store.add_command(some_command(home, 1))
    await home.store.add_command(some_command(home, 2, parallel=True))
    await home.commit(of(acks=(ack(home, "delivered", 2),)))
    notes = [(some_command(home, n).key, NOW) for n in (1, 2)]
    assert await home.store.commands_sent(notes) == {some_command(home, 1).key: 1}
    noted = await home.store.command(USER, some_command(home, 1).id)
    assert noted is not None
    assert (noted.state, noted.sent_us, noted.version) == ("sent", NOW, 1)
    assert await state(home, 2) == "delivered"


async def test_a_note_of_what_was_sent_whose_answer_was_lost_is_answered_again(home: Home) -> None:
    await home.store.add_command(some_command(home))
    note, later = (some_command(home).key, NOW), (some_command(home).key, NOW + SECOND)
    for _ in range(2):
        assert await home.store.commands_sent([note]) == {note[0]: 1}
    assert await home.store.commands_sent([later]) == {}
    noted = await home.store.command(*note[0])
    assert noted is not None
    assert (noted.sent_us, noted.version) == (NOW, 1)


async def test_what_the_broker_did_not_take_is_due_again_when_asked(home: Home) -> None:
    for n in (1, 2):
        await home.store.add_command(some_command(home, n, parallel=True))
    await claim(home)
    keys = [some_command(home, n).key for n in (1, 2)]
    times = [NOW + 2 * SECOND, NOW + SECOND]
    await home.store.commands_unsent(list(zip(keys, times, strict=True)))
    assert sent(await claim(home, 1)) == [2]
    assert sent(await claim(home, 2)) == [1]


async def test_a_device_that_comes_online_is_tried_at_once(home: Home) -> None:
    await home.store.add_command(some_command(home))
    await claim(home)
    await home.store.nudge_commands([home.device.num], NOW + SECOND)
    assert sent(await claim(home, 1)) == [1]


async def test_answers_in_any_order_and_number_make_one_story(home: Home) -> None:
    await home.store.add_command(some_command(home))
    done = ack(home, "succeeded", at_s=9, detail="played", result='{"x":1}')
    committed = await home.commit(of(acks=(done,)), of(acks=(ack(home, "delivered", at_s=2),)))
    (changed,) = committed.changed.commands
    await home.commit(of(acks=(ack(home, "failed", at_s=10), done)))
    command = await home.store.command(USER, some_command(home).id)
    assert command is not None
    assert (command.state, command.detail, command.result) == ("succeeded", "played", '{"x":1}')
    assert (command.delivered_us, command.finished_us) == (NOW + 2 * SECOND, NOW + 9 * SECOND)
    assert (changed.state, changed.delivered_us) == ("succeeded", NOW + 2 * SECOND)


async def test_the_devices_word_corrects_an_expiry_but_not_a_cancellation(home: Home) -> None:
    for n in (1, 2):
        await home.store.add_command(some_command(home, n, parallel=True, expires_us=NOW + SECOND))
    await home.store.cancel_command(USER, some_command(home, 2).id, NOW)
    await claim(home, 1)
    await home.commit(of(acks=(ack(home, "succeeded", 1), ack(home, "succeeded", 2))))
    assert (await state(home, 1), await state(home, 2)) == ("succeeded", "cancelled")


async def test_why_roost_ended_a_command_has_a_code_and_a_devices_words_have_none(
    home: Home,
) -> None:
    for n in (1, 2, 3):
        await home.store.add_command(some_command(home, n, parallel=True, expires_us=NOW + SECOND))
    await home.store.cancel_command(USER, some_command(home, 3).id, NOW)
    await claim(home, 1)  # it expires
    unsent, cancelled = Detail("command_never_sent"), Detail("command_cancelled")
    assert [await words(home, n) for n in (1, 3)] == [
        (str(unsent), unsent.coded),
        (str(cancelled), cancelled.coded),
    ]
    await home.commit(
        of(acks=(ack(home, "failed", 1, detail="no paper"), ack(home, "delivered", 2)))
    )
    assert [await words(home, n) for n in (1, 2)] == [("no paper", None), ("", None)]
    await home.commit(of(acks=(ack(home, "delivered", 3),)))
    assert await words(home, 3) == (str(cancelled), cancelled.coded)


async def words(home: Home, n: int) -> tuple[str, str | None]:
    command = await home.store.command(USER, some_command(home, n).id)
    assert command is not None
    return command.detail, command.coded


async def test_only_what_no_device_has_answered_can_be_cancelled(home: Home) -> None:
    for n in (1, 2):
        await home.store.add_command(some_command(home, n))
    ids = [some_command(home, n).id for n in (1, 2)]
    assert (await home.store.cancel_command(OTHER_USER, ids[0], NOW)).commands == ()
    (ended,) = (await home.store.cancel_command(USER, ids[0], NOW)).commands
    assert ended.state == "cancelled"
    await home.commit(of(acks=(ack(home, "delivered", 2),)))
    for each in ids:
        with refused("command_ended"):
            await home.store.cancel_command(USER, each, NOW)


async def test_an_answer_to_no_command_is_kept_as_refused_and_told(home: Home) -> None:
    await home.store.add_command(some_command(home))
    stranger = msgspec.structs.replace(ack(home, "delivered"), device_num=home.device.num + 1)
    committed = await home.commit(of(acks=(ack(home, "delivered", 7),)), of(acks=(stranger,)))
    assert [each.command_id[-1] for each in committed.unknown] == ["7", "1"]
    assert [r.reason for r in await items(home.store, REJECTIONS, USER, 10)] == [
        "unknown_command",
        "unknown_command",
    ]
    assert await state(home) == "queued"


async def test_the_same_commit_again_tells_the_same_of_commands(home: Home) -> None:
    await home.store.add_command(some_command(home))
    units = [of(acks=(ack(home, "delivered"), ack(home, "delivered", 7)))]
    name = "00000000-0000-4000-8000-00000000000a"
    first = await home.commit(*units, name=name)
    second = await home.commit(*units, name=name)
    assert [c.state for c in second.changed.commands] == ["delivered"]
    assert first.unknown == second.unknown
    assert len(await items(home.store, REJECTIONS, USER, 10)) == 1


async def test_the_commands_of_a_deleted_device_go_with_it(home: Home) -> None:
    await home.store.add_command(some_command(home))
    await home.store.delete_device(USER, DEVICE, False)
    assert await home.store.command(USER, some_command(home).id) is None
    assert sent(await claim(home)) == []
    with refused("device_deleted"):
        await home.store.add_command(some_command(home, 2))
