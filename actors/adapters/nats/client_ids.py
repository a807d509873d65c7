"""The client ids that each listener uses: few, because each has subscriptions of its own.

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

# A user needs some: Home Assistant, Node-RED, a few scripts. Each may subscribe to six topics with
# QoS 1 (10,000 messages may be unacknowledged on each, 65,535 on all). These use six of 16,384
# consumers, and 54 kB of the broker's memory each.
CLIENT_IDS_MAX = 10
# A client that has just logged in may not be listed as connected yet.
RECENT_S = 5.0
# How often the broker is asked about a name, and about how many at a time: each takes some
# milliseconds, and all logins wait.
ASK_EVERY_S = 1.0
ASKED_MAX = 16

There = Callable[[str, Sequence[str]], Awaitable[Collection[str]]]


class ClientIds:
    """Args:
    most: how many ids one user name may use.
    there: asks which ids of a user name are connected, or have a stored session.
    """

    def __init__(self, most: int, there: There) -> None:
        self._most = most
        self._there = there
        self._of: dict[str, dict[str, float]] = {}  # by name: the last login of each id
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
        """The broker stores a session for it; there may be more of these than may log in."""
        self._of.setdefault(username, {}).setdefault(client_id, float("-inf"))

    def forget(self, username: str) -> list[str]:
        """The name was deleted; return its known ids."""
        return list(self._of.pop(username, ()))

    async def make_room(self, logins: Iterable[tuple[str, str]]) -> None:
        """Called before these names and client ids are judged: ids that are gone no longer count.
        If the broker does not answer, they still count."""
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
