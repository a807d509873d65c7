"""Erases accounts, with everything that belongs to them.

    eraser = Eraser(store, changes, library)
    await eraser.erase(user_id)

It goes in portions: each device with its history, each shared feed, each medium, and at last the
rest with the row of the user. Whoever repeats it continues where it ended. The account was disabled
before (`ErasureStore.disable_user`), so nothing new is added meanwhile.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from typing import Protocol

import structlog
import trio

from actors.containment.put_aside import put_aside
from actors.media import library
from actors.ports.store import Store
from actors.runtime.clock import WallClock
from actors.runtime.isolation import Failed, attempt
from actors.runtime.retry import Pauses, until_available
from protocol.dead_letters import ERASURES, DeadLetter
from protocol.errors import Unavailable, Unreadable, in_words
from protocol.people.user import DisabledUser
from protocol.records import Device, Feed
from protocol.rest.listing import MEDIA, Listing, UnreadableRow

log = structlog.get_logger("roost.accounts")

PORTION = 100
AGAIN_S, AGAIN_MAX_S = 1.0, 60.0


class Deletions(Protocol):
    """How devices, feeds and listeners are deleted: in a service by `Changes`, which informs
    everybody who is concerned."""

    async def delete_device(
        self, device: Device, *, purge: bool, turn: AbstractAsyncContextManager[None]
    ) -> None: ...

    async def delete_feed(self, feed: Feed, turn: AbstractAsyncContextManager[None]) -> None: ...

    async def delete_listener(self, user_id: str) -> bool: ...


class StoreOnly:
    """`Deletions` where no service runs. The next one to start clears what the broker has."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def delete_device(
        self, device: Device, *, purge: bool, turn: AbstractAsyncContextManager[None]
    ) -> None:
        async with turn:
            await self._store.delete_device(device.user_id, device.id, purge)

    async def delete_feed(self, feed: Feed, turn: AbstractAsyncContextManager[None]) -> None:
        async with turn:
            await self._store.delete_feed(feed.user_id, feed.id)

    async def delete_listener(self, user_id: str) -> bool:
        return await self._store.delete_listener(user_id) is not None


class Eraser:
    def __init__(self, store: Store, deletions: Deletions, media: library.Library) -> None:
        self._store = store
        self._deletions = deletions
        self._media = media

    async def erase(self, user_id: str) -> None:
        """Erase an account that is marked for it.

        Raises:
            Unavailable: the store or the broker does not answer; try again.
            Conflict, Unreadable: some of its media cannot be removed.
        """
        await self._deletions.delete_listener(user_id)
        while page := await self._store.devices(user_id, PORTION, 0):
            for device in page:
                await self._erase_device(device)
        while feeds := await self._store.feeds(user_id, PORTION, 0):
            for feed in feeds:
                await self._erase_history(feed)
                await self._deletions.delete_feed(feed, nullcontext())
        await self._erase_media(user_id)
        while not await self._store.erase_user(user_id):
            await self._erase_media(user_id)

    async def _erase_device(self, device: Device) -> None:
        after = 0
        while feeds := await self._store.feeds(device.user_id, PORTION, after, device.id):
            for feed in feeds:
                await self._erase_history(feed)
            after = feeds[-1].num
        await self._deletions.delete_device(device, purge=True, turn=nullcontext())

    async def _erase_history(self, feed: Feed) -> None:
        """Portion by portion: deleted with its feed it would be one transaction, however long."""
        if feed.last_us is not None:
            await self._store.delete_history(feed.num, None, None)

    async def _erase_media(self, user_id: str) -> None:
        while page := await self._store.listed(MEDIA, user_id, Listing(limit=PORTION)):
            for _, media in page:
                if isinstance(media, UnreadableRow):
                    raise Unreadable("some of its media cannot be read")
                await self._media.remove(media)


class Erasures:
    """Erases the accounts that are marked for it, one after the other, while this process leads.
    One that fails is put aside, and tried again when its dead letter is due."""

    def __init__(
        self,
        store: Store,
        clock: WallClock,
        erase: Callable[[str], Awaitable[None]],
        wait_may_serve: Callable[[], Awaitable[None]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._erase = erase
        self._wait_may_serve = wait_may_serve
        self._wanted: dict[str, None] = {}
        self._aside: set[str] = set()
        self._bell = trio.Event()

    def found(self, users: Sequence[DisabledUser]) -> None:
        """All disabled accounts there are. Never blocks."""
        self._wanted = dict.fromkeys(user.id for user in users if user.is_erased)
        self._aside.intersection_update(self._wanted)
        if self._wanted:
            self._bell.set()

    def try_again(self, letter: DeadLetter) -> None:
        """The dead letter of an account is due."""
        self._aside.discard(letter.subject)
        self._bell.set()

    async def run(self) -> None:
        """Erase accounts for ever."""
        while True:
            await self._bell.wait()
            self._bell = trio.Event()
            await until_available(self._work, Pauses(AGAIN_S, AGAIN_MAX_S), _waits)

    async def _work(self) -> None:
        for user_id in [each for each in self._wanted if each not in self._aside]:
            await self._wait_may_serve()
            log.info("an account is being erased", user=user_id)
            done = await attempt(partial(self._erase, user_id))
            if not isinstance(done, Failed):
                self._wanted.pop(user_id, None)
                log.info("an account was erased", user=user_id)
            elif isinstance(done.error, Unavailable):
                raise done.error
            elif await put_aside(self._store, self._clock, ERASURES, user_id, done.error, user_id):
                self._aside.add(user_id)


def _waits(error: Unavailable) -> None:
    log.warning("an account is erased later", error=in_words(error))
