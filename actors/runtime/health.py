"""The tasks that fail at the moment while the rest works: the details of "degraded"."""

from collections import Counter
from collections.abc import Callable

import msgspec
import trio

from protocol.errors import in_words

# A restarted task counts as well once it has run for this long, or twice as long as it ran before
# its last failure.
WELL_AFTER_S = 10.0
SHOWN_MAX = 200


class _Failing(msgspec.Struct):
    since_s: float
    times: int
    error: str
    well_s: float  # from then on it counts as well, unless it fails again


class Health:
    """Usage: `health.failed("loader", …)`; `health.degraded()` is empty when all is well.

    It grows with the number of task names, which is small.

    Attributes:
        failures: how often each task failed, by its name.
    """

    def __init__(self) -> None:
        self.failures: Counter[str] = Counter()
        self._failing: dict[str, _Failing] = {}
        self._others: list[Callable[[], dict[str, str]]] = []

    def include(self, other: Callable[[], dict[str, str]]) -> None:
        """Add details from elsewhere; they are requested each time, so they must be at hand."""
        self._others.append(other)

    def failed(self, name: str, error: BaseException, *, ran_s: float, pause_s: float) -> None:
        """A task failed, and is restarted after a pause."""
        now_s = trio.current_time()
        self.failures[name] += 1
        known = self._failing.get(name)
        if known is None or known.well_s <= now_s:
            known = self._failing[name] = _Failing(now_s, 0, "", now_s)
        known.times += 1
        known.error = in_words(error)[:SHOWN_MAX]
        known.well_s = now_s + pause_s + max(WELL_AFTER_S, 2 * min(ran_s, WELL_AFTER_S))

    def ended(self, name: str) -> None:
        """It is finished, and need not run any more."""
        self._failing.pop(name, None)

    def degraded(self) -> dict[str, str]:
        """What fails, by name, one line each."""
        now_s = trio.current_time()
        for name in [n for n, each in self._failing.items() if each.well_s <= now_s]:
            del self._failing[name]
        details = {
            name: f"failed {each.times} times within {now_s - each.since_s:.0f} s: {each.error}"
            for name, each in self._failing.items()
        }
        for other in self._others:
            details |= other()
        return details
