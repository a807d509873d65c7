"""Keep-alive connections: reused after any response, closed when idle."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.real.harness import Roost

BODY = b'{"email": "a@example.org", "password": "correct-horse"}'
FOLLOWING = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
# hypercorn's keep-alive time-out is five seconds.
IDLE_S = 5.0


@contextmanager
def connection(roost: Roost) -> Iterator[socket.socket]:
    host, _, port = roost.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=2 * IDLE_S) as line:
        yield line


def head(method: str, path: str) -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()


def answer(line: socket.socket) -> tuple[int, bytes]:
    """One response: its status and its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += (part := line.recv(65_536))
        assert part, "the connection was closed instead of an answer"
    top, _, body = data.partition(b"\r\n\r\n")
    size = int(top.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < size:
        body += line.recv(65_536)
    return int(top.split()[1]), body


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/api/v1/users", 405),
        ("POST", "/api/v1/nothing", 404),
        ("POST", "/api/v1/devices", 401),
    ],
)
def test_an_answer_before_the_end_of_a_body_leaves_the_connection_as_good_as_new(
    roost: Roost, method: str, path: str, status: int
) -> None:
    with connection(roost) as line:
        for _ in range(20):
            line.sendall(head(method, path))
            assert answer(line)[0] == status  # before the body is even sent
            line.sendall(BODY)
            line.sendall(FOLLOWING)
            assert answer(line) == (200, b"ok\n")


def test_a_connection_on_which_nothing_is_asked_any_more_is_closed(roost: Roost) -> None:
    with connection(roost) as line:
        line.sendall(FOLLOWING)
        answer(line)
        since_s = time.monotonic()
        assert line.recv(1) == b""
        assert IDLE_S - 1 < time.monotonic() - since_s < IDLE_S + 4


def test_a_client_that_keeps_the_rest_of_its_body_is_not_waited_for(roost: Roost) -> None:
    with connection(roost) as line:
        line.sendall(head("PUT", "/api/v1/users"))
        assert answer(line)[0] == 405
        assert line.recv(1) == b""
