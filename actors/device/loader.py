"""Reads devices from the store for their actors: in batches, each with a number.

Starting actors are loaded together: for five hundred devices that publish at once, one query is
enough. A device that cannot be read fails alone and gets a dead letter. From then on it is read
separately, so that it delays no other device.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from weakref import WeakValueDictionary

import msgspec
import structlog
import trio

from actors.containment.put_aside import put_aside
from actors.ports.store import Store
from actors.runtime.clock import WallClock
from actors.runtime.isolation import Failed, attempt_each
from actors.runtime.reply import Reply
from actors.runtime.retry import Pauses, until_available
from protocol.dead_letters import DEVICES
from protocol.errors import Unavailable, in_words
from protocol.records import LoadedDevice, SharedFeeds
from protocol.times import SECOND_US

log = structlog.get_logger("roost.devices")

Key = tuple[str, str]
Loaded = tuple[int, LoadedDevice | None]  # the number of the read, and its result
Found = dict[Key, LoadedDevice | Failed | None]

LOAD_MAX = 1_000
RETRY_S = 0.25
# Devices with a dead letter, as far as this process knows; and after how long one is noted again if
# there was no room for its letter.
ASIDE_MAX = 10_000
ASIDE_AGAIN_US = 60 * SECOND_US


class DeviceLoader:
    """Reads of the store are made one after the other: the higher number is newer.

    Args:
        written: waits until the writes of ended actors are stored.
        starts: called with each device that an actor starts with.
        healed: called with a device that had a dead letter and can be read again.
    """

    def __init__(
        self,
        store: Store,
        clock: WallClock,
        *,
        written: Callable[[], Awaitable[None]],
        starts: Callable[[LoadedDevice], None],
        healed: Callable[[LoadedDevice], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._written = written
        self._starts = starts
        self._healed = healed
        self._ask, self._asked = trio.open_memory_channel[tuple[Key, Reply[Loaded]]](LOAD_MAX)
        self._loading: list[tuple[Key, Reply[Loaded]]] = []
        self._aside: dict[Key, int] = {}  # and when (µs) they are noted again
        # By user, for as long as one of the user's actors has them.
        self._shared: WeakValueDictionary[str, SharedFeeds] = WeakValueDictionary()
        self._reading = trio.Lock()
        self._reads = 0

    async def load(self, key: Key) -> Loaded:
        """The state that an actor starts with, after everything that an earlier one wrote; None if
        there is no such device.

        Raises:
            Exception: the reason why this device cannot be read.
        """
        reply = Reply[Loaded]()
        await self._ask.send((key, reply))
        return await reply.wait(float("inf"))

    async def run(self) -> None:
        """Load the devices of starting actors, all that are waiting at once.

        A device that cannot be loaded fails alone, with its actor. A failure that is not of a
        single device fails this task: the same devices are loaded when it runs again, and until
        then their messages are not acknowledged.
        """
        while True:
            if not self._loading:
                self._loading.append(await self._asked.receive())
            while len(self._loading) < LOAD_MAX:
                try:
                    self._loading.append(self._asked.receive_nowait())
                except trio.WouldBlock:
                    break
            asked = list(self._loading)
            # Two may wait for one device: an actor that was retired, and its successor.
            keys = list(dict.fromkeys(key for key, _ in asked))
            read, found = await self._load(keys)
            self._loading.clear()
            for key, reply in asked:
                device = found[key]
                if isinstance(device, Failed):
                    reply.fail(device.error)
                    continue
                if device is not None:
                    self._starts(device)
                reply.settle((read, device))
            await self.note_failures(found)

    async def _load(self, keys: Sequence[Key]) -> tuple[int, Found]:
        def waits(error: Unavailable) -> None:
            log.warning("devices cannot be loaded yet", count=len(keys), error=in_words(error))

        await self._written()
        return await until_available(partial(self.read, keys), Pauses(RETRY_S), waits)

    async def read(self, keys: Sequence[Key]) -> tuple[int, Found]:
        """Devices as they are now, and the number of this read. One that cannot be read is
        `Failed`; call `note_failures` with the result."""
        async with self._reading:
            self._reads += 1
            good = [key for key in keys if key not in self._aside]
            found: Found = dict(zip(good, await attempt_each(good, self._query), strict=True))
            for key in keys:
                if key not in found:
                    (found[key],) = await attempt_each([key], self._query)
            return self._reads, {key: found[key] for key in keys}

    async def _query(self, keys: Sequence[Key]) -> list[LoadedDevice | None]:
        loaded = await self._store.load_devices(keys)
        # In one read, all devices of a user have equal shared feeds.
        of_user = {each.device.user_id: each.shared for each in loaded if each is not None}
        one_copy = {user_id: self._one_copy(user_id, feeds) for user_id, feeds in of_user.items()}
        return [
            each and msgspec.structs.replace(each, shared=one_copy[each.device.user_id])
            for each in loaded
        ]

    def _one_copy(self, user_id: str, feeds: SharedFeeds) -> SharedFeeds:
        """The same object for all actors of a user, although they start at different times. So new
        settings of a shared feed reach those that have no state of it with one reading."""
        known = self._shared.get(user_id)
        if known is None:
            self._shared[user_id] = feeds
            return feeds
        if known != feeds:
            known.become(feeds)
        return known

    async def note_failures(self, found: Found) -> None:
        """A device that failed gets a dead letter; one that had one and did not fail loses it."""
        for key, device in found.items():
            if isinstance(device, Failed):
                await self._put_aside(key, device.error)
            elif key in self._aside:
                del self._aside[key]
                if device is not None:
                    self._healed(device)
                await self._store.clear_dead_letters(DEVICES, [subject_of(key)])

    async def _put_aside(self, key: Key, error: Exception) -> None:
        """Note it, unless it is known and its pause is not over: actors start more often."""
        now_us = self._clock.now_us()
        if now_us >= self._aside.get(key, 0):
            next_us = await put_aside(
                self._store, self._clock, DEVICES, subject_of(key), error, key[0]
            )
            if key in self._aside or len(self._aside) < ASIDE_MAX:
                self._aside[key] = next_us or now_us + ASIDE_AGAIN_US

    def expect_again(self, key: Key) -> None:
        """The pause of this device's dead letter, which an earlier process may have noted, is
        over."""
        if key in self._aside or len(self._aside) < ASIDE_MAX:
            self._aside[key] = 0


def subject_of(key: Key) -> str:
    """How a dead letter names a device."""
    return f"{key[0]}/{key[1]}"
