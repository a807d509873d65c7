"""Closes the MQTT connections of disabled accounts.

    nursery.start_soon(lock_outs.run)
    lock_outs.look()                    # an account has changed, here or in another process

The broker asks the store about logins, which finds none of a disabled account. So only connections
from before are closed, twice: a login that was answered just before is connected by the second
time. The session of a device stays at the broker until its account is enabled, that of a listener
ends.
"""

from collections.abc import Callable, Sequence
from functools import partial

import structlog
import trio

from actors.ports.logins import Logins
from actors.ports.store import Store
from actors.runtime.isolation import Failed, attempt
from actors.runtime.retry import Pauses, until_available
from protocol.errors import Unavailable, in_words
from protocol.people.user import DisabledUser

log = structlog.get_logger("roost.accounts")

AGAIN_S, AGAIN_MAX_S = 1.0, 30.0
CLOSE_AGAIN_S = 1.0
PAGE = 500


class LockOuts:
    """Args:
    look_again_s: how often it looks by itself, because a notification may have been lost.
    found: called with all disabled accounts at each look.
    """

    def __init__(
        self,
        store: Store,
        logins: Logins,
        look_again_s: float,
        found: Callable[[Sequence[DisabledUser]], None] = lambda users: None,
    ) -> None:
        self._store = store
        self._logins = logins
        self._look_again_s = look_again_s
        self._found = found
        self._out: dict[str, int] = {}  # accounts that are locked out, since when
        self._bell = trio.Event()

    def look(self) -> None:
        """There may be another disabled account. Never blocks."""
        self._bell.set()

    async def run(self) -> None:
        """Lock out disabled accounts, for ever."""
        while True:
            self._bell = trio.Event()
            await until_available(self._look, Pauses(AGAIN_S, AGAIN_MAX_S), _waits)
            with trio.move_on_after(self._look_again_s):
                await self._bell.wait()

    async def _look(self) -> None:
        users = await self._store.disabled_users()
        self._found(users)
        since = {user.id: user.disabled_us for user in users}
        self._out = {id_: us for id_, us in self._out.items() if since.get(id_) == us}
        new = [user_id for user_id in since if user_id not in self._out]
        if not new:
            return
        for user_id in new:
            await self._close(user_id)
        await trio.sleep(CLOSE_AGAIN_S)
        for user_id in new:
            if await self._close(user_id):
                self._out[user_id] = since[user_id]

    async def _close(self, user_id: str) -> bool:
        """False if it failed because of this account: it is tried again at the next look."""
        done = await attempt(partial(self._close_all, user_id))
        if not isinstance(done, Failed):
            return True
        if isinstance(done.error, Unavailable):
            raise done.error
        log.warning("account not locked out yet", user=user_id, error=in_words(done.error))
        return False

    async def _close_all(self, user_id: str) -> None:
        listener = await self._store.listener(user_id)
        if listener is not None:
            await self._logins.forget_user(listener.username)
        after = 0
        while page := await self._store.devices(user_id, PAGE, after):
            for device in page:
                await self._logins.disconnect(device.client_id)
            after = page[-1].num


def _waits(error: Unavailable) -> None:
    log.warning("disabled accounts are looked at later", error=in_words(error))
