"""Secrets from files, and those that everybody on the machine can see."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from protocol.errors import SettingsError
from roost.secret_settings import BYTES_MAX, TEXTS, URLS, read_files, variable_of, visible

SECRET = "s" * 40


def test_every_secret_option_can_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    for option in (*TEXTS, *URLS):
        environ = {f"{variable_of(option)}_FILE": str(path)}
        read_files(environ)
        assert environ == {variable_of(option): SECRET}


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b" \n", "empty"), (b"x" * (BYTES_MAX + 1), "too large"), (b"\xff", "cannot be read")],
)
def test_a_file_without_a_secret_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=f"ROOST_JWT_SECRET_FILE: .*{reason}"):
        read_files({"ROOST_JWT_SECRET_FILE": str(path)})


def test_both_ways_at_once_are_a_mistake(tmp_path: Path) -> None:
    both = {"ROOST_SMTP_URL": "smtp://x", "ROOST_SMTP_URL_FILE": str(tmp_path)}
    with pytest.raises(SettingsError, match="both set"):
        read_files(both)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["up", "--jwt-secret", SECRET], ["--jwt-secret"]),
        (["up", f"--jwt-secret={SECRET}"], ["--jwt-secret"]),
        (["simulate", "--password", "x"], ["--password"]),
        (["serve", "--database-url", "postgresql://roost:secret@db/roost"], ["--database-url"]),
        (["serve", "--database-url", "postgresql://roost@db/roost"], []),
        (["serve", "--mqtt-url=mqtt://roost:secret@broker"], ["--mqtt-url"]),
        (["up", "--http", "0.0.0.0:8000"], []),
    ],
)
def test_a_secret_on_the_command_line_is_warned_of(
    arguments: list[str], options: list[str]
) -> None:
    lines = visible(arguments)
    assert [line.partition(" ")[0] for line in lines] == options
    assert not any("secret@" in line or SECRET in line for line in lines)


def test_the_program_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "url"
    path.write_text("nonsense://roost:secret@db\n")
    roost = [str(Path(sys.executable).with_name("roost")), "migrate"]
    environ = os.environ | {"ROOST_DATABASE_URL_FILE": str(path)}
    done = subprocess.run(roost, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("roost: the database URL must look like postgresql://")
    done = subprocess.run(
        [*roost, "--database-url", "x://a:secret@b"], capture_output=True, text=True, check=False
    )
    assert done.stderr.splitlines()[0].startswith("roost: warning: --database-url is visible")
    assert "secret" not in done.stderr.replace("ROOST_", "")
