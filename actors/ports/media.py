"""Media: their rows in the store, and the files that hold their bytes."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from protocol.media.media import Media, MediaCounts


class MediaStore(Protocol):
    """The part of the store that knows who has which content."""

    async def add_media(self, media: Media) -> Media:
        """Answers with its `num`; where the user has this content already, with that one."""
        ...

    async def media(self, user_id: str, media_id: str) -> Media | None: ...

    async def media_by_id(self, media_id: str) -> Media | None:
        """Of whatever user: for signed links."""
        ...

    async def delete_media(self, user_id: str, media_id: str) -> None:
        """Nothing where there is no such media. Raises `Conflict` while something needs it."""
        ...

    async def media_stats(self, user_id: str, since_us: int) -> MediaCounts:
        """Counts of everything, and by day (UTC) of what was uploaded from `since_us` on."""
        ...

    async def media_used(self, user_id: str) -> int:
        """Bytes of a user's media together."""
        ...

    async def is_content_used(self, sha256: bytes) -> bool:
        """Whether any user has media of this content."""
        ...


class MediaDraft(Protocol):
    """Bytes on their way to become a file. Every call raises `Busy` when there is no room."""

    @property
    def size(self) -> int:
        """Bytes written so far."""
        ...

    async def write(self, data: bytes) -> None: ...

    async def seal(self) -> bytes:
        """Nothing more follows, and all of it is on the disk; answers with the sha256."""
        ...

    async def keep(self) -> None:
        """Put the sealed draft into its place; where its content is there already, that stays.

        To be called inside `MediaFiles.turn`.
        """
        ...


class MediaFiles(Protocol):
    """Contents by their sha256, each once, whoever has it.

    Every call raises `Busy` when the disk does not do what it should.
    """

    def draft(self) -> AbstractAsyncContextManager[MediaDraft]:
        """A new draft. What was not kept by the end of the block leaves nothing behind."""
        ...

    def turn(self, *keys: str) -> AbstractAsyncContextManager[None]:
        """One at a time for each of the keys, in all processes that share the directory."""
        ...

    async def read(self, sha256: bytes, start: int, length: int) -> bytes:
        """Up to `length` bytes, fewer at the end. Raises `NotFound` when it is not there."""
        ...

    async def remove(self, sha256: bytes) -> None:
        """Nothing where it is gone already. To be called inside `turn`."""
        ...

    async def doubt(self, sha256: bytes) -> None:
        """Remember, also over a crash, that it is to be asked whether anybody has this content."""
        ...

    async def settle(self, sha256: bytes) -> None:
        """There is no doubt of this content any more."""
        ...

    async def doubtful(self, age_s: float) -> Sequence[bytes]:
        """Contents in doubt for that long or longer."""
        ...
