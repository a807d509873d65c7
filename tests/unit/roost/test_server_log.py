"""What a server prints is kept up to a bound, while it runs, and for us alone."""

from pathlib import Path

import pytest
import trio
import trio.testing

from roost.embedded import server_log
from roost.embedded.server_log import cut, keep_short, open_log


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_log, "BYTES_MAX", 1_000)
    monkeypatch.setattr(server_log, "KEPT_BYTES", 100)


def mode(file: Path) -> int:
    return file.stat().st_mode & 0o777


def test_it_is_cut_under_the_hands_of_who_writes_and_its_end_is_kept(tmp_path: Path) -> None:
    """It grew by 45 GB an hour when strangers wished so."""
    file, old = tmp_path / "broker.log", tmp_path / "broker.old"
    with open_log(file) as log:
        for n in range(200):
            log.write(f"line {n}\n".encode())
        log.flush()
        assert cut(file)
        log.write(b"and on\n")
        log.flush()
        assert not cut(file)
    assert file.read_bytes() == b"and on\n"
    lines = old.read_bytes().splitlines()
    assert lines[-1] == b"line 199"
    assert len(old.read_bytes()) <= 100
    assert all(line.startswith(b"line ") for line in lines)
    assert (mode(file), mode(old)) == (0o600, 0o600)


def test_one_of_an_earlier_version_is_for_us_alone_from_now_on(tmp_path: Path) -> None:
    file = tmp_path / "broker.log"
    file.write_bytes(b"x" * 2_000)
    file.chmod(0o644)
    with open_log(file):
        assert mode(file) == 0o600
        assert file.stat().st_size == 0


async def test_it_is_looked_at_again_and_again_also_before_it_is_there(
    tmp_path: Path, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_log, "LOOK_EVERY_S", 0.01)
    file = tmp_path / "postgres.log"
    nursery.start_soon(keep_short, [file])
    for _ in range(2):
        await trio.to_thread.run_sync(file.write_bytes, b"x" * 2_000)
        with trio.fail_after(10):
            while file.stat().st_size:  # noqa: ASYNC110 (another thread cuts it)
                await trio.sleep(0.01)
