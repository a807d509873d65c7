"""A delivered message, and how it is told from others."""

import hashlib
from typing import TYPE_CHECKING

import msgspec

from actors.ingest.rejections import KEPT_BYTES_MAX
from protocol.device.payloads import PAYLOAD_BYTES_MAX
from protocol.records import Taken

if TYPE_CHECKING:
    from actors.ingest.redelivery import SessionRedelivery

# Up to this length a payload is its own fingerprint: it is held until the commit anyway.
PLAIN_BYTES_MAX = 1_024


class Arrival(msgspec.Struct, eq=False):
    """A delivered message. The same object is its receipt while it is in flight.

    Attributes:
        connection, packet_id: where it must be acknowledged; packet id 0 (QoS 0): nowhere.
        again: it has the DUP flag.
        topic: as it was published, without a partition's prefix.
        fingerprint: tells its payload from others.
        taken_s: when it was taken (Trio's clock).
        taken: its digest, if it has no identity of its own.
        copy_of: if it is the copy of a retained message, the topic of that message at the broker.
        is_other: it has packet id and content of an acknowledged message, but is another one.
    """

    session: "SessionRedelivery"
    connection: int
    packet_id: int
    again: bool
    topic: str
    fingerprint: bytes
    taken_s: float = 0.0
    taken: Taken | None = None
    copy_of: str | None = None
    is_other: bool = False

    @property
    def said(self) -> int:
        """A hash of its topic and payload."""
        return hash((self.topic, self.fingerprint))


def fingerprint(payload: bytes) -> bytes:
    """The payload itself, or the digest of a longer one. For a payload that is refused because of
    its size, only the length and both ends count: hashing megabytes would block the event loop."""
    if len(payload) <= PLAIN_BYTES_MAX:
        return payload
    if len(payload) <= PAYLOAD_BYTES_MAX:
        return _digest(payload)
    ends = payload[:PAYLOAD_BYTES_MAX] + payload[-KEPT_BYTES_MAX:]
    return _digest(len(payload).to_bytes(8, "big") + ends)


def identity(topic: str, payload: bytes, its_fingerprint: bytes) -> bytes:
    """The digest (16 bytes) by which the store knows a message without `ts` and `id` (I2)."""
    words = payload if len(payload) <= PAYLOAD_BYTES_MAX else its_fingerprint
    return _digest(topic.encode() + b"\0" + words)


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
