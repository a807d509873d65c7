"""Lists and closes connections of the embedded broker, over its system account.

Requests: docs.nats.io, "System events": CONNZ and KICK. Everything here is asyncio-flavored.
"""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Any

import msgspec

from protocol import codec

TIMEOUT_S = 2.0
PAGE = 1_024
# The account of connections that have not logged in; connections that are open or closed.
NOT_IN, ALL = "$G", 2
# A request without a reply subject is not carried out, and waiting for each of thousands of replies
# would take seconds.
IGNORED_INBOX = "_INBOX.roost-door"
PAGES_MAX = 64  # the maximum number of connections (`roost.embedded.broker`)


class Connection(msgspec.Struct, frozen=True):
    """`mqtt_client` is empty until its CONNECT has arrived."""

    cid: int
    mqtt_client: str = ""
    ip: str = ""
    account: str = ""
    start: datetime | None = None


class _Connections(msgspec.Struct, frozen=True):
    connections: list[Connection] | None = None
    total: int = 0
    now: datetime | None = None


class _Server(msgspec.Struct, frozen=True):
    id: str


class _Answer(msgspec.Struct, frozen=True):
    server: _Server
    data: _Connections


_answers = msgspec.json.Decoder(_Answer)


class Connections:
    """On a connection in the system account.

    Every call raises `nats.errors.Error`, `TimeoutError` or `OSError` if the broker does not
    answer, and `BadPayload` if it does not answer as documented.
    """

    def __init__(self, system: Any) -> None:
        self._system = system
        self._server = ""  # its id, from the last answer

    async def kick(self, client_id: str) -> None:
        """Close the connections of a client id."""
        found = await self._ask({"mqtt_client": client_id})
        await self.close(found.data.connections or ())

    async def close(self, connections: Iterable[Connection]) -> int:
        """Returns how many there were."""
        closed = 0
        for each in connections:
            kick = f"$SYS.REQ.SERVER.{self._server}.KICK"
            await self._system.publish(kick, codec.encode({"cid": each.cid}), IGNORED_INBOX)
            closed += 1
        await self._system.flush(TIMEOUT_S)
        return closed

    async def not_in(self, above: int = 0) -> list[Connection]:
        """Those that have not logged in, the oldest first; none if there are at most `above`. Until
        they log in, they belong to the account `$G`."""
        return [each async for each in self._all({"acc": NOT_IN}, above)]

    async def of_user(self, username: str) -> list[str]:
        """The client ids with which a user name is connected."""
        found = await self._ask({"user": username, "limit": PAGE})
        return [each.mqtt_client for each in found.data.connections or () if each.mqtt_client]

    async def connected_s(self, client_id: str) -> float | None:
        """For how long (seconds) a client id has been connected; None: it is not."""
        found = (await self._ask({"mqtt_client": client_id})).data
        starts = [each.start for each in found.connections or () if each.start is not None]
        if not starts or found.now is None:
            return None
        return (found.now - max(starts)).total_seconds()

    async def client_ids(self) -> list[str]:
        """All client ids that are connected."""
        return [each.mqtt_client async for each in self._all({}) if each.mqtt_client]

    async def has_logged_in(self, cid: int) -> bool:
        """Whether a connection, open or closed, has logged in; False if it is not known any more
        (the broker knows the last 10,000 that were closed)."""
        found = (await self._ask({"cid": cid, "state": ALL})).data.connections or ()
        return any(each.account not in ("", NOT_IN) for each in found)

    async def _all(self, wanted: dict[str, Any], above: int = 0) -> AsyncIterator[Connection]:
        seen = 0
        for _ in range(PAGES_MAX):
            found = await self._ask({**wanted, "limit": PAGE, "offset": seen})
            page = found.data.connections or ()
            if found.data.total <= above:
                break
            for each in page:
                yield each
            seen += len(page)
            if seen >= found.data.total or not page:
                break

    async def health(self) -> str:
        """The problem that the server reports about itself; "" for none."""
        answer = await self._system.request("$SYS.REQ.SERVER.PING.HEALTHZ", b"", timeout=TIMEOUT_S)
        found = codec.decode(answer.data)["data"]
        return "" if found["status"] == "ok" else str(found.get("error") or found["status"])

    async def _ask(self, wanted: dict[str, Any]) -> _Answer:
        # Filtering by user name works only if user names are requested, too.
        body = codec.encode({**wanted, "auth": True})
        answer = await self._system.request("$SYS.REQ.SERVER.PING.CONNZ", body, timeout=TIMEOUT_S)
        found = codec.decode_as(_answers, answer.data)
        self._server = found.server.id
        return found
