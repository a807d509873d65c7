"""The accounts of readings (I4).

received = stored + duplicate + refused + shed + unowned + in flight, always.

Plain integers, because they are counted for every reading; exported by the metrics collector.
"""

from collections import OrderedDict

import msgspec

DEVICES_MAX = 100_000  # ledgers of single devices; the totals know all


class Account(msgspec.Struct):
    """Readings since the start of the process. A message that cannot be read counts as one."""

    received: int = 0
    stored: int = 0
    duplicate: int = 0
    refused: int = 0
    shed: int = 0
    unowned: int = 0

    @property
    def in_flight(self) -> int:
        done = self.stored + self.duplicate + self.refused + self.shed + self.unowned
        return self.received - done


class Accounts:
    """One account for the house, one for each device."""

    def __init__(self) -> None:
        self.total = Account()
        self._devices: OrderedDict[tuple[str, str], Account] = OrderedDict()

    def of(self, device: tuple[str, str]) -> Account:
        """The account of a device. The one first heard of gives way at the bound."""
        account = self._devices.get(device)
        if account is None:
            if len(self._devices) >= DEVICES_MAX:
                self._devices.popitem(last=False)
            account = self._devices[device] = Account()
        return account

    def received(self, device: tuple[str, str], readings: int) -> None:
        self.total.received += readings
        self.of(device).received += readings

    def shed(self, device: tuple[str, str], readings: int) -> None:
        self.total.shed += readings
        self.of(device).shed += readings

    def settled(
        self,
        device: tuple[str, str],
        *,
        stored: int = 0,
        duplicate: int = 0,
        refused: int = 0,
        unowned: int = 0,
    ) -> None:
        """A unit's readings reached their end."""
        for account in (self.total, self.of(device)):
            account.stored += stored
            account.duplicate += duplicate
            account.refused += refused
            account.unowned += unowned
