"""Mistakes about how much one may have (`planted.py`)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from weakref import WeakKeyDictionary

import trio

from actors.adapters.memory.store.store import MemoryStore
from actors.adapters.nats.client_ids import ClientIds
from protocol.rest.bounds import check_room
from protocol.schedule.schedules import Schedule
from protocol.webhook.deliveries import Webhook
from tests.simulation.planted import Patch, plant


@plant("what was deleted counts against its share")
def deleted_counts(patch: Patch) -> None:
    add = MemoryStore.add_schedule
    ever: WeakKeyDictionary[MemoryStore, Counter[str]] = WeakKeyDictionary()

    async def mistaken(
        self: MemoryStore, schedule: Schedule, due: Sequence[int], most: int | None = None
    ) -> Schedule:
        made = ever.setdefault(self, Counter())
        check_room("schedules_full", made[schedule.user_id], 1, most)
        added = await add(self, schedule, due, most)
        made[schedule.user_id] += 1
        return added

    patch.setattr(MemoryStore, "add_schedule", mistaken)


@plant("the bound of one user counts what another has")
def others_count(patch: Patch) -> None:
    add = MemoryStore.add_webhook

    async def mistaken(self: MemoryStore, webhook: Webhook, most: int) -> Webhook:
        check_room("webhooks_full", len(self.all_webhooks), 1, most)
        return await add(self, webhook, most)

    patch.setattr(MemoryStore, "add_webhook", mistaken)


@plant("a listener has as many clients as it likes")
def clients_unbounded(patch: Patch) -> None:
    patch.setattr(ClientIds, "admits", lambda self, username, client_id: True)


@plant("a client of a listener that is gone counts for ever")
def clients_for_ever(patch: Patch) -> None:
    async def mistaken(self: ClientIds, logins: Iterable[tuple[str, str]]) -> None:
        await trio.lowlevel.checkpoint()

    patch.setattr(ClientIds, "make_room", mistaken)
