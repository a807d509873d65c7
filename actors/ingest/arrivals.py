"""A message as a session brought it, and what tells it from others."""

import hashlib
from typing import TYPE_CHECKING

import msgspec

from actors.ingest.rejections import KEPT_BYTES_MAX
from protocol.device.payloads import PAYLOAD_BYTES_MAX
from protocol.records import Taken

if TYPE_CHECKING:
    from actors.ingest.redelivery import SessionRedelivery

# Up to this length a payload is its own fingerprint: held until the commit anyway.
PLAIN_BYTES_MAX = 1_024


class Arrival(msgspec.Struct, eq=False):
    """A message as a session brought it. The same object is its receipt while it is in flight.

    Attributes:
        connection, packet_id: where its acknowledgement is owed; packet id 0 at QoS 0: nowhere.
        again: it came with DUP.
        topic: as it was published, without a partition's prefix.
        fingerprint: tells its payload from others.
        taken_s: when it was taken (Trio's clock).
        taken: its digest, where it has no identity of its own.
        copy_of: the topic, as the broker has it, of the retained message that it is the copy of.
        is_other: its packet id and words are those of an acknowledged message, and it is not that.
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
        """A hash of its topic and words."""
        return hash((self.topic, self.fingerprint))


def fingerprint(payload: bytes) -> bytes:
    """The payload itself, or the digest of a longer one. Of one that is refused for its size only
    the length and both ends count: hashing megabytes holds everybody up."""
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
