"""Acknowledges what a broker sends at once, on the TCP level.

Linux delays the acknowledgement of a segment by up to 40 ms, to send it with data. Roost's data
comes late, because a PUBACK waits for its commit. A broker that leaves Nagle's algorithm on
(Mosquitto's default) sends nothing more until then. `TCP_QUICKACK` (tcp(7)) ends the delay. The
kernel resets it, so it is set again after each read.
"""

import asyncio
import socket
from typing import Any

QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux has it


def acknowledge_at_once(transport: asyncio.BaseTransport, protocol: Any) -> None:
    """Acknowledge at once from now on, on this connection.

    Args:
        protocol: the protocol of the transport; its `data_received` is replaced on the instance.
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
