"""What time alone does to devices: leases run out, and alarms that waited are raised.

It measures in the time of partitions, by the service's one timer. What was promised before this
process took the lead is restored from the store (`actors.device.restoration`).
"""

from collections.abc import Awaitable, Callable, Sequence

import trio

from actors.device.leases import DeviceKey, Leases
from actors.device.restoration import Restoration, restore_waits
from actors.ingest.partition_clock import PartitionClocks
from actors.ports.broker import SessionPlan
from actors.ports.store import Store
from actors.runtime.clock import WallClock
from actors.runtime.supervisor import Supervisor
from actors.runtime.timer import Timer
from protocol.messages import TimerMessage
from protocol.records import OFFLINE, LoadedDevice


class DeviceTimer:
    """Leases and waiting alarms of all devices that this process serves.

    Args:
        timer: rings `leases.tick` for ("lease", partition), `flows.look` for ("flow", partition).
        send: gives a message to a device's actor (`Leases`).
        written: waits until the store has what this process, and earlier ones, gave to it.
    """

    def __init__(
        self,
        sessions: Sequence[SessionPlan],
        store: Store,
        clock: WallClock,
        timer: Timer,
        *,
        send: Callable[[DeviceKey, TimerMessage], bool],
        written: Callable[[], Awaitable[None]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._timer = timer
        self._written = written
        self._restoring = trio.CancelScope()
        self._restorations = 0
        self.flows = PartitionClocks(
            sessions,
            changed=lambda partition: self.leases.arm(partition),
            later=lambda partition, in_s: timer.after(("flow", partition), in_s),
        )
        self.leases = Leases(self.flows, send, self._arm)

    def _arm(self, partition: int, in_s: float | None) -> None:
        if in_s is None:
            self._timer.cancel(("lease", partition))
        else:
            self._timer.after(("lease", partition), in_s)

    def take_over(self, supervisor: Supervisor) -> None:
        """This process leads from now on. Leases begin with what the store knows, because until
        then another process served the devices."""
        self.leases.clear()
        self._restoring.cancel()  # an earlier one that has not come to its end
        self._restorations += 1
        number = self._restorations
        restoration = Restoration(self._store, self._clock, self.leases)

        async def restore() -> None:
            if number != self._restorations:
                return
            with trio.CancelScope() as scope:  # one for each try
                self._restoring = scope
                await self._restore(restoration)

        supervisor.run_essential("leases", restore)

    async def _restore(self, restoration: Restoration) -> None:
        """Leases and waits of the devices that were online, or near an alarm, before."""
        await self._written()
        await restoration.run()

    def device_starts(self, loaded: LoadedDevice) -> None:
        """Its alarms wait, also one that nobody could read when this process took over."""
        if loaded.alarms:
            restore_waits(self.leases, loaded, self._clock.now_us())

    def device_healed(self, loaded: LoadedDevice) -> None:
        """A device that nobody could read can be read again: it has a lease, if it is online, and
        its alarms wait."""
        if loaded.device.state.status != OFFLINE:
            self.leases.restore([loaded.device])
        self.device_starts(loaded)
