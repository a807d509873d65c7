"""Turning off the second factor of somebody who lost it. The command line does it."""

from collections.abc import Sequence

from actors.ports.store import Store
from protocol.people.people import AuditEntry
from protocol.people.second_factor import SecondFactor
from protocol.problems.detail import Detail


async def lift(store: Store, user_id: str, now_us: int) -> bool:
    """Turn it off, and note that in the user's activity log. False if there was none."""
    was_on = False

    def change(factor: SecondFactor | None) -> tuple[None, Sequence[AuditEntry]]:
        nonlocal was_on
        was_on = factor is not None and factor.is_on
        why = Detail("log_by_operator")
        entry = AuditEntry(
            user_id=user_id,
            at_us=now_us,
            action="second_factor_off",
            subject=str(why),
            coded=why.coded,
        )
        return None, [entry] if was_on else []

    await store.update_second_factor(user_id, change)
    return was_on
