"""Closes clients that logged in before Roost was subscribed to the broker's login requests.

The broker sends one request for each login, and keeps the client waiting for `LOGIN_WITHIN_S`. So
after each start of Roost, or of the broker, the first clients would be admitted last. They are
closed instead, and connect again, as every client does after it lost its connection.
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
    """Usage: `await unasked.close(auth, connections)` after each subscription to requests, and
    `unasked.note(client_id)` for each request."""

    def __init__(self) -> None:
        self._asked: set[str] | None = None  # while `close` runs

    def note(self, client_id: str) -> None:
        if self._asked is not None:
            self._asked.add(client_id)

    async def close(self, auth: Any, connections: Connections) -> None:
        """On the loop of the connection that receives requests. If the broker does not answer, the
        clients wait."""
        asked = self._asked = set()
        try:
            await auth.flush(TIMEOUT_S)  # it has processed our subscription
            done = await attempt(partial(_close, connections, asked))
        finally:
            self._asked = None
        if isinstance(done, Failed):
            why = in_words(done.error)
            log.warning("early logins wait until the broker closes them", error=why)
        else:
            log.debug("early logins were closed, so that they reconnect", many=done)


async def _close(connections: Connections, asked: Collection[str]) -> int:
    waiting = await connections.not_in()
    return await connections.close(
        each for each in waiting if each.mqtt_client and each.mqtt_client not in asked
    )
