"""What uploads take the private parts of Quart and Quart-Trio for (`web/http/paced_body.py`)."""

from functools import partial
from typing import Any

import trio
import trio.testing
from quart import Request, Websocket, request, websocket
from quart_trio import QuartTrio

from web.http.paced_body import HELD_BYTES, PacedConnection

PIECE = bytes(64 << 10)
HELD_PIECES = HELD_BYTES // len(PIECE)


class Client:
    """An ASGI server with one request whose body has no end.

    Attributes:
        given: how many pieces of the body were taken.
        answered: set when the answer begins.
    """

    def __init__(self, path: str) -> None:
        self.given = 0
        self.answered = trio.Event()
        headers = [(b"content-type", b"application/octet-stream")]
        self.scope: Any = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "client": ("203.0.113.9", 4711),
            "server": ("127.0.0.1", 80),
            "extensions": {},
            "state": {},
        }

    async def receive(self) -> Any:
        await trio.lowlevel.checkpoint()
        self.given += 1
        return {"type": "http.request", "body": PIECE, "more_body": True}

    async def send(self, message: Any) -> None:
        self.answered.set()
        await trio.lowlevel.checkpoint()


def application(reads: trio.MemoryReceiveChannel[None], goes_on: trio.Event) -> QuartTrio:
    """Reads a piece each time it is told to, and answers when nobody tells any more."""
    app = QuartTrio("guard")
    app.config["RESPONSE_TIMEOUT"] = None
    app.asgi_http_class = partial(PacedConnection, {("POST", "/upload")})  # type: ignore[assignment]

    async def upload() -> Any:
        body = aiter(request.body)
        async for _ in reads:
            await anext(body)
        return answer()

    async def answer() -> Any:
        yield b"begun"
        await goes_on.wait()

    app.add_url_rule("/upload", view_func=upload, methods=["POST"])
    return app


async def test_of_an_upload_no_more_is_taken_than_is_read_and_all_once_it_is_answered() -> None:
    tell, reads = trio.open_memory_channel[None](0)
    goes_on = trio.Event()
    app, client = application(reads, goes_on), Client("/upload")
    settled = trio.testing.wait_all_tasks_blocked
    async with trio.open_nursery() as nursery:
        nursery.start_soon(app, client.scope, client.receive, client.send)
        with trio.fail_after(5):
            await settled()
        assert client.given == HELD_PIECES
        for _ in range(3):  # each takes all that is held
            before = client.given
            await tell.send(None)
            await settled()
            assert client.given == before + HELD_PIECES
        before = client.given
        tell.close()
        await client.answered.wait()
        # Nobody reads the rest: it is taken, and kept nowhere.
        with trio.fail_after(5):
            while client.given < before + 10 * HELD_PIECES:
                await trio.lowlevel.checkpoint()
        goes_on.set()
        nursery.cancel_scope.cancel()


async def test_of_other_requests_the_body_is_bounded_by_its_size_alone() -> None:
    app = QuartTrio("guard")
    app.config["MAX_CONTENT_LENGTH"] = 3 * HELD_BYTES
    app.asgi_http_class = partial(PacedConnection, {("POST", "/upload")})  # type: ignore[assignment]
    arrived = trio.Event()

    async def other() -> str:
        arrived.set()
        await trio.sleep_forever()
        return ""

    app.add_url_rule("/other", view_func=other, methods=["POST"])
    client = Client("/other")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(app, client.scope, client.receive, client.send)
        await arrived.wait()
        with trio.fail_after(5):
            while client.given <= 2 * HELD_PIECES:
                await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()


async def test_the_proxies_of_quart_give_their_object() -> None:
    app = QuartTrio("guard")

    async def socket() -> None:
        seen: Any = websocket._get_current_object()  # type: ignore[attr-defined]
        assert isinstance(seen, Websocket)
        assert type(seen) is app.websocket_class
        await seen.send(seen.path)

    app.add_websocket("/ws", view_func=socket)
    async with app.test_request_context("/a"):
        found: Any = request._get_current_object()  # type: ignore[attr-defined]
        assert type(found) is app.request_class
        assert isinstance(found, Request)
        assert found.path == "/a"
    async with app.test_app() as tested, tested.test_client().websocket("/ws") as line:
        assert await line.receive() == "/ws"
