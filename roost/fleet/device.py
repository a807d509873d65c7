"""One virtual device: connects like a real one, reports, executes commands, reconnects.

device = VirtualDevice(broker, access, talk, period_s=2.0, …)
nursery.start_soon(device.live, connect)
...
device.stop()      # waits for acknowledgements, then reports `offline`
"""

import math
import random
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import structlog
import trio

from actors.adapters.mqtt.client import Address
from actors.adapters.mqtt.device import UNANSWERED_MAX, Connect, DeviceClient
from protocol import codec
from protocol.errors import BadPayload, Unavailable, in_words
from roost.fleet.tally import Tally

log = structlog.get_logger("roost.fleet")

RETRY_FIRST_S = 0.5
RETRY_MAX_S = 15.0
BEHIND_MAX_S = 1.0
COMMANDS_MAX = 16
PLAYS_S = 1.0

Talk = Callable[[], Iterable[tuple[str, Any]]]


class Access(msgspec.Struct, frozen=True):
    """The login of a device, and the prefix of its topics."""

    client_id: str
    username: str
    password: str
    topic_prefix: str


class VirtualDevice:
    """See the module.

    Attributes:
        was_connected: whether the broker has ever accepted it.

    Args:
        talk: returns what it publishes each time: ends of topics, and payloads.
        period_s: between two reports.
        session: grows at every start; it is part of its status and its will.
        entering: limits how many of all devices connect at the same time.
        at_once: whether it reports as soon as it is connected, too.
    """

    def __init__(
        self,
        broker: Address,
        access: Access,
        talk: Talk,
        period_s: float,
        tally: Tally,
        rng: random.Random,
        session: int,
        entering: trio.CapacityLimiter,
        *,
        at_once: bool = False,
    ) -> None:
        self.was_connected = False
        self._broker = broker
        self._access = access
        self._talk = talk
        self._period_s = period_s
        self._tally = tally
        self._rng = rng
        self._session = session
        self._entering = entering
        self._at_once = at_once
        self._stopping = trio.Event()
        self._ended = trio.Event()  # this connection ended, or the device stops
        self._entry = trio.CancelScope()
        # Readings of a broken connection: those in the window, and one that waited for it.
        self._unanswered: list[tuple[str, bytes]] = []
        self._waiting: dict[str, None] = {}  # commands, in turn
        self._done: deque[str] = deque(maxlen=COMMANDS_MAX)
        self._wake = trio.Event()

    def stop(self) -> None:
        self._stopping.set()
        self._ended.set()
        self._entry.cancel()

    async def live(self, connect: Connect) -> None:
        """Until `stop`: connect, report, and reconnect after growing pauses."""
        failures = 0
        while not self._stopping.is_set():
            self._ended, self._entry = trio.Event(), trio.CancelScope()
            try:
                await self._connected(connect)
                failures = 0
            except Unavailable as error:
                self._trouble(error)
                failures += 1
            pause_s = min(RETRY_MAX_S, RETRY_FIRST_S * 2 ** min(failures, 10))
            with trio.move_on_after(pause_s * self._rng.uniform(0.5, 1)):
                await self._stopping.wait()

    async def _connected(self, connect: Connect) -> None:
        """One connection from start to end. Raises `Unavailable` if there is none."""
        access, topic = self._access, f"{self._access.topic_prefix}/status"
        will = (topic, self._status("offline"))
        async with AsyncExitStack() as stack:
            with self._entry:
                async with self._entering:
                    line = await stack.enter_async_context(
                        connect(
                            self._broker,
                            access.client_id,
                            access.username,
                            access.password,
                            will=will,
                        )
                    )
            if self._entry.cancelled_caught:
                return
            self.was_connected = True
            await line.subscribe(f"{access.topic_prefix}/commands", self._heard)
            await line.publish(topic, self._status("online"))
            self._tally.connected += 1
            try:
                await self._work(line)
            finally:
                self._tally.connected -= 1
            if not line.lost.is_set():
                await line.publish(topic, self._status("offline"))

    async def _work(self, line: DeviceClient) -> None:
        async with trio.open_nursery() as beside:
            beside.start_soon(self._watch, line)
            beside.start_soon(self._obey, line)
            async with trio.open_nursery() as nursery:
                await self._report(line, nursery)
            beside.cancel_scope.cancel()

    async def _watch(self, line: DeviceClient) -> None:
        await line.lost.wait()
        self._ended.set()

    async def _report(self, line: DeviceClient, nursery: trio.Nursery) -> None:
        """Publish at its times until the connection ends; several readings may wait for their
        acknowledgement at once."""
        slots = trio.Semaphore(UNANSWERED_MAX)
        again, self._unanswered = self._unanswered, []
        for topic, payload in again:
            await slots.acquire()
            nursery.start_soon(self._publish, line, topic, payload, slots)
        due_s = trio.current_time() + self._rng.random() * self._period_s
        if self._at_once:
            await self._say(line, nursery, slots)
        while True:
            with trio.move_on_at(due_s):
                await self._ended.wait()
            if self._ended.is_set():
                return
            await self._say(line, nursery, slots)
            due_s = self._next(due_s)

    async def _say(self, line: DeviceClient, nursery: trio.Nursery, slots: trio.Semaphore) -> None:
        for topic, said in self._talk():
            self._tally.sent += topic.startswith("feeds")
            await slots.acquire()
            nursery.start_soon(self._publish, line, topic, codec.encode(said), slots)

    def _next(self, due_s: float) -> float:
        """If it is late by more than a second (ten readings are unacknowledged, or the machine is
        busy), missed times are skipped and counted."""
        due_s += self._period_s
        late_s = trio.current_time() - due_s
        if late_s < BEHIND_MAX_S:
            return due_s
        missed = math.ceil(late_s / self._period_s)
        self._tally.skipped += missed
        return due_s + missed * self._period_s

    async def _publish(
        self, line: DeviceClient, topic: str, payload: bytes, slots: trio.Semaphore
    ) -> None:
        """A reading without acknowledgement is sent again on the next connection, unchanged."""
        is_reading = topic.startswith("feeds")
        since_s = trio.current_time()
        try:
            await line.publish(f"{self._access.topic_prefix}/{topic}", payload)
        except Unavailable as error:
            self._trouble(error)
            if is_reading:
                self._unanswered.append((topic, payload))
        else:
            if is_reading:
                self._tally.acknowledge(trio.current_time() - since_s)
        finally:
            slots.release()

    def _heard(self, payload: bytes) -> None:
        """A command arrives again until it is answered; a waiting one is queued once."""
        try:
            command_id = str(codec.decode(payload)["id"])
        except (BadPayload, KeyError, TypeError) as error:
            log.warning("virtual device cannot read a command", error=in_words(error))
            return
        if command_id not in self._waiting and len(self._waiting) < COMMANDS_MAX:
            self._waiting[command_id] = None
            self._wake.set()

    async def _obey(self, line: DeviceClient) -> None:
        """Each command takes a second, is executed once, and succeeds. If the connection is lost
        meanwhile, it continues on the next one."""
        while True:
            if not self._waiting:
                self._wake = trio.Event()
                await self._wake.wait()
            command_id = next(iter(self._waiting))
            topic = f"{self._access.topic_prefix}/commands/{command_id}/ack"
            try:
                if command_id not in self._done:
                    await line.publish(topic, codec.encode({"status": "delivered"}))
                    await trio.sleep(PLAYS_S)
                    self._done.append(command_id)
                    self._tally.commands += 1
                await line.publish(topic, codec.encode({"status": "succeeded"}))
            except Unavailable as error:
                self._trouble(error)
                return
            del self._waiting[command_id]

    def _trouble(self, error: Unavailable) -> None:
        """This connection cannot be used any more."""
        log.info("virtual device waits", device=self._access.client_id, error=in_words(error))
        self._tally.trouble = in_words(error)
        self._ended.set()

    def _status(self, word: str) -> bytes:
        return codec.encode({"status": word, "session": self._session})
