"""What time alone does to devices: leases run out, and pending alarms are raised.

Time is measured by the partitions' clocks, with the service's one timer. Leases and alarms from
before this process took the lead are restored from the store (`actors.device.restoration`).
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
    """Leases and pending alarms of all devices that this process serves.

    Args:
        timer: calls `leases.tick` for ("lease", partition), `flows.look` for ("flow", partition).
        send: sends a message to a device's actor (`Leases`).
        written: waits until the store has everything that this process, and earlier ones,
            submitted.
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
        """This process leads from now on. Leases start with what the store has, because another
        process served the devices until then."""
        self.leases.clear()
        self._restoring.cancel()  # an earlier one that has not finished
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
        """Restore leases and waiting times of devices that were online, or near an alarm,
        before."""
        await self._written()
        await restoration.run()

    def device_starts(self, loaded: LoadedDevice) -> None:
        """Start the waiting times of its alarms, also of one that could not be read at the
        take-over."""
        if loaded.alarms:
            restore_waits(self.leases, loaded, self._clock.now_us())

    def device_healed(self, loaded: LoadedDevice) -> None:
        """A device that could not be read can be read again: start its lease, if it is online, and
        the waiting times of its alarms."""
        if loaded.device.state.status != OFFLINE:
            self.leases.restore([loaded.device])
        self.device_starts(loaded)
