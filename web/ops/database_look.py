"""Whether the database answers, for those who cannot wait until it does: a probe of Kubernetes
waits for a second, and a connection that hangs is given up after several.

    look = DatabaseLook(store, supervisor)
    await look.tell()               # "ok", or for how long there has been no answer

The question is asked in the background, when somebody wants to know, and one at a time: whoever
comes while it has no answer hears what is known by then.
"""

import trio

from actors.ports.store import Store
from actors.runtime.supervisor import Supervisor
from protocol.errors import Unavailable, in_words

# Who wants to know waits for so long.
WAIT_S = 0.5
# One that takes longer does not answer; then it is asked again, by a new connection perhaps.
ANSWER_WITHIN_S = 2.0
OK = "ok"


class DatabaseLook:
    def __init__(self, store: Store, supervisor: Supervisor) -> None:
        self._store = store
        self._supervisor = supervisor
        self._over: trio.Event | None = None  # of the question that has no answer yet
        self._since_s: float | None = None  # when the first was asked that has had none
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
