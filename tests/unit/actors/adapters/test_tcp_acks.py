"""Each read of a broker's connection ends the kernel's wait with its acknowledgement."""

import asyncio
import socket
from typing import Any

from actors.adapters.mqtt.tcp_acks import QUICKACK, acknowledge_at_once


class Spied:
    """A transport whose socket tells what was set on it."""

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        self.line = transport.get_extra_info("socket")
        self.family = self.line.family
        self.set: list[tuple[int, ...]] = []

    def get_extra_info(self, name: str) -> "Spied | None":
        return self if name == "socket" else None

    def setsockopt(self, *what: int) -> None:
        self.line.setsockopt(*what)
        self.set.append(what)


class Heard(asyncio.Protocol):
    def __init__(self) -> None:
        self.reads: list[bytes] = []
        self.more = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.reads.append(data)
        self.more.set()


def test_every_read_is_acknowledged_at_once() -> None:
    async def tried() -> tuple[list[bytes], list[tuple[int, ...]]]:
        listening = socket.create_server(("127.0.0.1", 0))
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_connection(Heard, *listening.getsockname())
        theirs, _ = listening.accept()
        spied: Any = Spied(transport)
        acknowledge_at_once(spied, protocol)
        for n in range(3):
            protocol.more.clear()
            theirs.sendall(b"%d" % n)
            await protocol.more.wait()
        transport.close()
        theirs.close()
        listening.close()
        return protocol.reads, spied.set

    reads, was_set = asyncio.run(tried())
    assert reads == [b"0", b"1", b"2"]
    assert was_set == [(socket.IPPROTO_TCP, QUICKACK, 1)] * (1 + len(reads))


def test_a_line_that_is_no_tcp_is_left_alone() -> None:
    """A memory twin's, or a socket in the file system."""

    class NoSocket(asyncio.BaseTransport):
        def get_extra_info(self, name: str, default: Any = None) -> None:
            return None

    protocol = Heard.__new__(Heard)
    acknowledge_at_once(NoSocket(), protocol)
    assert "data_received" not in vars(protocol)
