"""Notices to a device about messages above its rate: not for each message, but now and then with a
count."""

import math
from collections import OrderedDict

from actors.ingest.rates import Key
from protocol import codec
from protocol.device.topics import errors_topic, unmapped
from protocol.errors import Reason
from protocol.messages import Notice
from protocol.problems.detail import storable

# A device gets at most ten notices a minute (CONTRACT §1).
EVERY_S = 6.0
DEVICES_MAX = 10_000
DETAIL = "more messages than are taken from this device or its user"


class _Told:
    __slots__ = ("refused", "told_s")

    def __init__(self) -> None:
        self.refused = 0
        self.told_s = float("-inf")


class RateNotices:
    """Usage: `notice = notices.refused(device, topic, wait_s, now_s)`; None if the device was told
    just now. At most `DEVICES_MAX` devices are known; beyond it the one refused longest ago is
    forgotten."""

    def __init__(self) -> None:
        self._devices: OrderedDict[Key, _Told] = OrderedDict()

    def refused(self, device: Key, topic: str, wait_s: float, now_s: float) -> Notice | None:
        """A QoS 1 message was refused; in this many seconds one fits again."""
        told = self._devices.get(device)
        if told is None:
            told = self._devices[device] = _Told()
            if len(self._devices) > DEVICES_MAX:
                self._devices.popitem(last=False)
        else:
            self._devices.move_to_end(device)
        told.refused += 1
        if now_s - told.told_s < EVERY_S:
            return None
        body = {
            "topic": storable(unmapped(topic)),
            "reason": Reason.TOO_FAST,
            "detail": DETAIL,
            "retry_after_s": max(1, math.ceil(wait_s)),
            "refused": told.refused,
        }
        told.refused, told.told_s = 0, now_s
        return Notice(topic=errors_topic(*device), body=codec.encode(body))
