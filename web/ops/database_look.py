"""Whether the database answers, for callers that cannot wait: a Kubernetes probe waits for a
second, and a connection that hangs is given up after several.

    look = DatabaseLook(store, supervisor)
    await look.tell()               # "ok", or for how long there has been no answer

The query runs in the background, on demand, one at a time. Callers that come while it has no answer
get what is known by then.
"""

import trio

from actors.ports.store import Store
from actors.runtime.supervisor import Supervisor
from protocol.errors import Unavailable, in_words

# How long a caller waits.
WAIT_S = 0.5
# A query that takes longer counts as unanswered; then it is repeated, perhaps on a new connection.
ANSWER_WITHIN_S = 2.0
OK = "ok"


class DatabaseLook:
    def __init__(self, store: Store, supervisor: Supervisor) -> None:
        self._store = store
        self._supervisor = supervisor
        self._over: trio.Event | None = None  # of the query that has no answer yet
        self._since_s: float | None = None  # when the first unanswered query was sent
        self._why = ""

    async def tell(self) -> str:
        """Takes half a second at most."""
        if self._over is None:
            self._over = trio.Event()
            if self._since_s is None:
                self._since_s = trio.current_time()
            self._supervisor.run_essential("look at the database", self._ask)
        with trio.move_on_after(WAIT_S):
            await self._over.wait()
        if self._since_s is None:
            return OK
        for_s = trio.current_time() - self._since_s
        if not self._why and for_s < ANSWER_WITHIN_S:
            return OK
        return f"has not answered for {for_s:.0f} s{self._why}"

    async def _ask(self) -> None:
        try:
            with trio.fail_after(ANSWER_WITHIN_S):
                await self._store.ping()
        except trio.TooSlowError:
            self._why = ""
        except Unavailable as error:
            self._why = f": {in_words(error)}"
        else:
            self._since_s, self._why = None, ""
        over, self._over = self._over, None
        assert over is not None
        over.set()
