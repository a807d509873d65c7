"""HTTP/2 has the bounds that HTTP/1.1 has: streams, resets, slow clients, idle connections."""

from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest
import trio
import trio.testing
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from roost.http2 import HEAD_BYTES_MAX, RESETS_MAX, SEND_WITHIN_S, STREAMS_MAX
from tests.support.http_server import HEAD_WITHIN_S, Server, serving

ASK = [(":method", "GET"), (":path", "/"), (":scheme", "https"), (":authority", "x")]
POST = [(":method", "POST"), *ASK[1:]]


class Client:
    """Speaks HTTP/2 with the server; `events` are all that it was told so far."""

    def __init__(self, server: Server) -> None:
        self.line = server.connect(http2=True)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.events: list[h2.events.Event] = []

    async def begin(self) -> None:
        self.h2.initiate_connection()
        await self.flush()

    async def flush(self) -> None:
        await self.line.send_all(self.h2.data_to_send())

    async def ask(self, headers: Any = ASK, *, ends: bool = True) -> int:
        stream: int = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, headers, end_stream=ends)
        await self.flush()
        return stream

    async def hear(self, kind: type[Any]) -> Any:
        """The next event of this kind; fails if the connection ends before."""
        while True:
            for n, event in enumerate(self.events):
                if isinstance(event, kind):
                    del self.events[: n + 1]
                    return event
            assert await self.read(), f"the connection ended without {kind}"

    async def read(self) -> bool:
        data = await self.line.receive_some(65_536)
        self.events += self.h2.receive_data(bytes(data)) if data else ()
        return bool(data)

    async def ended(self) -> None:
        while await self.read():
            pass


async def test_requests_are_answered_and_the_bounds_are_told(autojump_clock: Any) -> None:
    async with serving() as server:
        client = Client(server)
        await client.begin()
        told = (await client.hear(h2.events.RemoteSettingsChanged)).changed_settings
        assert told[SettingCodes.MAX_CONCURRENT_STREAMS].new_value == STREAMS_MAX
        assert told[SettingCodes.MAX_HEADER_LIST_SIZE].new_value == HEAD_BYTES_MAX
        assert told[SettingCodes.ENABLE_CONNECT_PROTOCOL].new_value == 0
        streams = [await client.ask() for _ in range(3)]
        answered = [(await client.hear(h2.events.ResponseReceived)).stream_id for _ in streams]
        assert sorted(answered) == streams


async def test_more_than_a_thousand_requests_fit_into_a_connection(autojump_clock: Any) -> None:
    async with serving() as server:
        client = Client(server)
        await client.begin()
        for _ in range(1_200):
            await client.ask()
            await client.hear(h2.events.StreamEnded)


async def test_an_idle_connection_ends_also_after_a_request(autojump_clock: Any) -> None:
    async with serving() as server:
        client = Client(server)
        await client.begin()
        began_s = trio.current_time()
        await client.ask()
        await client.ended()
        assert trio.current_time() - began_s == pytest.approx(HEAD_WITHIN_S, abs=1)
        await trio.testing.wait_all_tasks_blocked()
        assert len(server.connections) == 0


async def test_who_only_resets_requests_is_sent_away(autojump_clock: Any) -> None:
    async with serving() as server:
        client = Client(server)
        await client.begin()
        began_s = trio.current_time()
        for _ in range(RESETS_MAX + 1):
            client.h2.reset_stream(await client.ask(ends=False))
        await client.flush()
        ended = await client.hear(h2.events.ConnectionTerminated)
        assert ended.error_code == ErrorCodes.ENHANCE_YOUR_CALM
        await client.ended()
        assert trio.current_time() - began_s < 1


async def test_a_socket_over_http_2_is_refused_and_other_streams_continue(
    autojump_clock: Any,
) -> None:
    async with serving() as server:
        client = Client(server)
        await client.begin()
        upgrade = [(":method", "CONNECT"), (":protocol", "websocket"), *ASK[1:]]
        await client.hear(h2.events.RemoteSettingsChanged)
        refused = await client.ask(upgrade, ends=False)
        assert (await client.hear(h2.events.StreamReset)).stream_id == refused
        asked = await client.ask()
        assert (await client.hear(h2.events.ResponseReceived)).stream_id == asked


async def test_a_body_that_continues_after_its_answer_costs_only_its_stream(
    autojump_clock: Any,
) -> None:
    async with serving() as server:
        client = Client(server)
        await client.begin()
        stream = await client.ask(POST, ends=False)
        await client.hear(h2.events.StreamEnded)
        client.h2.send_data(stream, b"more")
        await client.flush()
        assert (await client.hear(h2.events.StreamReset)).stream_id == stream
        asked = await client.ask()
        assert (await client.hear(h2.events.ResponseReceived)).stream_id == asked


async def test_who_takes_nothing_is_sent_away(autojump_clock: Any) -> None:
    sent = 0

    async def large(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(100):
            more = {"type": "http.response.body", "body": b"x" * 65_536, "more_body": True}
            await send(more)
            sent += 1

    async with serving(app=large) as server:
        client = Client(server)
        await client.begin()
        await client.ask()
        began_s = trio.current_time()
        await client.ended()  # reads, and never extends the window
        assert trio.current_time() - began_s == pytest.approx(SEND_WITHIN_S, abs=1)
        assert sent < 3  # what does not fit into the window is not held in memory
        await trio.testing.wait_all_tasks_blocked()
        assert len(server.connections) == 0
