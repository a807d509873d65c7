"""How much was taken and is not committed yet: a number and bytes, both bounded.

room = Room(machine_has_room)
if room.has(packet_id): room.take(origin.size)
room.free(units)          # committed, or given up
"""

from collections.abc import Callable, Sequence

from protocol.records import WriteUnit

# Four partition and four state sessions of 10,000, and the wills: more than the broker's windows
# let through. Without payloads each message takes some 2 kB, so this is 200 MB in the worst case.
IN_FLIGHT_MAX = 100_000
# Payloads in flight; messages beyond it stay with the broker.
BYTES_MAX = 256 << 20


class Room:
    """Args:
    disk_takes: whether the disk has room for anything new.

    Attributes:
        messages: in flight, including QoS 0.
        payload_bytes: held until the commit.
        is_closed: at the end of the service; new messages stay with the broker.
    """

    def __init__(self, disk_takes: Callable[[], bool]) -> None:
        self.messages = 0
        self.payload_bytes = 0
        self.is_closed = False
        self._disk_takes = disk_takes

    @property
    def takes_anything(self) -> bool:
        """Whether anything new is taken at all, however little is in flight."""
        return not self.is_closed and self._disk_takes()

    def has(self, packet_id: int) -> bool:
        """Whether one more fits. QoS 0 messages (packet id 0) may take half of the room, because
        nothing else limits them."""
        if not self.takes_anything:
            return False
        share = 1 if packet_id else 2
        return self.messages * share < IN_FLIGHT_MAX and self.payload_bytes * share < BYTES_MAX

    def take(self, size: int) -> None:
        """A message with a payload of `size` bytes is in flight from here on."""
        self.messages += 1
        self.payload_bytes += size

    def free(self, units: Sequence[WriteUnit]) -> None:
        """The messages of these units are no longer in flight."""
        for unit in units:
            self.messages -= unit.messages
            self.payload_bytes -= unit.size
