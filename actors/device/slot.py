"""Who sits in a device's place: its actor while it exists, nobody otherwise."""

from actors.device.actor import DeviceActor
from protocol.events import DeviceGone
from protocol.messages import (
    Announce,
    Configured,
    DeviceEffect,
    DeviceMessage,
    Foreign,
    FromDevice,
    LeaseEnded,
    Live,
)
from protocol.records import LoadedDevice, WriteUnit


class UnknownDevice:
    """Stands in for a device that does not exist: its messages are counted, and belong to none."""

    def step(self, message: DeviceMessage, now_us: int) -> list[DeviceEffect]:
        if isinstance(message, FromDevice):
            return self.set_aside(message, "")
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
    """The place of a device: taken by its actor while it exists, by nobody otherwise.

    Creating and deleting a device over REST changes who sits here, in the order in which that was
    read from the store (`read`).
    """

    def __init__(self, loaded: LoadedDevice | None, read: int = 0) -> None:
        self._read = read
        self._judge: DeviceActor | UnknownDevice = (
            UnknownDevice() if loaded is None else DeviceActor(loaded)
        )

    def step(self, message: DeviceMessage, now_us: int) -> list[DeviceEffect]:
        if isinstance(message, Configured):
            if message.read < self._read:
                message.done()  # it waited while this slot was filled from what is newer
                return []
            self._read = message.read
            gone = self._leaving(message.loaded)
            if message.loaded is None:
                self._judge = UnknownDevice()
            elif self._is_another(message.loaded):
                self._judge = DeviceActor(message.loaded)
            effects = self._judge.step(message, now_us)
            message.done()
            return [*gone, *effects]
        return self._judge.step(message, now_us)

    def _leaving(self, loaded: LoadedDevice | None) -> list[DeviceEffect]:
        """Dashboards hear of a device that leaves behind everything that it said itself."""
        if isinstance(self._judge, UnknownDevice) or not (
            loaded is None or self._is_another(loaded)
        ):
            return []
        device = self._judge.device
        gone = Live(user_id=device.user_id, device_code=device.code, event=DeviceGone(device.id))
        return [gone, LeaseEnded(key=device.key)]

    def _is_another(self, loaded: LoadedDevice) -> bool:
        """A code may be given to a new device after its old one was deleted."""
        return isinstance(self._judge, UnknownDevice) or self._judge.device.num != loaded.device.num

    def set_aside(self, message: DeviceMessage, error: str) -> list[DeviceEffect]:
        if isinstance(message, Configured):
            message.done()
        if isinstance(message, Configured | Announce | Foreign):
            return []
        if isinstance(self._judge, DeviceActor):
            return self._judge.set_aside(message, error)
        return self._judge.set_aside(message, error) if isinstance(message, FromDevice) else []
