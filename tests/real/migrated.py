"""A database that was made before: for tests that are not about a first start.

`initdb` and the migrations are most of what a first start costs, in processor time. They are done
once, and copied. There is nothing in it but the schema: secrets, ports and everything of the broker
the service makes itself, each time, and no service has ever run on it. The database gets the
password of its new place at the start.
"""

import shutil
import subprocess
from pathlib import Path

from tests.real.harness import ROOST, clean_environment


def make(folder: Path) -> Path:
    """Make the database in a folder of its own; it is stopped in order."""
    command = [str(ROOST), "migrate", "--data-dir", str(folder)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=clean_environment(), check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "postgres"


def put(made: Path, data_dir: Path) -> None:
    """A copy of it, for a `roost up` that starts on this data directory."""
    data_dir.mkdir(mode=0o700)
    shutil.copytree(made, data_dir / "postgres")
