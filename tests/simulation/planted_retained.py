"""Classic mistakes with what devices have retained at the broker."""

from typing import Any

import trio

from actors.ingest.retained_sweep import RetainedSweep
from tests.simulation.planted import Patch, plant


@plant("a taken reading stays retained")
def stays_retained(patch: Patch) -> None:
    async def mistaken(*args: Any) -> None:
        await trio.lowlevel.checkpoint()

    patch.setattr(RetainedSweep, "_sort_out", mistaken)
