"""The entry of a device in the registry: its actor while it exists, else `UnknownDevice`."""

from actors.device.actor import DeviceActor
from protocol.events import DeviceRemoved
from protocol.messages import (
    Configured,
    DeviceEffect,
    DeviceMessage,
    FromDevice,
    LeaseEnded,
    LeaseExpired,
    Live,
    RefusalListed,
)
from protocol.records import LoadedDevice, WriteUnit


class UnknownDevice:
    """A device that does not exist: its readings are counted as unowned, and its lease ends."""

    def step(self, message: DeviceMessage, now_us: int) -> list[DeviceEffect]:
        if isinstance(message, FromDevice):
            return self.set_aside(message, "")
        if isinstance(message, LeaseExpired):  # another process deleted the device
            return [LeaseEnded(key=message.key)]
        return []

    def set_aside(self, message: FromDevice, error: str) -> list[DeviceEffect]:
        origin = message.origin
        unit = WriteUnit(
            device=origin.topic.device,
            receipt=origin.receipt,
            unowned=message.count,
            size=origin.size,
            is_nobodys=True,
        )
        return [unit]


class DeviceSlot:
    """A device's actor, or `UnknownDevice`.

    Creating and deleting a device over REST changes which of them it is, in the order of the reads
    from the store (`read`).
    """

    def __init__(
        self, loaded: LoadedDevice | None, read: int = 0, last_end_us: int | None = None
    ) -> None:
        self._read = read
        self._actor: DeviceActor | UnknownDevice = (
            UnknownDevice() if loaded is None else DeviceActor(loaded, last_end_us)
        )

    def step(self, message: DeviceMessage, now_us: int) -> list[DeviceEffect]:
        if isinstance(message, Configured):
            if message.read < self._read:
                message.done()  # it waited while this slot was filled by a newer read
                return []
            self._read = message.read
            removed = self._removed(message.loaded)
            if message.loaded is None:
                self._actor = UnknownDevice()
            elif self._is_another(message.loaded):
                self._actor = DeviceActor(message.loaded)
            effects = self._actor.step(message, now_us)
            message.done()
            return [*removed, *effects]
        return self._actor.step(message, now_us)

    @property
    def is_known(self) -> bool:
        """Whether the device exists."""
        return isinstance(self._actor, DeviceActor)

    def has_feed(self, num: int) -> bool:
        """Whether its actor has a state of that feed."""
        return isinstance(self._actor, DeviceActor) and self._actor.has_feed(num)

    def _removed(self, loaded: LoadedDevice | None) -> list[DeviceEffect]:
        """Events for dashboards and the timer about a deleted device, after all of its own."""
        if isinstance(self._actor, UnknownDevice) or not (
            loaded is None or self._is_another(loaded)
        ):
            return []
        device = self._actor.device
        event = DeviceRemoved(device.id)
        live = Live(user_id=device.user_id, device_code=device.code, event=event)
        return [live, LeaseEnded(key=device.key)]

    def _is_another(self, loaded: LoadedDevice) -> bool:
        """Whether it is a new device: a code may be used again after its device was deleted."""
        return isinstance(self._actor, UnknownDevice) or self._actor.device.num != loaded.device.num

    def set_aside(self, message: DeviceMessage, error: str) -> list[DeviceEffect]:
        if isinstance(message, Configured):
            message.done()
        if isinstance(message, Configured | RefusalListed):
            return []
        if isinstance(self._actor, DeviceActor):
            return self._actor.set_aside(message, error)
        return self._actor.set_aside(message, error) if isinstance(message, FromDevice) else []
