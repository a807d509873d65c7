"""Keeps full garbage collections short, however many devices live.

A full collection visits every object that can be part of a cycle, and stops everything meanwhile:
with a hundred thousand living devices that takes seconds. So what survives a long one is hidden
from the next (`gc.freeze`): it ends as before when nothing refers to it, and only a cycle among it
would stay. Therefore a collection visits everything again once a day.
"""

import gc
import time
from collections.abc import Callable, Mapping
from typing import Any

LONG_S = 0.02  # a tenth of what a user notices; some 50,000 objects
AGAIN_S = 24 * 3600.0


class ShortCollections:
    """Usage: `ShortCollections().begin()`, once everything that lives as long as the process is
    loaded.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._began_s = 0.0
        self._all_seen_s = 0.0

    def begin(self) -> None:
        gc.collect()
        gc.freeze()
        self._all_seen_s = self._clock()
        gc.callbacks.append(self._collecting)

    def end(self) -> None:
        gc.callbacks.remove(self._collecting)

    def _collecting(self, phase: str, info: Mapping[str, Any]) -> None:
        """Called by the interpreter at the start and at the end ("stop") of each collection."""
        if info["generation"] < 2:
            return
        now_s = self._clock()
        if phase == "start":
            self._began_s = now_s
            if now_s - self._all_seen_s >= AGAIN_S:
                self._all_seen_s = now_s
                gc.unfreeze()
        elif now_s - self._began_s >= LONG_S:
            gc.freeze()
