"""Request bodies that are received only as fast as they are read.

Quart receives a body as fast as it arrives and keeps all of it, up to a megabyte: right for JSON,
wrong for a file. An upload's body holds a chunk or two. When that is full, nothing more is taken
from the server, its queue fills, and TCP tells the client to wait.

Parts of Quart-Trio are replaced for it, guarded by `tests/contract/guards/test_quart.py`.
"""

from collections.abc import Collection
from typing import Any

import trio
from quart_trio.asgi import TrioASGIHTTPConnection
from quart_trio.wrappers.request import TrioBody

# A read returns everything that is held: at most this and one message of the server (64 KiB).
HELD_BYTES = 256 << 10


class PacedBody(TrioBody):
    """The body of an upload: `async for chunk in body`."""

    def __init__(self) -> None:
        super().__init__(None, None)
        self._is_dropped = False
        self._changed = trio.Event()

    async def __anext__(self) -> bytes:
        data = await super().__anext__()
        self._changed.set()
        return data

    def append(self, data: bytes) -> None:
        if not self._is_dropped:
            super().append(data)

    def drop(self) -> None:
        """Nobody reads the rest: receive and drop it."""
        self._is_dropped = True
        self._data.clear()
        self._changed.set()

    async def wait_room(self) -> None:
        """Wait until there is room for more."""
        while len(self._data) >= HELD_BYTES:
            self._changed = trio.Event()
            await self._changed.wait()


class PacedConnection(TrioASGIHTTPConnection):
    """One request. An upload gets a `PacedBody`.

    Args:
        uploads: methods and paths of the operations whose bodies are files.
    """

    def __init__(self, uploads: Collection[tuple[str, str]], app: Any, scope: Any) -> None:
        super().__init__(app, scope)
        self._is_upload = (scope["method"], scope["path"].rstrip("/")) in uploads

    def _create_request_from_scope(self, send: Any) -> Any:
        request = super()._create_request_from_scope(send)
        if self._is_upload:
            request.body = PacedBody()
        return request

    async def handle_messages(  # type: ignore[override]
        self, nursery: trio.Nursery, request: Any, receive: Any
    ) -> None:
        async def paced() -> Any:
            await request.body.wait_room()
            return await receive()

        await super().handle_messages(nursery, request, paced if self._is_upload else receive)

    async def handle_request(  # type: ignore[override]
        self, nursery: trio.Nursery, request: Any, send: Any
    ) -> None:
        async def said(message: Any) -> None:
            request.body.drop()  # a handler that answers reads no more
            await send(message)

        await super().handle_request(nursery, request, said if self._is_upload else send)
