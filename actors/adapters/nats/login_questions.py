"""Receives the broker's login requests: one by one, while other tasks run in between.

    questions = LoginQuestions(auth, connections, queue)
    await questions.subscribe()         # from now on requests arrive in the queue
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
# Requests to read in a row: some hundredths of a millisecond each.
IN_A_ROW_MAX = 32


class LoginQuestions:
    """Puts (message to answer, request) into the queue.

    Args:
        auth: the connection for requests.
    """

    def __init__(self, auth: Any, connections: Connections, queue: LoginQueue) -> None:
        self._auth = auth
        self._connections = connections
        self._queue = queue
        self._unasked = Unasked()
        self._in_a_row = 0

    async def subscribe(self) -> None:
        """Until then nobody except Roost can log in."""
        await self._auth.subscribe(SUBJECT, cb=self.take)
        await self.begin_again()

    async def begin_again(self) -> None:
        """Close the clients that sent a login before we were subscribed."""
        await self._unasked.close(self._auth, self._connections)

    async def take(self, message: Any) -> None:
        """Called for all requests that have arrived, in one step of the loop unless it waits here:
        thousands of strangers would block all other tasks."""
        self.read(message)
        self._in_a_row = (self._in_a_row + 1) % IN_A_ROW_MAX
        if not self._in_a_row:
            await asyncio.sleep(0)

    def read(self, message: Any) -> None:
        """A client wants to log in."""
        try:
            ask = understood(message.data)
        except (BadPayload, LookupError, ValueError, TypeError, AttributeError) as error:
            log.warning("login request cannot be decoded", error=in_words(error))
        else:
            self._unasked.note(ask.client_id)
            self._queue.put((message, ask), ask.address)
