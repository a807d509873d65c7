"""A bare MQTT 3.1.1 client that says what it wants, and answers nothing."""

import socket
import struct
from collections.abc import Iterable
from contextlib import suppress


def _text(said: str) -> bytes:
    return struct.pack(">H", len(said.encode())) + said.encode()


def _packet(kind: int, body: bytes) -> bytes:
    left, length = len(body), bytearray()
    while True:
        left, digit = divmod(left, 128)
        length.append(digit | (0x80 if left else 0))
        if not left:
            return bytes([kind]) + bytes(length) + body


def publication(topic: str, payload: bytes, packet_id: int, qos: int) -> bytes:
    """PUBLISH (§3.3) at QoS 1 or 2."""
    return _packet(0x30 | qos << 1, _text(topic) + struct.pack(">H", packet_id) + payload)


class Line:
    """Usage: `with Line(port, client_id, username, password) as line: line.subscribe("a/#")`.

    Attributes:
        had_session: the broker knew its session.
    """

    def __init__(
        self, port: int, client_id: str, username: str, password: str, *, clean: bool = True
    ) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        flags = 0xC0 | (2 if clean else 0)
        body = _text("MQTT") + bytes([4, flags, 0, 60]) + _text(client_id)
        self._socket.sendall(_packet(0x10, body + _text(username) + _text(password)))
        answer = self.read(4)
        if len(answer) < 4 or answer[3]:
            self.close()
            raise ConnectionError(f"the broker refused: {answer!r}")
        self.had_session = bool(answer[2])

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *what: object) -> None:
        self.close()

    def subscribe(self, topic: str, qos: int = 1) -> None:
        self._socket.sendall(_packet(0x82, struct.pack(">H", 1) + _text(topic) + bytes([qos])))
        assert self.read(5)[4] == qos

    def publish(self, packets: Iterable[bytes]) -> int:
        """Send them, and read an answer (PUBACK, PUBREC) for each before the next; answers how many
        came before the broker closed."""
        answered = 0
        with suppress(ConnectionError):
            for packet in packets:
                self._socket.sendall(packet)
                if len(self.read(4)) < 4:
                    break
                answered += 1
        return answered

    def release(self, packet_id: int) -> None:
        """PUBREL (§3.6), and its answer."""
        self._socket.sendall(bytes([0x62, 2]) + struct.pack(">H", packet_id))
        assert self.read(4) == bytes([0x70, 2]) + struct.pack(">H", packet_id)

    def is_closed(self) -> bool:
        """Wait for the broker to close, for ten seconds at most."""
        with suppress(ConnectionError):
            try:
                return not self._socket.recv(1)
            except TimeoutError:
                return False
        return True

    def read(self, size: int) -> bytes:
        """Fewer bytes where the other side has closed."""
        said = b""
        while len(said) < size and (more := self._socket.recv(size - len(said))):
            said += more
        return said

    def close(self) -> None:
        self._socket.close()
