"""The Store port in memory: the twin of PostgreSQL, trusted through the same contract suite.

This is the server: it outlives the processes that use it. A process that is cut off during a commit
may find it done a while later (`commits.py`). What happens between a process and its server is in
`actors.adapters.memory.store.line`.
"""

import re

from actors.adapters.memory.store.erasure import ErasureTables
from actors.adapters.memory.store.listing import ROWS_OF
from protocol.dead_letters import DEVICES, HISTORY, LISTENERS, ROLLUPS, ROWS, SESSIONS, rollup_of
from protocol.ids import is_uuid
from protocol.people.people import AUDIT_KEPT_DAYS


class MemoryStore(ErasureTables):
    """See `actors.ports.store.Store` for what each call promises."""

    async def migrate(self) -> list[str]:
        await self._cross()
        return []

    async def tidy(self, audit_days: int = AUDIT_KEPT_DAYS) -> None:
        await self._cross()
        self._forget_ended(self._clock.now_us())
        self._forget_delivered(self._clock.now_us())
        self._forget_signed_out(audit_days)

    async def ping(self) -> None:
        await self._cross()

    def _is_gone(self, work: str, subject: str) -> bool:
        if work == DEVICES:
            user_id, _, code = subject.partition("/")
            return all(device.key != (user_id, code) for device in self._devices.values())
        if work == HISTORY:
            keep = [f for f in self._feeds.values() if f.retain_days is not None]
            return all(str(feed.num) != subject for feed in keep)
        if work == SESSIONS:
            return True  # no session has damaged rows here
        if work == LISTENERS:
            return not is_uuid(subject)
        if work == ROWS:
            noun, _, num = subject.rpartition(" ")
            return noun not in ROWS_OF or re.fullmatch("[0-9]{1,18}", num) is None
        if work == ROLLUPS:
            found = rollup_of(subject)
            feeds = {feed.num for feed in self._feeds.values()}
            return not isinstance(found, str) and (found is None or found[0] not in feeds)
        return super()._is_gone(work, subject)
