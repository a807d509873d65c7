"""Lanes and mailboxes: bounds and what happens at them."""

import pytest
import trio
import trio.testing

from actors.runtime.mailbox import Lane, Mailbox, Overflow


def test_a_lane_that_waits_refuses_one_more_than_its_bound() -> None:
    lane: Lane[int] = Lane(2)
    lane.put(1)
    lane.put(2)
    with pytest.raises(trio.WouldBlock):
        lane.put(3)
    assert lane.take(10) == [1, 2]


def test_shedding_drops_the_oldest_and_counts_it() -> None:
    lane: Lane[int] = Lane(2, Overflow.SHED_OLDEST)
    for n in range(5):
        lane.put(n)
    assert lane.take(10) == [3, 4]
    assert lane.shed == 3


def test_closing_the_peer_cuts_off_who_does_not_keep_up() -> None:
    lane: Lane[int] = Lane(1, Overflow.CLOSE_PEER)
    lane.put(1)
    with pytest.raises(trio.BrokenResourceError):
        lane.put(2)


def test_coalescing_keeps_the_newest_of_each_key_in_order() -> None:
    lane: Lane[tuple[str, int]] = Lane(4, Overflow.COALESCE, key=lambda item: item[0])
    for item in (("a", 1), ("b", 1), ("a", 2), ("b", 2), ("c", 1)):
        lane.put(item)
    assert lane.take(10) == [("a", 2), ("b", 2), ("c", 1)]
    assert (lane.coalesced, lane.shed) == (2, 0)


def test_coalescing_sheds_when_the_keys_alone_are_too_many() -> None:
    lane: Lane[int] = Lane(8, Overflow.COALESCE, key=lambda item: item)
    for n in range(9):
        lane.put(n)
    assert lane.take(10) == [2, 3, 4, 5, 6, 7, 8]
    assert lane.shed == 2


def test_a_coalescing_lane_needs_a_key() -> None:
    with pytest.raises(ValueError):
        Lane[int](1, Overflow.COALESCE)


def box() -> Mailbox[str]:
    return Mailbox(control=Lane(4), data=Lane(4))


async def test_control_goes_first_and_each_lane_keeps_its_order() -> None:
    mailbox = box()
    for message in ("a", "b"):
        mailbox.put_nowait(message)
    for message in ("X", "Y"):
        mailbox.put_nowait(message, control=True)
    assert await mailbox.take(3) == ["X", "Y", "a"]
    assert await mailbox.take(3) == ["b"]


async def test_a_receiver_wakes_for_the_first_message(
    autojump_clock: trio.testing.MockClock,
) -> None:
    mailbox = box()
    async with trio.open_nursery() as nursery:
        got: list[str] = []

        async def receive() -> None:
            got.extend(await mailbox.take(4))

        nursery.start_soon(receive)
        await trio.testing.wait_all_tasks_blocked()
        mailbox.put_nowait("a")
    assert got == ["a"]


async def test_a_sender_waits_for_room(autojump_clock: trio.testing.MockClock) -> None:
    mailbox = box()
    for n in range(4):
        mailbox.put_nowait(str(n))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mailbox.put, "4")
        await trio.testing.wait_all_tasks_blocked()
        assert len(mailbox) == 4
        assert await mailbox.take(1) == ["0"]
    assert await mailbox.take(9) == ["1", "2", "3", "4"]


async def test_a_cancelled_receiver_loses_nothing(autojump_clock: trio.testing.MockClock) -> None:
    mailbox = box()
    with trio.move_on_after(1):
        await mailbox.take(1)
    mailbox.put_nowait("a")
    assert await mailbox.take(1) == ["a"]


async def test_a_closed_mailbox_gives_what_it_has_and_then_ends() -> None:
    mailbox = box()
    mailbox.put_nowait("a")
    mailbox.close()
    with pytest.raises(trio.ClosedResourceError):
        mailbox.put_nowait("b")
    assert await mailbox.take(9) == ["a"]
    with pytest.raises(trio.EndOfChannel):
        await mailbox.take(9)


async def test_statistics_tell_what_waits_and_what_was_lost() -> None:
    mailbox: Mailbox[int] = Mailbox(control=Lane(1), data=Lane(1, Overflow.SHED_OLDEST))
    mailbox.put_nowait(1)
    mailbox.put_nowait(2)
    statistics = mailbox.statistics().data
    assert (statistics.waiting, statistics.bound, statistics.put, statistics.shed) == (1, 1, 2, 1)
