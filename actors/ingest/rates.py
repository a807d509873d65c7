"""How fast devices and users may send: token buckets, checked before anything is decoded. Pure.

    rates = Rates(RateSettings(), sessions, flooding=note)
    wait_s = rates.judge("roost-part-0", ("ada's id", "shed"), now_s)   # 0.0: take it

A broker delivers its backlog all at once, so the rate of arrival does not show the rate of sending.
Only bounds are known. A session delivers messages in the order of publication, so a message after a
canary was published later than that canary. So a bucket is refilled from the send time of the
newest canary that this session delivered (`caught_up`), without a limit until the next one arrives.
No message that was sent at an allowed rate is refused, however late and however fast it arrives.
And a message before a canary that the broker has acknowledged was published before that
(`is_there`). So a flood that waits for Roost is measured by that, and not by how slowly it arrives.

One session says nothing about another: while one delivers what was sent just now, another may
deliver what was sent an hour ago. So a device has one bucket for each session that delivers its
messages (its partition's, and the one for unmapped messages), and a user's bucket is refilled by
what is known of all sessions. While one session is behind, devices of the others may use that much
more of their user's rate.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable

import msgspec

Key = tuple[str, str]

# A device that exceeds its ceiling for this long is a flood.
FLOOD_S = 5.0
# The ceiling is ten times the rate, and at most this: on two cores, more is felt by others.
FLOOD_FACTOR, FLOOD_PER_S_MAX = 10, 5_000.0
ROUNDING_S = 1e-6  # of sums of many small waits
# Known devices and users. Beyond it the one without messages for longest is forgotten, which only
# gives it a full bucket. Some 200 bytes each.
KEYS_MAX = 100_000


class RateSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How many messages are accepted.

    Attributes:
        device_per_s: of a device, sustained.
        device_burst: of a device at once. It is more than a device can send until it counts as a
            flood (25,000 in five seconds, and what is in flight by then). A device that returns
            with hours of readings is disconnected first and sends again later, so no reading of it
            is refused.
        user_per_s: of all devices of a user, sustained.
        user_burst: of all devices of a user at once.
        retry_after_s: how long a flooding device is locked out.
    """

    device_per_s: float = 500.0
    device_burst: float = 60_000.0
    user_per_s: float = 10_000.0
    user_burst: float = 600_000.0
    retry_after_s: float = 60.0

    @property
    def flood_per_s(self) -> float:
        """A device that exceeds this for `FLOOD_S` is a flood."""
        return max(self.device_per_s, min(FLOOD_FACTOR * self.device_per_s, FLOOD_PER_S_MAX))


class _Device:
    """A device on one session. `full_s`: when its bucket is full again. `count` messages arrived
    since `window_s`."""

    __slots__ = ("count", "full_s", "quiet_until_s", "window_s")

    def __init__(self, since_s: float) -> None:
        self.full_s = float("-inf")
        self.window_s = since_s
        self.count = 0
        self.quiet_until_s = float("-inf")  # it was already reported as a flood


class Rates:
    """Buckets of one kind of messages: readings, or status and acknowledgements.

    Args:
        sessions: those that deliver canaries. On others a message counts when it arrives.
        flooding: called with a device that sends above the ceiling, and its messages a second;
            again only after `retry_after_s`.
    """

    def __init__(
        self,
        settings: RateSettings,
        sessions: Iterable[str],
        flooding: Callable[[Key, float], None],
    ) -> None:
        self._flooding = flooding
        self._every_s = 1 / settings.device_per_s
        self._burst_s = settings.device_burst / settings.device_per_s
        self._user_every_s = 1 / settings.user_per_s
        self._user_burst_s = settings.user_burst / settings.user_per_s
        self._retry_after_s = settings.retry_after_s
        self._flood_per_s = settings.flood_per_s
        self._flood_count = settings.flood_per_s * FLOOD_S
        # Before the first canary of a session nothing is known: all messages may have waited.
        self._since_s = dict.fromkeys(sessions, float("-inf"))
        # When the broker had the oldest canary that each session has not delivered yet.
        self._until_s = dict.fromkeys(self._since_s, float("inf"))
        self._look_at_all()
        self._devices: OrderedDict[tuple[str, Key], _Device] = OrderedDict()
        self._users: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._devices)

    def caught_up(self, session: str, sent_s: float, next_s: float = float("inf")) -> None:
        """This session has delivered a canary that was sent then, for the first time; the broker
        had the next one at `next_s`."""
        if session in self._since_s:
            self._until_s[session] = next_s
            self._since_s[session] = max(sent_s, self._since_s[session])
            self._look_at_all()

    def is_there(self, session: str, at_s: float) -> None:
        """The broker has a canary for this session."""
        if session in self._until_s:
            self._until_s[session] = min(at_s, self._until_s[session])
            self._look_at_all()

    def forgot(self, session: str) -> None:
        """No canary for this session is known any more."""
        if session in self._until_s:
            self._until_s[session] = float("inf")
            self._look_at_all()

    def _look_at_all(self) -> None:
        """The bounds that hold for all sessions together."""
        self._all_since_s = min(self._since_s.values(), default=float("inf"))
        self._all_until_s = max(self._until_s.values(), default=float("inf"))

    def judge(self, session: str, device: Key, now_s: float) -> float:
        """0.0 if the message is accepted; otherwise the seconds to wait."""
        since_s = self._since_s.get(session, now_s)
        until_s = min(now_s, self._until_s.get(session, now_s))  # published between these two times
        key = session, device
        mine = self._devices.get(key)
        if mine is None:
            mine = self._known(key, since_s)
        else:
            self._devices.move_to_end(key)
        if since_s - mine.window_s >= FLOOD_S:
            mine.window_s, mine.count = since_s, 0
        mine.count += 1
        if mine.count > self._flood_count:
            self._look_at_flood(device, mine, until_s, now_s)
        # The generic cell rate algorithm (ITU-T I.371, annex A), from `since_s` instead of `now_s`.
        full_s = max(since_s, mine.full_s) + self._every_s
        wait_s = full_s - until_s - self._burst_s
        user_id, users = device[0], self._users
        since_s, until_s = min(now_s, self._all_since_s), min(now_s, self._all_until_s)
        user_full_s = max(since_s, users.get(user_id, since_s)) + self._user_every_s
        wait_s = max(wait_s, user_full_s - until_s - self._user_burst_s)
        if wait_s > ROUNDING_S:
            return wait_s
        mine.full_s = full_s
        users[user_id] = user_full_s
        users.move_to_end(user_id)
        if len(users) > KEYS_MAX:
            users.popitem(last=False)
        return 0.0

    def _known(self, key: tuple[str, Key], since_s: float) -> _Device:
        mine = self._devices[key] = _Device(since_s)
        if len(self._devices) > KEYS_MAX:
            self._devices.popitem(last=False)
        return mine

    def _look_at_flood(self, device: Key, mine: _Device, until_s: float, now_s: float) -> None:
        """All of these were sent after `window_s`. So many in such a short time certainly exceed
        the ceiling, even if some of them waited."""
        lasted_s = max(FLOOD_S, until_s - mine.window_s)
        if mine.count > self._flood_per_s * lasted_s and now_s >= mine.quiet_until_s:
            mine.quiet_until_s = now_s + self._retry_after_s
            self._flooding(device, mine.count / lasted_s)
