"""What we take Trio's private parts for: the end of a process, and the simulation."""

import pytest
import trio

from roost import deadline
from tests.simulation.running import deterministic


def order_of(seed: int) -> list[int]:
    """In which order tasks run that are ready at once."""
    order: list[int] = []

    async def note(n: int) -> None:
        for _ in range(4):
            order.append(n)
            await trio.lowlevel.checkpoint()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for n in range(8):
                nursery.start_soon(note, n)

    with deterministic(seed):
        trio.run(main)
    return order


def test_trio_takes_its_chances_from_the_seed() -> None:
    orders = [order_of(seed) for seed in (1, 2, 3)]
    assert [order_of(seed) for seed in (1, 2, 3)] == orders
    assert orders[0] != orders[1] != orders[2]


def test_a_memory_channel_is_as_small_as_one() -> None:
    send, _ = trio.open_memory_channel[None](1)
    send.send_nowait(None)
    assert send.statistics().current_buffer_used == 1


async def test_a_nursery_keeps_the_failure_of_a_task_until_the_others_have_ended() -> None:
    """`roost.deadline` names it when they hang."""
    kept: list[str] = []

    async def fail() -> None:
        raise ValueError("a mistake")

    with pytest.RaisesGroup(ValueError):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
            try:
                await trio.sleep_forever()
            finally:
                kept, _ = deadline._look(trio.lowlevel.current_root_task())
    assert kept == ["ValueError: a mistake"]
