"""Whether a server answers, for callers that cannot wait: a Kubernetes probe waits for a second, a
connection that hangs is given up after several.

    look = ServerLook("database", ask, supervisor)
    await look.tell()               # "ok", what is wrong, or for how long there has been no answer

The question is asked in the background, on demand, one at a time. Callers that come while it has no
answer get what is known by then.
"""

from collections.abc import Awaitable, Callable

import trio

from actors.runtime.supervisor import Supervisor
from protocol.errors import Unavailable, in_words

# How long a caller waits.
WAIT_S = 0.5
# A question that takes longer counts as unanswered; then it is repeated, perhaps on a new
# connection.
ANSWER_WITHIN_S = 2.0
OK = "ok"


class ServerLook:
    """Args:
    ask: its problem, "" for none; raises `Unavailable`.
    """

    def __init__(
        self, name: str, ask: Callable[[], Awaitable[str]], supervisor: Supervisor
    ) -> None:
        self._name = name
        self._question = ask
        self._supervisor = supervisor
        self._over: trio.Event | None = None  # of the question that has no answer yet
        self._since_s: float | None = None  # when the first unanswered question was asked
        self._why = ""
        self._problem = ""

    async def tell(self) -> str:
        """Takes half a second at most."""
        if self._over is None:
            self._over = trio.Event()
            if self._since_s is None:
                self._since_s = trio.current_time()
            self._supervisor.run_essential(f"look at the {self._name}", self._ask)
        with trio.move_on_after(WAIT_S):
            await self._over.wait()
        if self._since_s is None:
            return self._problem or OK
        for_s = trio.current_time() - self._since_s
        if not self._why and for_s < ANSWER_WITHIN_S:
            return self._problem or OK
        return f"has not answered for {for_s:.0f} s{self._why}"

    async def _ask(self) -> None:
        try:
            with trio.fail_after(ANSWER_WITHIN_S):
                self._problem = await self._question()
        except trio.TooSlowError:
            self._why = ""
        except Unavailable as error:
            self._why = f": {in_words(error)}"
        else:
            self._since_s, self._why = None, ""
        over, self._over = self._over, None
        assert over is not None
        over.set()
