"""An answer ends after its question, below Quart."""

from typing import Any

import trio
import trio.testing

from web.http.early_answer import REST_WITHIN_S, with_an_end

ANSWER = {"type": "http.response.body", "body": b"no"}


async def hasty(scope: Any, receive: Any, send: Any) -> None:
    """Answers at once, and takes what comes meanwhile, as Quart does."""
    async with trio.open_nursery() as nursery:

        async def take() -> None:
            while True:
                await receive()

        nursery.start_soon(take)
        await send(dict(ANSWER))
        nursery.cancel_scope.cancel()


class Line:
    """A client's side: what it has sent, and what it got."""

    def __init__(self) -> None:
        self.put, self._taken = trio.open_memory_channel[Any](8)
        self.got: list[Any] = []

    async def receive(self) -> Any:
        return await self._taken.receive()

    async def send(self, message: Any) -> None:
        self.got.append(message)

    @property
    def data(self) -> bytes:
        return b"".join(message["body"] for message in self.got)

    @property
    def has_end(self) -> bool:
        return bool(self.got) and not self.got[-1].get("more_body")


async def test_the_answer_is_there_at_once_and_ends_when_the_request_has_arrived(
    autojump_clock: trio.testing.MockClock,
) -> None:
    line = Line()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(with_an_end(hasty), {"type": "http"}, line.receive, line.send)
        await trio.sleep(0.1)
        assert (line.data, line.has_end) == (b"no", False)
        await line.put.send({"type": "http.request", "body": b"x", "more_body": True})
        await trio.sleep(0.1)
        assert not line.has_end
        await line.put.send({"type": "http.request", "body": b"", "more_body": False})
        await trio.sleep(0.1)
        assert (line.data, line.has_end) == (b"no", True)


async def test_a_request_that_never_ends_is_not_waited_for(
    autojump_clock: trio.testing.MockClock,
) -> None:
    line = Line()
    await with_an_end(hasty)({"type": "http"}, line.receive, line.send)
    assert (line.data, line.has_end) == (b"no", True)
    assert trio.current_time() <= REST_WITHIN_S + 1
