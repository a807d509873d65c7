"""Devices' retained messages on the memory broker: the twin of `nats.retained`, and of
`mqtt.retained` if the broker cannot map.
"""

from collections.abc import Sequence

import trio

from actors.adapters.memory.broker.broker import MemoryBroker
from actors.adapters.memory.broker.port import MemoryBrokerPort
from actors.adapters.memory.broker.topics import matches
from actors.ports.retained import Held
from protocol.device.publishing import PAYLOAD_MAX
from protocol.device.topics import prefix, unmapped
from protocol.errors import Unavailable

STATES = "state/"
PAGE = 100


class MemoryRetained:
    """See `actors.ports.retained.RetainedMessages`."""

    def __init__(self, server: MemoryBroker, port: MemoryBrokerPort) -> None:
        self.tells = bool(server.habits.partitions)
        self._server = server
        self._port = port

    async def _reach(self) -> None:
        await trio.lowlevel.checkpoint()
        if not self._port.reaches:
            raise Unavailable("the memory broker is away")

    async def limit(self) -> int:
        await self._reach()
        if not self.tells:
            return 0
        self._server.retained_max = PAYLOAD_MAX
        return sum(len(each.payload) for each in self._server.retained.values())

    async def held(self, after: int, *, states: bool) -> list[Held]:
        await self._reach()
        found = [
            each
            for each in (self._all() if self.tells else ())
            if each.no > after and (states or not _is_status(each.topic))
        ]
        return sorted(found, key=lambda each: each.no)[:PAGE]

    async def of_device(self, user_id: str, code: str) -> list[Held]:
        await self._reach()
        mine = f"{prefix(user_id, code)}/#"
        return [each for each in self._all() if matches(mine, unmapped(each.topic))]

    def _all(self) -> list[Held]:
        kept = self._server.retained.items()
        return [Held(topic, len(each.payload), each.qos, each.no, topic) for topic, each in kept]

    async def clear(self, held: Sequence[Held]) -> bool:
        await self._reach()
        for each in held:
            kept = self._server.retained.get(each.topic)
            if not self.tells:
                self._server.clear(each.topic)
            elif kept is not None and kept.no == each.no:
                del self._server.retained[each.topic]
        return True


def _is_status(topic: str) -> bool:
    return topic.startswith(STATES) and topic.endswith("/status")
