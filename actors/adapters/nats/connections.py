"""Who is connected to the embedded broker, and the end of it, over its system account.

Requests: docs.nats.io, "System events": CONNZ and KICK. Everything here is asyncio-flavored.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from protocol import codec

TIMEOUT_S = 2.0
PAGE = 1_024
PAGES_MAX = 64  # as many connections as there may be (`roost.embedded.broker`)


class _Connection(msgspec.Struct, frozen=True):
    cid: int
    mqtt_client: str = ""
    account: str = ""

    @property
    def waits(self) -> bool:
        """It has said who it is (MQTT's CONNECT), and belongs to no account yet."""
        return bool(self.mqtt_client) and not self.account


class _Connections(msgspec.Struct, frozen=True):
    connections: list[_Connection]
    total: int = 0


class _Server(msgspec.Struct, frozen=True):
    id: str


class _Answer(msgspec.Struct, frozen=True):
    server: _Server
    data: _Connections


_answers = msgspec.json.Decoder(_Answer)


class Connections:
    """On a connection in the system account.

    Every call raises `nats.errors.Error`, `TimeoutError` or `OSError` where the broker does not
    answer, and `BadPayload` where it says something else than the documents tell.
    """

    def __init__(self, system: Any) -> None:
        self._system = system

    async def kick(self, client_id: str) -> None:
        """Close the connections of a client id."""
        found = await self._ask({"mqtt_client": client_id})
        for each in found.data.connections:
            await self._close(found.server, each)

    async def close_waiting(self, is_asked: Callable[[str], bool]) -> int:
        """Close whoever waits for an answer, but for client ids about which Roost was asked;
        answers with how many they were."""
        closed = 0
        for found in [page async for page in self._pages()]:  # all, before some are closed
            for each in found.data.connections:
                if each.waits and not is_asked(each.mqtt_client):
                    await self._close(found.server, each)
                    closed += 1
        return closed

    async def _close(self, server: _Server, connection: _Connection) -> None:
        cid = codec.encode({"cid": connection.cid})
        # Without somebody to answer to, the server does not do it.
        await self._system.request(f"$SYS.REQ.SERVER.{server.id}.KICK", cid, timeout=TIMEOUT_S)

    async def of_user(self, username: str) -> list[str]:
        """The client ids with which a user name is connected."""
        found = await self._ask({"user": username, "limit": PAGE})
        return [each.mqtt_client for each in found.data.connections if each.mqtt_client]

    async def client_ids(self) -> list[str]:
        """All that are connected."""
        ids: list[str] = []
        async for found in self._pages():
            ids += [each.mqtt_client for each in found.data.connections if each.mqtt_client]
        return ids

    async def _pages(self) -> AsyncIterator[_Answer]:
        seen = 0
        for _ in range(PAGES_MAX):
            found = await self._ask({"limit": PAGE, "offset": seen, "sort": "start"})
            yield found
            seen += len(found.data.connections)
            if seen >= found.data.total or not found.data.connections:
                break

    async def health(self) -> str:
        """What the server says is wrong with it; "" for nothing."""
        answer = await self._system.request("$SYS.REQ.SERVER.PING.HEALTHZ", b"", timeout=TIMEOUT_S)
        found = codec.decode(answer.data)["data"]
        return "" if found["status"] == "ok" else str(found.get("error") or found["status"])

    async def _ask(self, wanted: dict[str, Any]) -> _Answer:
        # By name only where names are asked for, too.
        body = codec.encode({**wanted, "auth": True})
        answer = await self._system.request("$SYS.REQ.SERVER.PING.CONNZ", body, timeout=TIMEOUT_S)
        return codec.decode_as(_answers, answer.data)
