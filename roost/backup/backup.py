"""`roost backup FILE`: everything that a service holds, in one file, while it runs.

What was acknowledged before the backup began is in it:

1. the contents of the media library that are there now;
2. the broker's streams: messages that it acknowledged and that Roost may not have stored yet;
3. the database, in one snapshot: whatever the broker had forgotten by then is in it;
4. contents that came meanwhile.

The broker comes before the database. A message that is stored and forgotten between the two is in
the second; the other way round it would be in neither. A message may be in both, and is delivered
again after a restore. It is recognised as any redelivery is (I2, `actors.adapters.postgres.backups`
has the details).
"""

from importlib.metadata import version
from pathlib import Path

import msgspec
import structlog
import trio

from actors.adapters.mqtt.plans import partition_plans
from actors.adapters.nats.stream_copies import Streams, open_streams
from actors.adapters.postgres.backups import Backup, Schema, open_backup
from actors.adapters.system.clocks import SystemClock
from protocol.times import format_us
from roost.backup.archive import (
    BROKER,
    DATABASE,
    SECRETS,
    BackupFailed,
    Manifest,
    SqlLogin,
    Stream,
)
from roost.backup.database import dumping
from roost.backup.media_copy import LibraryCopy
from roost.backup.programs import Programs, find
from roost.backup.progress import Progress
from roost.backup.source import Source, open_source
from roost.backup.target import Target, open_target
from roost.embedded.broker_config import PARTITIONS

log = structlog.get_logger("roost.backup")

# Of the broker's streams, 8 GiB at most; while they are copied no digest is forgotten.
STREAMS_WITHIN_S = 600.0
CONTENTS_PAGE = 1_000
# Until an acknowledgement that the broker has read has reached the consumer of its stream.
SETTLED_S = 3.0


class BackupSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`database_url`: None for the database of the data directory."""

    file: Path
    data_dir: Path
    database_url: str | None = None
    force: bool = False


class Made(msgspec.Struct, frozen=True):
    """A backup that is complete. `sha256`: of the whole file."""

    size: int
    sha256: str
    manifest: Manifest


async def backup(settings: BackupSettings, progress: Progress) -> Made:
    """Make a backup.

    Raises:
        SettingsError: there is nothing to back up, or the file cannot be written.
        BackupFailed: it cannot be completed; nothing is left of it.
        Unavailable: the database or the broker does not answer.
    """
    began_at = format_us(SystemClock().now_us())
    async with (
        open_source(settings.database_url, settings.data_dir) as source,
        open_backup(source.database_url) as database,
    ):
        schema = await database.schema()
        programs = await trio.to_thread.run_sync(find, source.database_url, schema.server)
        opened = open_target(settings.file, force=settings.force, keep=source.keep)
        async with opened as target:
            work = _Work(source, database, programs, target, progress)
            manifest = await work.run(began_at, schema)
            sha256 = await target.finish(manifest)
            progress.end()
        return Made(target.writer.size, sha256, manifest)


class _Work:
    def __init__(
        self,
        source: Source,
        database: Backup,
        programs: Programs,
        target: Target,
        progress: Progress,
    ) -> None:
        self._source = source
        self._database = database
        self._programs = programs
        self._target = target
        self._progress = progress
        self._streams: dict[str, Stream] = {}
        self._waiting = 0

    async def run(self, began_at: str, schema: Schema) -> Manifest:
        await self._copy_secrets()
        library = LibraryCopy(
            self._source.data_dir / "media", self._target.writer, self._progress.more
        )
        self._progress.begin("media")
        await self._target.do(library.copy_all)
        confirmed = await self._copy_streams()
        snapshot = await self._database.export()
        await self._dump(snapshot)
        self._progress.begin("media that came meanwhile")
        await self._copy_missing(library)
        _warn(library)
        return Manifest(
            roost=version("roost"),
            began_at=began_at,
            postgres=schema.server,
            dumped_by=self._programs.major,
            migrations=schema.migrations,
            sums=self._target.writer.sums,
            contents=library.count,
            damaged=library.damaged,
            missing=library.missing,
            streams=self._streams,
            waiting=self._waiting,
            confirmed=confirmed,
            sql_logins=[
                SqlLogin(each.user_id, each.verifier, each.may_log_in)
                for each in await self._database.logins()
            ],
        )

    async def _copy_secrets(self) -> None:
        file = self._source.data_dir / SECRETS
        if await trio.to_thread.run_sync(file.exists):
            await self._target.add(SECRETS, await self._target.do(file.read_bytes))

    async def _copy_streams(self) -> dict[str, int]:
        """Of each session, what was confirmed before."""
        if self._source.broker is None:
            return {}
        confirmed = await self._database.hold()
        self._progress.begin("broker")
        # The broker answers a PINGREQ, which confirms what was acknowledged before it, a moment
        # before the consumers of its streams have heard of that.
        await trio.sleep(SETTLED_S)
        with trio.move_on_after(STREAMS_WITHIN_S) as scope:
            async with open_streams(self._source.broker) as streams:
                self._waiting = await streams.waiting(
                    [plan.client_id for plan in partition_plans(PARTITIONS)]
                )
                for name in await streams.names():
                    await self._copy_stream(streams, name)
        if scope.cancelled_caught:
            raise BackupFailed("the broker's messages were not copied within 10 minutes")
        return confirmed

    async def _copy_stream(self, streams: Streams, name: str) -> None:
        what = f"{BROKER}/{name}"
        self._progress.begin(f"broker {name}")
        async with streams.copy(name) as copy:
            while data := await copy.next():
                await self._target.add_piece(what, data)
                self._progress.more(len(data))
        await self._target.end_pieces(what)
        self._streams[name] = Stream(copy.head.config, copy.head.state)

    async def _dump(self, snapshot: str) -> None:
        self._progress.begin("database, compressed")
        async with dumping(self._programs, self._source.database_url, snapshot) as pieces:
            async for data in pieces:
                await self._target.add_piece(DATABASE, data)
                self._progress.more(len(data))
        await self._target.end_pieces(DATABASE)

    async def _copy_missing(self, library: LibraryCopy) -> None:
        after = b""
        while page := await self._database.contents(after, CONTENTS_PAGE):
            await self._target.do(library.copy_missing, page)
            after = page[-1]


def _warn(library: LibraryCopy) -> None:
    for sha256 in library.damaged:
        log.warning("a media content is not what it was: it is copied as it is", sha256=sha256)
    for sha256 in library.missing:
        log.warning("a media content is missing in the library", sha256=sha256)
