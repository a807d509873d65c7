"""An actor in its cell: its mailbox, and the one loop that all actors run.

An actor steps in the turn of its own task, or at once in the turn of its sender if nothing waits
(`Cell.hand`). A step that fails ends the cell's run either way; `actors.runtime.supervisor` runs it
again, with an actor that is built again and the message that it failed on first.

A task takes three times the memory of an actor. So a cell whose mailbox brings nothing for a while
rests: its task ends, its actor stays and still steps in the turns of its senders, and the next
message that has to wait starts a task again.
"""

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

    Attributes:
        is_resting: whether its last run ended only because nothing came.
        was_used: whether it has stepped since somebody last set this to False.

    Args:
        name: for logs and traces.
        build: builds the actor from the store; awaited at every start.
        perform: carries out one effect; synchronous.
        rest_s: a cell whose mailbox brought nothing for so long rests; None for never.
        on_step: told of every step before it is carried out; the simulation listens here, and may
            raise to crash the actor.
    """

    __slots__ = (
        "_actor",
        "_build",
        "_busy_s",
        "_clock",
        "_failure",
        "_killer",
        "_on_step",
        "_perform",
        "_rest_s",
        "_turn",
        "_why",
        "failures",
        "is_resting",
        "mailbox",
        "name",
        "restarts",
        "was_used",
    )

    def __init__(
        self,
        name: str,
        mailbox: Mailbox[M],
        build: Callable[[], Awaitable[Actor[M, E]]],
        perform: Callable[[E], None],
        *,
        rest_s: float | None = None,
        on_step: Callable[[str, M], None] | None = None,
    ) -> None:
        self.name = name
        self.mailbox = mailbox
        self.restarts = 0
        self.failures: list[float] = []  # when it failed, within the supervisor's window
        self.is_resting = self.was_used = False
        self._build = build
        self._perform = perform
        self._rest_s = float("inf") if rest_s is None else rest_s
        self._on_step = on_step
        self._turn: list[M] = []  # the next one is the last
        self._busy_s = 0.0  # when its task last had something to do (Trio's clock)
        self._killer: M | None = None
        self._why = ""
        self._actor: Actor[M, E] | None = None  # while it runs or rests
        self._clock: WallClock
        self._failure: Exception | None = None  # of a step outside its own task

    @property
    def actor(self) -> Actor[M, E] | None:
        """While it runs or rests; None while it is built, or built again."""
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
        self._turn.append(message)
        try:
            self._step(actor, message, self._clock.now_us())
            self._turn.pop()
        except Exception as error:  # noqa: BLE001 (raised again by its task)
            self._actor, self._failure = None, error
            self.mailbox.ring()

    async def run(self, clock: WallClock) -> None:
        """Build the actor and step until its mailbox ends or it rests (`is_resting`).

        Raises:
            Exception: the failure of a step; its message is kept for the next run.
        """
        self.is_resting = False
        self._raise_failure()
        if self._actor is None:
            self._clock = clock
            self._actor = await self._build()
        try:
            self.is_resting = await self._live(self._actor, clock)
        finally:
            if not self.is_resting:
                self._actor = None

    async def _live(self, actor: Actor[M, E], clock: WallClock) -> bool:
        """Until the mailbox ends (False), or nothing came for long (True)."""
        self._busy_s = trio.current_time()
        while True:
            # One deadline for many turns, because setting it costs as much as a step.
            with trio.move_on_at(self._busy_s + self._rest_s):
                await self._take_turns(actor, clock)
                return False
            self._raise_failure()
            if self.is_idle:
                return True
            self._busy_s = trio.current_time()  # something came at this very moment

    async def _take_turns(self, actor: Actor[M, E], clock: WallClock) -> None:
        """Until the mailbox ends."""
        while True:
            self._raise_failure()
            while self._turn:
                self._step(actor, self._turn[-1], clock.now_us())
                self._turn.pop()
            try:
                taken = await self.mailbox.take(TURN_MAX)
            except trio.EndOfChannel:
                return
            # A message that was handed over meanwhile, and failed, stays the next one.
            self._turn[:0] = reversed(taken)
            self._busy_s = trio.current_time()

    def _raise_failure(self) -> None:
        """The failure of a step outside its own task."""
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _step(self, actor: Actor[M, E], message: M, now_us: int) -> None:
        self.was_used = True
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
        left = self._turn[::-1]
        self._turn.clear()
        while len(self.mailbox):
            left += self.mailbox.control.take(TURN_MAX) + self.mailbox.data.take(TURN_MAX)
        return left
