"""Acknowledgements of messages that nothing is done with, gathered for one write.

A commit acknowledges hundreds of messages in one write. What is refused at the door is told of one
by one, and at twenty thousand a second a write for each would cost more than all else.

    acks = LateAcks(send)
    nursery.start_soon(acks.run)
    acks.add("roost-part-0", 3, 17, topic, mark)      # goes out at the next turn of the loop
"""

from collections.abc import Callable

import trio

Owed = dict[int, tuple[str, bytes]]  # by packet id: the topic, and what tells the payload


class LateAcks:
    """Args:
    send: acknowledges messages of a session's connection.
    """

    def __init__(self, send: Callable[[str, int, Owed], None]) -> None:
        self._send = send
        self._owed: dict[str, tuple[int, Owed]] = {}
        self._came = trio.Event()

    def add(self, session: str, connection: int, packet_id: int, topic: str, mark: bytes) -> None:
        known = self._owed.get(session)
        if known is None or known[0] != connection:  # an earlier connection's ids mean nothing now
            self._owed[session] = connection, {packet_id: (topic, mark)}
            self._came.set()
        else:
            known[1][packet_id] = topic, mark

    def has(self, session: str, connection: int, packet_id: int) -> bool:
        """Whether this packet id will be acknowledged anyway."""
        known = self._owed.get(session)
        return known is not None and known[0] == connection and packet_id in known[1]

    def flush(self) -> None:
        owed, self._owed = self._owed, {}
        for session, (connection, ids) in owed.items():
            self._send(session, connection, ids)

    async def run(self) -> None:
        while True:
            await self._came.wait()
            self._came = trio.Event()
            self.flush()
