"""The lead in the memory store (see `actors.ports.lead`)."""

import trio

from actors.ports.lead import Lead

LONG_AGO_S = float("-inf")


class LeadRow:
    """Synchronous; all times are Trio's."""

    def __init__(self) -> None:
        self.epoch = 0
        self._holder: str | None = None
        self._expires_s = LONG_AGO_S
        self._renewals = 0
        self._standby: str | None = None
        self._standby_until_s = LONG_AGO_S

    def hold(self, holder: str, lease_s: float, *, seize: bool, is_fit: bool) -> Lead:
        now_s = trio.current_time()
        is_ours = self._holder == holder
        if not (is_ours or seize or self._is_free_for(holder, is_fit, now_s)):
            if is_fit:
                self._standby, self._standby_until_s = holder, now_s + lease_s
            return Lead(epoch=self.epoch, is_ours=False, renewals=self._renewals)
        if not is_ours:
            self.epoch += 1
            self._holder, self._standby_until_s = holder, LONG_AGO_S
        self._expires_s = now_s + lease_s
        self._renewals += 1
        return Lead(
            epoch=self.epoch,
            is_ours=True,
            renewals=self._renewals,
            has_standby=self._standby_until_s > now_s,
        )

    def _is_free_for(self, holder: str, is_fit: bool, now_s: float) -> bool:
        if self._holder is not None and self._expires_s >= now_s:
            return False
        return is_fit or self._standby == holder or self._standby_until_s < now_s

    def resign(self, holder: str) -> None:
        if self._holder == holder:
            self._holder = None

    def forget(self) -> None:
        """Nobody holds it, as after the database was restored."""
        self._holder = None
