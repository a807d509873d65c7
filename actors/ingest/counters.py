"""The accounts of readings (I4).

received = stored + duplicate + refused + limited + shed + unowned + in flight, always.

`refused` readings are kept with their reason. `limited` ones were above the rate of their device or
user; they are only counted.

These are plain integers, because they are counted for every reading. The metrics collector exports
them.
"""

from collections import OrderedDict

import msgspec

DEVICES_MAX = 100_000  # counters of single devices; the totals know all


class ReadingCounts(msgspec.Struct):
    """Readings since the start of the process. A message that cannot be decoded counts as one."""

    received: int = 0
    stored: int = 0
    duplicate: int = 0
    refused: int = 0
    limited: int = 0
    shed: int = 0
    unowned: int = 0

    @property
    def in_flight(self) -> int:
        return self.received - (
            self.stored + self.duplicate + self.refused + self.limited + self.shed + self.unowned
        )


class Counters:
    """One account for the service, one for each device.

    At the bound the device without readings for longest is forgotten. A device with readings in
    flight never is: these settle into the account that they were received in. So there are at most
    `DEVICES_MAX` accounts, or one for each message in flight (`room.IN_FLIGHT_MAX`).
    """

    def __init__(self) -> None:
        self.total = ReadingCounts()
        self._busy: dict[tuple[str, str], ReadingCounts] = {}  # with readings in flight
        self._quiet: OrderedDict[tuple[str, str], ReadingCounts] = OrderedDict()  # oldest first

    def __len__(self) -> int:
        return len(self._busy) + len(self._quiet)

    def of(self, device: tuple[str, str]) -> ReadingCounts:
        """The account of a device; an empty one if the device is unknown."""
        return self._busy.get(device) or self._quiet.get(device) or ReadingCounts()

    def received(self, device: tuple[str, str], readings: int) -> None:
        self.total.received += readings
        account = self._open(device)
        account.received += readings
        self._close(device, account)

    def shed(self, device: tuple[str, str], readings: int) -> None:
        self.settled(device, shed=readings)

    def settled(
        self,
        device: tuple[str, str],
        *,
        stored: int = 0,
        duplicate: int = 0,
        refused: int = 0,
        shed: int = 0,
        unowned: int = 0,
    ) -> None:
        """A unit's readings are settled."""
        mine, total = self._open(device), self.total
        mine.stored += stored
        total.stored += stored
        if duplicate or refused or shed or unowned:  # seldom
            for account in (total, mine):
                account.duplicate += duplicate
                account.refused += refused
                account.shed += shed
                account.unowned += unowned
        self._close(device, mine)

    def turned_away(self, device: tuple[str, str], *, limited: int = 0, shed: int = 0) -> None:
        """Readings that were refused or shed on arrival: thousands a second in a flood."""
        mine = self._busy.get(device) or self._quiet.get(device)
        if mine is None:
            mine = self._open(device)
            self._close(device, mine)
        for account in (self.total, mine):
            account.received += limited + shed
            account.limited += limited
            account.shed += shed

    def _open(self, device: tuple[str, str]) -> ReadingCounts:
        account = self._busy.get(device)
        if account is None:
            known = self._quiet.pop(device) if device in self._quiet else ReadingCounts()
            account = self._busy[device] = known
        return account

    def _close(self, device: tuple[str, str], account: ReadingCounts) -> None:
        """The account is quiet when nothing of its device is in flight."""
        if account.in_flight:
            return
        del self._busy[device]
        self._quiet[device] = account
        while self._quiet and len(self._busy) + len(self._quiet) > DEVICES_MAX:
            self._quiet.popitem(last=False)
