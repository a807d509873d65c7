"""A TCP tunnel that can stop passing data, like a firewall that drops packets.

with tunnel(server_port) as way:
    …                      # clients connect to way.port
    way.is_silent = True   # connections stay open, and nothing passes
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event, Thread

import trio

_GONE = (trio.BrokenResourceError, trio.ClosedResourceError)


class Tunnel:
    """Used by two threads, so it has plain attributes only."""

    def __init__(self, server_port: int) -> None:
        self.port = 0
        self.is_silent = False
        self._server_port = server_port
        self._token: trio.lowlevel.TrioToken | None = None
        self._scope = trio.CancelScope()
        self._is_open = Event()

    def run(self) -> None:
        trio.run(self._serve)

    def wait_open(self) -> None:
        assert self._is_open.wait(10)

    def close(self) -> None:
        assert self._token is not None
        self._token.run_sync_soon(self._scope.cancel)

    async def _serve(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        with self._scope:
            async with trio.open_nursery() as nursery:
                serve = partial(trio.serve_tcp, host="127.0.0.1")
                (listener,) = await nursery.start(serve, self._pass, 0)
                self.port = listener.socket.getsockname()[1]
                self._is_open.set()

    async def _pass(self, client: trio.SocketStream) -> None:
        server = await trio.open_tcp_stream("127.0.0.1", self._server_port)
        async with client, server, trio.open_nursery() as nursery:
            for source, target in ((client, server), (server, client)):
                nursery.start_soon(self._pump, source, target, nursery.cancel_scope)

    async def _pump(
        self, source: trio.SocketStream, target: trio.SocketStream, both: trio.CancelScope
    ) -> None:
        try:
            async for data in source:
                if not self.is_silent:
                    await target.send_all(data)
        except _GONE:
            pass  # ends the other direction's thread, too
        both.cancel()


@contextmanager
def tunnel(server_port: int) -> Iterator[Tunnel]:
    way = Tunnel(server_port)
    thread = Thread(target=way.run)
    thread.start()
    try:
        way.wait_open()
        yield way
    finally:
        way.close()
        thread.join()
