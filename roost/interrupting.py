"""How a command runs, and where Ctrl-C can reach it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar, TypeVarTuple

import trio

Args = TypeVarTuple("Args")
T = TypeVar("T")


def run(work: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
    """`trio.run`; Ctrl-C arrives at a checkpoint of the main task, and nowhere else.

    Anywhere else it may fall into a callback of the interpreter, which ignores what is raised
    there: then nothing is interrupted.
    """
    return trio.run(work, *args, restrict_keyboard_interrupt_to_checkpoints=True)
