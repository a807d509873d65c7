"""Composes what is between the broker and the actors: rates, sessions, the gateway."""

from collections.abc import Callable

from actors.device.registry import Devices
from actors.device.timer import DeviceTimer
from actors.ingest.bounds import IngestBounds
from actors.ingest.canaries import Canaries
from actors.ingest.canary_intake import CanaryIntake
from actors.ingest.counters import Counters
from actors.ingest.floods import Floods
from actors.ingest.gateway import Gateway
from actors.ingest.intake import Intake
from actors.ingest.left_messages import LeftMessages
from actors.ingest.limits import Limits
from actors.ingest.notices import Notices
from actors.ingest.own_sessions import OwnSessions
from actors.ingest.posts import Posts
from actors.ingest.recent_messages import RecentMessages
from actors.ingest.retained_copies import RetainedCopies
from actors.ingest.room import Room
from actors.ingest.writer import Writer
from actors.ingest.written import Written
from actors.leadership import Leadership
from actors.ports import Ports
from actors.pulse import Pulse
from actors.user.mqtt_relay import MqttRelay
from actors.user.registry import Users
from protocol.events import Staleness


class Entrance:
    """Args:
    holder: a name that no other process has; it is part of every canary.
    disk_takes: whether the disk has room for anything new.
    """

    def __init__(
        self,
        ports: Ports,
        pulse: Pulse,
        bounds: IngestBounds,
        *,
        holder: str,
        leadership: Leadership,
        counters: Counters,
        recent_messages: RecentMessages,
        notices: Notices,
        writer: Writer,
        written: Written,
        devices: Devices,
        device_timer: DeviceTimer,
        users: Users,
        mqtt_relay: MqttRelay,
        disk_takes: Callable[[], bool],
    ) -> None:
        self.floods = _floods(ports, bounds, users)
        self.limits = Limits(
            bounds.rates, ports.broker.sessions, counters, self.floods.began, notices.tell
        )
        self.canaries = _canaries(ports, pulse, holder, leadership, self.limits)
        self.own_sessions = OwnSessions(
            ports.broker,
            ports.store,
            ports.clock,
            flows=device_timer.flows,
            live_changed=lambda since_us: users.tell_all(Staleness(since_us)),
            confirm=writer.confirm,
            can_send=mqtt_relay.republish,
            wait_may_serve=leadership.wait_may_serve,
            prepared=written.prepared,
        )
        self.retained = _retained(ports, pulse, bounds, leadership, self.own_sessions, notices)
        room = Room(disk_takes)
        left = LeftMessages(ports.broker, room)
        sessions, retained, flows = self.own_sessions, self.retained, device_timer.flows
        place_of, seen = devices.place_of, recent_messages.seen
        intake = Intake(
            ports.clock, counters, sessions, room, left, retained, flows, place_of, seen
        )
        canaries = CanaryIntake(self.canaries, self.limits, writer.submit)
        self.posts = Posts(
            ports.clock,
            counters,
            room,
            self.limits,
            lambda: leadership.leads and not leadership.gives_up,
            place_of,
            seen,
        )
        self.gateway = Gateway(
            ports.broker, sessions, room, left, intake, canaries, self.limits, retained
        )


def _floods(ports: Ports, bounds: IngestBounds, users: Users) -> Floods:
    return Floods(
        ports.store,
        ports.logins,
        ports.clock,
        retry_after_s=bounds.rates.retry_after_s,
        told=users.renew,
    )


def _canaries(
    ports: Ports, pulse: Pulse, holder: str, leadership: Leadership, limits: Limits
) -> Canaries:
    return Canaries(
        ports.broker,
        holder,
        wait_may_serve=leadership.wait_may_serve,
        leads=lambda: leadership.leads,
        is_there=limits.is_there,
        forgot=limits.forgot,
        every_s=pulse.canary_s,
    )


def _retained(
    ports: Ports,
    pulse: Pulse,
    bounds: IngestBounds,
    leadership: Leadership,
    sessions: OwnSessions,
    notices: Notices,
) -> RetainedCopies:
    return RetainedCopies(
        ports.retained,
        is_seen=any(plan.is_seen for plan in ports.broker.sessions),
        connections=sessions.connections,
        tell=notices.tell,
        now_us=ports.clock.now_us,
        wait_may_serve=leadership.wait_may_serve,
        bounds=bounds.retained,
        every_s=pulse.retained_s,
    )
