"""The private names of hypercorn by which kept connections are mended: a release that changes one
fails here."""

import inspect

import hypercorn.protocol.h11
import hypercorn.trio.tcp_server


def test_hypercorn_ends_an_answer_by_a_method_that_can_be_replaced() -> None:
    h11 = inspect.getsource(hypercorn.protocol.h11.H11Protocol)
    assert "elif isinstance(event, StreamClosed):\n            await self._maybe_recycle()" in h11
    assert "await self.send(Updated(idle=True))" in h11


def test_hypercorn_reads_by_a_method_that_can_be_extended() -> None:
    server = inspect.getsource(hypercorn.trio.tcp_server.TCPServer)
    assert "await self._read_data()" in server
    assert "await self.idle_task.restart(self._task_group, self._idle_timeout)" in server
