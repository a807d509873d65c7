"""Decodes a payload, once: what a message is, how many readings it has, whether it has an identity.

    decoded = decode(topic, payload, now_us, retained=False)
    decoded.readings                # what it counts for in the accounts
    decoded.has_identity            # whether the store knows it again by a key of its own
    decoded.message(origin)         # for its device's actor

No later step checks the bytes again.
"""

from typing import ClassVar

import msgspec

from protocol.device.commands import CommandAck
from protocol.device.payloads import (
    DeviceStatus,
    RawReading,
    parse_ack,
    parse_reading,
    parse_readings,
)
from protocol.device.status_payloads import parse_status
from protocol.device.topics import Kind, Topic, wrong_topic
from protocol.errors import Refusal
from protocol.messages import AckReceived, ReadingsReceived, StatusReceived, Unreadable
from protocol.records import Origin


class DecodedReadings(msgspec.Struct, frozen=True, gc=False):
    """`has_identity`: each reading carries `ts` or `id`, so the store recognises it however often
    it is delivered. The broker's copy of a retained reading is recognised by its value
    (`DeviceActor`)."""

    said: list[RawReading]
    has_identity: bool

    @property
    def readings(self) -> int:
        return len(self.said)

    def message(self, origin: Origin) -> ReadingsReceived:
        return ReadingsReceived(origin=origin, readings=self.said)


class DecodedStatus(msgspec.Struct, frozen=True, gc=False):
    said: DeviceStatus
    has_identity: ClassVar[bool] = False
    readings: ClassVar[int] = 0

    def message(self, origin: Origin) -> StatusReceived:
        return StatusReceived(origin=origin, report=self.said)


class DecodedAck(msgspec.Struct, frozen=True, gc=False):
    """Acknowledging a command twice changes nothing, so it needs no digest."""

    said: CommandAck
    has_identity: ClassVar[bool] = True
    readings: ClassVar[int] = 0

    def message(self, origin: Origin) -> AckReceived:
        return AckReceived(origin=origin, ack=self.said)


class DecodedRefusal(msgspec.Struct, frozen=True, gc=False):
    """A message that cannot be decoded. On a topic of readings it counts as one."""

    refusal: Refusal
    readings: int
    has_identity: ClassVar[bool] = False

    def message(self, origin: Origin) -> Unreadable:
        return Unreadable(origin=origin, refusal=self.refusal, count=self.readings)


Decoded = DecodedReadings | DecodedStatus | DecodedAck | DecodedRefusal


def decode(topic: Topic, payload: bytes, now_us: int, *, retained: bool) -> Decoded:
    """The content of a message, or its refusal as a whole.

    Args:
        now_us: when it arrived; a time before or after that may be out of bounds.
        retained: it is the broker's copy of a retained message.
    """
    try:
        match topic.kind:
            case Kind.READING:
                said = parse_reading(topic.tail, payload, now_us)
                return DecodedReadings(said, _have_identity(said, retained))
            case Kind.READINGS:
                said = parse_readings(payload, now_us)
                return DecodedReadings(said, _have_identity(said, retained))
            case Kind.STATUS:
                return DecodedStatus(parse_status(payload, now_us))
            case Kind.ACK:
                return DecodedAck(parse_ack(payload, now_us))
            case Kind.OTHER | Kind.OURS:
                raise wrong_topic(topic)
    except Refusal as refusal:
        return refused(topic, refusal.kept())


def refused(topic: Topic, refusal: Refusal) -> DecodedRefusal:
    """The refusal of a whole message on this topic."""
    return DecodedRefusal(refusal, 1 if topic.kind in (Kind.READING, Kind.READINGS) else 0)


def _have_identity(said: list[RawReading], retained: bool) -> bool:
    for each in said:
        if each.refusal is not None:
            return False
        if each.ts_us is None and each.message_id is None and not retained:
            return False
    return True
