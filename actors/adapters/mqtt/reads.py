"""Limits how much of a connection is read and handled in one step of the loop, with TLS, too.

asyncio reads 256 kB at a time, and hands all of it over in one call. Its TLS layer has a buffer of
its own (`asyncio.sslproto.SSLProtocol`, private; guarded by `tests/contract/guards/test_gmqtt.py`).
"""

from typing import Any

# A record of TLS (RFC 8446 §5.1); the first part of one may have arrived with the read before.
RECORD_BYTES = 16 * 1024


def bound_reads(transport: Any, bytes_max: int) -> None:
    """From now on, on this connection."""
    tls = getattr(transport, "_ssl_protocol", None)
    if tls is None:
        transport.max_size = bytes_max
        return
    assert isinstance(tls._ssl_buffer, bytearray)
    tls.max_size = bytes_max
    tls._ssl_buffer = bytearray(bytes_max - RECORD_BYTES)
    tls._ssl_buffer_view = memoryview(tls._ssl_buffer)
