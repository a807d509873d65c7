"""A command's id is unique for its user only: clients choose it, so two users may have the same
one, and neither notices."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from protocol.dead_letters import COMMANDS, subject_of_command
from protocol.device.commands import Command, CommandAck
from protocol.records import AckChange, Device, Rejection
from protocol.rest.listing import COMMANDS as COMMAND_LIST
from protocol.schedule.schedules import Due, Occurrence, triggered
from tests.contract.refused import refused
from tests.contract.test_store import Home, of
from tests.contract.test_store_commands import claim, some_command, state
from tests.contract.test_store_schedules import some_media, some_schedule
from tests.support.lists import items
from tests.unit.makers import NOW, OTHER_USER, SECOND, USER, some_device, some_login

OTHER_DEVICE = "00000000-0000-4000-8000-0000000000e9"
ID = "00000000-0000-4000-b000-000000000001"


class Pair:
    """Two users with a command of the same id each."""

    def __init__(self, home: Home, others_device: Device, mine: Command, other: Command) -> None:
        self.home = home
        self.store = home.store
        self.others_device = others_device
        self.mine = mine
        self.other = other

    async def states(self) -> tuple[str, str]:
        other = await self.store.command(OTHER_USER, ID)
        assert other is not None
        return await state(self.home), other.state

    def ack(self, device: Device, status: Any, command_id: str = ID) -> AckChange:
        said = CommandAck(status=status, at_us=NOW + SECOND)
        otherwise = Rejection(
            device.user_id, device.id, NOW, "t", "{}", "utf-8", "unknown_command", "d"
        )
        key = device.user_id, device.code
        return AckChange(key, command_id, device.num, said, otherwise)


@pytest.fixture
async def home(opened_store: Any) -> AsyncIterator[Home]:
    async with opened_store() as store:
        yield await Home(store).furnish()


@pytest.fixture
async def pair(home: Home) -> Pair:
    made = some_device(device_id=OTHER_DEVICE, user_id=OTHER_USER)
    device = await home.store.add_device(made, some_login(made))
    mine = await home.store.add_command(some_command(home))
    wanted = some_command(
        home,
        user_id=OTHER_USER,
        device_id=device.id,
        device_num=device.num,
        payload='{"n":2}',
    )
    other = await home.store.add_command(wanted)
    assert msgspec.structs.replace(other, num=0) == wanted
    return Pair(home, device, mine, other)


async def test_each_sees_and_repeats_the_own_command(pair: Pair) -> None:
    for command in (pair.mine, pair.other):
        assert await pair.store.command(*command.key) == command
        assert await pair.store.add_command(command) == command
        assert await items(pair.store, COMMAND_LIST, command.user_id, 10) == [command]


async def test_an_id_of_another_device_of_the_same_user_is_used(pair: Pair) -> None:
    made = some_device("d2", OTHER_DEVICE[:-1] + "8", user_id=OTHER_USER)
    device = await pair.store.add_device(made, some_login(made))
    with refused("id_used"):
        await pair.store.add_command(
            msgspec.structs.replace(pair.other, device_id=device.id, device_num=device.num)
        )


async def test_both_are_sent_and_each_is_noted_for_itself(pair: Pair) -> None:
    claimed = await claim(pair.home)
    assert sorted(command.key for command in claimed.send) == [pair.mine.key, pair.other.key]
    assert await pair.store.commands_sent([(pair.other.key, NOW)]) == {pair.other.key: 1}
    assert await pair.states() == ("queued", "sent")
    notes = [(pair.mine.key, NOW), (pair.other.key, NOW)]
    assert await pair.store.commands_sent(notes) == {pair.mine.key: 1, pair.other.key: 1}
    await pair.store.commands_unsent([(pair.mine.key, NOW + SECOND)])
    assert [command.key for command in (await claim(pair.home, 1)).send] == [pair.mine.key]


async def test_an_answer_of_one_never_touches_the_others(pair: Pair) -> None:
    committed = await pair.home.commit(of(acks=(pair.ack(pair.others_device, "succeeded"),)))
    assert [command.key for command in committed.changed.commands] == [pair.other.key]
    assert await pair.states() == ("queued", "succeeded")
    both = (pair.ack(pair.home.device, "failed"), pair.ack(pair.others_device, "delivered"))
    committed = await pair.home.commit(of(acks=both))
    assert committed.unknown == ()
    assert await pair.states() == ("failed", "succeeded")


async def test_an_answer_to_a_command_that_only_another_user_has_is_unknown(pair: Pair) -> None:
    foreign = await pair.store.add_command(some_command(pair.home, 2))
    ack = pair.ack(pair.others_device, "succeeded", foreign.id)
    committed = await pair.home.commit(of(acks=(ack,)))
    assert (committed.unknown, committed.changed.commands) == ((ack,), ())
    assert await state(pair.home, 2) == "queued"


async def test_a_cancellation_ends_the_own_command_alone(pair: Pair) -> None:
    (ended,) = (await pair.store.cancel_command(OTHER_USER, ID, NOW)).commands
    assert ended.key == pair.other.key
    assert await pair.states() == ("queued", "cancelled")
    with refused("command_ended"):
        await pair.store.cancel_command(OTHER_USER, ID, NOW)


async def test_what_is_put_aside_of_one_delays_the_others_no_more_than_it_ends_with_it(
    pair: Pair,
) -> None:
    await claim(pair.home)
    subject = subject_of_command(pair.mine.key)
    await pair.store.put_aside(COMMANDS, subject, "r", now_us=NOW, user_id=USER)
    nums = [pair.home.device.num, pair.others_device.num]
    await pair.store.nudge_commands(nums, NOW + SECOND)
    assert [command.key for command in (await claim(pair.home, 1)).send] == [pair.other.key]
    await pair.store.cancel_command(OTHER_USER, ID, NOW)
    assert await pair.store.forget_gone_letters(COMMANDS) == 0
    await pair.store.cancel_command(USER, ID, NOW)
    assert await pair.store.forget_gone_letters(COMMANDS) == 1


async def test_an_occurrence_follows_the_command_of_its_own_user(pair: Pair) -> None:
    """A stranger could say of a film that it was played."""
    await pair.store.add_media(some_media())
    await pair.store.add_schedule(some_schedule(), [NOW])
    await pair.store.cancel_command(USER, ID, NOW)

    def judge(due: Due) -> tuple[Occurrence, Command | None]:
        command = some_command(pair.home, 9, type="play_media", parallel=True)
        return triggered(due.occurrence, command, NOW), command

    await pair.store.claim_occurrences(NOW, 10, judge)
    others = msgspec.structs.replace(pair.other, id=some_command(pair.home, 9).id)
    await pair.store.add_command(others)
    ack = pair.ack(pair.others_device, "succeeded", others.id)
    committed = await pair.home.commit(of(acks=(ack,)))
    assert committed.changed.occurrences == ()
    own = pair.ack(pair.home.device, "succeeded", others.id)
    committed = await pair.home.commit(of(acks=(own,)))
    assert [each.state for each in committed.changed.occurrences] == ["completed"]
