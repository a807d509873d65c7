"""The service: gateway, actors and writer, opened together and closed in order.

    async with open_service(ports) as service:
        async with service.users.watch(user_id) as outbox: ...

At the end: no new work, what is in flight is committed and acknowledged, then the sessions end.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import Any

import msgspec
import structlog
import trio

from actors.access.session_sweep import SessionSweep
from actors.access.sessions import Sessions
from actors.changes import Changes
from actors.device.registry import IDLE_S, Devices
from actors.device.timer import DeviceTimer
from actors.due.dead_letters import expire_again, read_row_again
from actors.due.scheduler import Scheduler
from actors.ingest import retained_copies
from actors.ingest.backlog import Backlog
from actors.ingest.bounds import IngestBounds
from actors.ingest.canaries import EVERY_S, Canaries
from actors.ingest.canary_intake import CanaryIntake
from actors.ingest.counters import Counters
from actors.ingest.floods import Floods
from actors.ingest.gateway import Gateway
from actors.ingest.intake import Intake
from actors.ingest.left_messages import LeftMessages
from actors.ingest.limits import Limits
from actors.ingest.notices import Notices
from actors.ingest.own_sessions import OwnSessions
from actors.ingest.recent_messages import RecentMessages
from actors.ingest.refusal_budget import RefusalBudget
from actors.ingest.retained_copies import RetainedCopies
from actors.ingest.room import Room
from actors.ingest.writer import Writer
from actors.leadership import BEAT_S, Leadership
from actors.media import library
from actors.ports import Ports
from actors.ports.broker import Broker
from actors.ports.identity import IdentityProvider
from actors.ports.ids import Ids
from actors.ports.links import Links
from actors.ports.logins import Logins
from actors.ports.machine import Machine
from actors.ports.mail import Mailer
from actors.ports.media import MediaFiles
from actors.ports.store import Committed, Store
from actors.runtime.clock import WallClock
from actors.runtime.supervisor import Supervisor
from actors.user.mqtt_relay import MqttRelay
from actors.user.registry import Users
from protocol.dead_letters import DEVICES, HISTORY, LISTENERS, MEDIA, ROWS, DeadLetter
from protocol.device.commands import Command
from protocol.events import CommandChanged, Staleness
from protocol.messages import (
    ArmAlarm,
    CameOnline,
    DeviceEffect,
    LeaseEnded,
    LeaseRenewed,
    LeaseResized,
    Live,
    Notice,
    UnknownAck,
)
from protocol.records import WriteUnit

log = structlog.get_logger("roost.service")

VERSION = version("roost")
# Of the ten seconds that an end may take; the web, the sessions and our servers have the others.
DRAIN_MAX_S = 5.0
DRAIN_POLL_S = 0.01
# A leader to which the broker brings not even a canary so many times in a row gives way.
PATIENCE_CANARIES = 3
# How long due work of a process that died may wait for this one to look.
LOOK_AGAIN_S = 10.0


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """How often it shows that it lives, and looks at what is retained, in seconds. `is_alone`: no
    other process can be there."""

    beat_s: float = BEAT_S
    canary_s: float = EVERY_S
    retained_s: float = retained_copies.EVERY_S
    is_alone: bool = False


class Service:
    """The running service."""

    def __init__(
        self,
        nursery: trio.Nursery,
        ports: Ports,
        on_step: Callable[[str, Any], None] | None,
        idle_s: float,
        look_again_s: float,
        pulse: Pulse,
        bounds: IngestBounds,
    ) -> None:
        self.store: Store = ports.store
        self.clock: WallClock = ports.clock
        self.ids: Ids = ports.ids
        self.logins: Logins = ports.logins
        self.broker: Broker = ports.broker
        self.links: Links = ports.links
        self.files: MediaFiles = ports.files
        self.mailer: Mailer | None = ports.mailer
        self.zalo: IdentityProvider | None = ports.zalo
        self.machine: Machine | None = ports.machine
        self.media = library.Library(ports.store, ports.files, ports.clock)
        self.mqtt_relay = MqttRelay(
            ports.store,
            ports.broker,
            ports.clock,
            VERSION,
            leads=lambda: self.leadership.leads,
            may_serve=lambda: self.leadership.may_serve,
            wait_may_serve=lambda: self.leadership.wait_may_serve(),
            written=self._written,
        )
        ports.logins.watch(self.mqtt_relay.arrived)
        self.session_sweep = SessionSweep(ports.store, ports.logins)
        self.sessions = Sessions(
            ports.store,
            look_again_s / 2,
            self.mqtt_relay.changed,
            self.mqtt_relay.overwritten,
            self.mqtt_relay.republish,
        )
        self.counters = Counters()
        self.recent_messages = RecentMessages()
        self.refusals = RefusalBudget(bounds.refusals)
        # When the end stops waiting for what is in flight (Trio's clock); None before the end.
        self.drained_by_s: float | None = None
        # What it gave up at the end, in words; "" where nothing.
        self.left = ""
        self.supervisor = Supervisor(nursery, ports.clock, ports.rng)
        self.writer = Writer(
            ports.store,
            ports.ids,
            self.counters,
            ports.rng,
            lambda committed, units: self._committed(committed, units),
            lambda units, epoch: self._gave_up(units, epoch),
        )
        holder = ports.ids.uuid()
        self.leadership = Leadership(
            ports.store,
            holder,
            led=self._led,
            resumed=self.mqtt_relay.republish,
            give_up=lambda: self._give_up(),
            stood_by=lambda: self.own_sessions.others_serve(),
            heard=lambda: self.gateway.brought,
            reaches_broker=lambda: self.own_sessions.connected_count > 0,
            patience_s=PATIENCE_CANARIES * pulse.canary_s,
            alone=pulse.is_alone,
            beat_s=pulse.beat_s,
        )
        self.canaries = Canaries(
            ports.broker,
            holder,
            wait_may_serve=self.leadership.wait_may_serve,
            leads=lambda: self.leadership.leads,
            every_s=pulse.canary_s,
        )
        self.devices = Devices(
            ports.store,
            self.supervisor,
            self.writer,
            self._perform,
            self._renewed,
            ports.clock,
            lambda loaded: self.device_timer.device_healed(loaded),
            lambda loaded: self.device_timer.device_starts(loaded),
            on_step,
            idle_s,
        )
        self.users = Users(
            ports.store, self.supervisor, self.devices.announce, self._written, on_step
        )
        self.scheduler = Scheduler(
            ports,
            tell=lambda user_id, event: self.users.tell(user_id, event),
            renew=self.users.renew_all,
            leads=lambda: self.leadership.leads,
            look_again_s=look_again_s,
            again={
                DEVICES: self.devices.load_again,
                LISTENERS: self.mqtt_relay.look_again,
                MEDIA: self._settle_again,
                ROWS: self._read_row_again,
                HISTORY: self._expire_again,
            },
            rings={
                "lease": lambda partition: self.device_timer.leases.tick(partition),
                "flow": lambda partition: self.device_timer.flows.look(partition),
            },
        )
        self.device_timer = DeviceTimer(
            ports.broker.sessions,
            ports.store,
            ports.clock,
            self.scheduler.timer,
            send=self.devices.send,
            written=self._written,
        )
        self.backlog = Backlog(ports.backlog)
        self.floods = Floods(
            ports.store,
            ports.logins,
            ports.clock,
            retry_after_s=bounds.rates.retry_after_s,
            told=self.users.renew,
        )
        self.notices = Notices(ports.broker, ports.clock)
        self.limits = Limits(
            bounds.rates,
            ports.broker.sessions,
            self.counters,
            self.floods.began,
            self.notices.tell,
        )
        self.canaries.is_there = self.limits.is_there
        self.canaries.forgot = self.limits.forgot
        self.retained = RetainedCopies(
            ports.retained,
            is_seen=any(plan.is_seen for plan in ports.broker.sessions),
            connections=lambda: self.own_sessions.connections,
            tell=self.notices.tell,
            now_us=ports.clock.now_us,
            wait_may_serve=self.leadership.wait_may_serve,
            bounds=bounds.retained,
            every_s=pulse.retained_s,
        )
        self.own_sessions = OwnSessions(
            ports.broker,
            ports.store,
            ports.clock,
            flows=self.device_timer.flows,
            live_changed=lambda since_us: self.users.tell_all(Staleness(since_us)),
            confirm=self.writer.confirm,
            can_send=self.mqtt_relay.republish,
            wait_may_serve=self.leadership.wait_may_serve,
            make_room=self.retained.make_room,
        )
        room = Room(self.has_room)
        left = LeftMessages(ports.broker, room)
        intake = Intake(
            ports.clock,
            self.counters,
            self.own_sessions,
            room,
            left,
            retained=self.retained,
            flows=self.device_timer.flows,
            hand_over=self.devices.hand_over,
            seen=self.recent_messages.seen,
        )
        self.gateway = Gateway(
            ports.broker,
            self.own_sessions,
            room,
            left,
            intake,
            canaries=CanaryIntake(self.canaries, self.limits, self.writer.submit),
            limits=self.limits,
            retained=self.retained,
        )
        self.changes = Changes(
            ports.store,
            self.writer,
            ports.logins,
            devices=self.devices,
            users=self.users,
            mqtt_relay=self.mqtt_relay,
            session_sweep=self.session_sweep,
            scheduler=self.scheduler,
            device_timer=self.device_timer,
            retained=self.retained,
        )

    def has_room(self) -> bool:
        """Whether the disk of our own servers has room for anything new."""
        return self.machine is None or self.machine.takes

    def _read_row_again(self, letter: DeadLetter) -> None:
        again = partial(read_row_again, self.store, self.clock, letter)
        self.supervisor.run_contained(f"row {letter.subject}", again, gave_up=lambda: None)

    def _expire_again(self, letter: DeadLetter) -> None:
        """Delete what that feed keeps no longer; others behind it come along."""
        again = partial(expire_again, self.store, self.clock, letter)
        self.supervisor.run_contained(
            f"history of feed {letter.subject}", again, gave_up=lambda: None
        )

    def _settle_again(self, letter: DeadLetter) -> None:
        """Whether anybody has this content is asked once more, beside everything else."""
        again = partial(self.media.settle_again, letter.subject)
        self.supervisor.run_contained(f"media {letter.subject}", again, gave_up=lambda: None)

    def _renewed(self, user_id: str) -> None:
        """A change of what this user has may have been done after all."""
        self.users.renew(user_id)
        self.mqtt_relay.changed(user_id)

    def _led(self, epoch: int) -> None:
        self.writer.epoch = epoch
        self.canaries.led()
        self.scheduler.take_over()
        self.device_timer.take_over(self.supervisor)
        self.mqtt_relay.republish()
        self.supervisor.run_essential("renewer", self._renew_dashboards)

    async def _renew_dashboards(self) -> None:
        """What the leader before changed was said by it alone: dashboards that were opened here
        meanwhile begin again, when nothing that it began is on its way any more."""
        await self.store.session_memory("")
        self.users.renew_all()

    def _gave_up(self, units: Sequence[WriteUnit], epoch: int) -> None:
        self.gateway.gave_up(units)
        self.leadership.doubt(epoch)

    async def _give_up(self) -> None:
        """Another process has led: all that this one remembers is old, and is built again.

        The sessions end first, so nothing new comes meanwhile. What is left of the actors' work has
        the old epoch, and the store refuses it; nobody is told of it (`_perform`). An alarm or an
        offline change among it happens all the same: its actor starts from the store, which knows
        nothing of it yet.
        """
        self.own_sessions.give_up()
        self.users.give_up()
        self.device_timer.leases.clear()
        await self.devices.retire()
        await self.writer.barrier()
        self.users.renew_all()

    async def _written(self) -> None:
        """Wait until the store has what this process, and earlier ones, gave to it."""
        await self.own_sessions.prepared.wait()
        await self.writer.barrier()

    def wake(self, name: str) -> None:
        """There may be due work of this kind: "occurrences", "plans", "commands", "webhooks"."""
        self.scheduler.wake(name)

    def due(self, name: str, at_us: int) -> None:
        """There will be due work of this kind."""
        self.scheduler.due(name, at_us)

    def told_of(self, command: Command) -> None:
        """A command was added: it goes out as soon as can be."""
        self.users.tell(command.user_id, CommandChanged(command))
        self.wake("commands")

    def _committed(self, committed: Committed, units: Sequence[WriteUnit]) -> None:
        self.gateway.committed(committed.no, units)
        self.refusals.committed(units, committed.unknown)
        self.scheduler.changed(committed.changed)
        if any(unit.readings for unit in units):
            self.due("rollups", self.scheduler.rolling.wanted_us())
        for change in committed.unknown:
            topic = change.otherwise.topic
            self.devices.tell(change.device, UnknownAck(topic=topic))

    def _perform(self, effect: DeviceEffect) -> None:
        if self.leadership.gives_up and not isinstance(effect, WriteUnit):
            return  # it comes from an actor that is to end, and its unit will be refused
        leases = self.device_timer.leases
        match effect:
            case WriteUnit():
                if effect.rejections:
                    self.recent_messages.refused(effect.device, effect.rejections)
                self.writer.submit(self.refusals.judged(effect))
            case Live(user_id=user_id, device_code=code, event=event):
                self.users.tell(user_id, event)
                self.mqtt_relay.tell(user_id, code, event)
            case Notice():
                self.notices.tell(effect)
            case LeaseRenewed(key=key, after_s=after_s):
                leases.renew(key, after_s)
            case LeaseResized(key=key, after_s=after_s):
                leases.resize(key, after_s)
            case LeaseEnded(key=key):
                leases.end(key)
            case ArmAlarm():
                leases.wait(effect.key, effect.feed_num, effect.since_us, effect.for_s)
            case CameOnline(device_num=device_num):
                self.scheduler.nudge(device_num)

    async def drain(self) -> None:
        """Take nothing new from the broker and claim no due work; wait until what was taken is
        committed and the broker has processed its acknowledgements, and until what was claimed is
        sent and noted.

        Bounded by `DRAIN_MAX_S` from the first call on: what is not done by then stays with the
        broker and the database, and the next process gets it. A later call waits for what people
        wrote meanwhile, for the rest of that time.
        """
        if self.drained_by_s is None:
            self.drained_by_s = trio.current_time() + DRAIN_MAX_S
            self.gateway.close()
            self.scheduler.close()
        with trio.move_on_at(self.drained_by_s) as scope:
            await self.writer.barrier()
            while self._has_in_flight:
                await trio.sleep(DRAIN_POLL_S)
                await self.writer.barrier()
        if scope.cancelled_caught and not self.left:
            self.left = self._give_up_draining()

    @property
    def _has_in_flight(self) -> bool:
        in_flight = self.gateway.room.messages or self.own_sessions.unheard
        return bool(in_flight or self.scheduler.in_flight)

    def _give_up_draining(self) -> str:
        """Log what is not done, and say it."""
        said: list[str] = []
        if self.gateway.room.messages or self.own_sessions.unheard:
            (messages, _), unheard = self.own_sessions.unsettled(), self.own_sessions.unheard
            why = self._hindrance()
            log.warning("left to the broker", messages=messages, unheard=unheard, why=why)
            said.append(
                f"left to the broker, for the next process: {messages} messages that are not"
                f" committed, and {unheard} of which it may not have heard that they are; {why}"
            )
        if self.scheduler.in_flight:
            commands = self.scheduler.command_outbox.in_flight
            deliveries = self.scheduler.webhook_sender.in_flight
            log.warning("left to the next process", commands=commands, deliveries=deliveries)
            said.append(
                f"left to the next process: {commands} commands and {deliveries} deliveries"
            )
        return "; ".join(said) or self._hindrance()

    def _hindrance(self) -> str:
        """Why it is not drained yet."""
        since_s = self.writer.statistics().commit_since_s
        if since_s is not None:
            for_s = trio.current_time() - since_s
            return f"the database has not answered a commit for {for_s:.0f} s"
        if self.own_sessions.unheard:
            return "the broker has not shown that it heard the acknowledgements"
        return f"the actors did not handle all within {DRAIN_MAX_S:.0f} s"


@asynccontextmanager
async def open_service(
    ports: Ports,
    *,
    on_step: Callable[[str, Any], None] | None = None,
    idle_s: float = IDLE_S,
    look_again_s: float = LOOK_AGAIN_S,
    pulse: Pulse | None = None,
    bounds: IngestBounds | None = None,
) -> AsyncIterator[Service]:
    """Open the service on its ports; it takes messages when the block begins."""
    pulse, bounds = pulse or Pulse(), bounds or IngestBounds()
    async with trio.open_nursery() as nursery:
        service = Service(nursery, ports, on_step, idle_s, look_again_s, pulse, bounds)
        service.supervisor.run_essential("leadership", service.leadership.run)
        service.supervisor.run_essential("writer", service.writer.run)
        service.supervisor.run_essential("loader", service.devices.loader.run)
        service.supervisor.run_essential("fetcher", service.gateway.left.run)
        service.supervisor.run_essential("refused", service.gateway.refused_acks.run)
        service.supervisor.run_essential("floods", service.floods.run)
        service.supervisor.run_essential("sessions", service.sessions.run)
        service.supervisor.run_essential("mqtt relay", service.mqtt_relay.run)
        service.supervisor.run_essential("session sweep", service.session_sweep.run)
        service.supervisor.run_essential("refresher", service.devices.settings.run)
        service.supervisor.run_essential("canaries", service.canaries.run)
        service.supervisor.run_essential("backlog", service.backlog.run)
        service.supervisor.run_essential("retained", service.retained.run)
        service.scheduler.start(service.supervisor)
        async with service.broker.open(service.gateway, service.own_sessions.prepare):
            try:
                # The block has a nursery of its own: when an essential task gives up, the block
                # ends first, and what is in flight is drained by those that still work.
                async with trio.open_nursery() as block:
                    block.start_soon(service.supervisor.raise_failure)
                    yield service
                    block.cancel_scope.cancel()
            finally:
                with trio.CancelScope(shield=True):  # bounded by DRAIN_MAX_S
                    await service.drain()
        with trio.CancelScope(shield=True):  # bounded by RESIGN_WITHIN_S
            await service.leadership.resign()
        nursery.cancel_scope.cancel()
