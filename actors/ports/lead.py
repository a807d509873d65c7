"""The lead among several processes: a lease in the store that its holder renews."""

from typing import Protocol

import msgspec


class Lead(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the lead in the store.

    Attributes:
        epoch: grows by one whenever another holder gets the lead.
        is_ours: whether the holder that asked has it now.
        renewals: grows with every renewal; if it stands still, the holder has ended or hangs.
        has_standby: another process could take it at once: it asked within the last lease time, and
            was fit to serve. Known to the holder only.
    """

    epoch: int
    is_ours: bool
    renewals: int
    has_standby: bool = False


class LeadStore(Protocol):
    """Part of `actors.ports.store.Store`."""

    async def hold_lead(
        self, holder: str, lease_s: float, *, seize: bool = False, is_fit: bool = True
    ) -> Lead:
        """Take the lead for so many seconds from now, or renew it, if no other lease is running.

        The last holder keeps its epoch, even after the lease ran out, as long as no other process
        took it. A repeated call after a lost answer changes nothing.

        Args:
            holder: a name that no other process has.
            seize: take it in any case; for a caller that knows that no other process exists.
            is_fit: whether this process could serve. If not, it leaves a free lead to another
            process that asked within the last lease time and could.
        """
        ...

    async def resign_lead(self, holder: str) -> None:
        """Give the lead up if this holder has it, so that the next one need not wait for the
        lease."""
        ...
