"""Classic mistakes with time: schedules that fire twice or never, commands out of order."""

from collections.abc import Sequence

import msgspec

from actors.adapters.memory.store.commands import CommandTables
from actors.adapters.memory.store.schedules import ScheduleTables
from actors.adapters.memory.store.webhooks import WebhookTables
from actors.due import occurrences
from actors.ports.time import Claimed, Judge
from protocol.device import commands
from protocol.device.commands import Command, CommandAck
from protocol.schedule.schedules import PENDING, Occurrence, Schedule
from protocol.webhook import deliveries as webhooks
from protocol.webhook.deliveries import News, Webhook, WebhookDelivery
from tests.simulation.planted import Patch, plant


@plant("an occurrence is claimed by two")
def claimed_twice(patch: Patch) -> None:
    """The second claim comes a moment after the first, and sees what that one saw."""
    claim = ScheduleTables.claim_occurrences

    async def mistaken(self: ScheduleTables, now_us: int, limit: int, judge: Judge) -> Claimed:
        before = dict(self.all_occurrences)
        claimed = await claim(self, now_us, limit, judge)
        if self._next("claim") % 2:
            self.all_occurrences.update(before)
        return claimed

    patch.setattr(ScheduleTables, "claim_occurrences", mistaken)


@plant("misfire rules are ignored")
def no_misfires(patch: Patch) -> None:
    patch.setattr(occurrences, "why_missed", lambda due, now_us: None)


@plant("what is paused goes on")
def goes_on(patch: Patch) -> None:
    update = ScheduleTables.update_schedule

    async def mistaken(
        self: ScheduleTables, schedule: Schedule, due: Sequence[int], known: int | None = None
    ) -> list[Occurrence]:
        kept = [o.due_us for o in self._of(schedule.id) if o.state == PENDING]
        return await update(self, schedule, [*due, *kept], known)

    patch.setattr(ScheduleTables, "update_schedule", mistaken)


@plant("a schedule begins when it was stored")
def begins_late(patch: Patch) -> None:
    """What falls due between the request and the transaction is forgotten."""
    add = ScheduleTables.add_schedule

    async def mistaken(
        self: ScheduleTables, schedule: Schedule, due: Sequence[int], most: int | None = None
    ) -> Schedule:
        late_us = schedule.created_us + 2_000_000
        return await add(self, schedule, [us for us in due if us > late_us], most)

    patch.setattr(ScheduleTables, "add_schedule", mistaken)


@plant("commands overtake each other")
def overtaking(patch: Patch) -> None:
    patch.setattr(CommandTables, "_is_blocked", lambda self, command: False)


@plant("a command is tried only once")
def tried_once(patch: Patch) -> None:
    tried = commands.tried

    def mistaken(command: Command, *, blocked: bool, now_us: int) -> Command:
        after = tried(command, blocked=blocked, now_us=now_us)
        if blocked or after.state == commands.EXPIRED:
            return after
        return msgspec.structs.replace(after, state=commands.DELIVERED)

    patch.setattr(commands, "tried", mistaken)


@plant("the last answer wins")
def last_answer(patch: Patch) -> None:
    """Answers that come late or twice take a command back."""

    def mistaken(command: Command, ack: CommandAck) -> Command:
        return msgspec.structs.replace(command, state=ack.status, version=command.version + 1)

    patch.setattr(commands, "acked", mistaken)


@plant("a delivery is done when it is claimed")
def done_when_claimed(patch: Patch) -> None:
    claimed = webhooks.claimed

    def mistaken(delivery: WebhookDelivery, now_us: int) -> WebhookDelivery:
        after = claimed(delivery, now_us)
        return msgspec.structs.replace(after, state=webhooks.DELIVERED, finished_us=now_us)

    patch.setattr(webhooks, "claimed", mistaken)


@plant("a delivery that fails is given up")
def given_up(patch: Patch) -> None:
    patch.setattr(webhooks, "GIVE_UP_S", 0)


@plant("webhooks hear of everybody")
def hear_everybody(patch: Patch) -> None:
    insert = WebhookTables._insert_delivery

    def mistaken(self: WebhookTables, hook: Webhook, news: News) -> WebhookDelivery:
        for other in list(self.all_webhooks.values()):
            insert(self, other, news)
        return insert(self, hook, news)

    patch.setattr(WebhookTables, "_insert_delivery", mistaken)
