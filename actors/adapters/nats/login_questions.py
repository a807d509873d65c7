"""How the broker's questions about logins arrive: one by one, with turns for others in between.

    questions = LoginQuestions(auth, connections, queue)
    await questions.subscribe()         # from now on the broker's questions arrive in the queue
    await questions.begin_again()       # after each new connection

All of it is asyncio-flavored, or synchronous on the bridge's loop.
"""

import asyncio
from typing import Any

import structlog

from actors.adapters.nats.connections import Connections
from actors.adapters.nats.login_answers import understood
from actors.adapters.nats.login_queue import LoginQueue
from actors.adapters.nats.unasked import Unasked
from protocol.errors import BadPayload, in_words

log = structlog.get_logger("roost.logins")

SUBJECT = "$SYS.REQ.USER.AUTH"
# To be read in a row: some hundredths of a millisecond each.
IN_A_ROW_MAX = 32


class LoginQuestions:
    """Puts (message to answer, what it asks) into the queue.

    Args:
        auth: the connection on which the broker asks.
    """

    def __init__(self, auth: Any, connections: Connections, queue: LoginQueue) -> None:
        self._auth = auth
        self._connections = connections
        self._queue = queue
        self._unasked = Unasked()
        self._in_a_row = 0

    async def subscribe(self) -> None:
        """Until then nobody but us can log in."""
        await self._auth.subscribe(SUBJECT, cb=self.take)
        await self.begin_again()

    async def begin_again(self) -> None:
        """Close the clients of whom the broker asked before we were subscribed."""
        await self._unasked.close(self._auth, self._connections)

    async def take(self, message: Any) -> None:
        """Called for all that have arrived, in one step of the loop unless something waits here:
        thousands of strangers would hold up everybody."""
        self.read(message)
        self._in_a_row = (self._in_a_row + 1) % IN_A_ROW_MAX
        if not self._in_a_row:
            await asyncio.sleep(0)

    def read(self, message: Any) -> None:
        """Somebody wants to log in."""
        try:
            ask = understood(message.data)
        except (BadPayload, LookupError, ValueError, TypeError, AttributeError) as error:
            log.warning("login request not understood", error=in_words(error))
        else:
            self._unasked.note(ask.client_id)
            self._queue.put((message, ask), ask.address)
