"""A prepared database, for tests that are not about a first start.

`initdb` and the migrations take most of the CPU time of a first start, so they run once and the
files are copied. The database has only the schema: no service has run on it. Secrets, ports and the
broker's files are made at each start, and the database gets the password of its new directory.
"""

import shutil
import subprocess
from pathlib import Path

from tests.real.harness import ROOST, clean_environment


def make(folder: Path) -> Path:
    """Create the database in a folder; returns its directory. The server is stopped in order."""
    command = [str(ROOST), "migrate", "--data-dir", str(folder)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=clean_environment(), check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "postgres"


def put(made: Path, data_dir: Path) -> None:
    """Copy it into a data directory, for a `roost up` that starts there."""
    data_dir.mkdir(mode=0o700)
    shutil.copytree(made, data_dir / "postgres")
