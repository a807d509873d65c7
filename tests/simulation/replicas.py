"""The processes of a world: one, two or three on one store and one broker, of which one leads."""

from typing import TYPE_CHECKING

import trio

from tests.simulation.broken import Broken
from tests.simulation.process import Process

if TYPE_CHECKING:
    from tests.simulation.world import World

# What a load balancer does: it looks now and then which of them is ready (`/readyz`).
LOOK_S = 0.25
NOBODY_MAX_S = 900.0


class Replicas:
    """All that were started and have not ended.

    Attributes:
        started: how many there ever were.
        living: the oldest first.
    """

    def __init__(self, world: "World") -> None:
        self.started = 0
        self.living: list[Process] = []
        self._world = world
        self._changed = trio.Event()

    def start(self, nursery: trio.Nursery) -> Process:
        """A new process; it serves a moment later."""
        self.started += 1
        process = Process(self._world, self.started, self.changed)
        self.living.append(process)
        nursery.start_soon(process.run, name=f"process {self.started}")
        self.changed()
        return process

    def changed(self) -> None:
        """A process began to serve, or ended."""
        self.living = [process for process in self.living if not process.is_dead]
        event, self._changed = self._changed, trio.Event()
        event.set()

    def leader(self) -> Process | None:
        """Who serves devices and people. Of two that believe it, the later one is right."""
        ready = [process for process in self.living if process.serving.is_set()]
        if len(self.living) > 1:
            ready = [process for process in ready if process.service.leadership.leads]
        return max(ready, key=lambda process: process.service.leadership.epoch, default=None)

    async def serving(self) -> Process:
        """The process that serves; waits for the next one where there is none.

        Raises:
            Broken: none does, for longer than any fault lasts.
        """
        with trio.move_on_after(NOBODY_MAX_S):
            while True:
                leader = self.leader()
                if leader is not None:
                    return leader
                changed = self._changed
                with trio.move_on_after(LOOK_S if len(self.living) > 1 else float("inf")):
                    await changed.wait()
        raise Broken("I6", f"nobody has served for {NOBODY_MAX_S:.0f} s")

    def one_of(self, target: str) -> Process | None:
        """`leader`, `standby`, or where that is nobody, anybody."""
        leader = self.leader()
        others = [process for process in self.living if process is not leader]
        if target == "standby" and others:
            return others[0]
        return leader or (self.living[-1] if self.living else None)

    @property
    def is_calm(self) -> bool:
        """Whether none of them stands still, or is cut off from a server."""
        return not any(process.is_troubled for process in self.living)
