"""The private names of hypercorn by which kept connections are mended: a release that changes one
fails here. And how frames are written."""

import inspect
from typing import Any

import hypercorn.protocol.h11
import hypercorn.trio.tcp_server
import trio
import trio.testing
from hypercorn.config import Config
from hypercorn.events import RawData

from roost.hardening import ContainedServer


def server_on(stream: Any) -> ContainedServer:
    unused: Any = None
    return ContainedServer(unused, Config(), unused, unused, stream)


def test_hypercorn_ends_an_answer_by_a_method_that_can_be_replaced() -> None:
    h11 = inspect.getsource(hypercorn.protocol.h11.H11Protocol)
    assert "elif isinstance(event, StreamClosed):\n            await self._maybe_recycle()" in h11
    assert "await self.send(Updated(idle=True))" in h11


def test_hypercorn_reads_by_a_method_that_can_be_extended() -> None:
    server = inspect.getsource(hypercorn.trio.tcp_server.TCPServer)
    assert "await self._read_data()" in server
    assert "await self.idle_task.restart(self._task_group, self._idle_timeout)" in server


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
