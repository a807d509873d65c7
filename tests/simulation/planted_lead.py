"""Classic mistakes of several processes: who leads, what is fenced, what is given up."""

from collections.abc import Sequence
from typing import Any

import msgspec

from actors.adapters.memory.store.people import PeopleTables
from actors.adapters.memory.store.store import MemoryStore
from actors.device.registry import Devices
from actors.device.restoration import Restoration
from actors.device.timer import DeviceTimer
from actors.due.scheduler import Scheduler
from actors.ingest.gateway import Gateway
from actors.ingest.own_sessions import OwnSessions
from actors.leadership import Follower, Leadership
from actors.ports.broker import Delivery
from actors.ports.lead import Lead
from actors.ports.store import Batch
from actors.user.mqtt_relay import MqttRelay
from actors.wiring.commits import Commits
from actors.wiring.lead_changes import LeadChanges
from protocol.device.listeners import SETTINGS
from protocol.records import WriteUnit
from tests.simulation.planted import Patch, plant


async def nothing(*_: Any) -> None:
    """In place of what should be done."""


@plant("fencing off")
def not_fenced(patch: Patch) -> None:
    begin = MemoryStore.begin

    def mistaken(self: MemoryStore, batch: Batch, work_s: float) -> None:
        begin(self, msgspec.structs.replace(batch, epoch=0), work_s)

    patch.setattr(MemoryStore, "begin", mistaken)


@plant("the epoch does not grow")
def one_epoch(patch: Patch) -> None:
    hold = MemoryStore.hold_lead

    async def mistaken(self: MemoryStore, *asked: Any, **how: Any) -> Lead:
        lead = await hold(self, *asked, **how)
        self._lead.epoch = 1
        return msgspec.structs.replace(lead, epoch=1)

    patch.setattr(MemoryStore, "hold_lead", mistaken)


@plant("a lease never runs out")
def lasting_lease(patch: Patch) -> None:
    hold = MemoryStore.hold_lead

    async def mistaken(self: MemoryStore, holder: str, lease_s: float, **how: Any) -> Lead:
        return await hold(self, holder, 1e9, **how)

    patch.setattr(MemoryStore, "hold_lead", mistaken)


@plant("who was overtaken goes on")
def not_overtaken(patch: Patch) -> None:
    patch.setattr(Leadership, "_overtaken", lambda self, epoch: None)


@plant("renewals do not count")
def not_confirmed(patch: Patch) -> None:
    lead = Leadership._lead

    async def mistaken(self: Leadership, found: Lead, asked_s: float, follower: Follower) -> None:
        known = self._confirmed_s
        await lead(self, found, asked_s, follower)
        if known != float("-inf"):
            self._confirmed_s = known

    patch.setattr(Leadership, "_lead", mistaken)


@plant("a standby serves, too")
def two_serve(patch: Patch) -> None:
    patch.setattr(Leadership, "may_serve", property(lambda self: self.decided.is_set()))


@plant("who was overtaken gives nothing up")
def nothing_given_up(patch: Patch) -> None:
    patch.setattr(LeadChanges, "give_up", nothing)


@plant("leases are not restored when the lead is taken")
def leases_lost(patch: Patch) -> None:
    take_over = DeviceTimer.take_over

    def mistaken(self: DeviceTimer, supervisor: Any) -> None:
        if self._restorations == 0:
            take_over(self, supervisor)
        else:
            self.leases.clear()

    patch.setattr(DeviceTimer, "take_over", mistaken)


@plant("leases are not restored after a start")
def no_leases(patch: Patch) -> None:
    patch.setattr(Restoration, "run", nothing)


@plant("an abandoned unit's alarm is forgotten")
def alarm_forgotten(patch: Patch) -> None:
    """Actors go on believing what they judged, though it was given up."""
    patch.setattr(Devices, "retire", nothing)


@plant("a standby claims due work, too")
def two_claim(patch: Patch) -> None:
    patch.setattr(Scheduler, "_as_leader", lambda self, work: work)


@plant("PUBACK to connection 0")
def ack_to_nobody(patch: Patch) -> None:
    """Ledgers forget their connections, and the broker is not told to make others; what comes on
    the old ones is taken."""
    take = Gateway._take

    def given_up(self: OwnSessions) -> None:
        for name in sorted(self._persistent):
            self.redeliveries[name] = self.redeliveries[name].replaced()
        self._look_at_live()

    def taken(self: Gateway, delivery: Delivery) -> None:
        known = self._sessions.redeliveries[delivery.session].connection
        if known == 0:
            delivery = msgspec.structs.replace(delivery, connection=0)
        take(self, delivery)

    patch.setattr(OwnSessions, "give_up", given_up)
    patch.setattr(Gateway, "_take", taken)


@plant("the batch is repeated under an old epoch")
def old_epoch(patch: Patch) -> None:
    led = LeadChanges.led

    def mistaken(self: LeadChanges, epoch: int) -> None:
        known = self._writer.epoch
        led(self, epoch)
        self._writer.epoch = known or epoch

    patch.setattr(LeadChanges, "led", mistaken)


@plant("receipts that were given up are acknowledged")
def acknowledged_after_all(patch: Patch) -> None:
    gave_up = Gateway.gave_up

    def mistaken(self: Gateway, units: Sequence[WriteUnit]) -> None:
        for unit in units:
            receipt: Any = unit.receipt
            if receipt is not None and receipt.connection:
                self._broker.acknowledge(
                    receipt.session.name, receipt.connection, [receipt.packet_id]
                )
        gave_up(self, units)

    patch.setattr(Gateway, "gave_up", mistaken)


@plant("a fenced batch is done")
def fenced_is_done(patch: Patch) -> None:
    abandon = Commits.gave_up

    def mistaken(self: Commits, units: Sequence[WriteUnit], epoch: int) -> None:
        self._gateway.committed(0, units)
        abandon(self, [], epoch)

    patch.setattr(Commits, "gave_up", mistaken)


@plant("the next leader tells listeners nothing")
def silent_leader(patch: Patch) -> None:
    republish = MqttRelay.republish
    begun: set[int] = set()

    def mistaken(self: MqttRelay) -> None:
        if id(self) not in begun:
            begun.add(id(self))
            republish(self)

    patch.setattr(MqttRelay, "republish", mistaken)


@plant("settings of other processes are not heard")
def deaf_to_settings(patch: Patch) -> None:
    tell = PeopleTables.tell_followers

    def mistaken(self: PeopleTables, changed: str) -> None:
        if not changed.startswith(SETTINGS):
            tell(self, changed)

    patch.setattr(PeopleTables, "tell_followers", mistaken)
