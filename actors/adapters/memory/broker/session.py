"""One MQTT session of a broker: its queue, its window, and how it sends again.

What differs from broker to broker is in its `Habits`.
"""

import random
from collections import deque
from collections.abc import Callable
from functools import partial

import msgspec
import trio

from actors.adapters.memory.broker.habits import Habits
from actors.adapters.memory.broker.line import Line
from actors.adapters.memory.broker.published import Published
from actors.ports.broker import Delivery, SessionPlan

CONFIRM_S = 0.02  # a PINGREQ behind acknowledgements is answered this much later
RECENT_MAX = 10_000


class _Message(msgspec.Struct, kw_only=True, eq=False):
    """A published message on its way to one session."""

    published: Published
    topic: str
    retained: Published | None = None  # the retained message that it is a copy of
    packet_id: int = 0
    sent: bool = False  # the next time it is sent again, with DUP
    sent_s: float = 0.0  # when it was last sent


class Session:
    """The server's side of a session. `hand` gives a delivery to the connected client."""

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
        self._returning: deque[tuple[float, _Message]] = deque()  # in flight before a restart
        self._next_id = 0
        self._recent: deque[tuple[float, _Message]] = deque(maxlen=RECENT_MAX)
        self._room = habits.window
        self._is_flowing = False
        self._is_pinging = False

    @property
    def waiting(self) -> int:
        """Messages that are not acknowledged."""
        return len(self._queue) + len(self._window) + len(self._returning)

    @property
    def in_flight(self) -> int:
        return len(self._window)

    @property
    def is_stalled(self) -> bool:
        return self.line is not None and self.line.is_stalled

    def sent(self, packet_id: int) -> Published | None:
        """The message that it sent with this packet id and that is not acknowledged."""
        message = self._window.get(packet_id)
        return None if message is None else message.published

    def connect(
        self,
        line: Line,
        number: int,
        hand: Callable[[Delivery], None],
        heard: Callable[[int], None],
    ) -> None:
        """A client took the session over; deliveries go to it from now on."""
        # A second login takes the session over; each process publishes with a session of its own.
        if self.line is not None and self.plan.persistent:
            self.line.cut(self._rng.randint(0, self.line.on_the_way))
        self.line, self._number, self._hand, self._heard = line, number, hand, heard
        self.known, self.acks, self._is_pinging = True, 0, False
        if self.habits.at_once:
            for message in list(self._window.values()):
                self._send(message)
        self.send_again()
        self.flow()

    def disconnect(self) -> None:
        self.line = None
        if not self.habits.retained_again:
            kept = [message for message in self._window.values() if not message.retained]
            self._window = {message.packet_id: message for message in kept}
            self._queue = deque(message for message in self._queue if not message.retained)

    def take(self, published: Published, topic: str, *, retained: Published | None = None) -> None:
        """A message for this session's subscriptions; perhaps the copy of a retained one."""
        if not self.known or (not published.qos and self.line is None):
            published.lost = True
            return
        message = _Message(published=published, topic=topic, retained=retained)
        if published.qos:
            self._queue.append(message)
            self.flow()
        else:
            self._send(message)  # no window holds it back

    def flow(self) -> None:
        """Send what the window allows."""
        if self._is_flowing:
            return  # an acknowledgement from inside a delivery: the loop below continues
        self._is_flowing = True
        while self.line is not None and self._queue and self._has_room:
            self._let_in(self._queue.popleft())
        self._is_flowing = False

    @property
    def _has_room(self) -> bool:
        return len(self._window) < min(self._room, self.habits.packet_ids - 1)

    def _free_id(self) -> int:
        while True:
            self._next_id = self._next_id % self.habits.packet_ids + 1
            if self._next_id not in self._window:
                return self._next_id

    def _send(self, message: _Message) -> None:
        assert self.line is not None
        dup, message.sent = message.sent, True
        message.sent_s = trio.current_time()
        message.published.deliveries += 1
        if message.retained is not None:
            message.retained.copies += 1
        if message.published.qos and self.habits.ack_wait_s is not None:
            self._again.append((trio.current_time() + self.habits.ack_wait_s, message))
            self.line.wake()
        delivery = Delivery(
            self.plan.client_id,
            self._number,
            message.packet_id,
            dup,
            message.retained is not None,
            message.topic,
            message.published.payload,
        )
        self.line.down(partial(self._hand, delivery))

    def next_s(self) -> float:
        """When something must be sent again."""
        due_s = [self._again[0][0]] if self._again else []
        if self._returning and self._has_room:
            due_s.append(self._returning[0][0])
        return min(due_s, default=float("inf"))

    def send_again(self) -> None:
        """Send again what has waited too long for its acknowledgement."""
        now_s = trio.current_time()
        while self._returning and self._returning[0][0] <= now_s and self._has_room:
            if self.line is None:
                return
            self._let_in(self._returning.popleft()[1])
        while self.line is not None and self._again and self._again[0][0] <= now_s:
            _, message = self._again.popleft()
            if self._window.get(message.packet_id) is message:
                self._send(message)

    def _let_in(self, message: _Message) -> None:
        message.packet_id = self._free_id()
        self._window[message.packet_id] = message
        self._send(message)

    def acknowledged(self, line: Line, packet_ids: list[int]) -> None:
        """PUBACKs arrived on a line; those of an earlier connection have no effect."""
        if self.line is not line:
            return
        for packet_id in packet_ids:
            room = self._room_behind(packet_id)
            message = self._window.pop(packet_id, None)
            if message is not None:
                message.published.acknowledged = True
                self._recent.append((trio.current_time(), message))
                self._room = max(self._room, len(self._window) + room)
                self.send_again()
                self.flow()
                self._room = self.habits.window
        self.acks += len(packet_ids)
        self._ping()
        self.flow()

    def _room_behind(self, packet_id: int) -> int:
        """How many more an acknowledgement lets in, beside its own place (`window_holds`)."""
        if self.habits.window_holds or packet_id not in self._window:
            return 0
        return self.habits.window - list(self._window).index(packet_id)

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

    def restarted(self, killed: bool) -> None:
        """The broker ended and is back with its data."""
        self.line = None
        if self.habits.keeps_ids:
            return
        saved_s = float("inf")
        if killed and not self.habits.kill_loses and self._rng.random() < 0.5:
            saved_s = trio.current_time() - self.habits.saved_after_s
        # What is not on its disk yet: that messages were sent, or acknowledged.
        forgotten = [message for at_s, message in self._recent if at_s >= saved_s]
        for message in forgotten:
            message.published.forgotten_acks += 1
        fresh: list[_Message] = []
        for message in (*forgotten, *self._window.values()):
            if message.sent_s >= saved_s:
                message.sent = False
                fresh.append(message)
            else:  # in flight as before; its packet id comes when it does
                self._returning.append((message.sent_s + (self.habits.ack_wait_s or 0), message))
        self._queue.extendleft(reversed(fresh))
        self._window.clear()
        self._again.clear()
        self._recent.clear()
        self._next_id = 0

    def lose(self) -> None:
        """The session is deleted with all its waiting messages."""
        returning = [message for _, message in self._returning]
        for message in (*self._queue, *self._window.values(), *returning):
            message.published.lost = True
        self._queue.clear()
        self._window.clear()
        self._again.clear()
        self._recent.clear()
        self._returning.clear()
        self._next_id, self.known = 0, False
