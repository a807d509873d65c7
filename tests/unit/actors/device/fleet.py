"""Device actors of any devices, on a store whose rows may be bad."""

import random
from collections.abc import Sequence
from types import SimpleNamespace

import msgspec
import trio

from actors.adapters.memory.clocks import ManualClock
from actors.adapters.memory.store.store import MemoryStore
from actors.device.registry import Devices
from actors.runtime.supervisor import Supervisor
from protocol.device.topics import parse_topic
from protocol.messages import DeviceEffect
from protocol.records import LoadedDevice, SharedFeeds
from tests.unit.makers import USER, handed, sent, some_device, some_feed


class Loading(MemoryStore):
    """Devices of any key; a bad one makes the query fail that asks for it."""

    def __init__(self) -> None:
        super().__init__(ManualClock())
        self.bad: set[str] = set()
        self.error: Exception = ValueError("a row that nobody can read")
        self.asked: list[int] = []

    async def load_devices(self, keys: Sequence[tuple[str, str]]) -> list[LoadedDevice | None]:
        await trio.lowlevel.checkpoint()
        self.asked.append(len(keys))
        if any(code in self.bad for _, code in keys):
            raise self.error
        made = [some_device(code=code) for _, code in keys]
        shared = SharedFeeds([some_feed("s", 9, device_id=None)])
        return [LoadedDevice(device=each, feeds=(some_feed(),), shared=shared) for each in made]


class Fleet:
    """Device actors on a store whose rows may be bad."""

    def __init__(self, nursery: trio.Nursery, idle_s: float = 600.0) -> None:
        self.clock = ManualClock()
        self.store = Loading()
        self.done: list[DeviceEffect] = []
        self.healed: list[str] = []
        self.began: list[LoadedDevice] = []
        self.supervisor = Supervisor(nursery, self.clock, random.Random(1))
        writer = SimpleNamespace(barrier=trio.lowlevel.checkpoint)
        self.devices = Devices(
            self.store,
            self.supervisor,
            writer,  # type: ignore[arg-type]
            self.done.append,
            lambda user_id: None,
            self.clock,
            lambda loaded: self.healed.append(loaded.device.code),
            self.began.append,
            idle_s=idle_s,
        )
        self.supervisor.run_essential("loader", self.devices.loader.run)
        self.supervisor.run_essential("idle devices", self.devices.run)

    def say(self, code: str, value: float = 1.0) -> bool:
        message = sent(value)
        topic = parse_topic(f"users/{USER}/devices/{code}/feeds/t")
        origin = msgspec.structs.replace(message.origin, topic=topic)
        return handed(self.devices, msgspec.structs.replace(message, origin=origin))

    @property
    def heard(self) -> set[str]:
        return {effect.device[1] for effect in self.done if hasattr(effect, "device")}
