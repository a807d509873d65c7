"""A server as our child: it ends with us, and is started again when it ends without us.

Linux tells a child of its parent's end (`PR_SET_PDEATHSIG`, prctl(2)). The signal fires when the
*thread* that forked ends, so children are started on the main thread, not in a worker.
"""

import ctypes
import os
import random
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import structlog
import trio

from protocol.errors import RoostError

log = structlog.get_logger("roost.child")

PR_SET_PDEATHSIG = 1
STOP_TIMEOUT_S = 5.0
POLL_S = 0.1
# A server that lived so long before it ended is started again at once.
STEADY_S = 10.0
RESTARTS_MAX = 10

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class ChildFailed(RoostError):
    """A server of ours does not start, or ends again and again."""


def spawn(command: Sequence[str | Path], log_file: Path) -> "subprocess.Popen[bytes]":
    """Start a process that ends with us; what it prints goes to `log_file`, kept from one start
    to the next up to 10 MB."""
    if log_file.exists() and log_file.stat().st_size > 10 << 20:
        log_file.replace(log_file.with_suffix(".old"))
    with log_file.open("ab") as out:
        return subprocess.Popen(
            [str(part) for part in command],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,  # a Ctrl-C is for us; we stop our children in order
            preexec_fn=_end_with_parent,
        )


def _end_with_parent() -> None:
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT)


async def wait_end(process: "subprocess.Popen[bytes]") -> int:
    """Wait for a child to end; answers with its exit status."""
    if hasattr(os, "pidfd_open"):
        handle = os.pidfd_open(process.pid)
        try:
            while process.poll() is None:
                await trio.lowlevel.wait_readable(handle)
        finally:
            os.close(handle)
    while process.poll() is None:  # noqa: ASYNC110 (no pidfd on this system)
        await trio.sleep(POLL_S)
    status = process.returncode
    assert status is not None
    return status


async def stop(process: "subprocess.Popen[bytes]") -> None:
    """SIGINT, and SIGKILL after five seconds."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    with trio.move_on_after(STOP_TIMEOUT_S):
        await wait_end(process)
        return
    log.warning("child did not stop", pid=process.pid)
    process.kill()
    process.wait()


async def keep(
    name: str,
    start: Callable[[], Awaitable["subprocess.Popen[bytes]"]],
    rng: random.Random,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Start a server, and start it again whenever it ends, until cancelled; then stop it.

    Raises:
        RoostError: the first start failed.
        ChildFailed: it ended, or did not start again, ten times in a row.
    """
    process = await start()
    task_status.started()
    failures = 0
    while True:
        since_s = trio.current_time()
        try:
            status = await wait_end(process)
        finally:
            with trio.CancelScope(shield=True):  # bounded by STOP_TIMEOUT_S
                await stop(process)
        log.error("server ended", server=name, status=status)
        if trio.current_time() - since_s > STEADY_S:
            failures = 0
        while True:
            failures += 1
            if failures > RESTARTS_MAX:
                raise ChildFailed(f"{name} ended {failures} times in a row (status {status})")
            if failures > 1:
                await trio.sleep(min(5.0, 0.1 * 2**failures) * (0.5 + rng.random() / 2))
            try:
                process = await start()
                break
            except (RoostError, OSError, subprocess.SubprocessError, trio.TooSlowError) as error:
                log.error("server does not start", server=name, error=str(error))
