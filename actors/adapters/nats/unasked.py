"""Clients of whom the broker asked while nobody heard it.

It asks once for each login, and keeps the client waiting until its own patience ends
(`LOGIN_WITHIN_S`). After each start of Roost, or of the broker, those who were first would come in
last. So they are closed, and come again, as every client does that lost its line.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import structlog

from actors.runtime.isolation import Failed, attempt
from protocol import codec
from protocol.errors import in_words

log = structlog.get_logger("roost.logins")

TIMEOUT_S = 2.0
PAGE = 1_024  # the server's own
PAGES_MAX = 64


class Unasked:
    """Usage: `await unasked.close(auth, system)` whenever questions are heard from now on, and
    `unasked.note(client_id)` for each that comes."""

    def __init__(self) -> None:
        self._asked: set[str] | None = None  # while somebody looks

    def note(self, client_id: str) -> None:
        if self._asked is not None:
            self._asked.add(client_id)

    async def close(self, auth: Any, system: Any) -> None:
        """On the loop of both connections: `auth` hears the questions, `system` is of the system
        account. Where the broker does not answer, they wait."""
        asked = self._asked = set()
        try:
            await auth.flush(TIMEOUT_S)  # it has our subscription
            done = await attempt(partial(_close, system, asked.__contains__))
        finally:
            self._asked = None
        if isinstance(done, Failed):
            why = in_words(done.error)
            log.warning("early logins wait until the broker ends them", error=why)
        else:
            log.debug("early logins were closed, to come again", many=done)


async def _close(system: Any, is_asked: Callable[[str], bool]) -> int:
    closed = 0
    for page in range(PAGES_MAX):
        wanted = {"auth": True, "offset": page * PAGE, "limit": PAGE, "sort": "start"}
        answer = await system.request(
            "$SYS.REQ.SERVER.PING.CONNZ", codec.encode(wanted), timeout=TIMEOUT_S
        )
        found = codec.decode(answer.data)
        connections = found["data"]["connections"]
        for each in connections:
            if _waits(each) and not is_asked(each["mqtt_client"]):
                kick = f"$SYS.REQ.SERVER.{found['server']['id']}.KICK"
                # Without somebody to answer to, the server does not do it.
                await system.request(kick, codec.encode({"cid": each["cid"]}), timeout=TIMEOUT_S)
                closed += 1
        if len(connections) < PAGE:
            break
    return closed


def _waits(connection: dict[str, Any]) -> bool:
    """It has said who it is (MQTT's CONNECT), and belongs to no account yet."""
    return bool(connection.get("mqtt_client")) and not connection.get("account")
