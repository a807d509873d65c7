"""What may happen to any single call to the store.

fates.waiting.append(("claim_commands", "after"))     # the next one is done, its answer is lost
fates.waiting.append(("", "before"))                  # the next call, whichever it is
fates.drawn = lambda name: ""                         # called for every call
"""

from collections.abc import Callable

import trio

# "before": nothing is done. "overtaken": another call is done between its way in and its work; then
# it continues. "rolled back": that too, and its own work is undone. "after": it is done, and its
# answer is lost. All except "overtaken" raise `Unavailable`.
CALL_FATES = ("before", "overtaken", "rolled back", "after")
OVERTAKEN_WITHIN_S = 1.0


class CallFates:
    """For every process of a world.

    Attributes:
        waiting: names of calls ("": any) and the fate of the next one of each.
        drawn: the fate of a call by its name; usually "".
        last_s: when a call last had a fate.
    """

    def __init__(self) -> None:
        self.waiting: list[tuple[str, str]] = []
        self.drawn: Callable[[str], str] | None = None
        self.last_s = float("-inf")
        self._done: trio.Event | None = None

    def stop(self) -> None:
        self.waiting.clear()
        self.drawn = None

    def of(self, name: str) -> str:
        """The fate of a call that begins; "" if it has none."""
        fate = ""
        for each in self.waiting:
            if each[0] in ("", name):
                self.waiting.remove(each)
                fate = each[1]
                break
        else:
            if self.drawn is not None:
                fate = self.drawn(name)
        if fate:
            self.last_s = trio.current_time()
        return fate

    async def wait_other(self) -> bool:
        """Wait until any other call is done; return whether one was."""
        done = self._done = trio.Event() if self._done is None else self._done
        with trio.move_on_after(OVERTAKEN_WITHIN_S):
            await done.wait()
        return done.is_set()

    def call_done(self) -> None:
        """A call was done."""
        if self._done is not None:
            self._done.set()
            self._done = None
