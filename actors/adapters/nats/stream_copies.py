"""Copies of the embedded broker's streams, with their consumers, while it runs; and back.

    async with open_streams(access) as streams:
        async with streams.copy("$MQTT_msgs") as copy:
            while data := await copy.next():
                …
        await streams.put(config, state, pieces)

JetStream's own snapshots: requests as in docs.nats.io, "JetStream wire API"; guarded by
`tests/contract/test_stream_copies.py`. A piece is acknowledged before the next ones come, so a slow
reader holds up nobody.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import msgspec
import nats.errors
import trio

from actors.adapters.asyncio_bridge import Bridge, open_bridge
from actors.adapters.nats.jetstream import STREAM_NOT_FOUND, call
from actors.adapters.nats.lines import NatsAccess, connect
from actors.adapters.nats.mqtt_sessions import MESSAGES, RELEASES, SESSIONS, UNRELEASED, hash_of
from actors.adapters.nats.store_bounds import RETAINED
from protocol import codec
from protocol.errors import Unavailable, in_words

# A message that is released moves from UNRELEASED to MESSAGES, so it is in the later copy at least.
# A session names consumers of MESSAGES; a consumer without a session is cleared away, while a
# session without its consumer would receive nothing.
ORDER = (UNRELEASED, SESSIONS, RETAINED, RELEASES, MESSAGES)

CONNECT_WITHIN_S = 10.0
PIECE_WITHIN_S = 60.0  # a block of 8 MB is read from the disk before its first piece comes
PIECE_BYTES = 128 << 10
PAGES_MAX = 64  # of 256 consumers
CLOSE_WITHIN_S = 2.0
# What the server says at the end of a copy that is whole.
_WHOLE = (None, "204")


class Head(msgspec.Struct, frozen=True):
    """A stream, as it is asked for when it is put back."""

    config: dict[str, Any]
    state: dict[str, Any]


class _Names(msgspec.Struct, frozen=True):
    streams: list[str] | None = None


class _Place(msgspec.Struct, frozen=True):
    deliver_subject: str


_heads = msgspec.json.Decoder(Head)
_names = msgspec.json.Decoder(_Names)
_places = msgspec.json.Decoder(_Place)
_any = msgspec.json.Decoder()


class Copy:
    """A copy of a stream as it comes. `head` describes the stream."""

    def __init__(self, bridge: Bridge, arrived: Any, head: Head) -> None:
        self.head = head
        self._bridge = bridge
        self._arrived = arrived

    async def next(self) -> bytes:
        """The next piece; empty at the end. Raises `Unavailable` if the copy is not whole."""
        with _translated():
            return await self._bridge.run(self._next)

    async def _next(self) -> bytes:
        message = await self._arrived.next_msg(timeout=PIECE_WITHIN_S)
        if message.data:
            if message.reply:
                await message.respond(b"")
            data: bytes = message.data
            return data
        status = (message.headers or {}).get("Status")
        if status not in _WHOLE:
            raise Unavailable(f"the broker ended the copy of a stream: {message.headers}")
        return b""


class Streams:
    def __init__(self, bridge: Bridge, connection: Any) -> None:
        self._bridge = bridge
        self._connection = connection

    async def names(self) -> list[str]:
        """The streams of MQTT that there are, in the order in which they must be copied."""
        with _translated():
            found = await self._bridge.run(call, self._connection, "STREAM.NAMES", {}, _names)
        there = set(() if found is None else found.streams or ())
        return [name for name in ORDER if name in there]

    async def waiting(self, client_ids: Sequence[str]) -> int:
        """How many messages wait for these sessions, or for their acknowledgement."""
        with _translated():
            return await self._bridge.run(self._waiting, {hash_of(each) for each in client_ids})

    async def _waiting(self, sessions: set[str]) -> int:
        count = offset = 0
        for _ in range(PAGES_MAX):
            asked = {"offset": offset}
            name = f"CONSUMER.LIST.{MESSAGES}"
            page: Any = await call(self._connection, name, asked, _any, (STREAM_NOT_FOUND,))
            found = [] if page is None else page.get("consumers") or []
            for each in found:
                if each["name"].partition("_")[0] in sessions:
                    count += each["num_pending"] + each["num_ack_pending"]
            offset += len(found)
            if not found or offset >= page["total"]:
                break
        return count

    @asynccontextmanager
    async def copy(self, name: str) -> AsyncIterator[Copy]:
        with _translated():
            arrived, head = await self._bridge.run(self._begin, name)
        try:
            yield Copy(self._bridge, arrived, head)
        finally:
            with trio.CancelScope(shield=True):  # it only writes into a buffer
                await self._bridge.run(self._end, arrived)

    async def _begin(self, name: str) -> tuple[Any, Head]:
        inbox = self._connection.new_inbox()
        arrived = await self._connection.subscribe(inbox)
        wanted = {"deliver_subject": inbox, "chunk_size": PIECE_BYTES}
        head = await call(self._connection, f"STREAM.SNAPSHOT.{name}", wanted, _heads)
        assert head is not None
        return arrived, head

    async def _end(self, arrived: Any) -> None:
        if not self._connection.is_closed:
            await arrived.unsubscribe()

    async def put(self, head: Head, pieces: Iterable[bytes]) -> None:
        """Create a stream from its copy. Blocks on `pieces` in a thread."""
        name = head.config["name"]
        asked = {"config": head.config, "state": head.state}
        with _translated():
            place: _Place | None = await self._bridge.run(
                call, self._connection, f"STREAM.RESTORE.{name}", asked, _places
            )
            assert place is not None
            rest = iter(pieces)
            while True:
                data = await trio.to_thread.run_sync(partial(next, rest, b""))
                answer = await self._bridge.run(self._send, place.deliver_subject, data)
                if not data:
                    break
        error = codec.decode(answer).get("error")
        if error:
            raise Unavailable(f"the broker does not restore {name}: {error}")

    async def _send(self, subject: str, data: bytes) -> bytes:
        answer = await self._connection.request(subject, data, timeout=PIECE_WITHIN_S)
        said: bytes = answer.data
        return said


@asynccontextmanager
async def open_streams(access: NatsAccess) -> AsyncIterator[Streams]:
    """Raises `Unavailable` if the broker does not answer."""
    async with open_bridge("streams") as bridge:
        connection: Any = None
        with trio.move_on_after(CONNECT_WITHIN_S), _translated():
            connection = await bridge.run(connect, access, "auth", access.auth_password)
        if connection is None:
            raise Unavailable("the MQTT broker does not answer")
        try:
            yield Streams(bridge, connection)
        finally:
            with trio.CancelScope(shield=True):  # bounded by CLOSE_WITHIN_S
                await bridge.run(_close, connection)


async def _close(connection: Any) -> None:
    try:
        await asyncio.wait_for(connection.close(), CLOSE_WITHIN_S)
    except (TimeoutError, nats.errors.Error, OSError):
        return  # the broker is away: nothing is left to close


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (nats.errors.Error, TimeoutError, OSError) as error:
        raise Unavailable(f"the MQTT broker does not answer: {in_words(error)}") from error
