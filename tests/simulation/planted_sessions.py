"""Classic mistakes with what the broker keeps of its clients."""

from collections.abc import Sequence

import trio

from actors.access.session_sweep import SessionSweep
from actors.ports.broker_sessions import KeptSession
from tests.simulation.planted import Patch, plant


@plant("what the broker keeps of who is gone is deleted at once or never")
def not_swept(patch: Patch) -> None:
    async def mistaken(self: SessionSweep) -> None:
        await trio.sleep_forever()

    patch.setattr(SessionSweep, "run", mistaken)


@plant("what the broker keeps of who is away is taken for what is left over")
def all_swept(patch: Patch) -> None:
    async def mistaken(self: SessionSweep, kept: Sequence[KeptSession]) -> list[str]:
        await trio.lowlevel.checkpoint()
        return [each.client_id for each in kept]

    patch.setattr(SessionSweep, "_left_over", mistaken)
