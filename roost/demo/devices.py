"""The demo's devices: each is a real MQTT client that reports live and hands in its history.

A device that comes back after weeks without a line sends what it measured meanwhile. These do the
same, with the same messages, so every reading is judged, alarms are raised and cleared by its time,
and charts and sums follow. Readings that may raise an alarm go before the first live one, because
an older reading changes no alarm. All others go in portions behind live ones, the last day first.
"""

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

import trio

from actors.adapters.mqtt.client import Address
from actors.runtime.clock import WallClock
from protocol.device.topics import prefix
from protocol.times import SECOND_US
from roost.demo.business import Place, Sensor
from roost.demo.readings import DAY_STEP_US, DAY_US, Readings
from roost.fleet.device import Access, VirtualDevice
from roost.fleet.tally import Tally
from roost.provisioning import NewLogin

EVERY_S = 10.0
# Messages of the history with each live report: a month of a device takes half a minute.
PORTION = 8
LAP_S = 900.0  # of the van
STATE = ("temperature", "humidity")  # what a status has of its sensors

Entries = list[dict[str, Any]]


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
        alarming = [sensor for sensor in place.sensors if sensor.has_alarm]
        others = [sensor for sensor in place.sensors if not sensor.has_alarm]
        older, newer = self._history_of(alarming, since_us, until_us)
        self._first = chain(older, newer)
        older, newer = self._history_of(others, since_us, until_us)
        self._then = chain(newer, older)
        self._told_at = -1  # acknowledged messages of readings by which the history is complete
        self._tally = Tally()
        self.virtual = VirtualDevice(
            broker,
            Access(login.client_id, login.client_id, login.password, prefix(user_id, place.code)),
            self.talk,
            period_s=EVERY_S,
            tally=self._tally,
            rng=random.Random(place.code),
            session=clock.now_us() // SECOND_US,
            entering=trio.CapacityLimiter(1),
            at_once=True,
        )

    def _history_of(
        self, sensors: Sequence[Sensor], since_us: int, until_us: int
    ) -> tuple[Iterator[Entries], Iterator[Entries]]:
        """Up to a day ago, and the last day."""
        if not sensors:
            return iter(()), iter(())
        day_us = max(since_us, until_us - DAY_US)
        older = self._readings.history(sensors, since_us, day_us)
        return older, self._readings.history(sensors, day_us, until_us, DAY_STEP_US)

    def talk(self) -> Iterable[tuple[str, Any]]:
        """What it publishes with each report."""
        now_us = self._clock.now_us()
        yield "status", self._status(now_us)
        for entries in self._first:
            yield "feeds", entries
        if not self._readings.is_silent(now_us):
            sensors = self._place.sensors
            yield "feeds", {sensor.key: self._readings.at(sensor, now_us) for sensor in sensors}
        portion = list(islice(self._then, PORTION))
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

    def _status(self, now_us: int) -> dict[str, Any]:
        place = self._place
        lap = now_us / SECOND_US / LAP_S * 2 * math.pi
        return {
            "status": "online",
            "latitude": round(place.latitude + place.route * math.sin(lap), 6),
            "longitude": round(place.longitude + 1.6 * place.route * math.cos(lap), 6),
            "firmware": place.firmware,
            **{
                sensor.key: self._readings.at(sensor, now_us)
                for sensor in place.sensors
                if sensor.key in STATE
            },
        }
