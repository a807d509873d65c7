"""How fast devices and users may send: token buckets, judged before anything is decoded. Pure.

    rates = Rates(RateSettings(), sessions, flooding=note)
    wait_s = rates.judge("roost-part-0", ("ada's id", "shed"), now_s)   # 0.0: take it

A broker delivers its backlog all at once, so the pace at which messages arrive is no measure of the
pace at which they were sent. Only a bound is known: a session brings messages
in the order in which they were published, so whatever comes after a canary of ours was published
later than that canary. So a bucket fills from the sending of the newest canary that came by this
session (`caught_up`), without a limit until the next one comes: nothing is refused that was sent
at a pace that is allowed, however late and however fast it arrives. And what comes before a canary
that the broker has acknowledged was published before that (`is_there`): a flood that has to wait
for us is measured by that, and not by how slowly it arrives.

One session says nothing of another: while this one brings what was sent just now, that one may
bring what was sent an hour ago. So a device has a bucket for each session that it comes by (its
partition's, and the one for what is not mapped), and a user's bucket fills from what is known of
all sessions. While one is behind, the others' devices may have that much more of their user's rate.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable

import msgspec

Key = tuple[str, str]

# A device that sends more than its ceiling for so long is a flood.
FLOOD_S = 5.0
# Ten times its rate a device may send, and at most this: more is felt by others on two cores.
FLOOD_FACTOR, FLOOD_PER_S_MAX = 10, 5_000.0
ROUNDING_S = 1e-6  # of sums of many small waits
# Devices and users that are known; of more, who was quiet for longest is forgotten, which only
# forgives. Some 200 bytes each.
KEYS_MAX = 100_000


class RateSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How many messages are taken.

    Attributes:
        device_per_s: of a device, for as long as it likes.
        device_burst: of a device at once. More than it can send until it counts as a flood (25,000
            in five seconds, and what is on its way by then): a device that comes back with hours of
            readings is disconnected first, and comes again; its readings are not refused.
        user_per_s: of all devices of a user together.
        user_burst: likewise at once.
        retry_after_s: for so long a flood is refused at the door.
    """

    device_per_s: float = 500.0
    device_burst: float = 60_000.0
    user_per_s: float = 10_000.0
    user_burst: float = 600_000.0
    retry_after_s: float = 60.0

    @property
    def flood_per_s(self) -> float:
        """Above this, for `FLOOD_S`, a device is a flood."""
        return max(self.device_per_s, min(FLOOD_FACTOR * self.device_per_s, FLOOD_PER_S_MAX))


class _Device:
    """A device on one session. `full_s`: when its bucket is full again. `count` messages came since
    `window_s`."""

    __slots__ = ("count", "full_s", "quiet_until_s", "window_s")

    def __init__(self, since_s: float) -> None:
        self.full_s = float("-inf")
        self.window_s = since_s
        self.count = 0
        self.quiet_until_s = float("-inf")  # it was told of as a flood before


class Rates:
    """Buckets of one kind of messages: readings, or status and acknowledgements.

    Args:
        sessions: those that canaries come by. On others a message counts when it arrives.
        flooding: told of a device that sends above the ceiling, and how many messages a second;
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
        # Before the first canary of a session nothing is known, and all of it may have waited.
        self._since_s = dict.fromkeys(sessions, float("-inf"))
        # When the broker had the oldest canary that is to come by each session.
        self._until_s = dict.fromkeys(self._since_s, float("inf"))
        self._look_at_all()
        self._devices: OrderedDict[tuple[str, Key], _Device] = OrderedDict()
        self._users: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._devices)

    def caught_up(self, session: str, sent_s: float, next_s: float = float("inf")) -> None:
        """A canary that was sent then has come by this session, for the first time; the broker had
        the next one at `next_s`."""
        if session in self._since_s:
            self._until_s[session] = next_s
            self._since_s[session] = max(sent_s, self._since_s[session])
            self._look_at_all()

    def is_there(self, session: str, at_s: float) -> None:
        """The broker has a canary that is to come by this session."""
        if session in self._until_s:
            self._until_s[session] = min(at_s, self._until_s[session])
            self._look_at_all()

    def forgot(self, session: str) -> None:
        """No canary is known any more that is to come by this session."""
        if session in self._until_s:
            self._until_s[session] = float("inf")
            self._look_at_all()

    def _look_at_all(self) -> None:
        """The same of whatever comes by any of them."""
        self._all_since_s = min(self._since_s.values(), default=float("inf"))
        self._all_until_s = max(self._until_s.values(), default=float("inf"))

    def judge(self, session: str, device: Key, now_s: float) -> float:
        """Whether a message is taken: 0.0, or else how many seconds are to be waited."""
        since_s = self._since_s.get(session, now_s)
        until_s = min(now_s, self._until_s.get(session, now_s))  # published between these two
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
        """All of these were sent after `window_s`. So many in so short a time are certainly more
        than the ceiling allows, also where some of them waited."""
        lasted_s = max(FLOOD_S, until_s - mine.window_s)
        if mine.count > self._flood_per_s * lasted_s and now_s >= mine.quiet_until_s:
            mine.quiet_until_s = now_s + self._retry_after_s
            self._flooding(device, mine.count / lasted_s)
