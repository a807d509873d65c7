"""PostgreSQL's own programs, and how they are run on a database: `pg_dump`, `pg_restore`, `psql`.

The wheel's are taken, or the system's where the server is newer or asks for TLS, which the wheel's
do not speak. No password is among their arguments, which everybody on a machine sees.
"""

import os
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

import msgspec
import trio

from protocol.errors import SettingsError
from protocol.printable import printable
from roost.backup.archive import BackupFailed
from roost.embedded import child, postgres_binaries

TLS = ("require", "verify-ca", "verify-full")
SAID_BYTES = 16_384
LINES = 3


class Programs(msgspec.Struct, frozen=True):
    folder: Path
    major: int

    def command(self, name: str, *options: str) -> list[str]:
        return [str(self.folder / name), *options]


def find(url: str, server: int) -> Programs:
    """Programs for a server of this major version.

    Raises:
        SettingsError: there are none; it says what to install.
    """
    sslmode = parse_qs(urlsplit(url).query).get("sslmode", [""])[-1]
    wheel = None if sslmode in TLS else postgres_binaries.wheel()
    for folder in ([] if wheel is None else [wheel]) + postgres_binaries.installed():
        if (folder / "pg_dump").exists() and (folder / "psql").exists():
            major = int(postgres_binaries.version(folder, "pg_dump"))
            if major >= server:
                return Programs(folder, major)
    why = " with TLS" if sslmode in TLS else ""
    raise SettingsError(
        f"no pg_dump for PostgreSQL {server}{why}: install postgresql-client-{server}, or newer"
    )


def without_password(url: str) -> tuple[str, dict[str, str]]:
    """The URL for a command's arguments, and the environment with the password."""
    parts = urlsplit(url)
    if parts.password is None:
        return url, {}
    user = (parts.username or "") + "@" + parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=user)), {"PGPASSWORD": unquote(parts.password)}


@asynccontextmanager
async def running(
    command: Sequence[str],
    environment: dict[str, str],
    *,
    stdin: bool = False,
    stdout: bool = False,
) -> AsyncIterator["Running"]:
    """A program with pipes. At the end of the block it is killed if it has not ended.

    If this process is killed, it ends by itself, with its pipes. The kernel is not asked for a
    signal (`PR_SET_PDEATHSIG`): Trio forks in a thread, and that signal comes when the thread ends,
    which is after ten idle seconds.
    """
    process = await trio.lowlevel.open_process(
        command,
        stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
        stdout=subprocess.PIPE if stdout else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "PGAPPNAME": "roost backup", "PGCONNECT_TIMEOUT": "10", **environment},
    )
    async with trio.open_nursery() as nursery:
        program = Running(process, Path(command[0]).name)
        nursery.start_soon(program.listen)
        try:
            yield program
        finally:
            if process.returncode is None:
                process.kill()
            with trio.CancelScope(shield=True):  # it was killed, or has ended
                await process.wait()
                for stream in (process.stdin, process.stdout):
                    if stream is not None:
                        await stream.aclose()
            # No checkpoint after this: its Cancelled would replace the error of the block.
            nursery.cancel_scope.cancel()


class Running:
    """A running program, and the end of what it says on standard error."""

    def __init__(self, process: trio.Process, name: str) -> None:
        self._process = process
        self._name = name
        self._said = b""
        self._all_said = trio.Event()

    @property
    def stdin(self) -> trio.abc.SendStream:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def stdout(self) -> trio.abc.ReceiveStream:
        assert self._process.stdout is not None
        return self._process.stdout

    async def listen(self) -> None:
        assert self._process.stderr is not None
        async for data in self._process.stderr:
            self._said = (self._said + data)[-SAID_BYTES:]
        self._all_said.set()

    async def wait(self) -> None:
        """Raises `BackupFailed` if it failed, with what it says."""
        status = await self._process.wait()
        if status:
            await self.fail(status)

    async def fail(self, status: int | None = None) -> None:
        """Raises `BackupFailed` with what it says; it has closed its pipes."""
        with trio.move_on_after(child.KILL_TIMEOUT_S):
            await self._all_said.wait()
        lines = self._said.decode(errors="replace").strip().splitlines()
        errors = [line for line in lines if "error" in line.lower()] or lines
        said = printable("; ".join(errors[:LINES])) or f"it ended with status {status}"
        raise BackupFailed(f"{self._name} failed: {said}")
