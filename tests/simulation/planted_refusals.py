"""Classic mistakes at bounds: refusals beyond the budget vanish, or nobody counts them; and a full
disk."""

import msgspec

from actors.adapters.memory.store.refusals import RefusalTables
from actors.ingest.refusal_budget import RefusalBudget
from actors.service import Service
from protocol.records import Rejection, WriteUnit
from tests.simulation.planted import Patch, plant


@plant("a refusal beyond the budget is forgotten")
def forgotten(patch: Patch) -> None:
    judged = RefusalBudget.judged

    def mistaken(self: RefusalBudget, unit: WriteUnit) -> WriteUnit:
        return msgspec.structs.replace(judged(self, unit), not_kept=())

    patch.setattr(RefusalBudget, "judged", mistaken)


@plant("a refusal that is not kept is not counted in the store")
def not_counted(patch: Patch) -> None:
    def mistaken(self: RefusalTables, key: tuple[str, str], rejection: Rejection) -> None:
        return

    patch.setattr(RefusalTables, "_count", mistaken)


@plant("a full disk stops nobody")
def full(patch: Patch) -> None:
    patch.setattr(Service, "has_room", lambda self: True)


@plant("a refusal beyond the budget takes its message's readings along")
def with_readings(patch: Patch) -> None:
    judged = RefusalBudget.judged

    def mistaken(self: RefusalBudget, unit: WriteUnit) -> WriteUnit:
        found = judged(self, unit)
        return msgspec.structs.replace(found, readings=()) if found.not_kept else found

    patch.setattr(RefusalBudget, "judged", mistaken)
