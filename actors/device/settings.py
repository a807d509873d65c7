"""How settings that change over REST reach living device actors, at once or as soon as possible.

    async with settings.changing(user_id, codes=[device.code]):
        await store.update_device(device, revision)

At the end of the block living actors use the settings that the store has now.
"""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial

import structlog
import trio

from actors.device.loader import LOAD_MAX, DeviceLoader
from actors.runtime.isolation import Failed, attempt
from actors.runtime.mailbox import Mailbox
from actors.runtime.reply import Reply
from actors.runtime.retry import grown_s
from protocol.errors import Problem, Unavailable, in_words
from protocol.messages import Configured, DeviceMessage
from protocol.records import Feed, LoadedDevice

log = structlog.get_logger("roost.devices")

TIMEOUT_S = 5.0
# If a user's settings cannot be read: the first pause, and the longest one after many failures.
AGAIN_S, AGAIN_MAX_S = 1.0, 5.0


class SettingsRefresh:
    """Reads settings again and sends them to living actors.

    Args:
        mailboxes: those of a user's living actors, by device code.
        concerned: the codes of those that a change of a feed concerns.
        renewed: called with a user whose actors took settings late: a change may have failed
            half-way, and nobody was told of it.
    """

    def __init__(
        self,
        loader: DeviceLoader,
        mailboxes: Callable[[str], Mapping[str, Mailbox[DeviceMessage]]],
        concerned: Callable[[str, Feed], Sequence[str]],
        renewed: Callable[[str], None],
    ) -> None:
        self._loader = loader
        self._mailboxes = mailboxes
        self._concerned = concerned
        self._renewed = renewed
        # Users whose actors may use old settings, and when they are read again: users with living
        # actors, and users who changed something while the store did not answer.
        self._stale: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._stale_came = trio.Event()

    @asynccontextmanager
    async def changing(
        self, user_id: str, *, codes: Collection[str] = (), feed: Feed | None = None
    ) -> AsyncIterator[None]:
        """Around a change of settings in the store: at its end living actors use the new ones.

        A change that failed may have been committed (its answer was lost). Then the actors also
        read their settings again, as soon as the store answers.

        Args:
            codes: the devices whose settings change.
            feed: a feed that changes; the devices that it concerns are found.
        """
        try:
            yield
        except Problem:
            raise  # it was refused: nothing has changed
        except BaseException:
            self.refresh_later(user_id)
            raise
        if feed is None:
            await self._refresh(user_id, self._living(user_id, codes))
        else:
            await self._refresh_feed(user_id, codes, feed)

    def _living(self, user_id: str, codes: Collection[str]) -> list[str]:
        return sorted(set(codes) & self._mailboxes(user_id).keys())

    async def _refresh_feed(self, user_id: str, codes: Collection[str], feed: Feed) -> None:
        """Give the new settings to all that a feed concerns.

        While some read theirs, another one may make a state of the feed from the old settings: so
        it is looked again. Shared feeds are read with a device; if that was just deleted, with all.
        A reading that failed is repeated later anyway.
        """
        done: set[str] = set()
        was_read = False
        while more := set(self._living(user_id, [*codes, *self._concerned(user_id, feed)])) - done:
            was_read |= await self._refresh(user_id, sorted(more))
            done |= more
        if feed.device_id is None and not was_read and user_id not in self._stale:
            await self._refresh_all(user_id)

    def doubt(self, user_id: str) -> None:
        """A change of this user's objects may have been committed, with its answer lost. When the
        store answers, the user's actors read their settings again, and dashboards read their data
        again."""
        if user_id not in self._stale:
            self.refresh_later(user_id)

    def refresh_later(self, user_id: str) -> None:
        """Read the user's settings after a pause, which grows with each failure."""
        failures = self._failures[user_id] = self._failures.get(user_id, 0) + 1
        self._stale[user_id] = trio.current_time() + grown_s(failures, AGAIN_S, AGAIN_MAX_S)
        self._stale_came.set()

    async def _refresh_all(self, user_id: str) -> None:
        await self._refresh(user_id, list(self._mailboxes(user_id)))

    async def _refresh(self, user_id: str, codes: Sequence[str]) -> bool:
        """Give living actors the current settings, in portions, between which others may start. If
        the store does not answer, or an actor is too busy, they get them later.

        Returns whether one of the devices exists and was read.
        """
        is_done = was_read = False
        try:
            for first in range(0, len(codes), LOAD_MAX):
                with trio.fail_after(TIMEOUT_S):
                    some = codes[first : first + LOAD_MAX]
                    replies, were_read = await self._configure(user_id, some)
                    was_read |= were_read
                    for reply in replies:
                        await reply.wait(TIMEOUT_S)
            is_done = True
        except (
            Unavailable,
            trio.WouldBlock,
            trio.ClosedResourceError,
            trio.TooSlowError,
        ) as error:
            log.warning("devices take new settings late", user=user_id, error=in_words(error))
        finally:
            if not is_done:  # for any reason
                self.refresh_later(user_id)
        return was_read

    async def _configure(
        self, user_id: str, codes: Sequence[str]
    ) -> tuple[list[Reply[None]], bool]:
        """Read settings and send them to living actors; each reply tells that one has taken them.
        And whether one of the devices exists and was read."""
        read, found = await self._loader.read([(user_id, code) for code in codes])
        await self._loader.note_failures(found)
        replies = []
        for key, device in found.items():
            if isinstance(device, Failed):
                self.refresh_later(user_id)
                continue
            mailbox = self._mailboxes(user_id).get(key[1])
            if mailbox is not None:  # else its actor ended, and reads them at its next start
                reply = Reply[None]()
                message = Configured(loaded=device, read=read, done=partial(reply.settle, None))
                mailbox.put_nowait(message, control=True)
                replies.append(reply)
        were_read = any(isinstance(device, LoadedDevice) for device in found.values())
        return replies, were_read

    async def run(self) -> None:
        """Deliver settings that could not be taken at once, for ever."""
        while True:
            self._stale_came = trio.Event()
            now_s = trio.current_time()
            due = [user_id for user_id, due_s in self._stale.items() if due_s <= now_s]
            if not due:
                with trio.move_on_at(min(self._stale.values(), default=float("inf"))):
                    await self._stale_came.wait()
            for user_id in due:
                del self._stale[user_id]
                # If this fails, for any reason, it notes the user again.
                done = await attempt(partial(self._refresh_all, user_id))
                if isinstance(done, Failed):
                    log.warning("settings not read", user=user_id, error=in_words(done.error))
                elif user_id not in self._stale:
                    self._failures.pop(user_id, None)
                    self._renewed(user_id)
