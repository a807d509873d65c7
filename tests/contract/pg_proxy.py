"""A proxy before PostgreSQL that loses connections where it hurts: around a COMMIT.

    async with open_proxy(server.url) as proxy:
        async with open_store(proxy.url) as store:
            proxy.cut_after_commit()
            await store.commit(batch)  # done, but nobody is told: Unavailable

It runs in the test's own Trio loop and reads whole messages of the frontend/backend protocol
(PostgreSQL's documentation, "Message Formats"): a type byte, a length, a body; the first message
of a client has no type.
"""

import enum
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import parse_qs, urlsplit

import trio

_COMMIT = re.compile(rb"\s*COMMIT\s*;?\s*", re.IGNORECASE)
# By itself, a commit as well (`actors.adapters.postgres.ingest.committing`).
_STORE = re.compile(rb"\s*WITH guard AS MATERIALIZED \(SELECT FROM leads")
_GONE = (trio.BrokenResourceError, trio.ClosedResourceError)


class Plan(enum.Enum):
    """What happens to the next COMMIT."""

    PASS = enum.auto()
    CUT_BEFORE = enum.auto()
    CUT_AFTER = enum.auto()
    HOLD = enum.auto()


class Peer:
    """One side of a connection, read message by message."""

    def __init__(self, stream: trio.abc.Stream, type_bytes: int) -> None:
        self._stream = stream
        self._buffer = bytearray()
        self._type_bytes = type_bytes  # of the next message

    async def receive(self) -> bytes:
        """The next message as it came; empty when the peer is gone."""
        while len(self._buffer) < (length := self._length()):
            try:
                received = await self._stream.receive_some()
            except _GONE:
                received = b""
            if not received:
                return b""
            self._buffer += received
        message = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._type_bytes = 1
        return message

    def _length(self) -> int:
        """Of the next message, or of its header while that is not there."""
        start, end = self._type_bytes, self._type_bytes + 4
        if len(self._buffer) < end:
            return end
        return start + int.from_bytes(self._buffer[start:end], "big")

    async def send(self, message: bytes) -> None:
        """Nothing happens when the peer is gone: its own `receive` tells."""
        try:
            await self._stream.send_all(message)
        except _GONE:
            await trio.lowlevel.checkpoint()

    async def close(self) -> None:
        await self._stream.aclose()


class Link:
    """A client's connection and the one to the server behind it."""

    def __init__(self, client: Peer, server: Peer) -> None:
        self.client = client
        self.server = server
        self.scope = trio.CancelScope()
        self.muted = False
        self.answered = trio.Event()  # while muted: the server was ready for the next query
        self.is_idle = True  # no transaction is open
        self._committing: set[bytes] = set()  # prepared statements that are a COMMIT
        self._storing: set[bytes] = set()  # that are one where no transaction is open

    def is_commit(self, message: bytes) -> bool:
        """Whether it makes the server commit: a simple query, or the binding of a statement."""
        kind, body = message[:1], message[5:]
        if kind == b"Q":
            return bool(_COMMIT.fullmatch(body[:-1]))
        if kind == b"P":
            name, query, _ = body.split(b"\0", 2)
            (self._committing.add if _COMMIT.fullmatch(query) else self._committing.discard)(name)
            (self._storing.add if _STORE.match(query) else self._storing.discard)(name)
        elif kind == b"B":
            _, name, _ = body.split(b"\0", 2)
            return name in self._committing or (self.is_idle and name in self._storing)
        return False

    async def rest_of(self, message: bytes) -> bytes:
        """It, and what belongs to it: a binding is followed by its execution and the end."""
        whole = message
        while message[:1] not in (b"Q", b"S", b""):
            message = await self.client.receive()
            whole += message
        return whole


class PgProxy:
    """See the module. Each plan is for one COMMIT, the next that any client sends."""

    def __init__(self, socket: str) -> None:
        self.url = ""
        self._socket = socket
        self._plan = Plan.PASS
        self._released = trio.Event()
        self._links: list[Link] = []
        self._hangs = False
        self._countdown = 0
        self._act: Callable[[], None] = lambda: None

    def cut_before_commit(self) -> None:
        """Close both sides instead of handing the COMMIT over."""
        self._plan = Plan.CUT_BEFORE

    def cut_after_commit(self) -> None:
        """Let the server commit, keep its answer, and close both sides."""
        self._plan = Plan.CUT_AFTER

    def hold_commit(self) -> None:
        """Cut the client off, and keep its COMMIT on the way until `release`."""
        self._plan = Plan.HOLD
        self._released = trio.Event()

    def release(self) -> None:
        self._released.set()

    def hang(self) -> None:
        """From now on nothing passes, either way; new connections are taken, and told nothing."""
        self._hangs = True

    def goes_on(self) -> None:
        """What was said while it hung was not heard."""
        self._hangs = False
        self.cut_everything()

    def cut_everything(self) -> None:
        """Close every connection as it is, a held one too."""
        for link in self._links:
            link.scope.cancel()

    def before_message(self, n: int, act: Callable[[], None]) -> None:
        """Call `act` before the n-th message from now on (1 is the next) reaches the server."""
        self._countdown, self._act = n, act

    @property
    def connections(self) -> int:
        return len(self._links)

    @property
    def reached(self) -> bool:
        """Whether the message of `before_message` came."""
        return self._countdown <= 0

    async def serve(self, client_stream: trio.SocketStream) -> None:
        """One connection of a client until either side, or a plan, ends it."""
        async with client_stream:
            try:
                server_stream = await trio.open_unix_socket(self._socket)
            except OSError:
                return  # the server is away, so this connection is closed too
            async with server_stream:
                link = Link(Peer(client_stream, 0), Peer(server_stream, 1))
                self._links.append(link)
                try:
                    with link.scope:
                        async with trio.open_nursery() as nursery:
                            nursery.start_soon(self._answer, link)
                            await self._forward(link)
                            link.scope.cancel()
                finally:
                    self._links.remove(link)

    async def _forward(self, link: Link) -> None:
        first = await link.client.receive()  # start-up, or a request to cancel
        if not self._hangs:
            await link.server.send(first)
        while message := await link.client.receive():
            self._count()
            if self._hangs:
                continue
            if link.is_commit(message) and self._plan is not Plan.PASS:
                plan, self._plan = self._plan, Plan.PASS
                await self._lose(link, plan, message)
                return
            await link.server.send(message)

    def _count(self) -> None:
        self._countdown -= 1
        if self._countdown == 0:
            self._act()

    async def _lose(self, link: Link, plan: Plan, commit: bytes) -> None:
        if plan is Plan.CUT_BEFORE:
            return
        commit = await link.rest_of(commit)
        link.muted = True
        if plan is Plan.HOLD:
            await link.client.close()
            await self._released.wait()
        await link.server.send(commit)
        await link.answered.wait()

    async def _answer(self, link: Link) -> None:
        while message := await link.server.receive():
            if self._hangs:
                continue
            if message[:1] == b"Z":
                link.is_idle = message[5:] == b"I"
            if not link.muted:
                await link.client.send(message)
            elif message[:1] == b"Z":
                link.answered.set()
        link.scope.cancel()


@asynccontextmanager
async def open_proxy(url: str) -> AsyncIterator[PgProxy]:
    """A proxy before the server whose socket is in `?host=` of that URL."""
    parts = urlsplit(url)
    (folder,) = parse_qs(parts.query)["host"]
    proxy = PgProxy(f"{folder}/.s.PGSQL.5432")
    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, proxy.serve, 0, host="127.0.0.1")
        listeners = await nursery.start(serve)
        port = listeners[0].socket.getsockname()[1]
        login, _, _ = parts.netloc.rpartition("@")
        proxy.url = f"postgresql://{login}@127.0.0.1:{port}{parts.path}?sslmode=disable"
        try:
            yield proxy
        finally:
            nursery.cancel_scope.cancel()
