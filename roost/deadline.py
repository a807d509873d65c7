"""The end has a deadline: whatever hangs by then (a client, a thread, a server that does not
answer) hangs without us.

    with deadline.for_failures(): ...       # when an error, or the failure of a task elsewhere,
                                            # ends the block, the process ends within ten seconds
    deadline.end_within(9, status=0)        # an orderly end has begun
    with deadline.part("the web server"):   # what goes on meanwhile is named, if that is all there
        ...                                 # is to say at the end
    deadline.tell_also(lambda: service.draining.left)  # and this

Nothing is lost: what was not committed was not acknowledged. Our children end with the process
(`roost.embedded.child`).
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
import trio

from protocol.errors import in_words
from roost import logs

log = structlog.get_logger("roost")

END_WITHIN_S = 9.0
TASKS_SHOWN_MAX = 10

_lock = threading.Lock()
_began = False
_parts: list[tuple[str, float]] = []  # of the end: those that go on, and since when
_accounts: list[Callable[[], str]] = []


@contextmanager
def for_failures() -> Iterator[None]:
    """When anything but its own end ends the block (an error in it, or its cancellation because
    another task failed), the process ends within `END_WITHIN_S`, with status 1."""
    try:
        yield
    except BaseException as error:
        if not _is_cancel(error):  # whose failure cancelled us, only `_look` can tell
            log.error("the service failed", error=in_words(error))
        end_within(END_WITHIN_S, status=1)
        raise


@contextmanager
def part(name: str) -> Iterator[None]:
    """A part of the end goes on: "NAME did not end" where that takes too long."""
    begun = (name, time.monotonic())
    _parts.append(begun)
    try:
        yield
    finally:
        _parts.remove(begun)


def tell_also(account: Callable[[], str]) -> None:
    """What else to say of an end that took too long: words, or nothing. Called in a thread."""
    _accounts.append(account)


def end_within(seconds: float, status: int) -> None:
    """End the process after so long, if it still runs. The first call counts."""
    global _began
    with _lock:
        if _began:
            return
        _began = True
    root = trio.lowlevel.current_root_task()
    timer = threading.Timer(seconds, _give_up, [root, status])
    timer.daemon = True
    timer.start()


def end_now(status: int) -> None:
    """End the process at once; what was logged is written, if somebody reads it."""
    logs.flush()
    os._exit(status)


def _give_up(root: trio.lowlevel.Task | None, status: int) -> None:
    try:
        why, waiting = _look(root)
        now_s = time.monotonic()
        why += [f"{name} did not end within {now_s - since_s:.1f} s" for name, since_s in _parts]
        why += filter(None, (account() for account in _accounts))
        reason = "; ".join(why) or f"{len(waiting)} tasks did not end"
        told = log.error if status else log.warning
        tasks = waiting[:TASKS_SHOWN_MAX]
        told("the end took too long; ended without", reason=reason, tasks=tasks)
    finally:
        end_now(status)


def _look(root: trio.lowlevel.Task | None) -> tuple[list[str], list[str]]:
    """What failed, and which tasks still run. From another thread, while the tasks may run on:
    what is found is for a person to read."""
    failures: list[str] = []
    names: list[str] = []
    tasks = [] if root is None else [root]
    while tasks:
        task = tasks.pop()
        names.append(task.name)
        for nursery in list(task.child_nurseries):
            # A task's failure waits there until its siblings have ended
            # (guarded by `tests/contract/guards/test_trio.py`).
            failures += [
                in_words(each)
                for each in getattr(nursery, "_pending_excs", ())
                if not _is_cancel(each)
            ]
            tasks += list(nursery.child_tasks)
    return failures, names


def _is_cancel(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return error.split(trio.Cancelled)[1] is None
    return isinstance(error, trio.Cancelled)
