"""What virtual devices measure, and where they are."""

import math
import random
from collections.abc import Iterable
from typing import Any

import msgspec

from actors.runtime.clock import WallClock
from protocol.times import SECOND_US, format_us
from roost.fleet.device import Talk

HANOI = (21.03, 105.85)
SPREAD = 0.08  # degrees
STATUS_EVERY_US = 60 * SECOND_US
FEED = "temperature"


class Place(msgspec.Struct, frozen=True):
    code: str
    name: str
    latitude: float
    longitude: float
    warmth: float  # °C around which its temperature swings


class Weather:
    """Measurements at a place: a slow oscillation and some noise, the same for the same code."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._rng = random.Random(place.code)
        self._step = self._rng.randrange(600)
        self.temperature = self.humidity = 0.0
        self.go_on()

    def go_on(self) -> None:
        self._step += 1
        swing = math.sin(self._step / 60)
        self.temperature = round(self._place.warmth + 4 * swing + self._rng.gauss(0, 0.2), 2)
        wet = 70 - 12 * swing + self._rng.gauss(0, 0.5)
        self.humidity = round(min(100.0, max(0.0, wet)), 1)

    def status(self, firmware: str) -> dict[str, str | float]:
        """It moves within some two hundred metres of its place."""
        angle = self._step / 20
        return {
            "status": "online",
            "temperature": self.temperature,
            "humidity": self.humidity,
            "latitude": round(self._place.latitude + 0.002 * math.cos(angle), 6),
            "longitude": round(self._place.longitude + 0.002 * math.sin(angle), 6),
            "firmware": firmware,
        }


def somewhere(code: str) -> Place:
    """A place around Hanoi, the same for the same code."""
    rng = random.Random(code)
    north, east = HANOI
    return Place(
        code, code, rng.gauss(north, SPREAD), rng.gauss(east, SPREAD), warmth=rng.gauss(27, 2)
    )


def report(place: Place, clock: WallClock) -> Talk:
    """A reading each time, with its time, so that a duplicate would be visible; the device's
    position once a minute."""
    weather = Weather(place)
    told_us = 0

    def talk() -> Iterable[tuple[str, Any]]:
        nonlocal told_us
        weather.go_on()
        now_us = clock.now_us()
        yield f"feeds/{FEED}", {"value": weather.temperature, "ts": format_us(now_us)}
        if now_us - told_us >= STATUS_EVERY_US:
            told_us = now_us
            yield "status", weather.status("virtual-1.0")

    return talk
