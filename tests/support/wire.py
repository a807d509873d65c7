"""A bare MQTT 3.1.1 publisher on a blocking socket: the load shall cost less than what it loads."""

import socket
import struct
from collections.abc import Iterable, Sequence

WINDOW = 1_000


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("!H", len(data)) + data


def _packet(kind: int, body: bytes) -> bytes:
    size, length = len(body), bytearray()
    while True:
        size, low = divmod(size, 128)
        length.append(low | (0x80 if size else 0))
        if not size:
            return bytes([kind]) + bytes(length) + body


def login_packet(
    client_id: str,
    username: str,
    password: str,
    will: tuple[str, bytes] | None = None,
    *,
    clean: bool = True,
) -> bytes:
    """A CONNECT."""
    flags = 0xC0 | (0x0C if will else 0) | (0x02 if clean else 0)
    body = _string("MQTT") + bytes([4, flags]) + struct.pack("!H", 60) + _string(client_id)
    if will:
        body += _string(will[0]) + struct.pack("!H", len(will[1])) + will[1]
    return _packet(0x10, body + _string(username) + _string(password))


def connect(
    host: str,
    port: int,
    client_id: str,
    username: str,
    password: str,
    will: tuple[str, bytes] | None = None,
    *,
    clean: bool = True,
) -> socket.socket:
    """Log in, with a clean session or not; `will` is a topic and a payload, at QoS 1 and not
    retained.

    Raises:
        ConnectionError: the broker refuses.
    """
    login = login_packet(client_id, username, password, will, clean=clean)
    line = socket.create_connection((host, port), timeout=30)
    try:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.sendall(login)
        answer = line.recv(4)
        if len(answer) < 4 or answer[3]:
            raise ConnectionError(f"the broker refused: {answer!r}")
    except OSError:
        line.close()
        raise
    return line


def publish_at_once(
    host: str, port: int, login: tuple[str, str, str], messages: Sequence[tuple[str, bytes]]
) -> None:
    """Log in and publish at QoS 1 in one write, as a client may that does not wait for its CONNACK
    (MQTT 3.1.1 §3.1.4), and wait for the PUBACKs. `login`: client id, user name, password."""
    data = login_packet(*login)
    for n, (topic, payload) in enumerate(messages, 1):
        data += _packet(0x32, _string(topic) + struct.pack("!H", n) + payload)
    with socket.create_connection((host, port), timeout=30) as line:
        line.sendall(data)
        heard = b""
        while len(heard) < 4 + 4 * len(messages):
            more = line.recv(4096)
            if not more:
                raise ConnectionError(f"the broker closed the connection after {heard!r}")
            heard += more
        leave(line)


def leave(line: socket.socket) -> None:
    """Say good-bye, so that no will is sent, and wait until the broker has closed."""
    line.sendall(b"\xe0\x00")
    while line.recv(4096):
        pass


def publish_once(line: socket.socket, topic: str, payload: bytes, qos: int, retain: bool) -> None:
    """Publish one message at QoS 0 or 1 and, for QoS 1, wait for its PUBACK."""
    identity = struct.pack("!H", 1) if qos else b""
    line.sendall(_packet(0x30 | qos << 1 | retain, _string(topic) + identity + payload))
    if not qos:  # a ping behind it: when that is answered the broker has taken it
        line.sendall(b"\xc0\x00")
    if not line.recv(4):
        raise ConnectionError("the broker closed the connection")


def subscribe(line: socket.socket, topics: Sequence[str], qos: int) -> bytes:
    """What the broker granted for each: a QoS, or 0x80 where it refuses."""
    wanted = b"".join([_string(topic) + bytes([qos]) for topic in topics])
    line.sendall(_packet(0x82, struct.pack("!H", 1) + wanted))
    answer = b""
    while len(answer) < 4 + len(topics):
        more = line.recv(4096)
        if not more:
            raise ConnectionError("the broker closed the connection")
        answer += more
    return answer[4:]


def publish_packet(topic: str, payload: bytes) -> bytes:
    """A PUBLISH at QoS 1."""
    return _packet(0x32, _string(topic) + struct.pack("!H", 1) + payload)


def send(line: socket.socket, topic: str, payload: bytes) -> None:
    """Publish at QoS 1 without waiting; `answers` takes the PUBACK later."""
    line.sendall(publish_packet(topic, payload))


def answers(line: socket.socket, count: int) -> None:
    """Take so many PUBACKs."""
    rest = b""
    while count:
        got, rest = _answers(line, rest)
        count -= got


def publish_all(
    line: socket.socket, messages: Iterable[tuple[str, bytes]], window: int = WINDOW
) -> int:
    """Publish at QoS 1 with a window of unanswered messages; answers with the count of PUBACKs."""
    packet_id = unanswered = answered = 0
    waiting = bytearray()
    rest = b""
    for topic, payload in messages:
        packet_id = packet_id % 65_535 + 1
        body = _string(topic) + struct.pack("!H", packet_id) + payload
        waiting += _packet(0x32, body)
        unanswered += 1
        if len(waiting) > 16_384 or unanswered >= window:
            line.sendall(waiting)
            waiting.clear()
        while unanswered >= window:
            count, rest = _answers(line, rest)
            unanswered -= count
            answered += count
    line.sendall(waiting)
    while unanswered:
        count, rest = _answers(line, rest)
        unanswered -= count
        answered += count
    return answered


def _answers(line: socket.socket, rest: bytes) -> tuple[int, bytes]:
    data = rest + line.recv(65_536)
    if len(data) == len(rest):
        raise ConnectionError("the broker closed the connection")
    count, left = divmod(len(data), 4)  # nothing but PUBACKs of four bytes comes here
    return count, data[len(data) - left :] if left else b""
