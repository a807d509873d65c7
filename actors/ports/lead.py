"""The lead among several processes: a lease in the store that its holder renews."""

from typing import Protocol

import msgspec


class Lead(msgspec.Struct, frozen=True, kw_only=True):
    """What the store knows of the lead.

    Attributes:
        epoch: grows by one whenever the lead goes to another holder.
        is_ours: whether the holder that asked has it now.
        renewals: grows with every renewal; a holder that lets it stand still is gone or hangs.
    """

    epoch: int
    is_ours: bool
    renewals: int


class LeadStore(Protocol):
    """Part of `actors.ports.Store`."""

    async def hold_lead(self, holder: str, lease_s: float, *, seize: bool = False) -> Lead:
        """Take the lead for so many seconds from now, or renew it, if nobody else's lease runs.

        Whoever had it last keeps its epoch, also after the lease ran out, as long as nobody else
        took it. Asking again after a lost answer changes nothing.

        Args:
            holder: a name that no other process has.
            seize: take it in any case; for a caller that knows that no other process lives.
        """
        ...

    async def resign_lead(self, holder: str) -> None:
        """Give the lead up, if this holder has it: the next one need not wait for the lease."""
        ...
