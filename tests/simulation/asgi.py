"""A client of the web application without a socket: plain ASGI, and it may leave at any moment."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio

FRAMES_MAX = 10  # what a socket's buffers take before the sender waits
HOST = "roost.example"


class SocketClosed(Exception):
    """The server closed the WebSocket, with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


def _scope(kind: str, path: str, headers: dict[str, str], **more: Any) -> dict[str, Any]:
    path, _, query = path.partition("?")
    named = {"host": HOST, **headers}
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(k.lower().encode(), v.encode()) for k, v in named.items()],
        "client": ("192.0.2.1", 50_000),
        "server": (HOST, 80),
        "extensions": {},
        "state": {},
        **more,
    }


async def request(
    app: Any, method: str, path: str, headers: dict[str, str], body: Any = None
) -> tuple[int, Any]:
    """One request with a JSON body, or bytes as they are; status and decoded body of the answer."""
    as_json = body is not None and not isinstance(body, bytes)
    waiting = [json.dumps(body).encode() if as_json else body or b""]
    answer: dict[str, Any] = {"status": 0, "body": b""}

    async def receive() -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        if not waiting:
            await trio.sleep_forever()  # the client stays for the answer
        return {"type": "http.request", "body": waiting.pop(), "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        await trio.lowlevel.checkpoint()
        if message["type"] == "http.response.start":
            answer["status"] = message["status"]
        else:
            answer["body"] += message.get("body", b"")

    kind = {"content-type": "application/json"} if as_json else {}
    scope = _scope("http", path, {**kind, **headers}, method=method, scheme="http")
    await app(scope, receive, send)
    return answer["status"], json.loads(answer["body"]) if answer["body"] else None


class Socket:
    """The client's side of a WebSocket."""

    def __init__(self) -> None:
        self.code = 1006
        self.to_client, self._frames = trio.open_memory_channel[str](FRAMES_MAX)
        self._to_server, self.from_client = trio.open_memory_channel[dict[str, Any]](FRAMES_MAX)

    async def send_to_client(self, message: dict[str, Any]) -> None:
        """What the application sends."""
        if message["type"] == "websocket.send":
            await self.to_client.send(message.get("text") or message["bytes"].decode())
        elif message["type"] == "websocket.close":
            await trio.lowlevel.checkpoint()
            self.code = message.get("code", 1000)
            self.to_client.close()
        else:
            await trio.lowlevel.checkpoint()

    async def receive(self) -> Any:
        """The next frame. Raises `SocketClosed`."""
        try:
            return json.loads(await self._frames.receive())
        except trio.EndOfChannel:
            raise SocketClosed(self.code) from None

    async def send(self, **message: Any) -> None:
        frame = {"type": "websocket.receive", "text": json.dumps(message)}
        await self._to_server.send(frame)


@asynccontextmanager
async def open_socket(app: Any, path: str, headers: dict[str, str]) -> AsyncIterator[Socket]:
    """A WebSocket; at the end of the block the client is simply gone."""
    socket = Socket()
    connecting = [{"type": "websocket.connect"}]

    async def receive() -> dict[str, Any]:
        if connecting:
            await trio.lowlevel.checkpoint()
            return connecting.pop()
        return await socket.from_client.receive()

    scope = _scope("websocket", path, headers, scheme="ws", subprotocols=[])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(app, scope, receive, socket.send_to_client)
        yield socket
        nursery.cancel_scope.cancel()
