"""The twins of media: their rows in the store's twin, and their files without a disk."""

import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec
import trio

from actors.adapters.memory.store.tables import Tables
from actors.runtime.clock import WallClock
from protocol.errors import Busy, Conflict, NotFound
from protocol.media.media import Media, MediaCounts, Tally, day_of
from protocol.problems.detail import Detail
from protocol.schedule.civil import zone_of


class MediaTables(Tables):
    """See `actors.ports.media.MediaStore`.

    Attributes:
        media_needed_by: what may still need media; each has the code of the conflict. A new noun
            that refers to media adds its check in its `__init__`.
    """

    def __init__(self, clock: WallClock) -> None:
        super().__init__(clock)
        self._media: dict[str, Media] = {}
        self.media_needed_by: list[Callable[[Media], str | None]] = []

    async def add_media(self, media: Media) -> Media:
        await self._cross()
        for other in self._of_user(media.user_id):
            if other.sha256 == media.sha256:
                return other
        media = msgspec.structs.replace(media, num=self._next("media"))
        self._media[media.id] = media
        return media

    def _of_user(self, user_id: str) -> list[Media]:
        return [media for media in self._media.values() if media.user_id == user_id]

    async def media(self, user_id: str, media_id: str) -> Media | None:
        await self._cross()
        found: Media | None = self._one("media", self._media.get(media_id), user_id)
        return found

    async def media_by_id(self, media_id: str) -> Media | None:
        await self._cross()
        found: Media | None = self._one("media", self._media.get(media_id))
        return found

    async def delete_media(self, user_id: str, media_id: str) -> None:
        await self._cross()
        media = self._media.get(media_id)
        if media is None or media.user_id != user_id:
            return
        for needed_by in self.media_needed_by:
            code = needed_by(media)
            if code is not None:
                raise Conflict(Detail(code))
        del self._media[media_id]

    async def media_stats(self, user_id: str, since_us: int, timezone: str = "UTC") -> MediaCounts:
        await self._cross()
        zone = zone_of(timezone)
        found = self._of_user(user_id)
        recent = [media for media in found if media.created_us >= since_us]
        types = {media.content_type for media in found}
        days = {day_of(media.created_us, zone) for media in recent}
        return MediaCounts(
            total=_tally(found),
            by_type={t: _tally(m for m in found if m.content_type == t) for t in sorted(types)},
            by_day={
                day: _tally(m for m in recent if day_of(m.created_us, zone) == day)
                for day in sorted(days)
            },
        )

    async def media_used(self, user_id: str) -> int:
        await self._cross()
        return sum(media.size for media in self._of_user(user_id))

    async def is_content_used(self, sha256: bytes) -> bool:
        await self._cross()
        return any(media.sha256 == sha256 for media in self._media.values())


def _tally(found: Iterable[Media]) -> Tally:
    sizes = [media.size for media in found]
    return Tally(count=len(sizes), bytes=sum(sizes))


class MemoryFiles:
    """See `actors.ports.media.MediaFiles`. No threads: they would break a virtual clock.

    Attributes:
        room: how many bytes it still takes.
        drafts: how many are open.
    """

    def __init__(self) -> None:
        self.room = 1 << 40
        self.drafts = 0
        self._contents: dict[bytes, bytes] = {}
        self._doubtful: dict[bytes, float] = {}  # since when
        self._turns: dict[str, trio.Lock] = {}

    @asynccontextmanager
    async def draft(self) -> AsyncIterator["MemoryDraft"]:
        await trio.lowlevel.checkpoint()
        self.drafts += 1
        try:
            yield MemoryDraft(self)
        finally:
            self.drafts -= 1

    @asynccontextmanager
    async def turn(self, *keys: str) -> AsyncIterator[None]:
        async with AsyncExitStack() as held:
            for key in sorted(set(keys)):
                await held.enter_async_context(self._turns.setdefault(key, trio.Lock()))
            yield

    @property
    def contents(self) -> int:
        """How many contents there are."""
        return len(self._contents)

    def put(self, sha256: bytes, content: bytes) -> None:
        self._contents.setdefault(sha256, content)

    async def read(self, sha256: bytes, start: int, length: int) -> bytes:
        await trio.lowlevel.checkpoint()
        if sha256 not in self._contents:
            raise NotFound(Detail("media_content_gone"))
        return self._contents[sha256][start : start + length]

    async def remove(self, sha256: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self._contents.pop(sha256, None)

    async def doubt(self, sha256: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self._doubtful[sha256] = trio.current_time()

    async def settle(self, sha256: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self._doubtful.pop(sha256, None)

    async def doubtful(self, age_s: float) -> Sequence[bytes]:
        await trio.lowlevel.checkpoint()
        until_s = trio.current_time() - age_s
        return sorted(each for each, since_s in self._doubtful.items() if since_s <= until_s)


class MemoryDraft:
    """See `actors.ports.media.MediaDraft`."""

    def __init__(self, files: MemoryFiles) -> None:
        self._files = files
        self._content = bytearray()

    @property
    def size(self) -> int:
        return len(self._content)

    async def write(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        if len(data) > self._files.room:
            raise Busy(Detail("media_no_room"), retry_after_s=60)
        self._files.room -= len(data)
        self._content += data

    async def seal(self) -> bytes:
        await trio.lowlevel.checkpoint()
        return hashlib.sha256(self._content).digest()

    async def keep(self) -> None:
        self._files.put(await self.seal(), bytes(self._content))
