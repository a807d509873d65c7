"""How frames are written."""

from typing import Any

import trio
import trio.testing
from hypercorn.config import Config
from hypercorn.events import RawData

from roost.hardening import ContainedServer


def server_on(stream: Any) -> ContainedServer:
    unused: Any = None
    return ContainedServer(unused, Config(), unused, unused, stream)


async def test_frames_of_two_tasks_are_written_one_after_the_other() -> None:
    ours, theirs = trio.testing.lockstep_stream_pair()
    server = server_on(ours)
    frames = [letter * 100 for letter in (b"a", b"b", b"c")]
    async with trio.open_nursery() as nursery:
        for frame in frames:
            nursery.start_soon(server.protocol_send, RawData(data=frame))
        await trio.testing.wait_all_tasks_blocked()
        heard = b"".join([await theirs.receive_some(30) for _ in range(12)])
    assert sorted(heard[n : n + 100] for n in (0, 100, 200)) == frames


async def test_a_frame_waits_for_nobody_where_nothing_else_is_written() -> None:
    turns = 0
    seen: list[int] = []

    class Stream(trio.abc.SendStream):
        async def send_all(self, data: bytes | bytearray | memoryview) -> None:
            seen.append(turns)
            await trio.lowlevel.checkpoint()

        async def wait_send_all_might_not_block(self) -> None:
            await trio.lowlevel.checkpoint()

        async def aclose(self) -> None:
            await trio.lowlevel.checkpoint()

    async def count() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    server = server_on(Stream())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(count)
        for _ in range(3):
            before = turns
            await server.protocol_send(RawData(data=b"frame"))
            assert seen.pop() == before
        nursery.cancel_scope.cancel()
