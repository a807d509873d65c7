"""The programs of the embedded servers are those that Roost is tested with."""

import shutil
import sys
from pathlib import Path

import pytest

from roost.embedded import binary_sums
from roost.embedded.binary_sums import differing, programs


def test_the_installed_programs_have_their_sums() -> None:
    assert differing(programs()) == []
    assert {program.name for program in programs()} == {"nats-server", "postgres", "initdb"}


def test_a_program_that_was_changed_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binary_sums, "PREFIX", tmp_path)
    changed = tmp_path / "nats-server"
    shutil.copy(programs()[0], changed)
    assert differing([changed]) == []
    with changed.open("ab") as file:
        file.write(b"x")
    assert differing([changed]) == [changed]
    # One of the system, which is not of this environment, is not checked.
    assert differing([Path(sys.executable).resolve()]) == []
