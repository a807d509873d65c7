"""An actor in its cell: its mailbox, and the one loop that all actors run.

An actor steps in the turn of its own task, or at once in the turn of its sender if nothing waits
(`Cell.hand`). A step that fails ends the cell's run either way; `actors.runtime.supervisor` runs it
again, with an actor that is built again and the message that it failed on first.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

import structlog
import trio

from actors.runtime.clock import WallClock
from actors.runtime.mailbox import Mailbox
from protocol.errors import in_words

M = TypeVar("M")
E = TypeVar("E")
M_contra = TypeVar("M_contra", contravariant=True)
E_co = TypeVar("E_co", covariant=True)

log = structlog.get_logger("roost.supervisor")

# 256 messages take a device actor about 3 ms: the longest time that others wait for their turn.
TURN_MAX = 256


class Actor(Protocol[M_contra, E_co]):
    """State and a pure step."""

    def step(self, message: M_contra, now_us: int, /) -> Sequence[E_co]: ...

    def set_aside(self, message: Any, error: str, /) -> Sequence[E_co]: ...


class Cell(Generic[M, E]):
    """An actor with its mailbox, how to build it, and who carries out its effects.

    Args:
        name: for logs and traces.
        build: builds the actor from the store; awaited at every start.
        perform: carries out one effect; synchronous.
        idle_s: a cell with nothing to do for so long, or up to twice as long, ends (`passivated`);
            None for never.
        on_step: told of every step before it is carried out; the simulation listens here, and may
            raise to crash the actor.
    """

    def __init__(
        self,
        name: str,
        mailbox: Mailbox[M],
        build: Callable[[], Awaitable[Actor[M, E]]],
        perform: Callable[[E], None],
        *,
        idle_s: float | None = None,
        on_step: Callable[[str, M], None] | None = None,
    ) -> None:
        self.name = name
        self.mailbox = mailbox
        self.restarts = 0
        self._build = build
        self._perform = perform
        self._idle_s = idle_s
        self._on_step = on_step
        self._turn: deque[M] = deque()
        self._busy_s = 0.0  # when its task last had something to do (Trio's clock)
        self._was_used = False  # outside its task, since then
        self._killer: M | None = None
        self._why = ""
        self._actor: Actor[M, E] | None = None  # while it runs
        self._clock: WallClock
        self._failure: Exception | None = None  # of a step outside its own task

    @property
    def actor(self) -> Actor[M, E] | None:
        """While it runs; None while it is built, or built again."""
        return self._actor

    def hand(self, message: M, *, control: bool = False) -> None:
        """Give it a message. Where nothing waits it steps at once, in the caller's turn: a turn of
        its own task costs more than the step. A step that fails is its task's failure, not the
        caller's: it is built again, and the message comes first again.

        Raises:
            trio.WouldBlock: it has no room (`Mailbox.has_room`).
            trio.ClosedResourceError: it is about to end.
        """
        actor = self._actor
        if actor is None or self._turn or len(self.mailbox) or self.mailbox.is_closed:
            self.mailbox.put_nowait(message, control=control)
            return
        self._was_used = True
        self._turn.append(message)
        try:
            self._step(actor, message, self._clock.now_us())
            self._turn.popleft()
        except Exception as error:  # noqa: BLE001 (raised again by its task)
            self._actor, self._failure = None, error
            self.mailbox.ring()

    async def run(self, clock: WallClock) -> None:
        """Build the actor and step until its mailbox ends or it was idle for long.

        Raises:
            Exception: the failure of a step; its message is kept for the next run.
        """
        self._actor = actor = await self._build()
        self._clock = clock
        try:
            await self._live(actor, clock)
        finally:
            self._actor = None

    async def _live(self, actor: Actor[M, E], clock: WallClock) -> None:
        idle_s = float("inf") if self._idle_s is None else self._idle_s
        self._busy_s = trio.current_time()
        while self._busy_s + idle_s > trio.current_time():
            # One deadline for many turns, because setting it costs as much as a step.
            with trio.move_on_at(self._busy_s + idle_s):
                await self._take_turns(actor, clock)
                return
            if self._was_used or not self.is_idle:  # or something came since the last look
                self._busy_s, self._was_used = trio.current_time(), False

    async def _take_turns(self, actor: Actor[M, E], clock: WallClock) -> None:
        """Until the mailbox ends."""
        while True:
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure
            while self._turn:
                self._step(actor, self._turn[0], clock.now_us())
                self._turn.popleft()
            try:
                self._turn.extend(await self.mailbox.take(TURN_MAX))
            except trio.EndOfChannel:
                return
            self._busy_s = trio.current_time()

    def _step(self, actor: Actor[M, E], message: M, now_us: int) -> None:
        if message is self._killer and self._why:
            effects = actor.set_aside(message, self._why)
            self._killer, self._why = None, ""
            log.error("message set aside", actor=self.name, message=repr(message)[:300])
        else:
            try:
                if self._on_step is not None:
                    self._on_step(self.name, message)
                effects = actor.step(message, now_us)
            except Exception as error:
                if message is self._killer:
                    self._why = in_words(error)
                self._killer = message
                raise
        for effect in effects:
            self._perform(effect)

    @property
    def is_idle(self) -> bool:
        """Whether it has nothing to do: no message waits, and none is being handled."""
        return not self._turn and not len(self.mailbox)

    def failed(self) -> None:
        self.restarts += 1

    def abandon(self) -> list[M]:
        """All messages that were not handled, for the caller that gives the actor up."""
        self.mailbox.close()
        left = [*self._turn]
        self._turn.clear()
        while len(self.mailbox):
            left += self.mailbox.control.take(TURN_MAX) + self.mailbox.data.take(TURN_MAX)
        return left
