"""Tells devices which of their retained messages were cleared from the broker, and why."""

from collections import OrderedDict
from collections.abc import Callable

from actors.ingest.rejections import NoticeLimit, notice
from actors.ingest.retained_rules import topic_of
from protocol.device.topics import unmapped
from protocol.errors import Refusal
from protocol.messages import Notice

# Devices whose notices are counted, the newest.
DEVICES_MAX = 10_000


class ClearingNotices:
    """On the `errors` topic, at most ten a minute for each device."""

    def __init__(self, tell: Callable[[Notice], None], now_us: Callable[[], int]) -> None:
        self._tell = tell
        self._now_us = now_us
        self._limits: OrderedDict[tuple[str, str], NoticeLimit] = OrderedDict()

    def say(self, text: str, why: Refusal) -> None:
        """The message that was retained on this topic is cleared."""
        topic = topic_of(text)
        if topic is None:
            return
        limit = self._limits.setdefault(topic.device, NoticeLimit())
        self._limits.move_to_end(topic.device)
        if len(self._limits) > DEVICES_MAX:
            self._limits.popitem(last=False)
        if limit.allows(self._now_us()):
            detail = f"cleared from the broker: {why.detail}"
            self._tell(notice(topic.device, unmapped(text), why.reason, detail))
