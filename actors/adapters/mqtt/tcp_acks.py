"""What a broker sends is acknowledged at once, on the level of TCP.

Linux waits up to 40 ms with the acknowledgement of a segment, for data that could carry it. Ours
comes late: a PUBACK waits for its commit. A broker that leaves Nagle's algorithm on (Mosquitto's
default) sends nothing more until then. `TCP_QUICKACK` (tcp(7)) ends the wait; the kernel forgets
it, so it is set again after each read.
"""

import asyncio
import socket
from typing import Any

QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux has it


def acknowledge_at_once(transport: asyncio.BaseTransport, protocol: Any) -> None:
    """From now on, on this connection.

    Args:
        protocol: the transport's, by whose `data_received` it gives what it reads; that is replaced
            on the instance.
    """
    line = transport.get_extra_info("socket")
    if line is None or QUICKACK is None or line.family not in (socket.AF_INET, socket.AF_INET6):
        return
    receive = protocol.data_received

    def received(data: bytes) -> None:
        receive(data)
        line.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)

    protocol.data_received = received
    line.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)
