"""Clients of whom the broker asked before Roost was subscribed to its questions.

It asks once for each login, and keeps the client waiting for `LOGIN_WITHIN_S`. So after each start
of Roost, or of the broker, the first clients would come in last. They are closed instead, and
connect again, as every client does that lost its connection.
"""

from collections.abc import Collection
from functools import partial
from typing import Any

import structlog

from actors.adapters.nats.connections import TIMEOUT_S, Connections
from actors.runtime.isolation import Failed, attempt
from protocol.errors import in_words

log = structlog.get_logger("roost.logins")


class Unasked:
    """Usage: `await unasked.close(auth, connections)` after each subscription to questions, and
    `unasked.note(client_id)` for each question."""

    def __init__(self) -> None:
        self._asked: set[str] | None = None  # while `close` looks

    def note(self, client_id: str) -> None:
        if self._asked is not None:
            self._asked.add(client_id)

    async def close(self, auth: Any, connections: Connections) -> None:
        """On the loop of the connection that gets the questions. Where the broker does not answer,
        the clients wait."""
        asked = self._asked = set()
        try:
            await auth.flush(TIMEOUT_S)  # it has our subscription
            done = await attempt(partial(_close, connections, asked))
        finally:
            self._asked = None
        if isinstance(done, Failed):
            why = in_words(done.error)
            log.warning("early logins wait until the broker ends them", error=why)
        else:
            log.debug("early logins were closed, to come again", many=done)


async def _close(connections: Connections, asked: Collection[str]) -> int:
    waiting = await connections.not_in()
    return await connections.close(
        each for each in waiting if each.mqtt_client and each.mqtt_client not in asked
    )
