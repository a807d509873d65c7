"""Who is signed in: sessions of the store, kept at hand while somebody tells when they end.

    found = await sessions.find(jti)                # (session, user), or None
    with sessions.watch(jti) as ended: ...          # set when the session ends, wherever that is
    await sessions.end(user_id, [jti])

What is at hand counts only while the store tells of every change (`PeopleStore.follow_people`);
otherwise the store is asked each time.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import structlog
import trio

from actors.ports.store import Store
from protocol.device.listeners import AGAIN
from protocol.errors import Unavailable, in_words
from protocol.ids import is_uuid
from protocol.people.people import Session
from protocol.records import User

log = structlog.get_logger("roost.sessions")

KEPT_MAX = 10_000
FOLLOW_AGAIN_S = 1.0
# So many open sockets are asked for at once.
ASKED_MAX = 1_000

Found = tuple[Session, User]


class Sessions:
    """Usage: `nursery.start_soon(sessions.run)`.

    Args:
        told: hears of every change, too.
        told_again: hears of users of whom something older may have been published.
        begun: called when that begins: what changed before was perhaps not told.
        check_s: how often the line to the store is tried when it tells nothing.
    """

    def __init__(
        self,
        store: Store,
        check_s: float,
        told: Callable[[str], None] = lambda changed: None,
        told_again: Callable[[str], None] = lambda user_id: None,
        begun: Callable[[], None] = lambda: None,
    ) -> None:
        self.asked = 0  # how often the store was
        self.misunderstood = 0  # notices of the store that name nobody
        self._store = store
        self._check_s = check_s
        self._told = told
        self._told_again = told_again
        self._begun = begun
        self._kept: OrderedDict[str, Found] = OrderedDict()
        self._watched: dict[str, list[trio.Event]] = {}
        self._follows = False
        self._changes = 0

    async def find(self, session_id: str) -> Found | None:
        """A session that has not ended, and its user. Whether it has expired is the caller's
        question. Raises `Unavailable`."""
        kept = self._kept.get(session_id)
        if kept is not None:
            self._kept.move_to_end(session_id)
            return kept
        self.asked += 1
        changes = self._changes
        found = await self._store.session(session_id)
        if found is not None and self._follows and changes == self._changes:
            self._kept[session_id] = found
            if len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return found

    async def end(self, user_id: str, session_ids: Collection[str]) -> list[str]:
        """End sessions, and the sockets that stand on them; answers with those that there were."""
        ended = await self._store.delete_sessions(user_id, session_ids)
        for session_id in ended:
            self.heard(session_id)
        return ended

    def _noticed(self, payload: str) -> None:
        """The store tells of a change. Every role of its server may send such a notice, so what is
        no id is counted and means nothing."""
        named = payload.removeprefix(AGAIN)
        if is_uuid(payload):
            self.heard(payload)
        elif is_uuid(named):
            self._told_again(named)
        else:
            self.misunderstood += 1
            log.debug("notice not understood", payload=payload[:100])

    def heard(self, changed: str) -> None:
        """A session with this id has ended, or a user with this id is another now."""
        self._changes += 1
        self._told(changed)
        self._kept.pop(changed, None)
        for session_id in [s for s, (_, user) in self._kept.items() if user.id == changed]:
            del self._kept[session_id]
        for ended in self._watched.get(changed, ()):
            ended.set()

    def changed(self, user_id: str, *, signed_out: bool) -> None:
        """This process has changed a user, perhaps ended all their sessions: before it is told."""
        mine = [s for s, (_, user) in self._kept.items() if user.id == user_id]
        self.heard(user_id)
        if signed_out:
            for session_id in mine:
                self.heard(session_id)

    @contextmanager
    def watch(self, session_id: str) -> Iterator[trio.Event]:
        """An event that is set when the session ends while the block runs."""
        ended = trio.Event()
        self._watched.setdefault(session_id, []).append(ended)
        try:
            yield ended
        finally:
            watched = self._watched[session_id]
            watched.remove(ended)
            if not watched:
                del self._watched[session_id]

    async def run(self) -> None:
        """Hear of changes for ever; when that begins anew, look what was missed."""
        while True:
            begun = trio.Event()
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._look_again, begun)
                    await self._store.follow_people(self._noticed, begun.set, self._check_s)
            except* Unavailable as group:
                log.debug("changes of sessions are not told", error=in_words(group))
            finally:
                self._follows = False
                self._changes += 1
                self._kept.clear()
            await trio.sleep(FOLLOW_AGAIN_S)

    async def _look_again(self, begun: trio.Event) -> None:
        await begun.wait()
        self._follows = True
        self._begun()
        watched = list(self._watched)
        for start in range(0, len(watched), ASKED_MAX):
            asked = watched[start : start + ASKED_MAX]
            alive = await self._store.sessions_alive(asked)
            for session_id in set(asked) - alive:
                self.heard(session_id)
