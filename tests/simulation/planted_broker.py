"""Classic mistakes with what the broker does: its sessions, its mappings, its redeliveries."""

import msgspec

from actors.adapters.mqtt.plans import partition_plans
from actors.ports.broker import SessionPlan
from tests.simulation import world
from tests.simulation.planted import Patch, plant


@plant("who does not wait for a CONNACK is not heard")
def hasty_unheard(patch: Patch) -> None:
    def mistaken(partitions: int) -> list[SessionPlan]:
        return [
            msgspec.structs.replace(plan, filters=plan.filters[2:3])
            if plan.client_id == "roost-wills"
            else plan
            for plan in partition_plans(partitions)
        ]

    patch.setattr(world, "partition_plans", mistaken)
