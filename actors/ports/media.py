"""Media: their rows in the store, and the files that hold their bytes."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from protocol.media.media import Media, MediaCounts


class MediaStore(Protocol):
    """The part of the store that has the media of users."""

    async def add_media(self, media: Media) -> Media:
        """Returns it with its `num`; if the user has this content already, the existing one."""
        ...

    async def media(self, user_id: str, media_id: str) -> Media | None: ...

    async def media_by_id(self, media_id: str) -> Media | None:
        """Whichever user has it: for signed links."""
        ...

    async def delete_media(self, user_id: str, media_id: str) -> None:
        """Does nothing if it does not exist. Raises `Conflict` while something needs it."""
        ...

    async def media_stats(self, user_id: str, since_us: int, timezone: str = "UTC") -> MediaCounts:
        """Counts of everything, and by civil day of what was uploaded from `since_us` on."""
        ...

    async def media_used(self, user_id: str) -> int:
        """Bytes of a user's media together."""
        ...

    async def is_content_used(self, sha256: bytes) -> bool:
        """Whether any user has media of this content."""
        ...


class MediaDraft(Protocol):
    """Bytes on their way into a file. Every call raises `Busy` if there is no room."""

    @property
    def size(self) -> int:
        """Bytes written so far."""
        ...

    async def write(self, data: bytes) -> None: ...

    async def seal(self) -> bytes:
        """Finish writing, and sync it to the disk; return the sha256."""
        ...

    async def keep(self) -> None:
        """Move the sealed draft into its place; if its content exists already, that one stays.

        Must be called inside `MediaFiles.turn`.
        """
        ...


class MediaFiles(Protocol):
    """Contents by their sha256, each stored once, for all users.

    Every call raises `Busy` if the disk fails.
    """

    def draft(self) -> AbstractAsyncContextManager[MediaDraft]:
        """A new draft. If it was not kept by the end of the block, nothing of it is left."""
        ...

    def turn(self, *keys: str) -> AbstractAsyncContextManager[None]:
        """One at a time for each of the keys, in all processes that share the directory."""
        ...

    async def read(self, sha256: bytes, start: int, length: int) -> bytes:
        """Up to `length` bytes, fewer at the end. Raises `NotFound` if it does not exist."""
        ...

    async def remove(self, sha256: bytes) -> None:
        """Does nothing if it is gone already. Must be called inside `turn`."""
        ...

    async def doubt(self, sha256: bytes) -> None:
        """Remember, even after a crash, to check whether anybody has this content."""
        ...

    async def settle(self, sha256: bytes) -> None:
        """This content is no longer in doubt."""
        ...

    async def doubtful(self, age_s: float) -> Sequence[bytes]:
        """Contents in doubt for that long or longer."""
        ...
