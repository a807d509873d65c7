"""Deletes the broker's sessions of logins that no longer exist.

    await sweep.device_deleted(device.client_id)
    await sweep.listener_deleted(listener.username)
    nursery.start_soon(sweep.run)

Each session holds subscriptions, of which the broker has a limited number for all users, and
waiting messages. It is deleted with its device or listener. If the broker does not answer then, or
this process ends, a sweep finds it: at the start, hourly, and soon after a failed deletion.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog
import trio

from actors.access.mqtt_credentials import username_of
from actors.ports.broker_sessions import KeptSession
from actors.ports.logins import Logins
from actors.ports.store import Store
from actors.runtime.isolation import Failed, attempt
from actors.runtime.retry import Pauses, until_available
from protocol.errors import Unavailable, in_words

log = structlog.get_logger("roost.broker_sessions")

EVERY_S = 3600.0
AGAIN_S = 10.0
ASKED_MAX = 1_000  # names in one query to the store


class SessionSweep:
    """Attributes:
    forgotten: how many sessions sweeps deleted because their login was deleted or their client
        left.
    """

    def __init__(self, store: Store, logins: Logins) -> None:
        self.forgotten = 0
        self._store = store
        self._logins = logins
        self._bell = trio.Event()

    async def device_deleted(self, client_id: str) -> None:
        """A device was deleted with its login. Never fails."""
        await self._now_or_soon(partial(self._logins.forget, client_id))

    async def listener_deleted(self, username: str) -> None:
        """A listener was deleted, or has another name now. Never fails."""
        await self._now_or_soon(partial(self._logins.forget_user, username))

    async def _now_or_soon(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Unavailable as error:
            log.warning("a session at the broker is deleted later", error=in_words(error))
            self._bell.set()

    async def run(self) -> None:
        """Sweep for ever."""
        while True:
            self._bell = trio.Event()
            await until_available(self.sweep, Pauses(AGAIN_S), _waits)
            with trio.move_on_after(EVERY_S):
                await self._bell.wait()
                await trio.sleep(AGAIN_S)

    async def sweep(self) -> None:
        """Delete sessions without a login. Raises `Unavailable`."""
        kept = await self._logins.kept()
        found = 0
        for start in range(0, len(kept), ASKED_MAX):
            for client_id in await self._left_over(kept[start : start + ASKED_MAX]):
                done = await attempt(partial(self._logins.forget, client_id))
                if not isinstance(done, Failed):
                    found += 1
                elif isinstance(done.error, Unavailable):
                    raise done.error
                else:
                    log.warning(
                        "session not deleted", client_id=client_id, error=in_words(done.error)
                    )
        cleared = await self._logins.clear_away()
        self.forgotten += found
        if found or cleared:
            log.info("sessions at the broker deleted", sessions=found, subscriptions=cleared)

    async def _left_over(self, kept: Sequence[KeptSession]) -> list[str]:
        """Client ids whose login was deleted, or that were there for one connection only. Names
        that Roost never issued belong to the operator or to Roost itself."""
        names = {each.client_id: username_of(each.client_id) for each in kept}
        asked = [name for name in dict.fromkeys(names.values()) if name is not None]
        issued = await self._store.issued(asked) if asked else set()
        return [
            each.client_id
            for each in kept
            if (name := names[each.client_id]) is not None and (name not in issued or each.is_gone)
        ]


def _waits(error: Unavailable) -> None:
    log.debug("sessions at the broker are looked at later", error=in_words(error))
