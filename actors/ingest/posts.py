"""Messages that devices post over HTTP: judged and committed like those of the broker.

    view = await posts.take(topic, payload)     # returns after the commit

There is no redelivery: the answer to the request is what a PUBACK is on MQTT. So a message is in
flight from here on like any other, and whoever gets no answer sends it again.
"""

import math
from collections.abc import Callable, Sequence

import trio

from actors.ingest.counters import Counters
from actors.ingest.decoding import Decoded, DecodedReadings, DecodedStatus, decode
from actors.ingest.intake import Place, hand
from actors.ingest.limits import Limits
from actors.ingest.rejections import KEPT_BYTES_MAX
from actors.ingest.room import Room
from actors.runtime.clock import WallClock
from actors.runtime.reply import Reply
from protocol.device.payloads import PAYLOAD_BYTES_MAX
from protocol.device.topics import Kind, Topic, prefix
from protocol.errors import Busy, TooMany, Unauthorized
from protocol.problems.detail import Detail
from protocol.records import Origin, WriteUnit
from protocol.rest.ingesting import IngestView, ingest_view

# A commit takes milliseconds; while the database is away, the device keeps its reading instead.
WITHIN_S = 10.0
RETRY_S = 5


class Post(Reply[tuple[WriteUnit, int]]):
    """The receipt of a posted message: settled with what was committed of it, and how many of its
    readings were stored before."""


class Posts:
    """Args:
    leads: whether this process serves devices.
    place_of, seen: as for `Intake`.
    """

    def __init__(
        self,
        clock: WallClock,
        counters: Counters,
        room: Room,
        limits: Limits,
        leads: Callable[[], bool],
        place_of: Callable[[Topic], Place | None],
        seen: Callable[[Origin, int, int], None],
    ) -> None:
        self._clock = clock
        self._counters = counters
        self._room = room
        self._limits = limits
        self._leads = leads
        self._place_of = place_of
        self._seen = seen

    async def take(self, topic: Topic, payload: bytes) -> IngestView:
        """What became of a message, after its commit.

        Raises:
            TooMany: it is above the rate of its device or user.
            Busy: another process serves devices; there is no room; or it was not committed in time,
                and may be later.
            Unauthorized: the device was deleted meanwhile.
        """
        if not self._leads():
            raise _not_serving()
        wait_s = self._limits.wait_s(topic)
        if wait_s:
            raise TooMany(Detail("device_too_fast"), retry_after_s=math.ceil(wait_s))
        now_us = self._clock.now_us()
        decoded = decode(topic, payload, now_us, retained=False)
        place = self._place_of(topic) if self._room.has(1) else None
        if place is None:
            raise Busy(Detail("no_room_for_message"), retry_after_s=RETRY_S)
        post = Post()
        origin = _origin(topic, payload, now_us, post)
        self._seen(origin, len(payload), 1)
        hand(self._room, self._counters, place, origin, decoded)
        try:
            unit, duplicate = await post.wait(WITHIN_S)
        except trio.TooSlowError:
            raise Busy(Detail("message_not_committed"), retry_after_s=RETRY_S) from None
        if unit.is_nobodys:
            raise Unauthorized(Detail("device_login_invalid"))
        return ingest_view(_keys(topic, decoded), (*unit.rejections, *unit.not_kept), duplicate)

    def committed(self, units: Sequence[WriteUnit], duplicates: Sequence[int]) -> None:
        """Answer the messages that a commit made durable."""
        for unit, duplicate in zip(units, duplicates, strict=True):
            if isinstance(unit.receipt, Post):
                unit.receipt.settle((unit, duplicate))

    def gave_up(self, units: Sequence[WriteUnit]) -> None:
        """Another process has led since these units were taken: the devices send them again."""
        for unit in units:
            if isinstance(unit.receipt, Post):
                unit.receipt.fail(_not_serving())


def _not_serving() -> Busy:
    return Busy(Detail("not_serving"), retry_after_s=RETRY_S)


def _origin(topic: Topic, payload: bytes, now_us: int, post: Post) -> Origin:
    if len(payload) > PAYLOAD_BYTES_MAX:
        payload = payload[:KEPT_BYTES_MAX]  # it is refused, and only this much is kept
    end = {Kind.READING: f"feeds/{topic.tail}", Kind.READINGS: "feeds", Kind.STATUS: "status"}
    return Origin(
        topic, f"{prefix(*topic.device)}/{end[topic.kind]}", payload, now_us, receipt=post
    )


def _keys(topic: Topic, decoded: Decoded) -> list[str]:
    """What the answer names, one by one: readings, refused fields, or the whole message."""
    match decoded:
        case DecodedReadings(said=said):
            return [each.key for each in said]
        case DecodedStatus(said=status):
            return [each.key for each in status.refused]
        case _:
            return [topic.tail]
