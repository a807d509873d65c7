"""Messages above the rate of their device or user: refused, reported and counted, not kept.

    limits = Limits(RateSettings(), broker.sessions, counters, floods.began, notices.tell)
    if not limits.takes(delivery, topic): ...     # acknowledge it, and go on

Status and acknowledgements have separate buckets. So the will of a device that floods is accepted.
"""

from collections.abc import Callable, Sequence

import trio

from actors.ingest.counters import Counters
from actors.ingest.rate_notices import RateNotices
from actors.ingest.rates import Key, Rates, RateSettings
from actors.ports.broker import Delivery, SessionPlan
from protocol.device.topics import Topic
from protocol.messages import Notice

# In the place of a session. Nobody holds back what is posted: it counts when it arrives.
POSTED = "http"


class Limits:
    """Args:
    flooding: called with a device that sends above its ceiling, and its messages a second.
    tell: sends notices to devices.

    Attributes:
        refused: QoS 1 messages, which the broker would otherwise send again.
        shed: QoS 0 messages.
    """

    def __init__(
        self,
        settings: RateSettings,
        plans: Sequence[SessionPlan],
        counters: Counters,
        flooding: Callable[[Key, float], None],
        tell: Callable[[Notice], None],
    ) -> None:
        self.refused = 0
        self.shed = 0
        self._tell = tell
        self._counters = counters
        kept = [plan for plan in plans if plan.partition is not None]
        readings = [plan.client_id for plan in kept if not plan.live]
        self._readings = Rates(settings, readings, flooding)
        urgent = [plan.client_id for plan in kept if plan.live]
        self._urgent = Rates(settings, urgent, flooding)
        self._notices = RateNotices()

    def caught_up(self, session: str, sent_s: float, next_s: float) -> None:
        """What this session delivers from now on was published after `sent_s`. What it delivers
        before the next canary was published before `next_s`."""
        self._readings.caught_up(session, sent_s, next_s)
        self._urgent.caught_up(session, sent_s, next_s)

    def is_there(self, session: str, at_s: float) -> None:
        """The broker has a canary for this session."""
        self._readings.is_there(session, at_s)
        self._urgent.is_there(session, at_s)

    def forgot(self, session: str) -> None:
        """No canary for this session is known any more."""
        self._readings.forgot(session)
        self._urgent.forgot(session)

    def takes(self, delivery: Delivery, topic: Topic) -> bool:
        """Whether a message is within the rates; one that is not is counted and reported here.

        Redeliveries and retained messages were counted when they were first delivered.
        """
        if delivery.dup or delivery.retain:
            return True
        now_s = trio.current_time()
        rates = self._urgent if topic.is_urgent else self._readings
        wait_s = rates.judge(delivery.session, topic.device, now_s)
        if not wait_s:
            return True
        self._refuse(delivery, topic, wait_s, now_s)
        return False

    def wait_s(self, topic: Topic) -> float:
        """For a message that a device posts over HTTP: 0.0 if it is within the rates; otherwise the
        seconds to wait. It is counted here, and reported in the answer."""
        rates = self._urgent if topic.is_urgent else self._readings
        wait_s = rates.judge(POSTED, topic.device, trio.current_time())
        if wait_s:
            self.refused += 1
            self._counters.turned_away(topic.device, limited=0 if topic.is_urgent else 1)
        return wait_s

    def _refuse(self, delivery: Delivery, topic: Topic, wait_s: float, now_s: float) -> None:
        count = 0 if topic.is_urgent else 1  # not decoded: a message of readings counts as one
        if not delivery.packet_id:
            self.shed += 1
            self._counters.turned_away(topic.device, shed=count)
            return
        self.refused += 1
        self._counters.turned_away(topic.device, limited=count)
        notice = self._notices.refused(topic.device, delivery.topic, wait_s, now_s)
        if notice is not None:
            self._tell(notice)
