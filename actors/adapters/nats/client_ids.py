"""The client ids that count for each listener: few, because each has subscriptions of its own.

    await ids.make_room([(username, client_id), …])
    if ids.admits(username, client_id):
        ids.add(username, client_id)

An id counts while it is connected, and as long as the broker keeps a session for it. The broker
does not report when either ends, so it is asked when there is no room for another one.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from functools import partial

import structlog
import trio

from actors.runtime.buckets import Buckets
from actors.runtime.isolation import Failed, attempt
from actors.runtime.sampled import Sampled
from protocol.errors import in_words

log = structlog.get_logger("roost.logins")

# A service has some: Home Assistant, Node-RED, a few scripts. Each may subscribe to six topics with
# QoS 1 (10,000 messages may be unanswered on each, 65,535 on all), which takes as many of 16,384
# consumers, and 54 kB of the broker's memory for each.
CLIENT_IDS_MAX = 10
# A client that has just logged in may not be among the connected yet.
RECENT_S = 5.0
# The broker is asked about a name so often, and about so many at a time: each takes some
# milliseconds, and all logins wait.
ASK_EVERY_S = 1.0
ASKED_MAX = 16

There = Callable[[str, Sequence[str]], Awaitable[Collection[str]]]


class ClientIds:
    """Args:
    most: so many of one user name.
    there: asks which ids of a user name are connected, or have a session that is kept.
    """

    def __init__(self, most: int, there: There) -> None:
        self._most = most
        self._there = there
        self._of: dict[str, dict[str, float]] = {}  # by name: when each logged in, the last time
        self._asked = Buckets(1, ASK_EVERY_S)
        self._logged = Sampled()

    def of(self, username: str) -> list[str]:
        return list(self._of.get(username, ()))

    def admits(self, username: str, client_id: str) -> bool:
        known = self._of.get(username, {})
        return client_id in known or len(known) < self._most

    def add(self, username: str, client_id: str) -> None:
        """It logs in."""
        self._of.setdefault(username, {})[client_id] = trio.current_time()

    def found(self, username: str, client_id: str) -> None:
        """The broker keeps a session for it; there may be more of them than may log in."""
        self._of.setdefault(username, {}).setdefault(client_id, float("-inf"))

    def forget(self, username: str) -> list[str]:
        """The name was deleted; returns the ids that were known of it."""
        return list(self._of.pop(username, ()))

    async def make_room(self, logins: Iterable[tuple[str, str]]) -> None:
        """Before these names and client ids are judged: ids that left do not count any more. Where
        the broker does not answer they go on counting."""
        full = dict.fromkeys(name for name, each in logins if not self.admits(name, each))
        for name in list(full)[:ASKED_MAX]:
            if not self._asked.take(name):
                done = await attempt(partial(self._settle, name))
                if isinstance(done, Failed):
                    log.warning("clients of a listener not counted", error=in_words(done.error))

    async def _settle(self, username: str) -> None:
        there = await self._there(username, self.of(username))
        recent_s = trio.current_time() - RECENT_S
        known = self._of.get(username, {})
        kept = {each: at_s for each, at_s in known.items() if each in there or at_s > recent_s}
        self._of[username] = kept
        if len(kept) >= self._most and (times := self._logged.times()):
            log.warning("a listener has too many clients", username=username, times=times)
