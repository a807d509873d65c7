"""The media library: rows and files together.

A content is on the disk once, however many users have it, and its file goes with the last row.

The race between the one who removes the last row and another who uploads the same content at that
moment is decided by turns (`MediaFiles.turn`, one at a time for each content, in all processes on
the directory): in its turn an upload puts its file into place *and* adds its row, a removal takes
its row away, asks whether a row is left, *and* removes the file. So whoever comes second sees all
that the first did: the upload puts a removed file there anew, or the removal finds the upload's row
and leaves the file. A slow call of the store for one content holds up no other. For the quota, an
upload takes a turn of its user, too. Bytes are received and hashed before, without a turn.

Where a turn ends in the middle (a crash, an answer of the store that was lost) the content is still
marked as doubtful, on the disk, and asked about later (`settle_all`). Nothing else is ever swept: a
directory that meets a wrong database by mistake loses nothing to it. An upload that was answered
with 503 may leave a row without its content when somebody deleted the same content meanwhile;
sending it again puts the content there.
"""

from actors.ports import Store
from actors.ports.media import MediaDraft, MediaFiles
from protocol.errors import Conflict, TooLarge
from protocol.records import Media

# The store may still be doing what we heard no answer to: a statement for 20 s (`connecting.py`).
DOUBT_AGE_S = 120.0


class Library:
    """Uploads and deletions, each whole."""

    def __init__(self, store: Store, files: MediaFiles) -> None:
        self._store = store
        self._files = files

    async def add(self, media: Media, draft: MediaDraft, quota_bytes: int) -> Media:
        """Keep a sealed draft as media; what the user has of this content already, if any.

        Raises:
            TooLarge: the user's media would exceed the quota (several uploads may arrive at once).
            Busy, Unavailable: nothing is known of its effect; it may be done again.
        """
        async with self._files.turn(_of_content(media.sha256), f"user {media.user_id}"):
            check_quota(await self._store.media_used(media.user_id) + media.size, quota_bytes)
            await self._files.doubt(media.sha256)
            await draft.keep()
            stored = await self._store.add_media(media)
            await self._files.settle(media.sha256)
            return stored

    async def remove(self, media: Media) -> None:
        """Delete media, and its content where nobody else has it. Raises `Conflict`."""
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
        """Remove contents that a crash left and that nobody has. Raises `Busy`, `Unavailable`."""
        for sha256 in await self._files.doubtful(DOUBT_AGE_S):
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
        raise TooLarge(f"all your media together may have {quota_bytes} bytes; delete some first")
