"""Supervision: what happens when an actor or a task fails.

A failed actor is built again from the store, after a growing, jittered pause. It first gets the
message on which it failed again; if it fails again, the message is set aside with its reason. A
contained actor (a device, a user) that spends its budget of restarts is given up alone. An
essential task is restarted for ever (`run_essential`); `actors.runtime.endings` lists what may end
the process. `Exception` is caught, never `BaseException`.
"""

import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import structlog
import trio

from actors.runtime.cell import Cell
from actors.runtime.clock import WallClock
from actors.runtime.endings import ends_process
from actors.runtime.health import Health
from actors.runtime.retry import Pauses, grown_s, jittered_s
from protocol.errors import RoostError, Unavailable, in_words

M = TypeVar("M")
E = TypeVar("E")

log = structlog.get_logger("roost.supervisor")

RESTARTS_MAX = 8
RESTARTS_WINDOW_S = 60.0
BACKOFF_FIRST_S = 0.05
BACKOFF_MAX_S = 5.0


class BudgetSpent(RoostError):
    """A contained actor failed again and again; it is given up."""


class Supervisor:
    """Starts cells and restarts them. Usage:

    async with trio.open_nursery() as nursery:
        supervisor = Supervisor(nursery, clock, random.Random(seed))
        supervisor.start(cell, ended=forget, gave_up=refuse_all)
        supervisor.run_essential("writer", writer.run)

    Attributes:
        health: which essential tasks fail at the moment, and how often each failed.
    """

    def __init__(self, nursery: trio.Nursery, clock: WallClock, rng: random.Random) -> None:
        self.crashes = 0
        self.health = Health()
        self._failure: Exception | None = None
        self._failed = trio.Event()
        self._nursery = nursery
        self._clock = clock
        self._rng = rng

    def start(
        self,
        cell: Cell[M, E],
        *,
        ended: Callable[[], None] = lambda: None,
        gave_up: Callable[[list[M]], None] = lambda left: None,
    ) -> None:
        """Run a contained cell until its mailbox ends or it spends its budget. A cell that rests
        gets another task when it has something to do.

        Args:
            ended: called at the very moment at which the cell ends, so that no message can be put
                between its last look into the mailbox and its removal.
            gave_up: gets the unhandled messages of a cell whose budget is spent.
        """

        self._begin(partial(self._supervise, cell, ended, gave_up), cell.name)

    def _begin(self, run: Callable[[], Awaitable[None]], name: str) -> bool:
        """Start a task; False if the service has ended, and with it soon whoever asks."""
        try:
            self._nursery.start_soon(run, name=name)
        except RuntimeError:  # the nursery is closed
            log.debug("not started: the service has ended", actor=name)
            return False
        return True

    async def _supervise(
        self, cell: Cell[M, E], ended: Callable[[], None], gave_up: Callable[[list[M]], None]
    ) -> None:
        try:
            run = partial(cell.run, self._clock)
            await self._restarting(cell.name, run, cell.failed, cell.failures)
        except BudgetSpent:
            left = cell.abandon()
            ended()
            gave_up(left)
            return
        if cell.is_resting and not cell.mailbox.is_closed:
            cell.mailbox.rest(partial(self._wake, cell, ended, gave_up))
        else:
            cell.mailbox.close()
            ended()

    def _wake(
        self, cell: Cell[M, E], ended: Callable[[], None], gave_up: Callable[[list[M]], None]
    ) -> None:
        if cell.mailbox.is_closed and cell.is_idle:
            ended()  # at once, without a task
        else:
            self.start(cell, ended=ended, gave_up=gave_up)

    def run_essential(
        self,
        name: str,
        run: Callable[[], Awaitable[None]],
        *,
        pause_first_s: float = BACKOFF_FIRST_S,
        pause_max_s: float = BACKOFF_MAX_S,
    ) -> None:
        """Run an essential task until it returns; restart it after a failure, for ever.

        Pauses grow from the first to the longest, and start again after a steady run.
        """
        pauses = Pauses(pause_first_s, pause_max_s, self._rng)
        self._nursery.start_soon(self._keeping, name, run, pauses, name=name)

    async def _keeping(self, name: str, run: Callable[[], Awaitable[None]], pauses: Pauses) -> None:
        last = ""
        while True:
            began_s = trio.current_time()
            try:
                await run()
            except Exception as error:
                reason = ends_process(error)
                if reason is not None:
                    log.critical("task ends the process", task=name, reason=reason)
                    self._failure = self._failure or error
                    self._failed.set()
                    return
                ran_s = trio.current_time() - began_s
                pause_s = pauses.next_s(ran_s)
                self.crashes += 1
                self.health.failed(name, error, ran_s=ran_s, pause_s=pause_s)
                # A repeated failure is one line each time, not a traceback.
                told = in_words(error)
                is_new = told != last and not isinstance(error, Unavailable)
                last = told
                log.warning(
                    "task failed",
                    task=name,
                    error=told,
                    times=pauses.failures,
                    again_in_s=round(pause_s, 3),
                    exc_info=error if is_new else None,
                )
            else:
                self.health.ended(name)
                return
            await trio.sleep(pause_s)

    async def raise_failure(self) -> None:
        """Wait until an essential task ends the process, and raise its failure. The other tasks
        still run, so that work in flight can be finished."""
        while self._failure is None:
            await self._failed.wait()
        raise self._failure

    def run_contained(
        self, name: str, run: Callable[[], Awaitable[None]], *, gave_up: Callable[[], None]
    ) -> None:
        """Run a contained task until it returns; restart it after a failure, within its budget. It
        is given up at once after the end of the service."""

        async def supervise() -> None:
            try:
                await self._restarting(name, run, lambda: None, [])
            except BudgetSpent:
                gave_up()

        if not self._begin(supervise, name):
            gave_up()

    async def _restarting(
        self,
        name: str,
        run: Callable[[], Awaitable[None]],
        failed: Callable[[], None],
        failures: list[float],
    ) -> None:
        while True:
            try:
                return await run()
            except Exception as error:
                self.crashes += 1
                failed()
                log.warning("actor failed", actor=name, error=in_words(error), exc_info=error)
                now_s = trio.current_time()
                failures.append(now_s)
                while failures[0] < now_s - RESTARTS_WINDOW_S:
                    del failures[0]
                if len(failures) > RESTARTS_MAX:
                    log.error("actor given up", actor=name, error=in_words(error))
                    raise BudgetSpent(f"{name} failed {len(failures)} times") from error
            pause_s = grown_s(len(failures), BACKOFF_FIRST_S, BACKOFF_MAX_S)
            await trio.sleep(jittered_s(pause_s, self._rng))
