"""How much was taken and is not committed: a number and bytes, both bounded.

room = Room(machine_has_room)
if room.has(packet_id): room.take(origin.size)
room.free(units)          # committed, or given up
"""

from collections.abc import Callable, Sequence

from protocol.records import WriteUnit

# Four partition and four state sessions of 10,000 and the wills: above what the broker's windows
# let through. Without payloads each is some 2 kB, so this is 200 MB at the very worst.
IN_FLIGHT_MAX = 100_000
# Payloads in flight; what is beyond stays with the broker.
BYTES_MAX = 256 << 20


class Room:
    """Args:
    disk_takes: whether there is room on the disk for anything new.

    Attributes:
        messages: in flight, QoS 0 included.
        payload_bytes: held until their commit.
        is_closed: at the end; what still comes is left to the next start.
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
        """Whether one more fits. QoS 0 (packet id 0) may take half of what there is, because
        nothing else holds it back."""
        if not self.takes_anything:
            return False
        share = 1 if packet_id else 2
        return self.messages * share < IN_FLIGHT_MAX and self.payload_bytes * share < BYTES_MAX

    def take(self, size: int) -> None:
        """A message with a payload of `size` bytes is in flight from here on."""
        self.messages += 1
        self.payload_bytes += size

    def free(self, units: Sequence[WriteUnit]) -> None:
        """The messages that these units end are in flight no longer."""
        for unit in units:
            self.messages -= unit.messages
            self.payload_bytes -= unit.size
