"""Sessions of signed-in people, cached while the store notifies us of every change.

    found = await sessions.find(jti)                # (session, user), or None
    with sessions.watch(jti) as ended: ...          # set when the session ends, wherever that is
    await sessions.end(user_id, [jti])

The cache is used only while the store's notifications arrive (`PeopleStore.follow_people`);
otherwise the store is asked each time.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import structlog
import trio

from actors.ports.store import Store
from protocol.device.listeners import AGAIN, SETTINGS
from protocol.errors import Unavailable, in_words
from protocol.ids import is_uuid
from protocol.people.people import Session
from protocol.people.user import User

log = structlog.get_logger("roost.sessions")

KEPT_MAX = 10_000
FOLLOW_AGAIN_S = 1.0
# Sessions of open sockets per query.
ASKED_MAX = 1_000

Found = tuple[Session, User]


class Sessions:
    """Usage: `nursery.start_soon(sessions.run)`.

    Args:
        check_s: how often the connection to the store is tried while no notification arrives.
        changed: called with the id of each session that ended and of each user that changed.
        overwritten: called with users for whom something older may have been published.
        begun: called when notifications begin: earlier changes may have been missed.
        settings: called with users whose devices or feeds another process has changed.
    """

    def __init__(
        self,
        store: Store,
        check_s: float,
        changed: Callable[[str], None] = lambda changed_id: None,
        overwritten: Callable[[str], None] = lambda user_id: None,
        begun: Callable[[], None] = lambda: None,
        settings: Callable[[str], None] = lambda user_id: None,
    ) -> None:
        self.asked = 0  # how often the store was asked
        self.misunderstood = 0  # notifications of the store without an id
        self._store = store
        self._check_s = check_s
        self._changed = changed
        self._overwritten = overwritten
        self._begun = begun
        self._settings = settings
        self._kept: OrderedDict[str, Found] = OrderedDict()
        self._watched: dict[str, list[trio.Event]] = {}
        self._follows = False
        self._changes = 0

    async def find(self, session_id: str) -> Found | None:
        """A session that has not ended, and its user. The caller checks whether it has expired.
        Raises `Unavailable`."""
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
        """End sessions, and the sockets that use them; return those that existed."""
        ended = await self._store.delete_sessions(user_id, session_ids)
        for session_id in ended:
            self.invalidate(session_id)
        return ended

    def _noticed(self, payload: str) -> None:
        """The store notified us of a change. Every role of its server may send such a notification,
        so one without an id is counted and ignored."""
        if is_uuid(payload):
            self.invalidate(payload)
        elif is_uuid(user_id := payload.removeprefix(AGAIN)):
            self._overwritten(user_id)
        elif is_uuid(user_id := payload.removeprefix(SETTINGS)):
            self._settings(user_id)
        else:
            self.misunderstood += 1
            log.debug("notice not understood", payload=payload[:100])

    def invalidate(self, changed_id: str) -> None:
        """A session with this id has ended, or the user with this id changed."""
        self._changes += 1
        self._changed(changed_id)
        self._kept.pop(changed_id, None)
        for session_id in [s for s, (_, user) in self._kept.items() if user.id == changed_id]:
            del self._kept[session_id]
        for ended in self._watched.get(changed_id, ()):
            ended.set()

    def changed(self, user_id: str, *, signed_out: bool) -> None:
        """This process has changed a user, and perhaps ended all their sessions: do not wait for
        the notification."""
        of_user = [s for s, (_, user) in self._kept.items() if user.id == user_id]
        self.invalidate(user_id)
        if signed_out:
            for session_id in of_user:
                self.invalidate(session_id)

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
        """Follow changes for ever; each time that this begins, check for missed ones."""
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
                self.invalidate(session_id)
