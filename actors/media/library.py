"""The media library: rows and files together.

A content is on the disk once, however many users have it. Its file is deleted with the last row.

One user may remove the last row while another uploads the same content. Turns prevent that race
(`MediaFiles.turn`, one at a time for each content, in all processes on the directory). In its turn
an upload puts its file into place *and* adds its row. A removal deletes its row, checks whether a
row is left, *and* removes the file. So the second sees everything that the first did: the upload
puts a removed file back, or the removal finds the upload's row and leaves the file. A slow call of
the store for one content does not delay others. For the quota, an upload also takes a turn of its
user. Bytes are received and hashed before, without a turn.

If a turn ends halfway (a crash, a lost answer of the store), the content stays on the disk and
marked as doubtful, and is settled later (`settle_all`). No other content is ever deleted by this,
so a wrong database cannot empty a directory. An upload that was answered with 503 may leave a row
without its content if somebody deleted the same content meanwhile; uploading it again restores the
content.
"""

from functools import partial

import structlog

from actors.containment.put_aside import put_aside
from actors.ports.media import MediaDraft, MediaFiles
from actors.ports.store import Store
from actors.runtime.clock import WallClock
from actors.runtime.isolation import ALONE_MAX, Failed, attempt
from protocol.dead_letters import MEDIA
from protocol.errors import Conflict, TooLarge, Unavailable
from protocol.media.media import Media
from protocol.problems.detail import Detail

log = structlog.get_logger("roost.media")

# The store may still be working on a call whose answer was lost: up to 20 s for a statement
# (`connections.py`).
DOUBT_AGE_S = 120.0


class Library:
    """Uploads and deletions, each done completely or not at all."""

    def __init__(self, store: Store, files: MediaFiles, clock: WallClock) -> None:
        self._store = store
        self._files = files
        self._clock = clock
        self._trying: set[str] = set()  # names of contents

    async def add(self, media: Media, draft: MediaDraft, quota_bytes: int) -> Media:
        """Keep a sealed draft as media; return the user's media with this content if there is one.

        Raises:
            TooLarge: the user's media would exceed the quota (several uploads may arrive at once).
            Busy, Unavailable: whether it was done is unknown; the caller may try again.
        """
        async with self._files.turn(_of_content(media.sha256), f"user {media.user_id}"):
            check_quota(await self._store.media_used(media.user_id) + media.size, quota_bytes)
            await self._files.doubt(media.sha256)
            await draft.keep()
            stored = await self._store.add_media(media)
            await self._files.settle(media.sha256)
            return stored

    async def remove(self, media: Media) -> None:
        """Delete media, and its content if nobody else has it. Raises `Conflict`."""
        async with self._files.turn(_of_content(media.sha256)):
            await self._files.doubt(media.sha256)
            refused: Conflict | None = None
            try:
                await self._store.delete_media(media.user_id, media.id)
            except Conflict as error:
                refused = error
            await self._settle(media.sha256)
            if refused is not None:
                raise refused

    async def settle_all(self) -> None:
        """Remove contents that a crash left without a row. One that fails is put aside alone.

        Raises:
            Unavailable: the store does not answer.
            Busy: the disk fails; or many contents fail and none succeeds, so none of them is the
                cause.
        """
        settled: list[str] = []
        failed: list[tuple[str, Exception]] = []
        for sha256 in await self._files.doubtful(DOUBT_AGE_S):
            done = await attempt(partial(self._settle_in_turn, sha256))
            if not isinstance(done, Failed):
                settled.append(sha256.hex())
                continue
            if isinstance(done.error, Unavailable):
                raise done.error
            failed.append((sha256.hex(), done.error))
        if len(failed) > ALONE_MAX and not settled:
            raise failed[-1][1]
        for name, error in failed:
            await put_aside(self._store, self._clock, MEDIA, name, error)
        if settled:
            await self._store.clear_dead_letters(MEDIA, settled)

    async def settle_again(self, name: str) -> None:
        """Retry a content that was put aside, by its sha256 in hexadecimal digits. If that is not
        possible now, its dead letter becomes due again."""
        if name in self._trying:
            return
        self._trying.add(name)
        try:
            done = await attempt(partial(self._settle_again, name))
        finally:
            self._trying.discard(name)
        if isinstance(done, Failed):
            log.warning("media are settled later", sha256=name, error=repr(done.error))

    async def _settle_again(self, name: str) -> None:
        names = {sha256.hex(): sha256 for sha256 in await self._files.doubtful(DOUBT_AGE_S)}
        done: Failed | None = None
        if name in names:
            done = await attempt(partial(self._settle_in_turn, names[name]))
        elif name in {sha256.hex() for sha256 in await self._files.doubtful(0.0)}:
            return  # it was uploaded or deleted just now: too early to tell
        if not isinstance(done, Failed):
            await self._store.clear_dead_letters(MEDIA, [name])
        elif not isinstance(done.error, Unavailable):
            await put_aside(self._store, self._clock, MEDIA, name, done.error)

    async def _settle_in_turn(self, sha256: bytes) -> None:
        async with self._files.turn(_of_content(sha256)):
            await self._settle(sha256)

    async def _settle(self, sha256: bytes) -> None:
        if not await self._store.is_content_used(sha256):
            await self._files.remove(sha256)
        await self._files.settle(sha256)


def _of_content(sha256: bytes) -> str:
    return f"content {sha256.hex()}"


def check_quota(used_bytes: int, quota_bytes: int) -> None:
    """Raises `TooLarge`."""
    if used_bytes > quota_bytes:
        raise TooLarge(Detail("media_full", most=quota_bytes))
