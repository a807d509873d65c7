"""What a broker keeps of one MQTT session: its queue, its window, and how it sends again.

The habits are those of real brokers; each is pinned by a test against the real one
(`tests/contract/test_broker_habits.py`).
"""

import random
from collections import deque
from collections.abc import Callable
from functools import partial

import msgspec
import trio

from actors.adapters.memory_line import Line
from actors.ports import Delivery, SessionPlan

CONFIRM_S = 0.02  # a PINGREQ behind acknowledgements is answered so much later
UNSAVED_S = 0.1  # NATS writes what was acknowledged to its disk within so long


class Habits(msgspec.Struct, frozen=True, kw_only=True):
    """How a broker treats persistent sessions.

    Attributes:
        partitions: into how many it maps what devices send; 0 for one that cannot map.
        ack_wait_s: an unacknowledged message is sent again so long after its last delivery, on the
            same connection too, while newer ones overtake it; the clock goes on while the session
            is away. None: at once and in order on every new connection, and never otherwise.
        window: messages in flight to a session; a full window lets nothing new of QoS 1 through.
        packet_ids: how many there are before they come round again.
        kill_forgets: `kill -9` gives new packet ids, and may take back what was sent and what was
            acknowledged in the last moment: such messages come at once, in order, without DUP.
        stop_sends_wills: an orderly stop sends the wills of connected devices.
        maps_wills: a will goes where the device's other messages go.
    """

    partitions: int
    ack_wait_s: float | None
    window: int
    packet_ids: int = 65_535
    kill_forgets: bool
    stop_sends_wills: bool
    maps_wills: bool


NATS = Habits(
    partitions=4,
    ack_wait_s=5.0,
    window=10_000,
    kill_forgets=True,
    stop_sends_wills=False,
    maps_wills=False,
)
# Stopped in order: what `kill -9` loses since the last autosave is between Mosquitto and its disk.
MOSQUITTO = Habits(
    partitions=0,
    ack_wait_s=None,
    window=1_000,
    kill_forgets=False,
    stop_sends_wills=True,
    maps_wills=True,
)


class Published(msgspec.Struct, kw_only=True, eq=False):
    """A message that the broker took from a device, and what it knows became of it."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    at_s: float
    deliveries: int = 0
    acknowledged: bool = False
    forgotten_acks: int = 0  # how often the broker forgot that it was acknowledged
    copies: int = 0  # of a retained message: how often a SUBSCRIBE brought it
    lost: bool = False  # the broker lost it: its session was gone, or never there


class _Message(msgspec.Struct, kw_only=True, eq=False):
    """A published message on its way to one session."""

    published: Published
    topic: str
    retain: bool = False
    packet_id: int = 0
    sent: bool = False  # the next time it is sent again: DUP


class Session:
    """The server's side of a session. `hand` brings a delivery to whoever is connected."""

    def __init__(self, plan: SessionPlan, habits: Habits, rng: random.Random) -> None:
        self.plan = plan
        self.habits = habits
        self.known = False  # it exists since its first connection
        self.acks = 0
        self.line: Line | None = None
        self._rng = rng
        self._number = 0
        self._hand: Callable[[Delivery], None]
        self._heard: Callable[[int], None]
        self._queue: deque[_Message] = deque()
        self._window: dict[int, _Message] = {}
        self._again: deque[tuple[float, _Message]] = deque()
        self._next_id = 0
        self._recent: deque[tuple[float, _Message]] = deque(maxlen=habits.window)
        self._is_flowing = False
        self._is_pinging = False

    @property
    def waiting(self) -> int:
        """Messages that are not acknowledged."""
        return len(self._queue) + len(self._window)

    @property
    def in_flight(self) -> int:
        return len(self._window)

    def connect(
        self,
        line: Line,
        number: int,
        hand: Callable[[Delivery], None],
        heard: Callable[[int], None],
    ) -> None:
        """A client took the session over; deliveries go to it from here on."""
        self.line, self._number, self._hand, self._heard = line, number, hand, heard
        self.known, self.acks, self._is_pinging = True, 0, False
        if self.habits.ack_wait_s is None:
            for message in list(self._window.values()):
                self._send(message)
        self.send_again()
        self.flow()

    def disconnect(self) -> None:
        self.line = None
        if self.habits.ack_wait_s is not None:
            # NATS: the copy of a retained message is for its connection alone.
            kept = [message for message in self._window.values() if not message.retain]
            self._window = {message.packet_id: message for message in kept}
            self._queue = deque(message for message in self._queue if not message.retain)

    def take(self, published: Published, topic: str, *, retain: bool = False) -> None:
        """A message for this session's subscriptions."""
        if not self.known or (not published.qos and self.line is None):
            published.lost = True
            return
        message = _Message(published=published, topic=topic, retain=retain)
        if published.qos:
            self._queue.append(message)
            self.flow()
        else:
            self._send(message)  # no window holds it back

    def flow(self) -> None:
        """Send what the window lets through."""
        if self._is_flowing:
            return  # an acknowledgement from inside a delivery: the loop below goes on
        self._is_flowing = True
        while self.line is not None and self._queue and len(self._window) < self.habits.window:
            message = self._queue.popleft()
            message.packet_id = self._free_id()
            self._window[message.packet_id] = message
            self._send(message)
        self._is_flowing = False

    def _free_id(self) -> int:
        while True:
            self._next_id = self._next_id % self.habits.packet_ids + 1
            if self._next_id not in self._window:
                return self._next_id

    def _send(self, message: _Message) -> None:
        assert self.line is not None
        dup, message.sent = message.sent, True
        message.published.deliveries += 1
        if message.published.qos and self.habits.ack_wait_s is not None:
            self._again.append((trio.current_time() + self.habits.ack_wait_s, message))
            self.line.wake()
        delivery = Delivery(
            self.plan.client_id,
            self._number,
            message.packet_id,
            dup,
            message.retain,
            message.topic,
            message.published.payload,
        )
        self.line.down(partial(self._hand, delivery))

    def next_s(self) -> float:
        """When something is to be sent again."""
        return self._again[0][0] if self._again else float("inf")

    def send_again(self) -> None:
        """Send what has waited for its acknowledgement for too long."""
        while self.line is not None and self._again and self._again[0][0] <= trio.current_time():
            _, message = self._again.popleft()
            if self._window.get(message.packet_id) is message:
                self._send(message)

    def acknowledged(self, line: Line, packet_ids: list[int]) -> None:
        """PUBACKs arrived on a line; of one that is not ours any more they say nothing."""
        if self.line is not line:
            return
        for packet_id in packet_ids:
            message = self._window.pop(packet_id, None)
            if message is not None:
                message.published.acknowledged = True
                self._recent.append((trio.current_time(), message))
        self.acks += len(packet_ids)
        self._ping()
        self.flow()

    def _ping(self) -> None:
        """One ping at a time tells the client up to where its acknowledgements were processed."""
        if self.line is None or self._is_pinging:
            return
        self._is_pinging = True
        line, acks = self.line, self.acks

        def pong() -> None:
            self._is_pinging = False
            self._heard(acks)
            if self.acks > acks and self.line is line:
                self._ping()

        line.pong(pong, CONFIRM_S)

    # Faults

    def killed(self) -> None:
        """The broker was killed and is back on its data."""
        self.line = None
        if not self.habits.kill_forgets:
            return
        unsaved = self._rng.random() < 0.5
        again = [*self._window.values()]
        if unsaved:
            since_s = trio.current_time() - UNSAVED_S
            forgotten = [message for at_s, message in self._recent if at_s >= since_s]
            for message in forgotten:
                message.published.forgotten_acks += 1
            again = [*forgotten, *again]
            for message in again:
                message.sent = False
        clocks = {id(message): due_s for due_s, message in self._again}
        self._window.clear()
        self._again.clear()
        self._recent.clear()
        self._next_id = 0
        if unsaved:
            self._queue.extendleft(reversed(again))
            return
        for message in again:  # in flight as before, under other packet ids
            message.packet_id = self._free_id()
            self._window[message.packet_id] = message
            self._again.append((clocks.get(id(message), trio.current_time()), message))

    def lose(self) -> None:
        """The session is gone with all that waited in it."""
        for message in (*self._queue, *self._window.values()):
            message.published.lost = True
        self._queue.clear()
        self._window.clear()
        self._again.clear()
        self._recent.clear()
        self._next_id, self.known = 0, False
