"""Tells devices why their messages were refused: best effort, and at most ten times a minute."""

from collections import OrderedDict

from actors.ingest.rejections import NoticeLimit
from actors.ports.broker import Broker
from actors.runtime.clock import WallClock
from protocol.messages import Notice

DEVICES_MAX = 10_000


class NoticeLimits:
    """At most ten notices a minute for a device, from all senders except its actor. The actor has
    its own limit, which is reset when it restarts."""

    def __init__(self) -> None:
        self._topics: OrderedDict[str, NoticeLimit] = OrderedDict()

    def allows(self, topic: str, now_us: int) -> bool:
        limit = self._topics.get(topic)
        if limit is None:
            limit = self._topics[topic] = NoticeLimit()
            if len(self._topics) > DEVICES_MAX:
                self._topics.popitem(last=False)
        else:
            self._topics.move_to_end(topic)
        return limit.allows(now_us)


class Notices:
    """Attributes:
    dropped: notices that the broker did not take.
    """

    def __init__(self, broker: Broker, clock: WallClock) -> None:
        self.dropped = 0
        self._broker = broker
        self._clock = clock
        self._limits = NoticeLimits()

    def tell(self, notice: Notice) -> None:
        if not self._limits.allows(notice.topic, self._clock.now_us()):
            return
        if not self._broker.publish_nowait(notice.topic, notice.body):
            self.dropped += 1
