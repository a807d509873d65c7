"""Refused logins that wait for their answer: some are answered after each look, the newest first.

An answer takes some tenths of a millisecond, so a client that tries a thousand names a second
delays nobody. A client that gets no answer is closed by the broker later.
"""

from collections import deque
from typing import Any

import structlog

from actors.adapters.nats.login_answers import SHOWN_MAX, Ask
from actors.runtime.sampled import Sampled

log = structlog.get_logger("roost.logins")

EACH_MAX = 64
WAITING_MAX = 1_000


class LoginRefusals:
    """Holds (message to answer, request)."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Any, Ask]] = deque(maxlen=WAITING_MAX)
        self._logged = Sampled()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, message: Any, ask: Ask) -> None:
        self._waiting.append((message, ask))

    def take(self) -> list[tuple[Any, Ask]]:
        """Those that are answered now. Only a sample is logged, so that strangers cannot fill the
        log."""
        taken = [self._waiting.pop() for _ in range(min(EACH_MAX, len(self._waiting)))]
        if times := self._logged.times(len(taken)):
            _, ask = taken[-1]
            names = {"username": ask.username, "client_id": ask.client_id, "address": ask.address}
            shown = {name: value[:SHOWN_MAX] for name, value in names.items()}
            log.info("login refused", **shown, times=times)
        return taken
