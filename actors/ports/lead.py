"""The lead among several processes: a lease in the store that its holder renews."""

from typing import Protocol

import msgspec


class Lead(msgspec.Struct, frozen=True, kw_only=True):
    """What the store knows of the lead.

    Attributes:
        epoch: grows by one whenever the lead goes to another holder.
        is_ours: whether the holder that asked has it now.
        renewals: grows with every renewal; a holder that lets it stand still is gone or hangs.
        has_standby: another process could take it at once: it asked within its lease's time, and
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
        """Take the lead for so many seconds from now, or renew it, if nobody else's lease runs.

        Whoever had it last keeps its epoch, also after the lease ran out, as long as nobody else
        took it. Asking again after a lost answer changes nothing.

        Args:
            holder: a name that no other process has.
            seize: take it in any case; for a caller that knows that no other process lives.
            is_fit: whether this process could serve. One that could not leaves a lead that it does
                not have to another process that asked within its lease's time and could.
        """
        ...

    async def resign_lead(self, holder: str) -> None:
        """Give the lead up, if this holder has it: the next one need not wait for the lease."""
        ...
