"""Who may connect to the database of a data directory: Roost with its password, and readers to
their own database only.

`pg_hba.conf` is written at each start. Databases of versions without passwords get one then, in
PostgreSQL's single-user mode, while nobody can connect.
"""

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from urllib.parse import quote

import trio

from actors.adapters.postgres.readers import FOREIGN_ROLE, SUFFIX
from protocol.errors import SettingsError
from roost.embedded.data_dir import write_private

SUPERUSER = "roost"
DATABASE = "postgres"
PORT = 5432  # part of the socket's name; readers use another port

RULES = "pg_hba.conf"
_MADE_FOR = "# Written at each start of Roost, for the password "
SET_WITHIN_S = 60.0


def url_of_socket(sockets: Path, port: int, password: str) -> str:
    return f"postgresql://{SUPERUSER}:{quote(password)}@/{DATABASE}?host={sockets}&port={port}"


def rules(password: str, *, listens: bool) -> str:
    """The content of `pg_hba.conf`: the first matching line decides; without a match, access is
    denied.

    Args:
        listens: readers may connect over TCP, too; nobody else may.
    """
    # Regular expressions; before PostgreSQL 16 these are plain names that nobody has.
    readers, foreign = f'"/{SUFFIX}$"', f'"/^{FOREIGN_ROLE}"'
    lines = [
        f"{_MADE_FOR}{_digest(password)}.",
        f"local all {SUPERUSER} scram-sha-256",
        f"local all {foreign} scram-sha-256",
        f"local {readers} all scram-sha-256",
    ]
    if listens:
        lines += [f"host all {SUPERUSER} all reject", f"host {readers} all all scram-sha-256"]
    return "\n".join(lines) + "\n"


async def require_password(
    single_user: Sequence[str | Path], data: Path, password: str, *, listens: bool
) -> None:
    """Before the server starts: require a password from everybody, and set Roost's.

    Args:
        single_user: the command that starts PostgreSQL in single-user mode on this data.

    Raises:
        SettingsError: the password cannot be set.
    """
    file = data / RULES
    before = await trio.to_thread.run_sync(file.read_text)
    wanted = rules(password, listens=listens)
    if before == wanted:
        return
    if not before.startswith(wanted.partition("\n")[0]):
        await _set_password(single_user, password)
    await trio.to_thread.run_sync(partial(write_private, file, wanted.encode()))


async def _set_password(single_user: Sequence[str | Path], password: str) -> None:
    assert "'" not in password  # generated passwords have only letters, digits, - and _
    statement = f"ALTER ROLE {SUPERUSER} PASSWORD '{password}'\n".encode()
    done = None
    with trio.move_on_after(SET_WITHIN_S):
        done = await trio.run_process(
            [str(part) for part in single_user],
            stdin=statement,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )
    if done is None or done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() if done else []
        why = said[-1] if said else f"no answer within {SET_WITHIN_S:.0f} s"
        raise SettingsError(f"the database's password cannot be set: {why}")


def _digest(password: str) -> str:
    """Distinguishes passwords, and cannot be used to log in."""
    return hashlib.sha256(b"roost " + password.encode()).hexdigest()[:12]
