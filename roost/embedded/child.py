"""A server as a child process: it ends with Roost, and is restarted when it ends by itself.

Linux tells a child when its parent ends (`PR_SET_PDEATHSIG`, prctl(2)). The signal is sent when the
*thread* that forked ends, so children are started on the main thread, not in a worker. Everything
else that a start waits for (files, other programs) runs in a worker, because the service must
continue while its database is restarted.
"""

import ctypes
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import structlog
import trio

from actors.runtime.made_once import MadeOnce
from actors.runtime.retry import grown_s, jittered_s
from protocol.errors import RoostError, in_words
from roost import deadline
from roost.embedded.server_log import open_log

log = structlog.get_logger("roost.child")

PR_SET_PDEATHSIG = 1
STOP_TIMEOUT_S = 5.0
KILL_TIMEOUT_S = 2.0
POLL_S = 0.1
READY_POLL_S = 0.01
# A server that ran for this long before it ended is restarted at once.
STEADY_S = 10.0
RESTARTS_MAX = 10
RESTART_PAUSE_FIRST_S, RESTART_PAUSE_MAX_S = 0.4, 5.0

Process = subprocess.Popen[bytes]

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class ChildFailed(RoostError):
    """A server does not start, or ends again and again."""


class Server(Protocol):
    """A server that `Keeper` runs."""

    @property
    def name(self) -> str: ...

    async def start(self) -> Process:
        """Start it and wait until it serves. If this raises, or is cancelled, no process is
        left."""
        ...

    async def stop(self, process: Process, *, hung: bool = False) -> None:
        """End it and everything that it started. One that hangs is killed."""
        ...


async def spawn(command: Sequence[str | Path], log_file: Path) -> Process:
    """Start a process that ends with Roost. Its output goes to `log_file`, which is kept between
    starts, up to 10 MB. If this is cancelled, no process was started."""
    prefix = await ends_with_parent.get()
    with await trio.to_thread.run_sync(open_log, log_file) as out:
        # Python code between fork and exec would prevent vfork, and a fork copies all page tables,
        # which blocks everything for 20 ms or more. This takes 0.4 ms, 3 at worst.
        between = None if prefix else _end_with_parent
        return subprocess.Popen(  # noqa: ASYNC220 (on this thread: see above)
            [*prefix, *map(str, command)],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,  # Ctrl-C is for Roost, which stops its children in order
            preexec_fn=between,
        )


def _ask_setpriv() -> tuple[str, ...]:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return ()
    prefix = (setpriv, "--pdeathsig", "INT", "--")
    try:
        tried = subprocess.run([*prefix, "true"], check=False, capture_output=True)
    except OSError:
        return ()
    return prefix if tried.returncode == 0 else ()


# A prefix for a command, so that it gets SIGINT when Roost ends; empty if the system has no such
# program.
ends_with_parent = MadeOnce(_ask_setpriv)


def _end_with_parent() -> None:
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT)


async def wait_end(process: Process) -> int:
    """Wait for a child to end; return its exit status."""
    if hasattr(os, "pidfd_open"):
        try:
            handle = os.pidfd_open(process.pid)
        except ProcessLookupError:
            pass  # it has ended, and was not reaped: the next check does that
        else:
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


async def stop(
    process: Process, number: int = signal.SIGINT, within_s: float = STOP_TIMEOUT_S
) -> None:
    """Send a signal, and after that time SIGKILL to its whole process group."""
    if process.poll() is None:
        process.send_signal(number)
        with trio.move_on_after(within_s):
            await wait_end(process)
            return
        log.warning("server did not stop; killed", pid=process.pid)
        await kill(process)


async def kill(process: Process) -> None:
    """Send SIGKILL to it and everything that it started (except what began its own session), and
    wait for their end: on a busy machine a child's child ends after its parent."""
    if process.poll() is None:  # later its number may belong to another process
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    # A process that the kernel holds (on a disk that hangs) does not end even then.
    with trio.move_on_after(KILL_TIMEOUT_S, shield=True):
        await wait_end(process)
        while await trio.to_thread.run_sync(_group_lives, process.pid):  # noqa: ASYNC110
            await trio.sleep(READY_POLL_S)  # they are not our children, so their end must be polled


def _group_lives(number: int) -> bool:
    """Whether a process of that group is running. One that is not reaped yet has ended."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, _, group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue  # it has ended
        if int(group) == number and state not in "ZX":
            return True
    return False


async def ready(
    process: Process,
    is_ready: Callable[[], Awaitable[bool]],
    end: Callable[[Process], Awaitable[None]],
    within_s: float,
) -> bool:
    """Whether it serves. If it does not in time, has ended, or its start is cancelled or fails, it
    is ended with `end`, so that no process is left."""
    serves = False
    try:
        with trio.move_on_after(within_s):
            while process.poll() is None and not serves:
                if await is_ready():
                    serves = True
                else:
                    await trio.sleep(READY_POLL_S)
    finally:
        if not serves:
            with trio.CancelScope(shield=True):  # bounded by STOP_TIMEOUT_S and KILL_TIMEOUT_S
                await end(process)
    return serves


class Keeper:
    """Runs a server: restarts it whenever it ends, and on request. Usage:

    keeper = Keeper(server, rng)
    await nursery.start(keeper.run)      # started when the server serves
    keeper.restart("why", hung=True)

    Args:
        wait_room: waits until the disk has room; a server that ends because the disk is full is no
            reason to give up.

    Attributes:
        serves: it was started, and has not ended yet.
    """

    def __init__(
        self,
        server: Server,
        rng: random.Random,
        wait_room: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint,
    ) -> None:
        self.serves = False
        self._server = server
        self._rng = rng
        self._wait_room = wait_room
        self._asked = trio.Event()
        self._hung = False

    def restart(self, why: str, *, hung: bool) -> None:
        """End the server and start it again. With `hung` it is killed."""
        log.error("server is restarted", server=self._server.name, why=why)
        self._hung = hung
        self._asked.set()

    def hangs(self) -> None:
        """It does not answer: when it is ended, it is killed."""
        self._hung = True

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run until cancelled; then stop it.

        Raises:
            RoostError: the first start failed.
            ChildFailed: it ended, or did not start again, ten times in a row.
        """
        try:
            process = await self._server.start()
        except OSError as error:
            raise ChildFailed(f"{self._server.name} does not start: {in_words(error)}") from error
        self.serves = True
        task_status.started()
        failures = 0
        while True:
            since_s = trio.current_time()
            asked = await self._end_of(process)
            if asked or trio.current_time() - since_s > STEADY_S:
                failures = 0
            process, failures = await self._start_again(failures)
            self.serves = True

    async def _start_again(self, failures: int) -> tuple[Process, int]:
        """The new process, and how often in a row it has ended or not started by now."""
        name = self._server.name
        while True:
            since_s = trio.current_time()
            await self._wait_room()
            if trio.current_time() - since_s > STEADY_S:
                failures = 0  # now it is another try
            failures += 1
            if failures > RESTARTS_MAX:
                raise ChildFailed(f"{name} ended {failures} times in a row")
            if failures > 1:
                pause_s = grown_s(failures - 1, RESTART_PAUSE_FIRST_S, RESTART_PAUSE_MAX_S)
                await trio.sleep(jittered_s(pause_s, self._rng))
            try:
                return await self._server.start(), failures
            except (RoostError, OSError, subprocess.SubprocessError) as error:
                log.error("server does not start", server=name, error=in_words(error))

    async def _end_of(self, process: Process) -> bool:
        """Wait until it ended, or must end; then no process is left. Returns whether that was
        requested."""
        self._asked, self._hung = trio.Event(), False
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._asked_for, nursery.cancel_scope)
                status = await wait_end(process)
                log.error("server ended", server=self._server.name, status=status)
                nursery.cancel_scope.cancel()
        finally:
            self.serves = False
            # Bounded by STOP_TIMEOUT_S and KILL_TIMEOUT_S.
            with deadline.part(self._server.name), trio.CancelScope(shield=True):
                await self._server.stop(process, hung=self._hung)
        return self._asked.is_set()

    async def _asked_for(self, scope: trio.CancelScope) -> None:
        await self._asked.wait()
        scope.cancel()
