"""The file of a backup: every damage is found before anything of it is used."""

import fcntl
import hashlib
import io
import itertools
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from protocol.errors import SettingsError
from roost.backup.archive import BLOCK, BackupFailed, Manifest, Writer
from roost.backup.progress import Progress
from roost.backup.reading import Contents, check
from roost.backup.restore import RestoreSettings, restore
from roost.backup.target import Target, open_target
from roost.embedded import data_dir
from roost.embedded.data_dir import RESTORING

SECRETS = b'{"jwt":"j","mqtt":"m","nats_auth":"a","nats_sys":"s","nats_seed":"x","postgres":"p"}'
CONTENT = b"a picture"
CONTENT_SHA256 = hashlib.sha256(CONTENT).hexdigest()


def manifest(writer: Writer, migrations: list[int] | None = None, waiting: int = 0) -> Manifest:
    return Manifest(
        roost="9.9",
        began_at="2026-01-01T00:00:00Z",
        postgres=18,
        dumped_by=18,
        migrations=migrations or [1],
        sums=writer.sums,
        contents=1,
        waiting=waiting,
    )


def archive(migrations: list[int] | None = None, waiting: int = 0) -> bytes:
    out = io.BytesIO()
    writer = Writer(out)
    writer.add_whole("secrets.json", SECRETS)
    writer.begin(f"media/{CONTENT_SHA256}", len(CONTENT))
    writer.write(CONTENT)
    for part in (b"x" * 700, b"y" * 512):
        writer.add_part("database", part)
    writer.finish(manifest(writer, migrations, waiting))
    return out.getvalue()


def checked(data: bytes) -> Contents:
    return check(io.BytesIO(data), lambda done: None)


def test_what_was_written_is_read() -> None:
    data = archive()
    found = checked(data)
    assert found.size == len(data)
    assert b"".join(found.parts(io.BytesIO(data), "database", 100)) == b"x" * 700 + b"y" * 512
    assert [name for name, _ in found.media] == [CONTENT_SHA256]


def test_tar_reads_it_too() -> None:
    with tarfile.open(fileobj=io.BytesIO(archive())) as tar:
        names = tar.getnames()
    assert names[:2] == ["format.json", "secrets.json"]
    assert names[-2:] == ["manifest.json", "sha256"]


def test_the_sum_that_is_told_is_that_of_the_file() -> None:
    out = io.BytesIO()
    writer = Writer(out)
    told = writer.finish(manifest(writer))
    assert told == hashlib.sha256(out.getvalue()).hexdigest()


def test_a_flipped_byte_is_found() -> None:
    data = archive()
    last = len(data) - 4 * BLOCK  # the sum itself, which no sum covers
    every = (
        range(0, last, 29),
        range(last, last + 2 * BLOCK),
        range(last + 2 * BLOCK, len(data), 29),
    )
    for at in itertools.chain(*every):
        with pytest.raises(BackupFailed):
            checked(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


def test_every_cut_is_found() -> None:
    data = archive()
    for size in range(0, len(data), 97):
        with pytest.raises(BackupFailed):
            checked(data[:size])
    with pytest.raises(BackupFailed, match="at its end"):
        checked(data + b"\0")


@pytest.mark.parametrize(
    "name",
    ["../x", "/etc/passwd", "media/../../x", f"media/{'A' * 64}", "broker/../000001", "other"],
)
def test_a_member_of_another_name_is_refused(name: str) -> None:
    assert_refused(lambda tar: tar.addfile(tarfile.TarInfo(name)))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE])
def test_a_member_that_is_no_file_is_refused(kind: bytes) -> None:
    def add(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo("secrets.json")
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)

    assert_refused(add)


def assert_refused(add: Callable[[tarfile.TarFile], None]) -> None:
    out = io.BytesIO()
    Writer(out)
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        add(tar)
    with pytest.raises(BackupFailed, match="does not have"):
        checked(out.getvalue())


def test_parts_that_are_left_out_are_found() -> None:
    out = io.BytesIO()
    writer = Writer(out)
    writer.add("database/000002", b"x")
    writer.finish(manifest(writer))
    with pytest.raises(BackupFailed, match="parts of database"):
        checked(out.getvalue())


def test_a_later_format_and_another_file_are_told_apart() -> None:
    later = archive().replace(b'{"format":1}', b'{"format":2}', 1)
    with pytest.raises(BackupFailed, match="format 2"):
        checked(later)
    for other in (b"", b"x" * 5 * BLOCK, archive()[BLOCK:]):
        with pytest.raises(BackupFailed, match="not a backup of Roost"):
            checked(other)


async def restored(tmp_path: Path, data: bytes, **settings: object) -> None:
    file = tmp_path / "backup.tar"
    file.write_bytes(data)
    target = tmp_path / "data"
    given = RestoreSettings(file=file, data_dir=target, **settings)  # type: ignore[arg-type]
    await restore(given, Progress(io.StringIO()))


async def test_a_damaged_backup_touches_nothing(tmp_path: Path) -> None:
    data = bytearray(archive())
    data[-3 * BLOCK] ^= 1
    with pytest.raises(BackupFailed):
        await restored(tmp_path, bytes(data))
    assert not (tmp_path / "data").exists()


async def test_a_backup_of_a_newer_version_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"newer Roost \(9.9, migration 9999\)"):
        await restored(tmp_path, archive(migrations=[1, 9999]))
    assert not (tmp_path / "data").exists()


async def test_messages_that_wait_are_not_dropped_unasked(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="7 messages"):
        await restored(tmp_path, archive(waiting=7), database_url="postgresql://nobody@/x")


async def test_a_directory_with_anything_in_it_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "data" / "postgres" / "PG_VERSION"
    mine.parent.mkdir(parents=True)
    mine.write_text("18")
    with pytest.raises(SettingsError, match="not empty"):
        await restored(tmp_path, archive())
    assert mine.read_text() == "18"


async def test_nothing_starts_on_what_an_interrupted_restore_left(tmp_path: Path) -> None:
    # Its dump is none: the restore fails halfway.
    wanted = pytest.RaisesExc(BackupFailed, match="pg_restore failed")
    with pytest.RaisesGroup(wanted, flatten_subgroups=True):
        await restored(tmp_path, archive())
    data = tmp_path / "data"
    assert (data / RESTORING).exists()
    assert (data / "postgres" / "PG_VERSION").exists()
    with (
        pytest.raises(SettingsError, match=r"restore into .* was interrupted"),
        data_dir.locked(data),
    ):
        pass
    # The next restore begins with an empty directory, and removes nothing of anybody else.
    (data / "mine").write_text("mine")
    with pytest.raises(SettingsError, match=r"not empty \(it has mine\)"):
        await restored(tmp_path, archive())
    assert sorted(each.name for each in data.iterdir()) == ["mine", RESTORING, "roost.lock"]


async def written(target: Target) -> None:
    await target.add("secrets.json", b"{}")
    await target.finish(manifest(target.writer))


async def test_a_backup_that_ends_at_this_moment_is_not_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, draft = tmp_path / "backup.tar", tmp_path / "backup.tar.part"
    draft.write_bytes(b"complete")

    def lock(out: object, how: int) -> None:
        """Another one renamed its file between our opening it and our lock."""
        draft.rename(file)

    monkeypatch.setattr(fcntl, "flock", lock)
    with pytest.raises(SettingsError, match="another backup writes"):
        async with open_target(file, force=True, keep=0):
            pass
    assert file.read_bytes() == b"complete"


async def test_the_file_is_private_and_there_only_when_it_is_complete(tmp_path: Path) -> None:
    file = tmp_path / "backup.tar"
    async with open_target(file, force=False, keep=0) as target:
        await written(target)
        assert not file.exists()
        with pytest.raises(SettingsError, match="another backup writes"):
            async with open_target(file, force=False, keep=0):
                pass
    assert file.stat().st_mode & 0o777 == 0o600
    checked(file.read_bytes())
    with pytest.raises(SettingsError, match="--force"):
        async with open_target(file, force=False, keep=0):
            pass
    before = file.read_bytes()
    with pytest.raises(BackupFailed, match="no room"):
        async with open_target(file, force=True, keep=1 << 60) as target:
            await written(target)
    assert file.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["backup.tar"]


async def test_a_disk_that_is_full_meanwhile_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Writer, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    async def fill(file: Path) -> None:
        async with open_target(file, force=False, keep=0) as target:
            monkeypatch.setattr(Writer, "_write", full)
            await written(target)

    file = tmp_path / "backup.tar"
    with pytest.raises(BackupFailed, match=r"cannot be written: .*No space left"):
        await fill(file)
    assert list(tmp_path.iterdir()) == []


def test_progress_is_told_in_lines_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    progress = Progress(out)
    progress.begin("media", 2_000_000)
    progress.more(500_000)
    progress.more(1_500_000)
    progress.begin("indexes")
    progress.end()
    assert out.getvalue() == "media: 2.0 MB of 2.0 MB\nindexes\n"


def test_no_random_file_is_taken_for_a_backup() -> None:
    rng = random.Random(1)
    for size in (1, BLOCK, 10 * BLOCK):
        with pytest.raises(BackupFailed):
            checked(rng.randbytes(size))
