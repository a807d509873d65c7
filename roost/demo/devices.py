"""The demo's devices: each is a real MQTT client that reports live and hands in its history.

A device that comes back after weeks without a line sends what it measured meanwhile. These do the
same, with the same messages, so every reading is judged, alarms are raised and cleared by its time,
and charts and sums follow. Readings that may raise an alarm go before the first live one, because
an older reading changes no alarm; all others go in portions, behind live ones.
"""

import math
import random
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import trio

from actors.adapters.mqtt.client import Address
from actors.runtime.clock import WallClock
from protocol.device.topics import prefix
from protocol.times import SECOND_US
from roost.demo.business import Place
from roost.demo.readings import Readings
from roost.fleet.device import Access, VirtualDevice
from roost.fleet.tally import Tally
from roost.provisioning import NewLogin

EVERY_S = 2.0
# Messages of the history with each live report: a month of a device takes half a minute.
PORTION = 3
STATUS_EVERY = 5  # reports
LAP_S = 900.0  # of the van


class DemoDevice:
    """A device of the business.

    Args:
        since_us, until_us: which history it hands in.

    Attributes:
        virtual: its MQTT side.
        told: set when the broker has acknowledged its whole history.
    """

    def __init__(
        self,
        place: Place,
        clock: WallClock,
        broker: Address,
        user_id: str,
        login: NewLogin,
        began_us: int,
        since_us: int,
        until_us: int,
    ) -> None:
        self.told = trio.Event()
        self._place = place
        self._clock = clock
        self._readings = Readings(place, began_us)
        self._history = self._told_history(since_us, until_us)
        self._told_at = -1  # acknowledged messages of readings by which the history is complete
        self._reports = 0
        self._tally = Tally()
        self.virtual = VirtualDevice(
            broker,
            Access(login.client_id, login.client_id, login.password, prefix(user_id, place.code)),
            self._talk,
            period_s=EVERY_S,
            tally=self._tally,
            rng=random.Random(place.code),
            session=clock.now_us() // SECOND_US,
            entering=trio.CapacityLimiter(1),
        )

    def _told_history(self, since_us: int, until_us: int) -> Iterator[list[dict[str, Any]]]:
        alarming = [sensor for sensor in self._place.sensors if sensor.has_alarm]
        others = [sensor for sensor in self._place.sensors if not sensor.has_alarm]
        self._first = self._readings.history(alarming, since_us, until_us) if alarming else iter(())
        return self._readings.history(others, since_us, until_us) if others else iter(())

    def _talk(self) -> Iterable[tuple[str, Any]]:
        now_us = self._clock.now_us()
        yield from self._status(now_us)
        for entries in self._first:
            yield "feeds", entries
        if not self._readings.is_silent(now_us):
            yield (
                "feeds",
                {sensor.key: self._readings.at(sensor, now_us) for sensor in self._place.sensors},
            )
        portion = list(islice(self._history, PORTION))
        for entries in portion:
            yield "feeds", entries
        if not portion:
            self._look()

    def _look(self) -> None:
        """Whether everything of the history was acknowledged."""
        if self._told_at < 0:
            self._told_at = self._tally.sent
        if self._tally.acknowledged >= self._told_at:
            self.told.set()
            if self._place.is_away:
                self.virtual.stop()

    def _status(self, now_us: int) -> Iterator[tuple[str, Any]]:
        self._reports += 1
        if self._reports % STATUS_EVERY != 1 and not self._place.route:
            return
        place, values = self._place, {}
        for sensor in place.sensors:
            if sensor.key in ("temperature", "humidity"):
                values[sensor.key] = self._readings.at(sensor, now_us)
        lap = now_us / SECOND_US / LAP_S * 2 * math.pi
        yield (
            "status",
            {
                "status": "online",
                "latitude": round(place.latitude + place.route * math.sin(lap), 6),
                "longitude": round(place.longitude + 1.6 * place.route * math.cos(lap), 6),
                "firmware": place.firmware,
                **values,
            },
        )
