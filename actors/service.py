"""The service: gateway, actors and writer, opened together and closed in order.

    async with open_service(ports) as service:
        async with service.users.watch(user_id) as outbox: ...

At the end: no new work; what is in flight is committed and acknowledged; then the sessions end.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import Any

import trio

from actors.access.lock_outs import LockOuts
from actors.access.session_sweep import SessionSweep
from actors.changes import Changes
from actors.device.registry import IDLE_S, Devices
from actors.device.timer import DeviceTimer
from actors.due.scheduler import Scheduler
from actors.erasure import Eraser, Erasures
from actors.ingest.backlog import Backlog
from actors.ingest.bounds import IngestBounds
from actors.ingest.broker_refusals import BrokerRefusals
from actors.ingest.counters import Counters
from actors.ingest.notices import Notices
from actors.ingest.recent_messages import RecentMessages
from actors.ingest.refusal_budget import RefusalBudget
from actors.ingest.writer import Writer
from actors.ingest.written import Written
from actors.leadership import Leadership
from actors.media import library
from actors.ports import Ports
from actors.pulse import Pulse
from actors.runtime.supervisor import Supervisor
from actors.user.mqtt_relay import MqttRelay
from actors.user.registry import Users
from actors.wiring.commits import Commits
from actors.wiring.draining import Draining
from actors.wiring.effects import DeviceEffects
from actors.wiring.entrance import Entrance
from actors.wiring.lead_changes import LeadChanges
from actors.wiring.notifications import following
from actors.wiring.second_tries import SecondTries
from protocol.device.commands import Command
from protocol.events import CommandChanged

VERSION = version("roost")
# A leader that misses this many canaries in a row, and receives nothing else, gives way.
PATIENCE_CANARIES = 3
# How long due work of a process that died may wait until this process looks.
LOOK_AGAIN_S = 10.0


class Service:
    """The running service: its parts, created in the order in which they depend on each other."""

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
        self._take(ports)
        self.supervisor = Supervisor(nursery, ports.clock, ports.rng)
        self._make_counters(ports, bounds)
        self._make_lead_and_writer(ports, pulse)
        self._make_access(ports)
        self._make_actors(ports, on_step, idle_s)
        self._make_timed_work(ports, look_again_s)
        self._effects.connect(self.users, self.scheduler, self.device_timer)
        self._make_entrance(ports, pulse, bounds)
        self._make_followers(ports, pulse, look_again_s)
        self._make_changes(ports)

    def _take(self, ports: Ports) -> None:
        """The ports that REST uses."""
        self.store = ports.store
        self.clock = ports.clock
        self.ids = ports.ids
        self.logins = ports.logins
        self.broker = ports.broker
        self.links = ports.links
        self.files = ports.files
        self.mailer = ports.mailer
        self.zalo = ports.zalo
        self.machine = ports.machine
        self.broker_health = ports.broker_health
        self.media = library.Library(ports.store, ports.files, ports.clock)

    def _make_counters(self, ports: Ports, bounds: IngestBounds) -> None:
        self.counters = Counters()
        self.recent_messages = RecentMessages()
        self.refusals = RefusalBudget(bounds.refusals)
        self.notices = Notices(ports.broker, ports.clock)
        self.backlog = Backlog(ports.backlog)

    def _make_lead_and_writer(self, ports: Ports, pulse: Pulse) -> None:
        self._holder = ports.ids.uuid()
        self.leadership = Leadership(
            ports.store,
            self._holder,
            patience_s=PATIENCE_CANARIES * pulse.canary_s,
            alone=pulse.is_alone,
            beat_s=pulse.beat_s,
        )
        self.writer = Writer(ports.store, ports.ids, self.counters, ports.rng)
        self._written = Written(self.writer)

    def _make_access(self, ports: Ports) -> None:
        """Listeners over MQTT."""
        leadership = self.leadership
        self.mqtt_relay = MqttRelay(
            ports.store,
            ports.broker,
            ports.clock,
            VERSION,
            leads=lambda: leadership.leads,
            may_serve=lambda: leadership.may_serve,
            wait_may_serve=leadership.wait_may_serve,
            written=self._written.wait,
        )
        ports.logins.watch(self.mqtt_relay.arrived)
        self.session_sweep = SessionSweep(ports.store, ports.logins)

    def _make_actors(
        self, ports: Ports, on_step: Callable[[str, Any], None] | None, idle_s: float
    ) -> None:
        self._effects = DeviceEffects(
            self.leadership,
            self.writer,
            self.refusals,
            self.recent_messages,
            self.notices,
            self.mqtt_relay,
        )
        self.devices = Devices(
            ports.store,
            self.supervisor,
            self.writer,
            self._effects.perform,
            self._effects.settings_renewed,
            ports.clock,
            self._effects.device_healed,
            self._effects.device_starts,
            on_step,
            idle_s,
        )
        told = self.recent_messages, self.devices.send
        self.broker_refusals = BrokerRefusals(ports.store, ports.clock, *told)
        self.users = Users(ports.store, self.supervisor, self._written.wait, on_step)

    def _make_timed_work(self, ports: Ports, look_again_s: float) -> None:
        leadership = self.leadership
        tries = SecondTries(ports.store, ports.clock, self.media, self.supervisor)
        self.erasures = Erasures(
            ports.store,
            ports.clock,
            lambda user_id: self._eraser.erase(user_id),
            leadership.wait_may_serve,
        )
        self.lock_outs = LockOuts(ports.store, ports.logins, look_again_s, self.erasures.found)
        self.scheduler = Scheduler(
            ports,
            tell=self.users.tell,
            renew=self.users.renew_all,
            may_serve=lambda: leadership.may_serve,
            look_again_s=look_again_s,
            again=tries.by_work(
                self.devices.load_again, self.mqtt_relay.look_again, self.erasures.try_again
            ),
        )
        self.device_timer = DeviceTimer(
            ports.broker.sessions,
            ports.store,
            ports.clock,
            self.scheduler.timer,
            send=self.devices.send,
            written=self._written.wait,
        )

    def _make_entrance(self, ports: Ports, pulse: Pulse, bounds: IngestBounds) -> None:
        entrance = Entrance(
            ports,
            pulse,
            bounds,
            holder=self._holder,
            leadership=self.leadership,
            counters=self.counters,
            recent_messages=self.recent_messages,
            notices=self.notices,
            writer=self.writer,
            written=self._written,
            devices=self.devices,
            device_timer=self.device_timer,
            users=self.users,
            mqtt_relay=self.mqtt_relay,
            disk_takes=self.has_room,
        )
        self.floods, self.limits = entrance.floods, entrance.limits
        self.canaries, self.retained = entrance.canaries, entrance.retained
        self.own_sessions, self.gateway = entrance.own_sessions, entrance.gateway
        self.posts = entrance.posts

    def _make_followers(self, ports: Ports, pulse: Pulse, look_again_s: float) -> None:
        """Parts that are told about other processes' changes, commits, changes of the lead, the
        end."""
        self.sessions = following(
            ports.store,
            look_again_s / 2,
            self.mqtt_relay,
            self.devices,
            self.lock_outs,
            is_alone=pulse.is_alone,
        )
        self.commits = Commits(
            self.gateway,
            self.posts,
            self.refusals,
            self.scheduler,
            self.devices,
            self.leadership,
        )
        self.lead_changes = LeadChanges(
            ports.store,
            self.supervisor,
            self.writer,
            devices=self.devices,
            users=self.users,
            mqtt_relay=self.mqtt_relay,
            scheduler=self.scheduler,
            device_timer=self.device_timer,
            own_sessions=self.own_sessions,
            gateway=self.gateway,
            canaries=self.canaries,
        )
        self.draining = Draining(self.writer, self.gateway, self.own_sessions, self.scheduler)

    def _make_changes(self, ports: Ports) -> None:
        self.changes = Changes(
            ports.store,
            self.writer,
            ports.logins,
            devices=self.devices,
            users=self.users,
            mqtt_relay=self.mqtt_relay,
            sessions=self.sessions,
            session_sweep=self.session_sweep,
            scheduler=self.scheduler,
            device_timer=self.device_timer,
            retained=self.retained,
        )
        self._eraser = Eraser(ports.store, self.changes, self.media)

    def start(self) -> None:
        """Run everything in the service's nursery."""
        run = self.supervisor.run_essential
        run("leadership", partial(self.leadership.run, self.lead_changes))
        run("writer", partial(self.writer.run, self.commits))
        run("loader", self.devices.loader.run)
        run("idle devices", self.devices.run)
        run("fetcher", self.gateway.left.run)
        run("refused", self.gateway.refused_acks.run)
        run("floods", self.floods.run)
        run("sessions", self.sessions.run)
        run("mqtt relay", self.mqtt_relay.run)
        run("lock-outs", self.lock_outs.run)
        run("erasures", self.erasures.run)
        run("session sweep", self.session_sweep.run)
        run("refresher", self.devices.settings.run)
        run("canaries", self.canaries.run)
        run("backlog", self.backlog.run)
        run("retained", self.retained.run)
        leases, flows = self.device_timer.leases, self.device_timer.flows
        self.scheduler.start(self.supervisor, {"lease": leases.tick, "flow": flows.look})

    def has_room(self) -> bool:
        """Whether the disk of the embedded servers has room for anything new."""
        return self.machine is None or self.machine.takes

    def told_of(self, command: Command) -> None:
        """A command was added: it is sent as soon as possible."""
        self.users.tell(command.user_id, CommandChanged(command))
        self.scheduler.wake("commands")

    async def drain(self) -> None:
        """Take nothing new, and finish what was taken (`Draining.run`)."""
        await self.draining.run()


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
        service.start()
        async with service.broker.open(service.gateway, service.gateway.prepare):
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
