"""Garbage sent to the web port ends that connection, and no other."""

import base64
import os
import socket
from pathlib import Path

import pytest

from tests.real.harness import Person, Roost, open_socket

UPGRADE = (
    b"GET /ws/devices HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + base64.b64encode(b"x" * 16) + b"\r\n"
)
RUDE = {
    "a subprotocol that is not ASCII": UPGRADE + b"Sec-WebSocket-Protocol: \xff\r\n\r\n",
    "an extension that is not ASCII": UPGRADE + b"Sec-WebSocket-Extensions: \xff\r\n\r\n",
    "a connection token that is not ASCII": UPGRADE.replace(b"Upgrade\r\n", b"Upgrade, \xff\r\n", 1)
    + b"\r\n",
    "h2c by upgrade": b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAEA\r\n\r\n",
    "h2c by prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00" * 64,
    "no path": b"GET ?x HTTP/1.1\r\nHost: x\r\n\r\n",
    "half a URL": b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
    "connect": b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\xff" * 8,
    "nothing": b"",
}


@pytest.fixture(scope="module")
def roost(own_roost: Roost) -> Roost:
    """A separate server, so that nothing else has used its memory."""
    return own_roost


def say(roost: Roost, data: bytes) -> bytes:
    host, _, port = roost.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as line:
        line.sendall(data)
        line.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while part := line.recv(65_536):
                answer += part
        except OSError:
            return answer
        return answer


@pytest.mark.parametrize("name", RUDE)
async def test_a_rude_connection_ends_alone(roost: Roost, ada: Person, name: str) -> None:
    async with open_socket(roost, headers=[("x-auth-token", ada.token)]) as screen:
        await screen.next()
        for _ in range(3):
            answer = say(roost, RUDE[name])
            assert b"500" not in answer.split(b"\r\n")[0]
        await screen.send(type="ping")
        assert await screen.next() == {"type": "pong"}
    assert "web server failed" not in roost.log
    assert "Traceback" not in roost.log


def test_one_socket_that_never_ends_its_message_fills_no_memory(roost: Roost) -> None:
    assert roost.process is not None
    status = Path(f"/proc/{roost.process.pid}/status")
    before = resident_kb(status.read_text())
    host, _, port = roost.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as line:
        line.sendall(UPGRADE + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
        assert b"101" in line.recv(4096)
        piece = os.urandom(60_000).hex().encode()[:65_000]
        # Text frames without FIN, masked with zeros (RFC 6455 §5.2).
        frame = b"\xfe" + len(piece).to_bytes(2, "big") + b"\0\0\0\0" + piece
        try:
            for n in range(1_000):
                line.sendall((b"\x01" if n == 0 else b"\x00") + frame)
        except OSError:
            pass
    assert resident_kb(status.read_text()) - before < 32_000


def resident_kb(status: str) -> int:
    return int(status.split("VmRSS:")[1].split()[0])


async def test_an_empty_binary_frame_is_a_mistake_and_no_more(roost: Roost, ada: Person) -> None:
    async with open_socket(roost, headers=[("x-auth-token", ada.token)]) as screen:
        await screen.next()
        await screen.socket.send_message(b"")
        assert (await screen.next())["type"] == "error"
    async with open_socket(roost) as screen:
        await screen.socket.send_message(b"")
        assert await screen.closed() == 4401
