"""The end has a deadline: the process ends even if something (a client, a thread, a server) hangs.

    with deadline.for_failures(): ...       # when an error, or a failed task elsewhere, ends
                                            # the block, the process ends within ten seconds
    deadline.end_within(9, status=0)        # an orderly end has begun
    with deadline.part("the web server"):   # a part of the end: if it takes too long, the log
        ...                                 # names it
    deadline.tell_also(lambda: service.draining.left)  # and logs this

Nothing is lost: what was not committed was not acknowledged. Child processes end with the process
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
_parts: list[tuple[str, float]] = []  # parts of the end that are running, and since when
_accounts: list[Callable[[], str]] = []


@contextmanager
def for_failures() -> Iterator[None]:
    """If the block ends with an error, or is cancelled because another task failed, the process
    ends within `END_WITHIN_S`, with status 1."""
    try:
        yield
    except BaseException as error:
        if not _is_cancel(error):  # only `_look` can find whose failure cancelled it
            log.error("the service failed", error=in_words(error))
        end_within(END_WITHIN_S, status=1)
        raise


@contextmanager
def part(name: str) -> Iterator[None]:
    """A running part of the end: the log says "NAME did not end" if it takes too long."""
    begun = (name, time.monotonic())
    _parts.append(begun)
    try:
        yield
    finally:
        _parts.remove(begun)


def tell_also(account: Callable[[], str]) -> None:
    """Text to log about an end that took too long, or "". Called in a thread."""
    _accounts.append(account)


def end_within(seconds: float, status: int) -> None:
    """End the process after this time, if it still runs. The first call counts."""
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
    """End the process at once; log lines are written if somebody reads them."""
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
    """What failed, and which tasks still run. Called from another thread, while tasks may run on:
    the result is for people."""
    failures: list[str] = []
    names: list[str] = []
    tasks = [] if root is None else [root]
    while tasks:
        task = tasks.pop()
        names.append(task.name)
        for nursery in list(task.child_nurseries):
            # A failed task stays there until its siblings have ended (guarded by
            # `tests/contract/guards/test_trio.py`).
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
