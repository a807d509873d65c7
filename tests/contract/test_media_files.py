"""What every keeper of files promises: a directory on a disk, and its memory twin."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from actors.adapters.disk.media_files import open_media_files
from actors.adapters.memory.store.media import MemoryFiles
from protocol.errors import Busy, NotFound, SettingsError
from tests.conftest import Logs

CONTENT = bytes(range(256)) * 5
SHA256 = hashlib.sha256(CONTENT).digest()
MISSING = "media file is missing"
TOO_MUCH = 1 << 60  # more than any disk leaves free


@pytest.fixture(params=["memory", "disk"])
async def files(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    if request.param == "memory":
        yield MemoryFiles()
        return
    async with open_media_files(tmp_path / "media") as made:
        yield made


async def keep(files: Any, content: bytes = CONTENT) -> bytes:
    async with files.draft() as draft:
        for at in range(0, len(content), 500):
            await draft.write(content[at : at + 500])
        assert draft.size == len(content)
        sha256: bytes = await draft.seal()
        async with files.turn("a"):
            await draft.keep()
    return sha256


async def test_a_content_is_read_back_in_parts(files: Any) -> None:
    assert await keep(files) == SHA256
    assert await files.read(SHA256, 0, len(CONTENT)) == CONTENT
    assert await files.read(SHA256, 3, 4) == CONTENT[3:7]
    assert await files.read(SHA256, len(CONTENT) - 2, 100) == CONTENT[-2:]
    assert await files.read(SHA256, len(CONTENT), 1) == b""


async def test_the_same_content_again_changes_nothing(files: Any, logs: Logs) -> None:
    logs.claim(MISSING)
    assert await keep(files) == await keep(files)
    assert await files.read(SHA256, 0, len(CONTENT)) == CONTENT
    await files.remove(SHA256)
    with pytest.raises(NotFound):
        await files.read(SHA256, 0, 1)


async def test_what_was_not_kept_is_not_there(files: Any, logs: Logs) -> None:
    logs.claim(MISSING)
    async with files.draft() as draft:
        await draft.write(CONTENT)
        await draft.seal()
    with pytest.raises(NotFound):
        await files.read(SHA256, 0, 1)
    await files.remove(SHA256)  # nothing to remove is nothing to complain of


async def test_a_doubt_stays_until_it_is_settled(files: Any) -> None:
    assert await files.doubtful(0) == []
    await files.doubt(SHA256)
    await files.doubt(SHA256)
    assert await files.doubtful(0) == [SHA256]
    assert await files.doubtful(3_600) == []
    await files.settle(SHA256)
    await files.settle(SHA256)
    assert await files.doubtful(0) == []


async def test_turns_come_one_after_the_other(files: Any) -> None:
    inside = 0

    async def enter() -> None:
        nonlocal inside
        async with files.turn("a", "b"):
            inside += 1
            assert inside == 1
            await trio.lowlevel.checkpoint()
            inside -= 1

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(enter)


async def test_turns_of_other_keys_do_not_wait_and_no_two_wait_for_each_other(files: Any) -> None:
    async def both(*keys: str) -> None:
        for _ in range(20):
            async with files.turn(*keys):
                await trio.lowlevel.checkpoint()

    with trio.fail_after(30):
        async with files.turn("a"), files.turn("b", "b"):
            pass
        async with trio.open_nursery() as nursery:
            nursery.start_soon(both, "a", "b")
            nursery.start_soon(both, "b", "a")


@asynccontextmanager
async def full(kind: str, folder: Path) -> AsyncIterator[Any]:
    if kind == "memory":
        files = MemoryFiles()
        files.room = len(CONTENT) - 1
        yield files
        return
    async with open_media_files(folder, reserve=TOO_MUCH) as made:
        yield made


@pytest.mark.parametrize("kind", ["memory", "disk"])
async def test_without_room_it_is_busy(kind: str, tmp_path: Path, logs: Logs) -> None:
    logs.claim(MISSING)
    async with full(kind, tmp_path / "media") as files:
        with pytest.raises(Busy) as caught:
            await keep(files)
        assert caught.value.retry_after_s
        with pytest.raises(NotFound):
            await files.read(SHA256, 0, 1)


# The disk alone


async def test_contents_and_doubts_outlive_a_process_and_its_drafts_do_not(tmp_path: Path) -> None:
    folder = tmp_path / "media"
    async with open_media_files(folder) as files:
        await keep(files)
        await files.doubt(SHA256)
    (folder / "incoming" / "left").write_bytes(b"by a crash")
    (folder / "doubtful" / "README").write_bytes(b"by a person")
    async with open_media_files(folder) as files:
        assert await files.read(SHA256, 0, len(CONTENT)) == CONTENT
        assert await files.doubtful(0) == [SHA256]
    assert list((folder / "incoming").iterdir()) == []


async def test_drafts_of_a_living_process_stay_when_another_starts(tmp_path: Path) -> None:
    folder = tmp_path / "media"
    async with open_media_files(folder) as one, one.draft() as draft:
        await draft.write(CONTENT)
        async with open_media_files(folder) as other:
            await draft.seal()
            async with one.turn("a"):
                await draft.keep()
            assert await other.read(SHA256, 0, len(CONTENT)) == CONTENT


async def test_two_processes_share_the_turns(tmp_path: Path) -> None:
    folder = tmp_path / "media"
    async with open_media_files(folder) as one, open_media_files(folder) as other:
        entered = trio.Event()

        async def enter() -> None:
            async with other.turn("a"):
                entered.set()

        async with trio.open_nursery() as nursery:
            async with one.turn("a"):
                nursery.start_soon(enter)
                await trio.testing.wait_all_tasks_blocked()
                assert not entered.is_set()
            with trio.fail_after(10):
                await entered.wait()


async def test_a_half_written_content_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "media"
    async with open_media_files(folder) as files:
        await keep(files)
        place = folder / SHA256.hex()[:2] / SHA256.hex()
        place.write_bytes(CONTENT[:10])
        await keep(files)
        assert await files.read(SHA256, 0, len(CONTENT)) == CONTENT


async def test_a_directory_that_cannot_be_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "media").write_bytes(b"a file")
    with pytest.raises(SettingsError, match="cannot be used"):
        async with open_media_files(tmp_path / "media"):
            pass
