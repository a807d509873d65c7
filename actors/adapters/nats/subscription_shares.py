"""How many of the broker's QoS 1 subscriptions the clients of each user have. The broker has one
limit for all, and keeps those of persistent sessions while their clients are away.

    if shares.comes_in(user_id, client_id) is None: ...   # ask again after the next look
    for client_id in shares.counted(sessions, began_s): ...   # beyond their user's share

A session is known by its hash, as the broker names it. A login does not tell whether the client
will subscribe with QoS 1. So the broker is asked which sessions have, and between two looks a new
client counts for as many subscriptions as a device may have.
"""

import itertools
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import structlog
import trio

from actors.adapters.nats.mqtt_sessions import hash_of
from actors.runtime.buckets import Buckets
from actors.runtime.sampled import Sampled

log = structlog.get_logger("roost.logins")

# A quarter of all (`roost.embedded.broker`): 2,048 devices with `commands` and `errors`. That many
# devices with QoS 1 are more than the broker keeps up with (docs/performance.md).
SHARE = 4_096
OF_DEVICE = 2
# A client that logged in so shortly before a look may not have subscribed yet.
RECENT_S = 1.0
# For a user who has used up the share, so many more clients are admitted: those with QoS 0 use
# nothing, and stay.
TRIED_AT_ONCE, TRIED_EVERY_S = 20, 0.05
# As many as may be connected (`roost.embedded.broker`).
KNOWN_MAX = 65_536


class _Client(msgspec.Struct):
    client_id: str
    user_id: str
    first: tuple[int, int]  # (0, …): it was there before Roost; (1, …): it logged in; then in order


def _in_order(counted: tuple[_Client, int]) -> tuple[int, int]:
    return counted[0].first


class SubscriptionShares:
    """Args:
    most: how many QoS 1 subscriptions the clients of one user may have.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._known: OrderedDict[str, _Client] = OrderedDict()  # by session
        self._foreign: set[str] = set()  # sessions of no user
        self._having: Mapping[str, int] = {}  # by session, at the last look
        self._held: Counter[str] = Counter()  # by user, at the last look
        # By user: sessions without subscriptions, and since when.
        self._new: dict[str, dict[str, float]] = {}
        self._orders = itertools.count()
        self._unsure = trio.Event()
        self._logged = Sampled()
        self._tried = Buckets(TRIED_AT_ONCE, TRIED_EVERY_S)

    def comes_in(self, user_id: str, client_id: str) -> bool | None:
        """Whether it may log in; if so, it counts. None: only the next look can tell."""
        session = hash_of(client_id)
        admitted = self._admits(user_id, session)
        if admitted:
            self._came(user_id, client_id, session)
        elif admitted is None:
            self._unsure.set()
        elif times := self._logged.times():
            log.warning(
                "login refused: its user has all subscriptions with QoS 1 that a user may have",
                user=user_id,
                client_id=client_id,
                times=times,
            )
        return admitted

    async def wait_unsure(self) -> None:
        """Wait until a look could admit a waiting client."""
        await self._unsure.wait()

    def _admits(self, user_id: str, session: str) -> bool | None:
        new, held = self._new.get(user_id, {}), self._held[user_id]
        if session in self._having or session in new or held + OF_DEVICE * len(new) < self.most:
            return True
        if held >= self.most:
            return not self._tried.take(user_id)
        return None

    def _came(self, user_id: str, client_id: str, session: str) -> None:
        self._foreign.discard(session)
        known = self._known.get(session)
        # A session without subscriptions counts as a new client again.
        stays = known is not None and session in self._having
        first = known.first if known is not None and stays else (1, next(self._orders))
        self._keep(session, _Client(client_id, user_id, first))
        if session not in self._having:
            self._new.setdefault(user_id, {})[session] = trio.current_time()

    def found(self, clients: Iterable[tuple[str, str]], sessions: Iterable[str]) -> None:
        """User and client id of the sessions that existed before Roost started, the oldest first;
        every other of these sessions belongs to no user."""
        for user_id, client_id in clients:
            session = hash_of(client_id)
            if session not in self._known:
                self._keep(session, _Client(client_id, user_id, (0, next(self._orders))))
        self._foreign |= set(sessions) - self._known.keys()

    def unknown(self, sessions: Iterable[str]) -> bool:
        """Whether the user of any of these sessions is unknown."""
        return any(each not in self._known and each not in self._foreign for each in sessions)

    def few(self, began_s: float) -> None:
        """There are so few subscriptions that no user can be near the limit."""
        self._looked({}, began_s)

    def counted(self, sessions: Sequence[str], began_s: float) -> dict[str, list[str]]:
        """Take the session of each existing subscription, as of `began_s`. Return client ids beyond
        their user's share, by user: the newest ones."""
        self._looked(Counter(sessions), began_s)
        kept: Counter[str] = Counter()
        beyond: dict[str, list[str]] = {}
        here = [(c, self._having[s]) for s, c in self._known.items() if s in self._having]
        for client, many in sorted(here, key=_in_order):
            if kept[client.user_id] + many > self.most:
                beyond.setdefault(client.user_id, []).append(client.client_id)
            else:
                kept[client.user_id] += many
        return beyond

    def _looked(self, having: Mapping[str, int], began_s: float) -> None:
        self._unsure = trio.Event()
        self._having = having
        self._foreign &= having.keys()
        self._held = Counter()
        for session, many in having.items():
            if (client := self._known.get(session)) is not None:
                self._held[client.user_id] += many
        recent_s = began_s - RECENT_S
        self._new = {
            user_id: left
            for user_id, new in self._new.items()
            if (left := {s: at_s for s, at_s in new.items() if at_s > recent_s and s not in having})
        }

    def _keep(self, session: str, client: _Client) -> None:
        self._known[session] = client
        self._known.move_to_end(session)
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
