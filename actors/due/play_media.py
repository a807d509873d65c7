"""Builds the command that a due occurrence sends."""

from actors.ports.ids import Ids
from actors.ports.links import Links
from protocol import codec
from protocol.device.commands import Command, again_s
from protocol.schedule.schedules import Due
from protocol.times import SECOND_US, format_us

# How long the device may take to fetch the media, beyond the lifetime of the command.
FETCH_S = 24 * 3_600
TTL_MIN_S = 5


class ScheduleMessageBuilder:
    """Builds `play_media` commands (CONTRACT §2)."""

    def __init__(self, ids: Ids, links: Links) -> None:
        self._ids = ids
        self._links = links

    def build(self, due: Due, now_us: int) -> Command:
        """The command of an occurrence that fires now. It expires when the occurrence would be too
        late, so a device that receives it later does not play it."""
        schedule, occurrence = due.schedule, due.occurrence
        assert schedule.media_id is not None
        assert due.media_sha256 is not None
        latest_us = occurrence.due_us + schedule.tolerance_s * SECOND_US
        expires_us = max(latest_us, now_us + TTL_MIN_S * SECOND_US)
        payload = {
            "media_id": schedule.media_id,
            "url": self._links.url(
                schedule.media_id,
                expires_us + FETCH_S * SECOND_US,
                schedule.device_id,
                due.password_sha256,
            ),
            "content_type": due.media_type,
            "size": due.media_size,
            "sha256": due.media_sha256.hex(),
            "due_at": format_us(occurrence.due_us),
        }
        return Command(
            id=self._ids.uuid(),
            user_id=schedule.user_id,
            device_id=schedule.device_id,
            device_num=due.device_num,
            device_code=due.device_code,
            type="play_media",
            payload=codec.encode(payload).decode(),
            # An occurrence never waits for another command of its device.
            parallel=True,
            created_us=now_us,
            expires_us=expires_us,
            attempts=1,
            next_try_us=min(now_us + again_s(0) * SECOND_US, expires_us),
        )
