"""Runs a command so that Ctrl-C arrives only where it can be handled."""

import gc
import resource
from collections.abc import Awaitable, Callable
from typing import TypeVar, TypeVarTuple

import trio

Args = TypeVarTuple("Args")
T = TypeVar("T")


# Sockets of dashboards and devices: many systems allow 1,024 unless more is requested.
FILES_WANTED = 65_536
# For the database, the broker, files, receivers of webhooks.
FILES_KEPT = 1_024


def allow_files() -> None:
    """Allow as many open files as the system permits, up to what may be needed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def room_for(sockets: int) -> int:
    """How many of so many sockets are possible: everything else needs files, too."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return sockets
    return max(1, min(sockets, soft - min(FILES_KEPT, soft // 4)))


def run(work: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
    """`trio.run`; Ctrl-C arrives at a checkpoint of the main task, and nowhere else.

    Elsewhere it could arrive inside a callback of the interpreter, which ignores exceptions: then
    nothing would be interrupted.
    """
    allow_files()
    gc.freeze()  # imported objects live as long as the process
    gc.enable()
    return trio.run(work, *args, restrict_keyboard_interrupt_to_checkpoints=True)
