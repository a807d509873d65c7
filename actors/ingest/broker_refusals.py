"""What the broker itself did not take from devices: shown on their pages, and logged.

    await refusals.take([BrokerRefusal(client_id="device-…", topic="…", why="…")])

Roost never receives such messages, so they are neither kept nor counted as refused. A device whose
connections end for it again and again gets an alarm: it comes back, sends the same, and its later
readings never arrive.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

import msgspec
import structlog
import trio

from actors.ingest.notices import NoticeLimits
from actors.ingest.recent_messages import RecentMessages
from actors.ports.store import Store
from actors.runtime.clock import WallClock
from actors.runtime.sampled import Sampled
from protocol.errors import Reason
from protocol.messages import ConnectionsEnd
from protocol.problems.detail import Detail

log = structlog.get_logger("roost.broker")

# Of one look at the log.
NAMES_MAX = 1_000
DEVICES_MAX = 10_000
# So many ends of its connection within this time are a loop.
LOOP_MANY, LOOP_WITHIN_S = 3, 120.0

Key = tuple[str, str]


class BrokerRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """`topic` is empty where the broker does not name it. `is_end`: it ended the connection, which
    has this number at the broker."""

    client_id: str
    why: Detail
    topic: str = ""
    is_end: bool = False
    connection: int = 0


class BrokerRefusals:
    """Args:
    send: gives a device's actor a message; False: not now, and the next end is told.
    """

    def __init__(
        self,
        store: Store,
        clock: WallClock,
        recent_messages: RecentMessages,
        send: Callable[[Key, ConnectionsEnd], bool],
    ) -> None:
        self._store = store
        self._clock = clock
        self._recent_messages = recent_messages
        self._send = send
        self._limits = NoticeLimits()
        self._ends: OrderedDict[Key, deque[float]] = OrderedDict()
        self._logged = Sampled()

    async def take(self, refused: Sequence[BrokerRefusal]) -> None:
        """Raises `Unavailable`: the store does not answer whose they are."""
        names = list(dict.fromkeys(each.client_id for each in refused))[:NAMES_MAX]
        noted: set[BrokerRefusal] = set()  # the same again within one look says nothing more
        logins = await self._store.logins(names)
        now_us = self._clock.now_us()
        for one in refused:
            each = msgspec.structs.replace(one, connection=0)
            login = logins.get(each.client_id)
            if login is None:
                continue
            key = login.user_id, login.device_code
            if times := self._logged.times():
                user_id, code = key
                log.warning(
                    "message not taken by the broker",
                    user=user_id,
                    device=code,
                    topic=each.topic[:200],
                    why=str(each.why),
                    times=times,
                )
            if each not in noted and self._limits.allows(each.client_id, now_us):
                noted.add(each)
                self._recent_messages.not_taken(key, now_us, each.topic, Reason.DENIED, each.why)
            if each.is_end and self._is_loop(key):
                self._send(key, ConnectionsEnd(at_us=now_us, detail=each.why))

    def _is_loop(self, key: Key) -> bool:
        now_s = trio.current_time()
        ends = self._ends.setdefault(key, deque(maxlen=LOOP_MANY))
        self._ends.move_to_end(key)
        if len(self._ends) > DEVICES_MAX:
            self._ends.popitem(last=False)
        ends.append(now_s)
        return len(ends) == LOOP_MANY and now_s - ends[0] <= LOOP_WITHIN_S
