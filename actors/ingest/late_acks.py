"""Acknowledgements of refused messages, collected for one write.

A commit acknowledges hundreds of messages with one write. Refused messages are handled one by one.
At twenty thousand a second, a write for each would cost more than everything else.

    acks = LateAcks(send)
    nursery.start_soon(acks.run)
    acks.add(arrival)           # goes out at the next turn of the loop
"""

from collections.abc import Callable, Iterable

import trio

from actors.ingest.arrivals import Arrival
from actors.ingest.redelivery import SessionRedelivery


class LateAcks:
    """Args:
    send: acknowledges messages of a session on its current connection.
    """

    def __init__(self, send: Callable[[SessionRedelivery, Iterable[Arrival]], None]) -> None:
        self._send = send
        # By session: the connection, and what must be acknowledged on it, by packet id.
        self._owed: dict[SessionRedelivery, tuple[int, dict[int, Arrival]]] = {}
        self._came = trio.Event()

    def add(self, arrival: Arrival) -> None:
        known = self._owed.get(arrival.session)
        if known is None or known[0] != arrival.connection:
            # Packet ids of an earlier connection mean nothing now.
            self._owed[arrival.session] = arrival.connection, {arrival.packet_id: arrival}
            self._came.set()
        else:
            known[1][arrival.packet_id] = arrival

    def has(self, arrival: Arrival) -> bool:
        """Whether its packet id will be acknowledged anyway."""
        known = self._owed.get(arrival.session)
        if known is None or known[0] != arrival.connection:
            return False
        return arrival.packet_id in known[1]

    def flush(self) -> None:
        owed, self._owed = self._owed, {}
        for session, (connection, arrivals) in owed.items():
            if session.connection == connection:
                self._send(session, arrivals.values())

    async def run(self) -> None:
        while True:
            await self._came.wait()
            self._came = trio.Event()
            self.flush()
