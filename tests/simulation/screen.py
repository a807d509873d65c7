"""A dashboard: what it is told over its WebSocket, and the picture that it makes of it.

It holds every frame against what no dashboard may ever see: an older value after a newer, a gap in
`seq`, somebody else's device (I3, I8).
"""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import trio

from tests.simulation.asgi import Socket, SocketClosed, open_socket
from tests.simulation.broken import Broken
from tests.simulation.person import Person
from tests.simulation.process import Gone, Process

if TYPE_CHECKING:
    from tests.simulation.world import World

AGAIN_S = 1.0
WAIT_S = 600.0
PACE_MAX_S = 0.1
LEAVES_WITHIN_S = 2.0


class Screen:
    """One dashboard. `pace_s` is how long it takes over each frame; it connects again when cut off.

    Attributes:
        devices: the newest view of each device by its id.
        values: the newest (ts, value) of each feed by its id.
        frames: events as they came, of all connections.
    """

    def __init__(
        self, world: "World", person: Person, *, pace_s: float = 0.0, batch: bool = False
    ) -> None:
        self.person = person
        self.pace_s = pace_s
        self.devices: dict[str, dict[str, Any]] = {}
        self.values: dict[str, tuple[str, Any]] = {}
        self.frames: list[dict[str, Any]] = []
        self.codes: list[int] = []
        self.connections = 0
        self.lists = 0
        self.is_listed = False
        self.has_left = False
        self._world = world
        self._batch = batch
        self._seq = 0
        self._marks: dict[str, float] = {}
        self._news = trio.Event()

    @property
    def has_lost(self) -> bool:
        """Whether it was told by a new list that events fell out."""
        return self.lists > self.connections

    @property
    def is_calm(self) -> bool:
        """Whether it is connected and keeps up: then its picture is the newest."""
        return self.is_listed and not self.has_left and self.pace_s < PACE_MAX_S

    async def watch(self) -> None:
        """Stay connected, until cancelled."""
        while True:
            process = await self._world.serving()
            try:
                with process.client():
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self._leave_standby, process, nursery.cancel_scope)
                        await self._connected(process)
            except* Gone:
                self.codes.append(1006)
            except* SocketClosed as closed:
                self.codes.append(_code_of(closed))
            self.is_listed = False
            await trio.sleep(AGAIN_S)

    async def _leave_standby(self, process: Process, scope: trio.CancelScope) -> None:
        """A load balancer ends what goes through a process that is not ready any more."""
        while self._world.many > 1:
            await trio.sleep(LEAVES_WITHIN_S)
            if self._world.replicas.leader() not in (None, process):
                scope.cancel()

    async def _connected(self, process: Process) -> None:
        path = f"/ws/devices{'?batch=1' if self._batch else ''}"
        async with open_socket(process.app, path, self.person.headers) as socket:
            self.connections += 1
            self._seq = 0
            self.devices.clear()
            self.values.clear()
            self._marks.clear()
            self._service = process.service
            self._given_up = self._all_given_up()
            await self.greet(socket)
            while True:
                self.take(await socket.receive())
                await trio.sleep(self.pace_s)

    async def greet(self, socket: Socket) -> None:
        """What it says at first."""

    def take(self, frame: dict[str, Any]) -> None:
        for event in frame["events"] if frame["type"] == "batch" else [frame]:
            self._check(event)
            self._apply(event)
            self.frames.append(event)
            self._world.trace.note(f"screen of {self.person.name}", json.dumps(event))
        news, self._news = self._news, trio.Event()
        news.set()

    def _check(self, event: dict[str, Any]) -> None:
        if "seq" not in event:
            return  # "stale", told of a time before this connection
        self._seq += 1
        if event["seq"] != self._seq:
            raise Broken("I3", f"seq {event['seq']} where {self._seq} was to come")
        if self._seq == 1 and event["type"] != "device_list":
            raise Broken("I3", f"{event['type']} before the first device_list")
        if event["type"] == "device_list" and self._all_given_up() != self._given_up:
            # What was told and not stored when another process led is not so: it comes again.
            # Actors that are not built again yet may have told of it in one list more.
            self._marks.clear()
            self.values.clear()
        for device in _devices_in(event):
            owner = self._world.owner_of(device["id"])
            if owner != self.person.name:
                raise Broken("I8", f"{self.person.name} was told of {owner}'s device")
            self._check_mark(device)
        if event["type"] == "feed_value":
            if self._world.owner_of(event["feed_id"]) != self.person.name:
                raise Broken("I8", f"{self.person.name} was told of a stranger's feed")
            known = self.values.get(event["feed_id"])
            if known is not None and event["ts"] < known[0]:
                raise Broken("I3", f"feed_value of {event['ts']} after {known[0]}")

    def _all_given_up(self) -> tuple[int, int]:
        """Leads that its process lost, and messages whose units the store refused for that, which
        is known a moment before."""
        return self._service.leadership.stepped_down, self._service.gateway.given_up

    def _check_mark(self, device: dict[str, Any]) -> None:
        """A device's reports count their temperature upwards, in the order of their `ts`."""
        mark = device["temperature"]
        known = self._marks.get(device["id"])
        if mark is not None:
            if known is not None and mark < known:
                raise Broken("I3", f"device went back from report {known:g} to {mark:g}")
            self._marks[device["id"]] = mark

    def _apply(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "device_list":
                self.lists += 1
                self.devices = {device["id"]: device for device in event["devices"]}
                self.is_listed = True
            case "device_update":
                self.devices[event["device"]["id"]] = event["device"]
            case "device_removed":
                self.devices.pop(event["device_id"], None)
            case "feed_value":
                self.values[event["feed_id"]] = event["ts"], event["value"]

    async def until(self, probe: Callable[[], Any]) -> Any:
        """Wait until the picture is as wanted; answers with what the probe found.

        Raises:
            Broken: it never became so.
        """
        with trio.move_on_after(WAIT_S):
            while not (found := probe()):
                await self._news.wait()
            return found
        raise Broken("I6", f"a dashboard of {self.person.name} waits for ever")

    async def next(self, kind: str) -> dict[str, Any]:
        """The next event of a type, from now on."""
        seen = len(self.frames)

        def probe() -> list[dict[str, Any]]:
            return [frame for frame in self.frames[seen:] if frame["type"] == kind]

        found: dict[str, Any] = (await self.until(probe))[0]
        return found


def _devices_in(event: dict[str, Any]) -> list[dict[str, Any]]:
    if event["type"] == "device_list":
        return list(event["devices"])
    return [event["device"]] if event["type"] == "device_update" else []


def _code_of(closed: BaseExceptionGroup[SocketClosed]) -> int:
    first = closed.exceptions[0]
    return first.code if isinstance(first, SocketClosed) else _code_of(first)
