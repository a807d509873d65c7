"""Commands that bring everything back: backup, restore, upgrade."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from roost import logs
from roost.backup.backup import BackupSettings, Made, backup
from roost.backup.progress import Progress, size_in_words
from roost.backup.restore import RestoreSettings, restore
from roost.backup.target import STDOUT
from roost.backup.upgrade import UpgradeSettings, upgrade
from roost.interrupting import run
from roost.options import DATA_DIR, DatabaseUrl, DataDir
from roost.settings import check_database_url


def backup_command(
    file: Annotated[
        Path, Parameter(allow_leading_hyphen=True, help="The file to write; - for standard output.")
    ],
    *,
    force: Annotated[bool, Parameter(negative="", help="Replace the file if it exists.")] = False,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Back up everything into one file: database, media, secrets, what the broker holds.

    The service may run meanwhile. The file holds secrets: only its owner can read it. With
    --database-url it has that database, with media and secrets of the data directory; the broker
    is yours to back up.
    """
    logs.configure("warning", "auto")
    url = None if database_url is None else check_database_url(database_url)
    settings = BackupSettings(file=file, data_dir=data_dir, database_url=url, force=force)
    made = run(backup, settings, Progress())
    _report(file, made)


def _report(file: Path, made: Made) -> None:
    out = sys.stderr if file == STDOUT else sys.stdout
    waiting = made.manifest.waiting
    print(f"backup of {made.manifest.began_at}: {size_in_words(made.size)}", file=out)
    if waiting:
        print(f"with {waiting} messages that the broker held for Roost", file=out)
    print(f"sha256 {made.sha256}", file=out)


def restore_command(
    file: Annotated[Path, Parameter(help="A file of `roost backup`.")],
    *,
    drop_waiting: Annotated[
        bool,
        Parameter(
            negative="",
            help="With --database-url: drop messages that the embedded broker held for Roost.",
        ),
    ] = False,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Restore a backup into an empty data directory, or into an empty database of your own.

    The whole file is checked first. A backup of an earlier version of Roost is brought up to date.
    """
    logs.configure("warning", "auto")
    url = None if database_url is None else check_database_url(database_url)
    settings = RestoreSettings(
        file=file, data_dir=data_dir, database_url=url, drop_waiting=drop_waiting
    )
    manifest = run(restore, settings, Progress())
    print(f"restored the backup of {manifest.began_at}")


def upgrade_command(
    *,
    old_bin: Annotated[
        Path | None,
        Parameter(
            help="Directory with the old version's `postgres`, or of `pip install --target`."
            " Default: the system's, /usr/lib/postgresql/N/bin."
        ),
    ] = None,
    delete_old: Annotated[
        bool, Parameter(negative="", help="Delete the old data that an upgrade kept.")
    ] = False,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Take over a data directory of an older PostgreSQL.

    Its database is dumped with the old version and restored with the new one. The old data stay
    until --delete-old.
    """
    logs.configure("warning", "auto")
    settings = UpgradeSettings(data_dir=data_dir, old_bin=old_bin, delete_old=delete_old)
    print(run(upgrade, settings, Progress()))
