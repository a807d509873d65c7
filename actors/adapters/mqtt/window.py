"""Outgoing QoS 1 messages: which packet id waits for its PUBACK, and who is told."""

from collections.abc import Callable

import gmqtt.storage
import trio

from actors.adapters.mqtt.sending import Fate


class Pubacks:
    """The fates of messages that were sent together.

    Attributes:
        fates: one for each message; `UNKNOWN` until it is settled.
        all_settled: set when no fate is unknown any more.
    """

    def __init__(self, count: int) -> None:
        self.fates = [Fate.UNKNOWN] * count
        self.all_settled = trio.Event()
        self._left = count

    def settle(self, n: int, is_acknowledged: bool) -> None:
        """The n-th was acknowledged, or its connection ended before that."""
        self.fates[n] = Fate.TAKEN if is_acknowledged else Fate.ENDED
        self._left -= 1
        if not self._left:
            self.all_settled.set()


class Window(gmqtt.storage.PersistentStorage):  # type: ignore[misc]
    """gmqtt's store of outgoing messages: reports whether each was acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self.newest = 0
        self.waiting: dict[int, Callable[[bool], None]] = {}

    def push_message(self, mid: int, raw_package: bytes) -> None:
        super().push_message(mid, raw_package)
        self.newest = mid

    def remove_message_by_mid(self, mid: int) -> None:
        super().remove_message_by_mid(mid)
        done = self.waiting.pop(mid, None)
        if done is not None:
            done(True)

    def fail(self) -> None:
        waiting, self.waiting = self.waiting, {}
        for done in waiting.values():
            done(False)
