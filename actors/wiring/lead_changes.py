"""What happens when this process takes the lead, loses it, or stands by."""

from actors.device.registry import Devices
from actors.device.timer import DeviceTimer
from actors.due.scheduler import Scheduler
from actors.ingest.canaries import Canaries
from actors.ingest.gateway import Gateway
from actors.ingest.own_sessions import OwnSessions
from actors.ingest.writer import Writer
from actors.ports.store import Store
from actors.runtime.supervisor import Supervisor
from actors.user.mqtt_relay import MqttRelay
from actors.user.registry import Users


class LeadChanges:
    """A `Follower` of the leadership."""

    def __init__(
        self,
        store: Store,
        supervisor: Supervisor,
        writer: Writer,
        *,
        devices: Devices,
        users: Users,
        mqtt_relay: MqttRelay,
        scheduler: Scheduler,
        device_timer: DeviceTimer,
        own_sessions: OwnSessions,
        gateway: Gateway,
        canaries: Canaries,
    ) -> None:
        self._store = store
        self._supervisor = supervisor
        self._writer = writer
        self._devices = devices
        self._users = users
        self._mqtt_relay = mqtt_relay
        self._scheduler = scheduler
        self._device_timer = device_timer
        self._own_sessions = own_sessions
        self._gateway = gateway
        self._canaries = canaries

    def brought(self) -> int:
        return self._gateway.brought

    def reaches_broker(self) -> bool:
        return self._own_sessions.connected_count > 0

    def led(self, epoch: int) -> None:
        self._writer.epoch = epoch
        self._canaries.led()
        self._scheduler.take_over()
        self._device_timer.take_over(self._supervisor)
        self._mqtt_relay.republish()
        self._supervisor.run_essential("renewer", self._renew_dashboards)

    def resumed(self) -> None:
        self._scheduler.take_over()
        self._mqtt_relay.republish()

    def stood_by(self) -> None:
        self._own_sessions.others_serve()

    async def give_up(self) -> None:
        """Another process has led: the whole state of this one is outdated, and is built again.

        The sessions end first, so that nothing new arrives meanwhile. The rest of the actors' work
        has the old epoch, and the store refuses it; nobody is told of it (`DeviceEffects.perform`).
        An alarm or an offline change in it still happens: its actor starts again from the store,
        which does not know of it yet.
        """
        self._own_sessions.give_up()
        self._users.give_up()
        self._device_timer.leases.clear()
        await self._devices.retire()
        await self._writer.barrier()
        self._users.renew_all()

    async def _renew_dashboards(self) -> None:
        """Only the previous leader's dashboards were told its changes. Dashboards that were opened
        here meanwhile begin again, when all its commits have ended."""
        await self._store.session_memory("")
        self._users.renew_all()
